//! How stops, and what keeps a thread from stopping, are told to people.

use std::fmt;

use libdebug_arch::{SyscallAbi, syscall_by_number};
use libdebug_kernel::{Signal, proc};

use crate::error::Error;
use crate::mailbox::lock;
use crate::session::{Session, StopReason, StopRecord, ThreadCell, read};

/// In words that go on after "the thread stopped": without the names that only programs know handlers by.
///
/// ```
/// use libdebug::{Signal, StopReason};
/// assert_eq!(StopReason::Step.to_string(), "after a step");
/// assert_eq!(StopReason::Signal(Signal::SEGV).to_string(), "before the delivery of SIGSEGV");
/// ```
impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "at its start",
            Self::Breakpoint(_) => "at a breakpoint",
            Self::Step => "after a step",
            Self::Interrupted => "by an interrupt, or with another thread",
            Self::Signal(signal) => return write!(f, "before the delivery of {signal}"),
            Self::Caught(_) => "before the delivery of a caught signal",
            Self::SyscallEnter(_) => "before a handled system call",
            Self::SyscallExit(_) => "after a handled system call",
            Self::Exec => "after it executed another program",
            Self::Callback => "because a callback failed or asked for it",
        })
    }
}

/// Why each living thread of a stopped process stands where it stands.
pub(crate) fn stops(session: &Session) -> String {
    let threads = read(&session.threads);
    let living = threads.iter().filter(|cell| cell.death().is_none());
    living.map(|cell| stop(cell)).collect::<Vec<_>>().join("; ")
}

fn stop(cell: &ThreadCell) -> String {
    let record = lock(&cell.stop);
    let reasons: Vec<_> = record.reasons.iter().map(|&reason| in_words(reason, &record)).collect();
    let hint = if record.reasons.iter().all(|reason| *reason == StopReason::Started) {
        ", and nothing has let it go on since (`cont`)"
    } else {
        ""
    };
    format!("thread {} stopped {}{hint}", cell.tid, reasons.join(" and "))
}

fn in_words(reason: StopReason, record: &StopRecord) -> String {
    let detail = match reason {
        StopReason::Breakpoint(id) => {
            record.hit.iter().find(|cell| cell.life.id == id).map(|cell| cell.symbol.clone())
        }
        StopReason::Caught(_) => record.signal.map(Signal::name),
        _ => None,
    };
    detail.map_or_else(|| reason.to_string(), |detail| format!("{reason} ({detail})"))
}

/// That the process is dead, and of what.
pub(crate) fn death(session: &Session) -> Error {
    let tid = session.pid.leader();
    let how =
        read(&session.threads).iter().find(|cell| cell.tid == tid).and_then(|cell| cell.death()).flatten();
    Error::Died { tid, how }
}

/// What a thread of a running process is doing.
pub(crate) fn activity(cell: &ThreadCell) -> String {
    match cell.group_stop() {
        Some(signal) => format!("stopped by {signal}, and goes on at {}", Signal::CONT),
        None => named_call(&proc::activity(cell.tid)),
    }
}

/// With the name of the system call, where the number is one's.
fn named_call(activity: &str) -> String {
    let name = |number: &str| syscall_by_number(SyscallAbi::X86_64, number.parse().ok()?);
    match activity.split_once(" in system call ").and_then(|(state, number)| Some((state, name(number)?))) {
        Some((state, call)) => format!("{state} in {}", call.name),
        None => activity.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_by_name() {
        assert_eq!(named_call("sleeping in system call 0"), "sleeping in read");
        assert_eq!(named_call("sleeping in system call 99999"), "sleeping in system call 99999");
        assert_eq!(named_call("running"), "running");
    }
}
