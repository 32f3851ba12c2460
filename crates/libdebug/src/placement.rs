//! Which CPUs the tracer and its tracee run on.
//!
//! Handing over between two threads is cheap on one CPU and many times as expensive across CPUs, where the other
//! one has to be woken from idle. While a single-threaded process stops often, tracer and tracee therefore share
//! one CPU: the one that the user's thread was on, which waits meanwhile. As soon as the process runs for a
//! while, starts a thread or a child, or is let go, everybody has their own set again.
//!
//! Failed: starting a program on the shared CPU. It saves two hand-overs, but the initializers of libraries
//! look at the CPU set, and OpenMP's would run the whole program on one CPU.
//!
//! Failed: moving only one of the two (the scheduler then places the other on an idle CPU, every time), and
//! leaving it all to the scheduler (it spreads the pair as soon as a second CPU is idle).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use libdebug_kernel::{CpuSet, Tid, Timer, affinity, set_affinity, timer_expiries};

use crate::session::Shared;

/// The calling thread, to the kernel.
const SELF: Tid = Tid(0);

/// Running as long without a stop, the process is on its own.
const APART: Duration = Duration::from_millis(10);

/// Stops that follow each other as closely, and as many of them, bring the two together. Not fewer: runtimes that
/// start one thread per CPU ask for their CPU set as they begin, and are to see their own.
const CLOSE: Duration = Duration::from_millis(1);
const STREAK: u32 = 64;

/// Threads that were moved to one CPU, with the sets to give back.
pub(crate) struct Placement {
    shared: Arc<Shared>,
    moved: BTreeMap<Tid, CpuSet>,
    /// Ends a long wait, so that the process is not left on the shared CPU.
    timer: Option<Timer>,
    /// What [`timer_expiries`] was when it was armed: another debugger's expiry arms it anew, no more.
    armed_at: Option<u32>,
    stopped_since_armed: bool,
    last_stop: Option<Instant>,
    streak: u32,
}

impl Placement {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            moved: BTreeMap::new(),
            timer: None,
            armed_at: None,
            stopped_since_armed: false,
            last_stop: None,
            streak: 0,
        }
    }

    fn is_joined(&self) -> bool {
        !self.moved.is_empty()
    }

    fn join(&mut self, tracee: Tid) {
        self.pin(SELF);
        if self.is_joined() {
            self.pin(tracee);
        }
    }

    fn pin(&mut self, tid: Tid) {
        let cpu = self.shared.link.rally.user_cpu();
        let Ok(own) = affinity(tid) else { return };
        // The user's own choice stands: a CPU that the thread may not use is not forced on it.
        if own.contains(cpu) && own.count() > 1 && set_affinity(tid, &CpuSet::single(cpu)).is_ok() {
            self.moved.entry(tid).or_insert(own);
            self.shared.link.rally.set_tracer_cpu(Some(cpu));
        }
    }

    /// A wait begins: one that gets long is to end once.
    pub(crate) fn before_wait(&mut self) {
        if !self.is_joined() {
            return;
        }
        let expiries = timer_expiries();
        if self.armed_at != Some(expiries) {
            self.arm(expiries);
        }
    }

    fn arm(&mut self, expiries: u32) {
        if self.timer.is_none() {
            self.timer = Timer::for_this_thread().ok();
        }
        match &self.timer {
            Some(timer) => timer.arm(APART),
            None => return self.part(),
        }
        self.armed_at = Some(expiries);
        self.stopped_since_armed = false;
    }

    /// The timer ended a wait.
    pub(crate) fn expired(&mut self) {
        if !self.stopped_since_armed {
            self.part();
        }
    }

    /// The only thread of the process has stopped.
    pub(crate) fn after_stop(&mut self, tracee: Tid) {
        self.stopped_since_armed = true;
        if self.is_joined() {
            return;
        }
        let now = Instant::now();
        let close = self.last_stop.replace(now).is_some_and(|last| now - last < CLOSE);
        self.streak = if close { self.streak + 1 } else { 0 };
        if self.streak >= STREAK && self.shared.share_cpu.load(Ordering::Acquire) {
            self.join(tracee);
        }
    }

    /// Gives a new tracee, which has inherited its creator's place, the set that its creator had.
    pub(crate) fn release(&self, tid: Tid) {
        if let Some(own) = self.moved.values().next() {
            let _ = set_affinity(tid, own);
        }
    }

    /// A user's thread is told of the stop. When that happens stop after stop, the user's thread needs a CPU of
    /// its own to stay awake on.
    pub(crate) fn handed_over(&mut self) {
        if self.is_joined() && self.shared.link.rally.turn() {
            self.leave_to_user(self.shared.link.rally.user_cpu());
        }
    }

    fn leave_to_user(&mut self, taken: usize) {
        let Some(cpu) = self.moved.values().next().and_then(|own| own.other_than(taken)) else { return };
        for &tid in self.moved.keys() {
            let _ = set_affinity(tid, &CpuSet::single(cpu));
        }
        self.shared.link.rally.set_tracer_cpu(Some(cpu));
    }

    /// Gives everybody their sets back.
    pub(crate) fn part(&mut self) {
        self.shared.link.rally.set_tracer_cpu(None);
        for (tid, own) in std::mem::take(&mut self.moved) {
            // A thread that is gone needs none.
            let _ = set_affinity(tid, &own);
        }
        self.armed_at = None;
        self.streak = 0;
    }
}
