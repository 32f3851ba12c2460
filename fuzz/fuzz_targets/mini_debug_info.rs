//! Symbols that are packed into a file.
#![no_main]

use std::hint::black_box;
use std::sync::Arc;

use libdebug_image::Image;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(image) = Image::parse(Arc::new(data.to_vec())) else { return };
    if let Some(packed) = image.mini_debug_info() {
        black_box((packed.symbols().count(), packed.symbol("main")));
    }
});
