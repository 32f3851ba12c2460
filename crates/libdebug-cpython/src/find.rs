//! Which image of a process is an interpreter, and which version it is.

use std::collections::HashSet;

use libdebug::{FileAddress, Image, Map, MappedImage, Pid, Segment};

use crate::debug_offsets::{self, DebugOffsets};
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::tables;
use crate::target::Target;
use crate::version::Version;

/// What is found before anything of the interpreter's structures is read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) pid: Pid,
    pub(crate) image: MappedImage,
    pub(crate) runtime: u64,
    pub(crate) version: Version,
    pub(crate) build: String,
    pub(crate) is_free_threaded: bool,
}

impl Found {
    pub(crate) fn symbol(&self, name: &str) -> Option<u64> {
        symbol(&self.image, name)
    }

    /// Where things lie in this build.
    pub(crate) fn layout(&self, target: &dyn Target) -> Result<Layout> {
        let what = "where its structures lie is told in a way that is not known";
        let unexpected = Error::Unexpected { pid: self.pid, version: self.version, what };
        if let Some(layout) = tables::layout(self.version.series()) {
            return Ok(layout);
        }
        let mut bytes = [0; debug_offsets::MOST];
        target.read(self.runtime, &mut bytes)?;
        DebugOffsets::new(&bytes).and_then(|offsets| offsets.layout()).ok_or(unexpected)
    }
}

/// Finds the interpreter of a process.
pub(crate) fn find(target: &dyn Target) -> Result<Found> {
    let program = target.program();
    let places = places(&target.maps()?, &program);
    for &place in &places {
        let Some(image) = target.image_at(place)? else { continue };
        if !image.image.is_64_bit() {
            return Err(Error::OtherMachine { pid: target.pid(), program });
        }
        if let Some(runtime) = runtime(&image) {
            return of_image(target, &image, runtime);
        }
    }
    Err(refusal(target, program, &places))
}

/// Where the mapped files begin, those first that are likely to have the interpreter.
fn places(maps: &[Map], program: &str) -> Vec<u64> {
    let mut seen = HashSet::new();
    let mut files: Vec<_> =
        maps.iter().filter(|map| map.has_file() && seen.insert(map.path.as_str())).collect();
    files.sort_by_key(|map| likelihood(map, program));
    files.iter().map(|map| map.start).collect()
}

/// The lower, the likelier it has the interpreter.
fn likelihood(map: &Map, program: &str) -> u8 {
    if map.path == program {
        0
    } else if map.path.contains("python") {
        1
    } else {
        2
    }
}

/// The runtime's state: by its symbol, else by the section that it has for itself since 3.13.
fn runtime(image: &MappedImage) -> Option<u64> {
    let by_section = || {
        let section = image.image.sections().find(|section| section.name == ".PyRuntime")?;
        Some(section.address.in_process(image.load_bias))
    };
    symbol(image, "_PyRuntime").or_else(by_section)
}

fn symbol(image: &MappedImage, name: &str) -> Option<u64> {
    let symbol = image.image.symbol(name)?;
    Some(symbol.address.in_process(image.load_bias))
}

fn of_image(target: &dyn Target, image: &MappedImage, runtime: u64) -> Result<Found> {
    let pid = target.pid();
    let mut head = [0; debug_offsets::HEAD];
    target.read(runtime, &mut head)?;
    let build = version_text(target, image).unwrap_or_default();
    let by_hex = || Version::from_hex(number(target, symbol(image, "Py_Version")?)?);
    let version = debug_offsets::version(&head)
        .or_else(by_hex)
        .or_else(|| Version::from_text(&build))
        .ok_or(Error::NotInitialized(pid))?;
    if !((3, 8)..=(3, 15)).contains(&version.series()) {
        return Err(Error::OtherVersion { pid, found: version.to_string(), image: image.path.clone() });
    }
    let is_free_threaded = debug_offsets::is_free_threaded(&head);
    Ok(Found { pid, image: image.clone(), runtime, version, build, is_free_threaded })
}

fn number(target: &dyn Target, address: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    target.read(address, &mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

/// Why a process without a runtime's state is refused.
fn refusal(target: &dyn Target, program: String, places: &[u64]) -> Error {
    let pid = target.pid();
    let images = places.iter().filter_map(|&place| target.image_at(place).ok().flatten());
    for image in images {
        let has = |name| image.image.symbol(name).is_some();
        if has("pypy_execute_source") || has("rpython_startup_code") {
            return Error::OtherImplementation { pid, name: "PyPy", image: image.path };
        }
        if has("Py_GetVersion") && has("PyInterpreterState_Head") {
            let version = version_text(target, &image).and_then(|text| Version::from_text(&text));
            let found = version.map_or("older than 3.7".to_owned(), |version| version.to_string());
            return Error::OtherVersion { pid, found, image: image.path };
        }
    }
    Error::NotPython { pid, program }
}

/// What `Py_GetVersion` has answered, as `sys.version` has it: it stands in a variable of that function, which is zero
/// until it is called the first time.
fn version_text(target: &dyn Target, image: &MappedImage) -> Option<String> {
    zeroed(&image.image).find_map(|(address, size)| {
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        target.read(address.in_process(image.load_bias), &mut bytes).ok()?;
        let texts = bytes.split(|&byte| byte == 0).filter(|text| (16..400).contains(&text.len()));
        let texts = texts.filter_map(|text| str::from_utf8(text).ok());
        texts.filter(|text| is_version_text(text)).map(str::to_owned).next()
    })
}

/// The variables that are zero when the image is loaded.
fn zeroed(image: &Image) -> impl Iterator<Item = (FileAddress, u64)> + '_ {
    const GREATEST: u64 = 1 << 26;
    let has_zeros = |segment: &&Segment| {
        segment.writable
            && (1..GREATEST).contains(&(segment.memory_size - segment.file_size.min(segment.memory_size)))
    };
    image.segments().iter().filter(has_zeros).map(|segment| {
        let start = FileAddress(segment.address.0.wrapping_add(segment.file_size));
        (start, segment.memory_size - segment.file_size)
    })
}

/// Whether a text is one as `3.11.2 (main, Nov 30 2024, 21:22:50) [GCC 12.2.0]`.
fn is_version_text(text: &str) -> bool {
    text.starts_with(['2', '3'])
        && text.contains('(')
        && text.ends_with(']')
        && Version::from_text(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_texts_are_told_from_others() {
        for text in [
            "3.8.18 (default, May  9 2026, 07:33:17) \n[GCC 12.2.0]",
            "3.13.0 experimental free-threading build (main, Oct  8 2024, 01:04:00) [Clang 18.1.8 ]",
            "2.7.18 (default, May  9 2026, 07:29:20) \n[GCC 12.2.0]",
        ] {
            assert!(is_version_text(text), "{text}");
        }
        for text in ["3.8.18", "3.x (main) [GCC]", "[GCC 12.2.0] 3.8.1 (main)", "1.2.3 (main) [GCC]"] {
            assert!(!is_version_text(text), "{text}");
        }
    }
}
