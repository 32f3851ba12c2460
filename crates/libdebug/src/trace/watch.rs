//! One thread's calls, from the stops that they make.

use std::collections::HashMap;
use std::ffi::CString;
use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use libdebug_arch::decode::ArgumentKind;
use libdebug_arch::errno_of_return;
use libdebug_kernel::{Death, Pid, Ptrace, Signal, SyscallCall, SyscallInfo, Tid, proc};

use super::TraceOptions;
use super::record::{CallEnter, CallExit, TraceEvent, TraceWhat};
use crate::describe::{Words, declarations, in_quotes, is_filled, meaning, named_error, opens, with_file};
use crate::follow::{FollowedSpace, Pair, Tracee, Watch, Way};
use crate::launch::LaunchSpec;

pub(super) type Tell = Box<dyn FnMut(TraceEvent) + Send>;

/// What is kept of one thread.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// The call that it is in, and when that began. With a filter only one that is of interest.
    current: Option<(CallEnter, Instant)>,
    /// It is in a call of which the exit is awaited.
    is_inside: bool,
    /// That call is told of.
    is_told: bool,
}

pub(crate) struct Tracer {
    options: TraceOptions,
    tell: Tell,
    is_filtered: bool,
    /// The call that began the program, which is told of where it succeeded.
    first: Option<CallEnter>,
    spaces: HashMap<Pid, FollowedSpace>,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("options", &self.options).finish_non_exhaustive()
    }
}

const NATIVE: u32 = libdebug_kernel::AUDIT_ARCH_X86_64;
const EXECVE: u64 = 59;
/// sched_setaffinity, sched_getaffinity
const PLACING: [u64; 2] = [203, 204];
/// Calls that return an address: brk, mmap, mremap, shmat.
const ADDRESSES: [u64; 4] = [12, 9, 25, 30];

/// The execve(2) that began a program.
pub(super) fn first_call(spec: &LaunchSpec) -> CallEnter {
    let text = |text: &CString| in_quotes(text.to_bytes());
    let argv: Vec<_> = spec.argv.iter().map(text).collect();
    let call = SyscallCall { audit_arch: NATIVE, number: EXECVE, arguments: [0; 6] };
    let arguments =
        [text(&spec.path_c), format!("[{}]", argv.join(", ")), format!("/* {} vars */", spec.env.len())];
    CallEnter { call, name: "execve".to_owned(), arguments: arguments.map(Some).into(), stack: Vec::new() }
}

impl Tracer {
    pub(super) fn new(
        options: TraceOptions,
        tell: Tell,
        is_filtered: bool,
        first: Option<CallEnter>,
    ) -> Self {
        let first = first.filter(|first| options.calls.has(&first.call) && options.calls.paths.is_empty());
        Self { options, tell, is_filtered, first, spaces: HashMap::new() }
    }

    fn tell(&mut self, tid: Tid, process: Pid, what: TraceWhat) {
        (self.tell)(TraceEvent { process, thread: tid, at: SystemTime::now(), what });
    }

    fn space(&mut self, process: Pid) -> &FollowedSpace {
        self.spaces.entry(process).or_insert_with(|| FollowedSpace::new(process))
    }

    fn with_words<T>(&mut self, tid: Tid, process: Pid, act: impl FnOnce(&Words<'_>) -> T) -> T {
        let shows_files = self.options.shows_files;
        let memory = self.space(process).memory();
        let read = |address: u64, limit: usize| {
            let mut bytes = vec![0; limit];
            (memory.read(address, &mut bytes) == limit).then_some(bytes)
        };
        act(&Words { tid, read: &read, shows_files })
    }

    fn on_enter(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Calls>, call: SyscallCall) {
        tracee.data.is_inside = true;
        let (tid, process) = (tracee.tid, tracee.process);
        tracee.data.is_told = self.options.calls.has(&call) && self.has_path(tid, process, &call);
        if !tracee.data.is_told {
            tracee.data.current = None;
            return;
        }
        let mut enter = self.with_words(tid, process, |words| enter_of(words, call));
        if self.options.shows_stacks {
            enter.stack = self.space(process).stack(ptrace, tid);
        }
        tracee.data.current = Some((enter.clone(), Instant::now()));
        self.tell(tid, process, TraceWhat::Enter(enter));
    }

    fn has_path(&mut self, tid: Tid, process: Pid, call: &SyscallCall) -> bool {
        if self.options.calls.paths.is_empty() {
            return true;
        }
        let wanted = self.options.calls.paths.clone();
        let is_wanted = |path: &[u8]| wanted.iter().any(|wanted| wanted.as_bytes() == path);
        self.with_words(tid, process, |words| {
            (0..6).any(|index| match meaning(call, index) {
                Some(ArgumentKind::Path) => {
                    words.path(call.arguments[index]).is_some_and(|path| is_wanted(&path))
                }
                Some(ArgumentKind::Descriptor) => proc::descriptor(tid, call.arguments[index] & 0xffff_ffff)
                    .is_ok_and(|path| is_wanted(path.as_os_str().as_encoded_bytes())),
                _ => false,
            })
        })
    }

    fn on_exit(&mut self, tracee: &mut Tracee<Calls>, value: i64) {
        tracee.data.is_inside = false;
        let Some((enter, start)) = tracee.data.current.take() else { return };
        let (tid, process, elapsed) = (tracee.tid, tracee.process, start.elapsed());
        let exit = self.with_words(tid, process, |words| exit_of(words, enter, value, elapsed));
        self.tell(tid, process, TraceWhat::Exit(exit));
    }
}

fn enter_of(words: &Words<'_>, call: SyscallCall) -> CallEnter {
    let Some((name, declared)) = declarations(&call) else {
        let arguments = call.arguments.iter().map(|value| Some(format!("{value:#x}"))).collect();
        let name = format!("syscall_{:#x}", call.number);
        return CallEnter { call, name, arguments, stack: Vec::new() };
    };
    let count = declared.len() - usize::from(leaves_mode_out(&call, declared));
    let argument = |index| (!is_filled(&call, index)).then(|| words.argument_or_number(&call, index));
    let arguments = (0..count).map(argument).collect();
    CallEnter { call, name: name.to_owned(), arguments, stack: Vec::new() }
}

/// open(2) and openat(2) look at a mode only where they may create a file.
fn leaves_mode_out(call: &SyscallCall, declared: &[&str]) -> bool {
    const CREATE: u64 = 0o100;
    const TEMPORARY: u64 = 0o20_000_000;
    let is_of = |word: &str, index: usize| declared.get(index).is_some_and(|found| found.ends_with(word));
    let flags = call.arguments.iter().enumerate().find(|(index, _)| is_of(" flags", *index));
    let last = declared.len().saturating_sub(1);
    is_of("umode_t mode", last) && flags.is_some_and(|(_, flags)| flags & (CREATE | TEMPORARY) == 0)
}

fn exit_of(words: &Words<'_>, enter: CallEnter, value: i64, elapsed: Duration) -> CallExit {
    let error = errno_of_return(value);
    let filled = |index: usize| match error {
        None => words.buffer(enter.call.arguments[index], value.cast_unsigned()),
        Some(_) => None,
    };
    let address = |index: usize| format!("{:#x}", enter.call.arguments[index]);
    let told = |(index, text): (usize, &Option<String>)| match text {
        Some(text) => text.clone(),
        None => filled(index).unwrap_or_else(|| address(index)),
    };
    let arguments = enter.arguments.iter().enumerate().map(told).collect();
    let text = match error {
        Some(_) => "-1".to_owned(),
        None => value_in_words(words, &enter.call, value),
    };
    let error = error.and_then(|errno| Some((errno, restart_name(errno).or_else(|| named_error(errno))?)));
    CallExit { enter, arguments, value, error, text, elapsed }
}

fn value_in_words(words: &Words<'_>, call: &SyscallCall, value: i64) -> String {
    match call.number {
        number if call.audit_arch == NATIVE && ADDRESSES.contains(&number) => format!("{value:#x}"),
        _ if words.shows_files && opens(call) => with_file(words.tid, value.to_string()),
        _ => value.to_string(),
    }
}

/// What only a tracer sees: the call is made again, or a handler's end decides.
fn restart_name(errno: i32) -> Option<String> {
    let name = match errno {
        512 => "ERESTARTSYS (To be restarted if SA_RESTART is set)",
        513 => "ERESTARTNOINTR (To be restarted)",
        514 => "ERESTARTNOHAND (To be restarted if no handler)",
        516 => "ERESTART_RESTARTBLOCK (Interrupted by signal)",
        _ => return None,
    };
    Some(name.to_owned())
}

impl Watch for Tracer {
    type Data = Calls;

    fn begins(&mut self, _ptrace: Ptrace, _tracee: &mut Tracee<Calls>) {}

    fn way(&mut self, _ptrace: Ptrace, tracee: &mut Tracee<Calls>, pair: &mut Pair) -> Way {
        let data = &tracee.data;
        let call = data.current.as_ref().map(|(enter, _)| enter.call.number);
        if data.is_inside && call.is_some_and(|number| PLACING.contains(&number)) {
            pair.show_own_set();
        } else {
            pair.rejoin(tracee.tid);
        }
        // With a filter nothing is asked of calls that are not told of, not even that they end.
        if self.is_filtered && !(data.is_inside && data.is_told) { Way::Run } else { Way::Syscall }
    }

    fn signalled(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Calls>, signal: Signal) -> Option<Signal> {
        let info = ptrace.signal_info(tracee.tid).ok();
        self.tell(tracee.tid, tracee.process, TraceWhat::Signal(signal, info));
        Some(signal)
    }

    fn stopped(&mut self, tracee: &mut Tracee<Calls>, signal: Signal) {
        self.tell(tracee.tid, tracee.process, TraceWhat::Stopped(signal));
    }

    fn called(&mut self, ptrace: Ptrace, tracee: &mut Tracee<Calls>) {
        match ptrace.syscall_info(tracee.tid) {
            Ok(SyscallInfo::Enter(call)) if !self.is_filtered => self.on_enter(ptrace, tracee, call),
            Ok(SyscallInfo::Seccomp { call, .. }) if self.is_filtered => self.on_enter(ptrace, tracee, call),
            Ok(SyscallInfo::Exit { value, .. }) => self.on_exit(tracee, value),
            // One that was killed in its stop, or the entry behind a seccomp-stop.
            _ => {}
        }
    }

    fn executed(&mut self, _ptrace: Ptrace, tracee: &mut Tracee<Calls>) {
        self.spaces.remove(&tracee.process);
        if let Some(first) = self.first.take() {
            tracee.data.current = Some((first.clone(), Instant::now()));
            self.tell(tracee.tid, tracee.process, TraceWhat::Enter(first));
            self.on_exit(tracee, 0);
        }
    }

    fn died(&mut self, tracee: Tracee<Calls>, death: Death) {
        if tracee.tid == tracee.process.leader() {
            self.spaces.remove(&tracee.process);
        }
        self.tell(tracee.tid, tracee.process, TraceWhat::Ended(death));
    }
}
