//! The names that instructions are counted by.

use std::collections::HashMap;
use std::sync::Arc;

use libdebug_arch::{SyscallAbi, syscall_by_number};
use libdebug_kernel::proc::Map;

use crate::map_space::symbol_in_maps;
use crate::symbol_sources::SymbolSources;

/// What instructions are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountBy {
    /// The function that the instruction is in, by its symbol; `[module]` where there is none.
    Function,
    /// The mapped file.
    Module,
    /// The next system call: all instructions from behind the previous one to it, itself included.
    Syscall,
    /// The instruction's name, with its prefixes.
    Mnemonic,
    /// The thread.
    Thread,
    /// The functions that have called each other: [`Count::stacks`](crate::Count::stacks). One frame for each call that has not
    /// returned, at most 500 deep; a child and a new thread begin anew, below the program's name.
    Stack,
}

/// Names as numbers, with what was counted of each.
#[derive(Debug, Default)]
pub(super) struct Names {
    numbers: HashMap<String, u32>,
    counts: Vec<u64>,
}

impl Names {
    pub(super) fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.counts.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.counts.push(0);
        number
    }

    pub(super) fn add(&mut self, number: u32, count: u64) {
        if let Some(sum) = self.counts.get_mut(number as usize) {
            *sum = sum.wrapping_add(count);
        }
    }

    pub(super) fn take_off(&mut self, number: u32, count: u64) {
        if let Some(sum) = self.counts.get_mut(number as usize) {
            *sum = sum.wrapping_sub(count);
        }
    }

    /// All names, by their numbers.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = vec![String::new(); self.counts.len()];
        for (name, number) in &self.numbers {
            texts[*number as usize].clone_from(name);
        }
        texts
    }

    /// Most first, and by name where as many.
    pub(super) fn sorted(self) -> Vec<(String, u64)> {
        let counts = self.counts;
        let count = |number: u32| counts.get(number as usize).copied().unwrap_or(0);
        let all = self.numbers.into_iter().map(|(name, number)| (name, count(number)));
        let mut sorted: Vec<_> = all.filter(|(_, count)| *count > 0).collect();
        sorted.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        sorted
    }
}

/// The name of a 64-bit system call; its number where the table has none.
pub(super) fn syscall_name(number: u64) -> String {
    match syscall_by_number(SyscallAbi::X86_64, number) {
        Some(row) => row.name.to_owned(),
        None => format!("syscall_{number}"),
    }
}

pub(super) fn module_name(maps: &[Map], address: u64) -> String {
    let map = maps.iter().find(|map| map.contains(address));
    map.map_or_else(|| "[unknown]".to_owned(), |map| map.name().into_owned())
}

pub(super) fn function_name(maps: &Arc<[Map]>, sources: &Arc<SymbolSources>, address: u64) -> String {
    function_at(maps, sources, address).0
}

/// The function's name, and whether it begins there.
pub(super) fn function_at(maps: &Arc<[Map]>, sources: &Arc<SymbolSources>, address: u64) -> (String, bool) {
    match symbol_in_maps(Arc::clone(maps), address, Arc::clone(sources)) {
        Some((name, offset)) => (name, offset == 0),
        None => {
            let module = module_name(maps, address);
            let file = module.rsplit('/').next().unwrap_or(&module);
            let name = if file.starts_with('[') { file.to_owned() } else { format!("[{file}]") };
            (name, false)
        }
    }
}
