//! Headers, symbol tables, stubs, sections and mitigations.
#![no_main]

use std::hint::black_box;
use std::sync::Arc;

use libdebug_image::{FileAddress, Image};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(image) = Image::parse(Arc::new(data.to_vec())) else { return };
    black_box((image.symbols().count(), image.linkage_symbols().count(), image.sections().count()));
    black_box((image.mitigations(), image.build_id(), image.interpreter()));
    for name in ["main", "deep::name", "name(int)", "puts@plt"] {
        black_box((image.symbol(name), image.symbols_meaning(name).len(), image.linkage_symbol(name)));
    }
    for address in [image.entry(), FileAddress(0), FileAddress(u64::MAX)] {
        black_box((image.symbol_at(address), image.linkage_symbol_at(address), image.bytes_at(address, 16)));
    }
});
