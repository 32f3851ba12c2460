//! The program's code, read once.

use std::collections::HashMap;
use std::sync::Arc;

use libdebug_kernel::ProcessMemory;
use libdebug_kernel::proc::Map;

/// What is read at once.
const PIECE: u64 = 16 << 10;
/// Read beyond a piece, so that a block which begins in it is there as a whole.
const BEYOND: u64 = 1 << 10;

/// Pieces of code, by their number and by the map that they are of.
#[derive(Debug, Clone, Default)]
pub(super) struct Text {
    pieces: HashMap<(u64, u64), Arc<[u8]>>,
}

impl Text {
    /// The piece with the code at `pc` in `map`, and where in it that is.
    pub(super) fn at(&mut self, memory: &ProcessMemory, map: &Map, pc: u64) -> (Arc<[u8]>, usize) {
        let number = pc / PIECE;
        let start = (number * PIECE).max(map.start);
        let piece = self.pieces.entry((number, map.start)).or_insert_with(|| {
            let end = (number * PIECE).saturating_add(PIECE + BEYOND).min(map.end);
            let mut bytes = vec![0; (end - start) as usize];
            let length = memory.read(start, &mut bytes);
            bytes.truncate(length);
            bytes.into()
        });
        (Arc::clone(piece), (pc - start) as usize)
    }

    /// Code in that range may be another.
    pub(super) fn forget(&mut self, start: u64, end: u64) {
        let is_kept = |number: u64| (number + 1) * PIECE + BEYOND <= start || number * PIECE >= end;
        self.pieces.retain(|(number, _), _| is_kept(*number));
    }
}

/// Whether what is in a map stays as it is while it is mapped: code that a program makes for itself does not.
pub(super) fn is_lasting(map: &Map) -> bool {
    let is_file = map.has_file() && !map.path.starts_with("/memfd:") && !map.path.ends_with(" (deleted)");
    map.is_executable() && map.is_private() && map.permissions[1] != b'w' && (is_file || map.path == "[vdso]")
}
