//! What is known of one process's code.

use std::collections::HashMap;
use std::sync::Arc;

use libdebug_arch::Isa;
use libdebug_arch::x86_64::{CodeSize, Disassembler, LONGEST_INSTRUCTION, StepKind, step_kind};
use libdebug_kernel::proc::{self, Map};
use libdebug_kernel::{Pid, ProcessMemory};

use super::flow::Flow;
use super::names::{CountBy, Names, function_at, function_name, module_name};
use crate::symbol_sources::SymbolSources;

/// One instruction, as far as counting is concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) kind: StepKind,
    /// What it counts for.
    pub(super) name: u32,
    /// It makes a system call as 32-bit programs do, `int 0x80`.
    pub(super) is_legacy: bool,
    /// Where it goes, and whether a function begins with it: for [`CountBy::Stack`] only.
    pub(super) flow: Flow,
    pub(super) is_start: bool,
}

/// The code of a process that was executed so far. What a program may write to is looked at each time.
#[derive(Debug)]
pub(super) struct Space {
    pid: Pid,
    memory: ProcessMemory,
    maps: Arc<[Map]>,
    known: HashMap<u64, Code>,
    sources: Arc<SymbolSources>,
}

impl Space {
    pub(super) fn new(pid: Pid) -> Self {
        let memory = ProcessMemory::open(pid).unwrap_or_else(|_| ProcessMemory::closed(pid));
        let sources = Arc::default();
        Self { pid, memory, maps: Arc::default(), known: HashMap::new(), sources }
    }

    pub(super) fn memory(&self) -> &ProcessMemory {
        &self.memory
    }

    /// The program may have other code than before.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.maps = Arc::default();
    }

    pub(super) fn maps(&mut self) -> &Arc<[Map]> {
        if self.maps.is_empty() {
            self.maps = proc::maps(self.pid).unwrap_or_default().into();
        }
        &self.maps
    }

    pub(super) fn code_at(&mut self, pc: u64, by: Option<CountBy>, names: &mut Names) -> Code {
        match self.known.get(&pc) {
            Some(code) => *code,
            None => self.look(pc, by, names),
        }
    }

    /// Where the instruction at `pc` goes.
    pub(super) fn flow_at(&mut self, pc: u64) -> Flow {
        if let Some(code) = self.known.get(&pc) {
            return code.flow;
        }
        let mut bytes = [0; LONGEST_INSTRUCTION];
        let length = self.memory.read(pc, &mut bytes);
        flow_of(&bytes[..length], pc)
    }

    fn look(&mut self, pc: u64, by: Option<CountBy>, names: &mut Names) -> Code {
        if !self.maps().iter().any(|map| map.contains(pc)) {
            self.maps = Arc::default();
        }
        let maps = Arc::clone(self.maps());
        let mut bytes = [0; LONGEST_INSTRUCTION];
        let length = self.memory.read(pc, &mut bytes);
        let bytes = &bytes[..length];
        let name = match by {
            Some(CountBy::Function) => names.number(&function_name(&maps, &self.sources, pc)),
            Some(CountBy::Module) => names.number(&module_name(&maps, pc)),
            Some(CountBy::Mnemonic) => names.number(&mnemonic(bytes, pc)),
            Some(CountBy::Syscall | CountBy::Thread | CountBy::Stack) | None => 0,
        };
        let is_legacy = bytes.starts_with(&[0xcd, 0x80]);
        let mut code = Code { kind: step_kind(bytes), name, is_legacy, ..Code::default() };
        if by == Some(CountBy::Stack) {
            let (function, is_start) = function_at(&maps, &self.sources, pc);
            (code.name, code.is_start) = (names.number(&function), is_start);
            code.flow = flow_of(bytes, pc);
        }
        let is_writable = |map: &Map| map.contains(pc) && map.permissions[1] == b'w';
        if !maps.iter().any(is_writable) {
            self.known.insert(pc, code);
        }
        code
    }
}

fn flow_of(bytes: &[u8], pc: u64) -> Flow {
    Isa::X86_64.decode(bytes, pc).map_or(Flow::On, |found| Flow::of(found.kind, found.target))
}

pub(super) fn mnemonic(bytes: &[u8], pc: u64) -> String {
    Disassembler::new(CodeSize::Bits64).next(bytes, pc, &mut |_| None).mnemonic
}
