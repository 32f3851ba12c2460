//! Types, location expressions, call frame information and values.
#![no_main]

use std::hint::black_box;
use std::sync::Arc;

use libdebug_image::{FileAddress, Frame, Image, Registers};
use libfuzzer_sys::fuzz_target;

struct Anything;

impl Registers for Anything {
    fn register(&self, number: u16) -> Option<u64> {
        (number < 17).then_some(u64::from(number) * 0x101)
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        buffer.fill(address as u8);
        address % 5 != 0
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(image) = Image::parse(Arc::new(data.to_vec())) else { return };
    let frame = |pc| Frame { pc, load_bias: 0x1000, registers: &Anything, cfa: None };
    black_box(frame(image.entry()).canonical_frame_address(&image));
    let Some(info) = image.debug_info() else { return };
    for function in info.functions().take(16) {
        let frame = frame(FileAddress(function.address.0.wrapping_add(8)));
        black_box((info.variables(&frame).len(), frame.canonical_frame_address(&image)));
        black_box(info.global("shared", &frame));
    }
});
