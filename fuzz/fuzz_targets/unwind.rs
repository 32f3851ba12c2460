//! Unwind tables: at addresses all over the code, with a stack that has something everywhere.
#![no_main]

use std::hint::black_box;
use std::sync::Arc;

use libdebug_image::{FileAddress, FrameRegisters, Image, UnwindScratch};
use libfuzzer_sys::fuzz_target;

const STACK: u64 = 0x7000_0000;

fuzz_target!(|data: &[u8]| {
    let Ok(image) = Image::parse(Arc::new(data.to_vec())) else { return };
    let mut scratch = UnwindScratch::default();
    for segment in image.segments().iter().filter(|segment| segment.executable).take(2) {
        for part in 0..16 {
            let address = segment.address.0.wrapping_add(segment.memory_size / 16 * part);
            black_box(unwind(&image, &mut scratch, FileAddress(address)));
        }
    }
});

fn unwind(image: &Image, scratch: &mut UnwindScratch, address: FileAddress) -> Option<u64> {
    let mut registers = FrameRegisters::default();
    (0..17).for_each(|number| registers.set(number, STACK + 8 * u64::from(number)));
    let mut read = |address: u64, buffer: &mut [u8]| {
        buffer.fill(address as u8);
        !address.is_multiple_of(64)
    };
    image.unwind(scratch, address, 7, &registers, &mut read).ok()?.pc
}
