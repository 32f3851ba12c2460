//! Tracer and tracee on one CPU, as long as there is one tracee: handing over between CPUs costs many times as much.

use libdebug_kernel::{CpuSet, Tid, affinity, current_cpu, set_affinity};

/// The calling thread, to the kernel.
const SELF: Tid = Tid(0);

/// The tracer and its only tracee.
#[derive(Debug)]
pub(crate) struct Pair {
    wanted: bool,
    tracer: Option<CpuSet>,
    tracee: Option<(Tid, CpuSet)>,
    threads: usize,
}

impl Pair {
    pub(crate) fn new(wanted: bool) -> Self {
        Self { wanted, tracer: None, tracee: None, threads: 0 }
    }

    /// A thread was adopted, and there are so many now. What it inherits is its creator's set, which may be narrowed.
    pub(super) fn note_threads(&mut self, tid: Tid, count: usize) {
        self.threads = count;
        match (count, &self.tracee) {
            (0 | 1, _) => self.join(tid),
            (_, Some((_, own))) => {
                let _ = set_affinity(tid, own);
                self.part();
            }
            _ => {}
        }
    }

    pub(super) fn forget(&mut self, tid: Tid) {
        self.threads = self.threads.saturating_sub(1);
        if self.tracee.as_ref().is_some_and(|(held, _)| *held == tid) {
            self.tracee = None;
            self.part();
        }
    }

    fn join(&mut self, tid: Tid) {
        let (Ok(tracer), Ok(tracee)) = (affinity(SELF), affinity(tid)) else { return };
        let cpu = current_cpu();
        let both = tracer.contains(cpu) && tracee.contains(cpu) && tracee.count() > 1;
        if self.wanted && both && set_affinity(SELF, &CpuSet::single(cpu)).is_ok() {
            self.tracer = Some(tracer);
            if set_affinity(tid, &CpuSet::single(cpu)).is_ok() {
                self.tracee = Some((tid, tracee));
            }
        }
    }

    /// Everybody has their own set again.
    pub(crate) fn part(&mut self) {
        if let Some((tid, own)) = self.tracee.take() {
            let _ = set_affinity(tid, &own);
        }
        if let Some(own) = self.tracer.take() {
            let _ = set_affinity(SELF, &own);
        }
    }

    /// The next thing that `tid` does concerns its own CPU set: it has that until [`Pair::rejoin`].
    pub(crate) fn show_own_set(&mut self) {
        self.part();
    }

    /// The only thread, `tid`, goes on beside the tracer again.
    pub(crate) fn rejoin(&mut self, tid: Tid) {
        if self.threads == 1 && self.tracee.is_none() {
            self.join(tid);
        }
    }
}
