//! A followed process as an address space: its stacks can be walked while one of its threads stands still.

use std::path::PathBuf;
use std::sync::Arc;

use libdebug_arch::x86_64::GeneralRegisters;
use libdebug_image::Image;
use libdebug_kernel::{Pid, ProcessMemory, Ptrace, Tid, proc};

use crate::error::Result;
use crate::images;
use crate::space::AddressSpace;
use crate::unwind::{Frame, Modules, ModulesSlot, Walk};

/// The memory, maps and files of one process. Its other threads may run, so what it says is of this moment.
#[derive(Debug)]
pub(crate) struct FollowedSpace {
    process: Pid,
    memory: ProcessMemory,
    modules: ModulesSlot,
}

impl FollowedSpace {
    /// Of a process that is gone, all is empty.
    pub(crate) fn new(process: Pid) -> Self {
        let memory = ProcessMemory::open(process).unwrap_or_else(|_| ProcessMemory::closed(process));
        Self { process, memory, modules: ModulesSlot::default() }
    }

    pub(crate) fn memory(&self) -> &ProcessMemory {
        &self.memory
    }

    /// The stack of a thread that is stopped, innermost frame first; none of one that is gone.
    pub(crate) fn stack(&self, ptrace: Ptrace, tid: Tid) -> Vec<Frame> {
        let Ok(registers) = ptrace.general_registers(tid) else { return Vec::new() };
        Walk::new(self, &GeneralRegisters(registers)).map(|mut walk| walk.described()).unwrap_or_default()
    }
}

impl AddressSpace for FollowedSpace {
    fn maps(&self) -> Result<Arc<[proc::Map]>> {
        Ok(proc::maps(self.process)?.into())
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<usize> {
        Ok(self.memory.read(address, buffer))
    }

    /// As the process sees the file, in its own mount namespace.
    fn image(&self, path: &str) -> Option<Arc<Image>> {
        let path = path.strip_prefix('/')?;
        images::open(&PathBuf::from(format!("/proc/{}/root/{path}", self.process)))
    }

    fn program(&self) -> Result<String> {
        Ok(proc::executable(self.process)?.to_string_lossy().into_owned())
    }

    fn modules(&self) -> Result<Arc<Modules>> {
        self.modules.of(self.maps()?)
    }
}
