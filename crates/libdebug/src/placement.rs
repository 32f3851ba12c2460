//! Which CPUs the tracer and its tracees run on.
//!
//! Handing over between two threads costs a few microseconds on one CPU, and ten times that across CPUs, where
//! the other one has to be woken from idle. While a single-threaded process stops often, tracer and tracee
//! therefore share one CPU.

use std::collections::BTreeMap;

use libdebug_kernel::{CpuSet, Tid, affinity, current_cpu, set_affinity};

/// Threads that were moved to one CPU, with the sets to give back.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    moved: BTreeMap<Tid, CpuSet>,
}

/// The calling thread, to the kernel.
const SELF: Tid = Tid(0);

impl Placement {
    /// Moves the calling thread and `tracee` to the calling thread's CPU, unless that was done.
    pub(crate) fn join(&mut self, tracee: Tid) {
        if !self.moved.contains_key(&tracee) {
            self.pin(SELF, current_cpu());
            self.pin(tracee, current_cpu());
        }
    }

    /// Whether anything is moved.
    pub(crate) fn is_joined(&self) -> bool {
        !self.moved.is_empty()
    }

    fn pin(&mut self, tid: Tid, cpu: usize) {
        let Ok(own) = affinity(tid) else { return };
        let one = CpuSet::single(cpu);
        // The user's own choice stands: a CPU that the thread may not use is not forced on it.
        if own.contains(cpu) && own.count() > 1 && set_affinity(tid, &one).is_ok() {
            self.moved.entry(tid).or_insert(own);
        }
    }

    /// Gives a new thread, which has inherited its creator's place, the set that its creator had.
    pub(crate) fn release(&self, tid: Tid) {
        if let Some(own) = self.moved.iter().find(|(moved, _)| **moved != SELF).map(|(_, own)| own) {
            let _ = set_affinity(tid, own);
        }
    }

    /// Gives everybody their sets back.
    pub(crate) fn part(&mut self) {
        for (tid, own) in std::mem::take(&mut self.moved) {
            // A thread that is gone needs none.
            let _ = set_affinity(tid, &own);
        }
    }
}
