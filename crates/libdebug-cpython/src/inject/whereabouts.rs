//! Decide, from where a thread stands, how Python code can come to run in it.

use std::path::Path;

use libdebug::{Frame, Thread};

use crate::error::Result;

/// Where a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// In a system call that CPython has made, and made without its lock: the thread may take the lock and run any code,
    /// as it would if a signal had come, and the call is repeated by CPython itself (PEP 475).
    Waiting,
    /// The same, in a wait for a lock that Python code has: CPython makes pending calls when it is interrupted.
    Locked,
    /// In a wait that CPython repeats when it is interrupted, perhaps one for its lock: no code can run now.
    Interruptible,
    /// In a system call of other code, which may take an interruption for an error.
    Foreign,
    /// Executing something.
    Busy,
    /// In the middle of the list of pending calls, and perhaps with its lock.
    Fragile,
}

/// What matters of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) symbol: &'a str,
}

impl<'a> From<&'a Frame> for Place<'a> {
    fn from(frame: &'a Frame) -> Self {
        let symbol = frame.symbol.as_ref().map_or("", |(name, _)| name.as_str());
        Self { file: frame.file.as_deref().unwrap_or_default(), symbol }
    }
}

/// The system call that a thread is in, and what its registers say of how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SystemCall {
    number: i64,
    result: i64,
}

const FUTEX: i64 = 202;
/// What the kernel repeats an interrupted call by, in place of the call's own number.
const RESTART: i64 = 219;
/// What is repeated so: the calls with a relative time, of which futex(2) is one. The functions of libc that make the others.
const TIMED: [&str; 6] = ["clock_nanosleep", "nanosleep", "__nanosleep", "poll", "__poll", "ppoll"];
/// Functions of CPython that wait, without its lock, for a lock that Python code has. All of their callers go on waiting
/// when a signal has come.
const LOCKS: [&str; 6] = [
    "PyThread_acquire_lock_timed",
    "PyThread_acquire_lock",
    "_PySemaphore_Wait",
    "_PySemaphore_PlatformWait",
    "_PyParkingLot_Park",
    "PyEvent_WaitTimed",
];
/// What works on the list of pending calls.
const PENDING: [&str; 8] = [
    "Py_AddPendingCall",
    "_PyEval_AddPendingCall",
    "_push_pending_call",
    "_pop_pending_call",
    "make_pending_calls",
    "_make_pending_calls",
    "Py_MakePendingCalls",
    "_PyEval_MakePendingCalls",
];

impl Whereabouts {
    /// Where the stopped `thread` of a program is whose interpreter is in the file `interpreter`.
    pub(crate) fn of(thread: &Thread, frames: &[Frame], interpreter: &str) -> Result<Self> {
        let register = |name: &str| -> Result<i64> {
            Ok(thread.register(name)?.as_u64().unwrap_or_default().cast_signed())
        };
        let call = SystemCall { number: register("orig_rax")?, result: register("rax")? };
        let places: Vec<_> = frames.iter().map(Place::from).collect();
        Ok(decide(call, &places, interpreter))
    }
}

fn decide(call: SystemCall, places: &[Place<'_>], interpreter: &str) -> Whereabouts {
    if !call.is_interrupted() {
        let fragile = places.iter().take_while(|place| !place.symbol.contains("Eval_EvalFrame"));
        let fragile = fragile.into_iter().any(|place| is_one_of(place.symbol, &PENDING));
        return if fragile { Whereabouts::Fragile } else { Whereabouts::Busy };
    }
    let outside = places.iter().position(|place| !is_libc(place.file));
    let Some(caller) = outside.map(|index| places[index]) else { return Whereabouts::Foreign };
    // The function of libc that was called, which for what it does in the end says more than the kernel.
    let called = places[..outside.unwrap_or(0)].last().map_or("", |place| place.symbol);
    if !is_cpython(caller.file, interpreter) {
        return Whereabouts::Foreign;
    }
    match call.number {
        FUTEX | RESTART if is_one_of(caller.symbol, &LOCKS) || called.contains("sem_") => Whereabouts::Locked,
        RESTART if is_one_of(called, &TIMED) => Whereabouts::Waiting,
        FUTEX | RESTART => Whereabouts::Interruptible,
        _ => Whereabouts::Waiting,
    }
}

impl SystemCall {
    /// The kernel would repeat it (ERESTARTSYS and its like), or it ends with EINTR by itself, as epoll_wait(2) does.
    fn is_interrupted(self) -> bool {
        self.number >= 0 && matches!(self.result, -514..=-512 | -516 | -4)
    }
}

/// Names of functions that a compiler has made several of have a suffix.
fn is_one_of(symbol: &str, names: &[&str]) -> bool {
    names.contains(&symbol.split('.').next().unwrap_or_default())
}

fn file_name(path: &str) -> &str {
    Path::new(path.trim_end_matches(" (deleted)"))
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// Whether a mapped file is the C library, or a part of it.
pub(crate) fn is_libc(path: &str) -> bool {
    let name = file_name(path);
    ["libc.so", "libc-2", "libc.musl", "ld-musl", "libpthread.so", "libpthread-2"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// Whether code of a file obeys CPython's rules for signals: the interpreter's own, and that of its modules. Not ctypes, which
/// calls code that does not.
fn is_cpython(path: &str, interpreter: &str) -> bool {
    path == interpreter || path.contains("/lib-dynload/") && !file_name(path).starts_with("_ctypes")
}

/// The innermost function of a stack that has a name, and its file: what a thread is doing, in words.
pub(crate) fn activity(frames: &[Frame]) -> String {
    let places: Vec<_> = frames.iter().map(Place::from).collect();
    let in_file = |place: &Place<'_>| match place.symbol {
        "" => format!("code of {}", file_name(place.file)),
        symbol => format!("{symbol} ({})", file_name(place.file)),
    };
    let outside = places.iter().position(|place| !is_libc(place.file));
    match outside {
        Some(0) => in_file(&places[0]),
        Some(index) => format!("{}, called by {}", in_file(&places[index - 1]), in_file(&places[index])),
        None => places.first().map_or("unknown code".to_owned(), in_file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: &str = "/usr/bin/python3.11";
    const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";

    fn at(file: &'static str, symbol: &'static str) -> Place<'static> {
        Place { file, symbol }
    }

    fn decided(number: i64, result: i64, places: &[Place<'_>]) -> Whereabouts {
        decide(SystemCall { number, result }, places, PYTHON)
    }

    #[test]
    fn who_is_in_no_system_call_is_busy() {
        let eval = at(PYTHON, "_PyEval_EvalFrameDefault");
        assert_eq!(decided(-1, 2, &[at(PYTHON, "_PyLong_Add"), eval]), Whereabouts::Busy);
        let pending = [at(LIBC, "sem_wait"), at(PYTHON, "Py_AddPendingCall.cold"), eval];
        assert_eq!(decided(-1, 2, &pending), Whereabouts::Fragile);
        assert_eq!(decided(-1, 2, &[eval, at(PYTHON, "make_pending_calls")]), Whereabouts::Busy);
    }

    #[test]
    fn waits_of_cpythons_own_are_where_code_can_run() {
        let waits = [
            (230, -514, at(LIBC, "clock_nanosleep"), at(PYTHON, "")),
            (0, -512, at(LIBC, "read"), at("/usr/lib/python3.11/lib-dynload/_x.so", "")),
            (232, -4, at(LIBC, "epoll_wait"), at(PYTHON, "")),
            (RESTART, -516, at(LIBC, "poll"), at(PYTHON, "")),
        ];
        for (number, result, inner, caller) in waits {
            let places = [inner, caller, at(PYTHON, "_PyEval_EvalFrameDefault")];
            assert_eq!(decided(number, result, &places), Whereabouts::Waiting, "{places:?}");
        }
    }

    #[test]
    fn so_are_waits_for_locks() {
        let sem = at(LIBC, "__new_sem_wait_slow64.constprop.0");
        let locked = [[sem, at(PYTHON, "")], [at(LIBC, ""), at(PYTHON, "PyThread_acquire_lock_timed")]];
        for (number, places) in [FUTEX, RESTART].into_iter().zip(locked) {
            assert_eq!(decided(number, -516, &places), Whereabouts::Locked, "{places:?}");
        }
    }

    #[test]
    fn a_wait_for_the_interpreters_lock_is_none_of_them() {
        for number in [FUTEX, RESTART] {
            let places = [at(LIBC, ""), at(LIBC, "pthread_cond_timedwait"), at(PYTHON, "")];
            assert_eq!(decided(number, -516, &places), Whereabouts::Interruptible);
        }
    }

    #[test]
    fn other_code_is_left_alone() {
        let ffi = at("/lib/libffi.so.8", "ffi_call");
        let places = [at(LIBC, "clock_nanosleep"), at(LIBC, "sleep"), ffi, at(PYTHON, "")];
        assert_eq!(decided(230, -516, &places), Whereabouts::Foreign);
        let ctypes = at("/usr/lib/python3.11/lib-dynload/_ctypes.cpython-311-x86_64-linux-gnu.so", "");
        assert_eq!(decided(230, -516, &[at(LIBC, "nanosleep"), ctypes]), Whereabouts::Foreign);
        assert_eq!(decided(0, -512, &[at(LIBC, "read")]), Whereabouts::Foreign);
    }
}
