//! Mangled names.
#![no_main]

use std::hint::black_box;

use libdebug_image::{Spelling, demangle};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(name) = str::from_utf8(data) else { return };
    for prefix in ["", "_Z", "_R"] {
        let name = format!("{prefix}{name}");
        black_box((demangle(&name, Spelling::Full), demangle(&name, Spelling::Bare)));
    }
});
