//! Functions of DWARF, compressed sections among them.
#![no_main]

use std::hint::black_box;
use std::sync::Arc;

use libdebug_image::Image;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(image) = Image::parse(Arc::new(data.to_vec())) else { return };
    let Some(info) = image.debug_info() else { return };
    black_box((info.functions().count(), info.functions_named("main").len()));
    for function in info.functions().take(16) {
        black_box((info.function_at(function.address), info.inlined_at(function.address)));
    }
});
