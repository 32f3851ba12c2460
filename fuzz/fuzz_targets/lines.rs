//! Line tables.
#![no_main]

use std::hint::black_box;
use std::sync::Arc;

use libdebug_image::{FileAddress, Image};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(image) = Image::parse(Arc::new(data.to_vec())) else { return };
    let Some(info) = image.debug_info() else { return };
    for line in [1, 4, 7, u32::MAX] {
        black_box(info.line_places("seed.c", line).len());
    }
    for at in 0..64 {
        black_box(info.source_line(FileAddress(image.entry().0.wrapping_add(at * 8))));
    }
});
