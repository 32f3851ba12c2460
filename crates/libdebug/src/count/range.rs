//! Only inside one function: a debug register waits for its beginning, and nothing is stepped outside of it.

use libdebug_arch::x86_64::index;
use libdebug_kernel::{Pid, ProcessMemory, Ptrace, Tid};

use crate::map_space::resolve_in_maps;
use libdebug_kernel::proc::{self, Map, auxiliary_key};
use std::sync::Arc;

/// Where a thread is, as far as the function is concerned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Inside {
    /// Everything counts.
    #[default]
    Everywhere,
    /// It runs freely.
    Outside,
    /// It is in the function, until it comes to this address with its stack above that.
    Until(u64, u64),
}

impl Inside {
    /// Whether a thread that has come to `pc` has left the function.
    pub(super) fn has_left(self, pc: u64, stack: impl FnOnce() -> u64) -> bool {
        matches!(self, Self::Until(back, entered) if pc == back && stack() > entered)
    }
}

/// Where a thread enters the function: where it will return to, and its stack.
pub(super) fn entered(ptrace: Ptrace, tid: Tid, memory: &ProcessMemory) -> Inside {
    let stack = ptrace.general_register(tid, index::RSP).unwrap_or(0);
    let mut word = [0; 8];
    memory.read(stack, &mut word);
    Inside::Until(u64::from_le_bytes(word), stack)
}

/// Has `tid` stop where it is about to execute `address`.
pub(super) fn wait_at(ptrace: Ptrace, tid: Tid, address: u64) {
    const FIRST: usize = 0;
    const CONTROL: usize = 7;
    // Its local enable bit; the rest of its bits say "execution, one byte" where they are zero.
    const ENABLE_FIRST: u64 = 1;
    // One that is gone needs none.
    let _ = ptrace.set_debug_register(tid, CONTROL, 0);
    let _ = ptrace.set_debug_register(tid, FIRST, address);
    let _ = ptrace.set_debug_register(tid, CONTROL, ENABLE_FIRST);
}

/// No register of ours is left in `tid`.
pub(super) fn withdraw(ptrace: Ptrace, tid: Tid) {
    let _ = ptrace.set_debug_register(tid, 7, 0);
    let _ = ptrace.set_debug_register(tid, 0, 0);
}

/// Where the program's own code begins: its libraries are mapped by then.
pub(super) fn entry_point(process: Pid) -> Option<u64> {
    proc::auxiliary(process, auxiliary_key::ENTRY).ok().flatten()
}

/// The function's address.
pub(super) fn find(maps: &Arc<[Map]>, process: Pid, symbol: &str) -> crate::Result<u64> {
    let program = proc::executable(process)?.to_string_lossy().into_owned();
    resolve_in_maps(Arc::clone(maps), program, symbol)
}
