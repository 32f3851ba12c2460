//! `.gnu_debuglink`.
#![no_main]

use std::hint::black_box;
use std::sync::Arc;

use libdebug_image::Image;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(image) = Image::parse(Arc::new(data.to_vec())) else { return };
    black_box(image.debug_link().is_some_and(|link| link.fits(data)));
});
