//! Hand-overs that follow each other at once.
//!
//! A script that continues and waits, thousands of times a second, passes the turn between its own thread and the
//! tracer thread. A sleeping thread on another CPU takes longer to wake than everything else in a stop; so
//! while the turns come quickly, whoever waits for the next one stays awake for a moment, on a CPU of its own,
//! before it sleeps. A wait that this does not shorten ends it: nobody stays awake for a program that runs, or for
//! a script that computes.
//!
//! Failed: waiting asleep on the same CPU as tracer and tracee. The user's thread has to get its own CPU set back
//! each time, so that what it starts does not inherit ours, and the two changes cost more than the hand-over.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libdebug_kernel::current_cpu;

/// How long to stay awake: what a sleep and a wake-up across CPUs cost.
const AWAKE: Duration = Duration::from_micros(30);
/// As many turns in a row make a rally; more after each that was none.
const FEWEST: u32 = 4;
const MOST: u32 = 256;
const NOWHERE: usize = usize::MAX;

/// The turns between one debugger's tracer thread and its users' threads.
#[derive(Debug)]
pub(crate) struct Rally {
    turns: AtomicU32,
    needed: AtomicU32,
    /// The CPU that tracer and tracee share.
    tracer_cpu: AtomicUsize,
    /// The CPU on which a user last let the process go on.
    user_cpu: AtomicUsize,
}

impl Rally {
    pub(crate) fn new() -> Self {
        Self {
            turns: AtomicU32::new(0),
            needed: AtomicU32::new(FEWEST),
            tracer_cpu: AtomicUsize::new(NOWHERE),
            user_cpu: AtomicUsize::new(current_cpu()),
        }
    }

    /// A user's thread is about to pass the turn.
    pub(crate) fn user_is_here(&self) {
        self.user_cpu.store(current_cpu(), Ordering::Relaxed);
    }

    pub(crate) fn user_cpu(&self) -> usize {
        self.user_cpu.load(Ordering::Relaxed)
    }

    /// Where tracer and tracee are now; `None` when they are not together.
    pub(crate) fn set_tracer_cpu(&self, cpu: Option<usize>) {
        self.tracer_cpu.store(cpu.unwrap_or(NOWHERE), Ordering::Relaxed);
        if cpu.is_none() {
            self.turns.store(0, Ordering::Relaxed);
        }
    }

    /// A turn was passed to a user's thread. Answers whether a rally has just begun.
    pub(crate) fn turn(&self) -> bool {
        let turns = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        if turns >= MOST {
            self.needed.store(FEWEST, Ordering::Relaxed);
        }
        turns == self.needed.load(Ordering::Relaxed)
    }

    /// Stays awake until `ready`, if there is a rally; answers whether it is.
    pub(crate) fn await_turn(&self, ready: impl Fn() -> bool) -> bool {
        if ready() {
            return true;
        }
        if !self.is_on() {
            return false;
        }
        let begun = Instant::now();
        while begun.elapsed() < AWAKE {
            for _ in 0..16 {
                if ready() {
                    return true;
                }
                std::hint::spin_loop();
            }
        }
        self.miss();
        ready()
    }

    /// On one CPU the other side could not run while we stay awake.
    fn is_on(&self) -> bool {
        let tracer_cpu = self.tracer_cpu.load(Ordering::Relaxed);
        self.turns.load(Ordering::Relaxed) >= self.needed.load(Ordering::Relaxed)
            && tracer_cpu != NOWHERE
            && tracer_cpu != self.user_cpu()
    }

    fn miss(&self) {
        self.turns.store(0, Ordering::Relaxed);
        let needed = self.needed.load(Ordering::Relaxed);
        self.needed.store((needed * 2).min(MOST), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun() -> Rally {
        let rally = Rally::new();
        rally.set_tracer_cpu(Some(rally.user_cpu() + 1));
        assert_eq!((1..=FEWEST).map(|_| rally.turn()).collect::<Vec<_>>(), [false, false, false, true]);
        rally
    }

    #[test]
    fn a_rally_needs_turns_and_two_cpus() {
        let rally = begun();
        assert!(rally.is_on());
        rally.set_tracer_cpu(Some(rally.user_cpu()));
        assert!(!rally.is_on());
        rally.set_tracer_cpu(None);
        assert!(!rally.is_on());
    }

    #[test]
    fn a_miss_ends_it_and_the_next_one_needs_more() {
        let rally = begun();
        assert!(!rally.await_turn(|| false));
        assert!(!rally.is_on());
        (0..FEWEST).for_each(|_| assert!(!rally.turn()));
        assert!(!rally.is_on());
        assert!((0..FEWEST).any(|_| rally.turn()));
        assert!(rally.is_on());
    }

    #[test]
    fn what_is_ready_is_not_waited_for() {
        assert!(Rally::new().await_turn(|| true));
        assert!(!Rally::new().await_turn(|| false));
    }
}
