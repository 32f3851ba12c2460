//! Times symbol lookups in a file: `cargo run --release -p libdebug-image --example lookup_speed -- FILE`.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libdebug_image::{FileAddress, Image};

const NAMES: usize = 10_000;
const ROUNDS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which file?")?;
    let bytes = Arc::new(std::fs::read(path)?);
    let image = Image::parse(bytes.clone())?;
    let all: Vec<(String, FileAddress)> =
        image.symbols().map(|symbol| (symbol.name.to_owned(), symbol.address)).collect();
    let sample: Vec<_> = all.iter().step_by((all.len() / NAMES).max(1)).take(NAMES).collect();
    let (last, address) = all.last().ok_or("the file has no symbols")?;
    println!("{} symbols, {} names asked for", all.len(), sample.len());
    report("first name", || Image::parse(bytes.clone()), |image| assert!(image.symbol(last).is_some()));
    report(
        "first missing name",
        || Image::parse(bytes.clone()),
        |image| assert!(image.symbol("no such name").is_none()),
    );
    report(
        "all names",
        || Image::parse(bytes.clone()),
        |image| {
            assert!(sample.iter().all(|(name, _)| image.symbol(name).is_some()));
        },
    );
    report(
        "three names",
        || Image::parse(bytes.clone()),
        |image| {
            assert!(sample.iter().take(3).all(|(name, _)| image.symbol(name).is_some()));
        },
    );
    report(
        "first address",
        || Image::parse(bytes.clone()),
        |image| assert!(image.symbol_at(*address).is_some()),
    );
    report(
        "all addresses",
        || Image::parse(bytes.clone()),
        |image| {
            assert!(sample.iter().all(|(_, address)| image.symbol_at(*address).is_some()));
        },
    );
    Ok(())
}

/// The median time of the work on a fresh image.
fn report<E>(what: &str, fresh: impl Fn() -> Result<Image, E>, work: impl Fn(&Image)) {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .filter_map(|_| {
            let image = fresh().ok()?;
            let start = Instant::now();
            work(&image);
            Some(start.elapsed())
        })
        .collect();
    times.sort();
    println!("{what:20} {:9.3} ms", times[times.len() / 2].as_secs_f64() * 1e3);
}
