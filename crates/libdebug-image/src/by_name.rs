//! From a name to symbols: by a search through the string table at first, by a hash table when names are
//! asked for again and again.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use memchr::memmem;

use crate::Symbol;
use crate::table::Table;

/// So many names are searched for in a table before a hash table of all its names pays.
const SCANS_BEFORE_INDEX: u32 = 2;

/// The names of one symbol table, and what has been prepared for finding them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    scans: AtomicU32,
    index: OnceLock<NameIndex>,
}

impl Names {
    /// The table's symbols of that name, in its order. It must always be asked about the same table.
    pub(crate) fn find<'a>(&self, table: &Table<'a>, name: &str) -> Vec<Symbol<'a>> {
        if self.index.get().is_none() && self.scans.fetch_add(1, Ordering::Relaxed) < SCANS_BEFORE_INDEX {
            return scan(table, name);
        }
        self.index.get_or_init(|| NameIndex::build(table)).find(table, name)
    }
}

fn scan<'a>(table: &Table<'a>, name: &str) -> Vec<Symbol<'a>> {
    let positions = string_positions(table, name);
    if positions.is_empty() {
        return Vec::new();
    }
    let wanted = table.name_positions().zip(0..).filter(|(at, _)| positions.binary_search(at).is_ok());
    wanted.filter_map(|(_, index)| table.symbol(index)).collect()
}

/// Where in the string table the name stands, sorted. It may be the tail of a longer name: linkers share them.
fn string_positions(table: &Table<'_>, name: &str) -> Vec<u32> {
    if name.is_empty() || name.as_bytes().contains(&0) {
        return Vec::new();
    }
    let mut found = occurrences(table.strings, name, 0);
    // Versions are written into the name in `.symtab` only.
    if !table.is_dynamic() && !name.contains('@') {
        found.extend(occurrences(table.strings, name, b'@'));
        found.sort_unstable();
    }
    found
}

/// With its terminator a name cannot overlap itself, so that a search which skips what it found finds all.
fn occurrences(strings: &[u8], name: &str, terminator: u8) -> Vec<u32> {
    let needle = [name.as_bytes(), &[terminator]].concat();
    memmem::find_iter(strings, &needle).map_while(|at| u32::try_from(at).ok()).collect()
}

const END: u32 = u32::MAX;

/// A chained hash table over the names of a table: one node per symbol, and no copy of any name.
///
/// Chains, not open addressing: a file of a million equal names is built in linear time, too.
#[derive(Debug)]
struct NameIndex {
    heads: Vec<u32>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    hash: u32,
    symbol: u32,
    next: u32,
}

impl NameIndex {
    fn build(table: &Table<'_>) -> Self {
        let mut nodes = Vec::with_capacity(table.len() as usize);
        for index in 0..table.len() {
            let entry = table.entry(index);
            if let Some((name, _)) = entry.and_then(|entry| table.name_and_version(&entry)) {
                nodes.push(Node { hash: hash(name), symbol: index, next: END });
            }
        }
        let mut heads = vec![END; nodes.len().next_power_of_two()];
        // Backwards, so that a chain lists its symbols in the order of the file.
        for (at, node) in nodes.iter_mut().enumerate().rev() {
            let bucket = bucket(node.hash, heads.len());
            node.next = std::mem::replace(&mut heads[bucket], at as u32);
        }
        Self { heads, nodes }
    }

    fn find<'a>(&self, table: &Table<'a>, name: &str) -> Vec<Symbol<'a>> {
        let name = name.as_bytes();
        let hash = hash(name.split(|&byte| byte == b'@').next().unwrap_or_default());
        let candidates = self.chain(hash).filter(|node| node.hash == hash);
        candidates.filter_map(|node| table.symbol_if_named(node.symbol, name)).collect()
    }

    fn chain(&self, hash: u32) -> impl Iterator<Item = &Node> {
        let head = self.heads.get(bucket(hash, self.heads.len())).copied().unwrap_or(END);
        let node = |at: u32| self.nodes.get(at as usize);
        std::iter::successors(node(head), move |previous| node(previous.next))
    }
}

fn bucket(hash: u32, buckets: usize) -> usize {
    hash as usize & (buckets - 1)
}

/// Multiply and fold, eight bytes at a time. It need not resist an attacker: a long chain costs what a scan
/// costs.
pub(crate) fn hash(name: &[u8]) -> u32 {
    let (chunks, rest) = name.as_chunks::<8>();
    let mut state = mix(0, name.len() as u64);
    for chunk in chunks {
        state = mix(state, u64::from_le_bytes(*chunk));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(state, u64::from_le_bytes(last)) as u32
}

const fn mix(state: u64, word: u64) -> u64 {
    let factor = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let product = factor as u128 * 0xf39c_c060_5ced_c835_u128;
    (product >> 64) as u64 ^ product as u64
}
