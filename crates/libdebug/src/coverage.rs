//! Which instructions of a program's files were executed.

use std::collections::BTreeMap;

use libdebug_kernel::proc::Map;

/// The instructions that were executed, each once, and the maps that they lay in.
///
/// ```
/// use libdebug::InstructionTrace;
///
/// # fn main() -> libdebug::Result<()> {
/// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
/// let trace = InstructionTrace { limit: Some(50), ..InstructionTrace::default() };
/// let traced = debugger.main_thread()?.trace_instructions(trace, |_| Ok(()))?;
/// assert!(traced.coverage.instructions().count() <= 50);
/// assert!(traced.coverage.to_drcov().starts_with(b"DRCOV VERSION: 2\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    code: BTreeMap<u64, u8>,
    maps: Vec<Map>,
}

/// A stretch of code without a gap, as drcov's blocks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    start: u64,
    size: u16,
}

/// A file, or what is mapped without one, from its first to its last map.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Module {
    start: u64,
    end: u64,
    path: String,
}

impl Coverage {
    /// The addresses and lengths, in bytes, of all instructions, ascending.
    pub fn instructions(&self) -> impl Iterator<Item = (u64, u8)> + '_ {
        self.code.iter().map(|(&address, &length)| (address, length))
    }

    /// What was mapped where, as far as code in it was executed or it was there when the first was.
    pub fn maps(&self) -> &[Map] {
        &self.maps
    }

    pub(crate) fn has(&self, address: u64) -> bool {
        self.code.contains_key(&address)
    }

    /// Adds one instruction; `look` tells the maps of now, where those that are known have none for it.
    pub(crate) fn add(&mut self, address: u64, length: u8, look: impl FnOnce() -> Vec<Map>) {
        self.code.insert(address, length);
        if !self.maps.iter().any(|map| map.contains(address)) {
            let new = look().into_iter().filter(|map| !self.maps.contains(map)).collect::<Vec<_>>();
            self.maps.extend(new);
            self.maps.sort_by_key(|map| map.start);
        }
    }

    /// The file that DynamoRIO's drcov writes, version 2, which tools for coverage read (Lighthouse, lightkeeper, Cartographer):
    /// a table of modules in text, then one entry of 8 bytes for each stretch of code: offset in its module, size, module.
    pub fn to_drcov(&self) -> Vec<u8> {
        let modules = modules(&self.maps);
        let mut entries = Vec::new();
        let mut count = 0_usize;
        for block in blocks(&self.code) {
            let Some((id, module)) = modules.iter().enumerate().rfind(|(_, module)| module.has(block.start))
            else {
                continue;
            };
            count += 1;
            entries.extend((block.start.wrapping_sub(module.start) as u32).to_le_bytes());
            entries.extend(block.size.to_le_bytes());
            entries.extend((id as u16).to_le_bytes());
        }
        let mut file = head(&modules, count).into_bytes();
        file.append(&mut entries);
        file
    }
}

impl Module {
    fn has(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }
}

fn head(modules: &[Module], blocks: usize) -> String {
    let mut text = format!(
        "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\nModule Table: version 2, count {}\nColumns: id, base, end, entry, path\n",
        modules.len()
    );
    for (id, Module { start, end, path }) in modules.iter().enumerate() {
        text += &format!("{id:3}, {start:#018x}, {end:#018x}, {:#018x}, {path}\n", 0);
    }
    text + &format!("BB Table: {blocks} bbs\n")
}

/// Maps of one file that follow each other, whatever lies between two of them without a file, are one module.
fn modules(maps: &[Map]) -> Vec<Module> {
    let mut modules: Vec<Module> = Vec::new();
    for map in maps {
        let known = modules.last_mut().filter(|module| map.has_file() && module.path == map.path);
        match known {
            Some(module) => module.end = map.end,
            None if map.path.is_empty() && !map.is_executable() => {}
            None => modules.push(Module { start: map.start, end: map.end, path: map.name().into_owned() }),
        }
    }
    modules
}

fn blocks(code: &BTreeMap<u64, u8>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for (&start, &length) in code {
        let follows = |block: &&mut Block| block.start + u64::from(block.size) == start;
        let longer = |block: &mut Block| block.size.checked_add(u16::from(length));
        match blocks.last_mut().filter(follows).and_then(|block| Some((longer(block)?, block))) {
            Some((size, block)) => block.size = size,
            None => blocks.push(Block { start, size: u16::from(length) }),
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(start: u64, end: u64, permissions: [u8; 4], path: &str) -> Map {
        Map { start, end, permissions, offset: 0, inode: 1, path: path.to_owned() }
    }

    #[test]
    fn instructions_without_a_gap_are_one_block() {
        let code = BTreeMap::from([(0x1000, 4), (0x1004, 2), (0x1006, 1), (0x1010, 15)]);
        let of = |start, size| Block { start, size };
        assert_eq!(blocks(&code), [of(0x1000, 7), of(0x1010, 15)]);
        let long: BTreeMap<u64, u8> = (0..0x2000).map(|at| (0x1000 + at * 15, 15)).collect();
        let sizes: u64 = blocks(&long).iter().map(|block| u64::from(block.size)).sum();
        assert_eq!(sizes, 0x2000 * 15);
        assert_eq!(blocks(&long).len(), 2, "a block's size has 16 bits");
    }

    #[test]
    fn the_maps_of_a_file_are_one_module() {
        let maps = [
            map(0x1000, 0x2000, *b"r--p", "/bin/a"),
            map(0x2000, 0x3000, *b"r-xp", "/bin/a"),
            map(0x3000, 0x4000, *b"rw-p", ""),
            map(0x5000, 0x6000, *b"r-xp", "/lib/b"),
            map(0x6000, 0x7000, *b"rw-p", ""),
            map(0x7000, 0x8000, *b"rw-p", "/lib/b"),
        ];
        let of = |start, end, path: &str| Module { start, end, path: path.to_owned() };
        assert_eq!(modules(&maps), [of(0x1000, 0x3000, "/bin/a"), of(0x5000, 0x8000, "/lib/b")]);
    }

    #[test]
    fn the_file_has_offsets_in_modules() {
        let maps = || vec![map(0x40_1000, 0x40_2000, *b"r-xp", "/bin/a")];
        let mut coverage = Coverage::default();
        coverage.add(0x40_1010, 3, maps);
        coverage.add(0x40_1013, 5, maps);
        let file = coverage.to_drcov();
        let (head, table) = file.split_at(file.len() - 8);
        assert_eq!(table, [0x10, 0, 0, 0, 8, 0, 0, 0]);
        let lines: Vec<_> = str::from_utf8(head).unwrap_or_default().lines().collect();
        assert_eq!(lines[2], "Module Table: version 2, count 1");
        assert_eq!(lines[4], "  0, 0x0000000000401000, 0x0000000000402000, 0x0000000000000000, /bin/a");
        assert_eq!(lines[5], "BB Table: 1 bbs");
    }
}
