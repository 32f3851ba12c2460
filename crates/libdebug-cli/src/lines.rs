//! System calls as lines, in the form that strace made known.

use std::collections::{HashMap, HashSet};
use std::io::{Result, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use libdebug::{CallEnter, CallExit, Death, Frame, Signal, SignalInfo, Tid, TraceEvent, TraceWhat};

/// Where results begin, if the call is not longer.
const COLUMN: usize = 40;

/// What is in a line, and when it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    pub(crate) shows_times: bool,
    pub(crate) shows_clock: bool,
    /// Somebody watches: a call that blocks is seen while it does.
    pub(crate) is_live: bool,
}

/// A call that has not returned.
struct Unfinished {
    name: String,
    stack: Vec<Frame>,
}

/// A writer of lines. A call is begun at its entry, so that one that blocks is seen; what comes in between ends the line,
/// which is taken up again at the exit.
pub(crate) struct Lines {
    sink: Box<dyn Write + Send>,
    form: Form,
    /// The thread whose line is open, and how much of it is written.
    open: Option<(Tid, usize)>,
    /// Threads that are in a call.
    unfinished: HashMap<Tid, Unfinished>,
    threads: HashSet<Tid>,
    shows_threads: bool,
}

impl Lines {
    pub(crate) fn new(sink: Box<dyn Write + Send>, form: Form) -> Self {
        Self {
            sink,
            form,
            open: None,
            unfinished: HashMap::new(),
            threads: HashSet::new(),
            shows_threads: false,
        }
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        self.sink.flush()
    }

    pub(crate) fn take(&mut self, event: &TraceEvent) -> Result<()> {
        self.threads.insert(event.thread);
        self.shows_threads |= self.threads.len() > 1;
        match &event.what {
            TraceWhat::Enter(enter) => self.enter(event, enter),
            TraceWhat::Exit(exit) => self.exit(event, exit),
            TraceWhat::Signal(signal, info) => self.whole(event, &signal_text(*signal, info.as_ref())),
            TraceWhat::Stopped(signal) => self.whole(event, &format!("--- stopped by {signal} ---")),
            TraceWhat::Ended(death) => {
                self.leave_unreturned(event)?;
                self.whole(event, &death_text(*death))
            }
        }
    }

    fn head(&self, event: &TraceEvent) -> String {
        let clock = if self.form.shows_clock { format!("{} ", clock(event.at)) } else { String::new() };
        let thread = if self.shows_threads { format!("[pid {:>5}] ", event.thread.0) } else { String::new() };
        clock + &thread
    }

    /// Ends the line of another call that is open.
    fn interrupt(&mut self) -> Result<()> {
        if self.open.take().is_some() { writeln!(self.sink, " <unfinished ...>") } else { Ok(()) }
    }

    fn whole(&mut self, event: &TraceEvent, text: &str) -> Result<()> {
        self.interrupt()?;
        let head = self.head(event);
        writeln!(self.sink, "{head}{text}")
    }

    fn enter(&mut self, event: &TraceEvent, enter: &CallEnter) -> Result<()> {
        self.interrupt()?;
        let known = enter.arguments.iter().map_while(Option::as_deref).collect::<Vec<_>>();
        let is_complete = known.len() == enter.arguments.len();
        let text = format!("{}({}", enter.name, known.join(", "));
        let text = if is_complete || known.is_empty() { text } else { text + ", " };
        let head = self.head(event);
        write!(self.sink, "{head}{text}")?;
        self.open = Some((event.thread, text.len()));
        let unfinished = Unfinished { name: enter.name.clone(), stack: enter.stack.clone() };
        self.unfinished.insert(event.thread, unfinished);
        if self.form.is_live { self.sink.flush() } else { Ok(()) }
    }

    fn exit(&mut self, event: &TraceEvent, exit: &CallExit) -> Result<()> {
        self.unfinished.remove(&event.thread);
        let known = exit.enter.arguments.iter().map_while(Option::as_deref).count();
        let rest = exit.arguments.get(known..).unwrap_or_default().join(", ");
        let result = self.result(exit);
        match self.open.take() {
            Some((thread, length)) if thread == event.thread => {
                self.result_line(length + rest.len() + 1, &format!("{rest})"), &result)?;
            }
            open => {
                self.open = open;
                self.interrupt()?;
                let head = self.head(event);
                let text = format!("<... {} resumed>{rest})", exit.enter.name);
                write!(self.sink, "{head}")?;
                self.result_line(text.len(), &text, &result)?;
            }
        }
        self.frames(&exit.enter.stack)
    }

    /// The stack that a call was made from.
    fn frames(&mut self, frames: &[Frame]) -> Result<()> {
        frames.iter().try_for_each(|frame| writeln!(self.sink, " > {}", frame_text(frame)))
    }

    fn result_line(&mut self, length: usize, text: &str, result: &str) -> Result<()> {
        let padding = COLUMN.saturating_sub(length + 1);
        writeln!(self.sink, "{text}{:padding$} = {result}", "")
    }

    fn result(&self, exit: &CallExit) -> String {
        let mut text = match &exit.error {
            // What only a tracer sees has no result yet.
            Some((errno, name)) if *errno >= 512 => format!("? {name}"),
            Some((_, name)) => format!("-1 {name}"),
            None => exit.text.clone(),
        };
        if self.form.shows_times {
            text += &format!(" <{:.6}>", exit.elapsed.as_secs_f64());
        }
        text
    }

    /// A thread ends in the middle of a call: exit(2) does not return.
    fn leave_unreturned(&mut self, event: &TraceEvent) -> Result<()> {
        let Some(Unfinished { name, stack }) = self.unfinished.remove(&event.thread) else { return Ok(()) };
        match self.open.take() {
            Some((thread, length)) if thread == event.thread => self.result_line(length + 1, ")", "?")?,
            open => {
                self.open = open;
                self.interrupt()?;
                let head = self.head(event);
                let text = format!("<... {name} resumed>)");
                write!(self.sink, "{head}")?;
                self.result_line(text.len(), &text, "?")?;
            }
        }
        self.frames(&stack)
    }
}

fn frame_text(frame: &Frame) -> String {
    let file = frame.file.as_deref().unwrap_or("");
    let symbol =
        frame.symbol.as_ref().map(|(name, offset)| format!("{name}+{offset:#x}")).unwrap_or_default();
    format!("{file}({symbol}) [{:#x}]", frame.pc)
}

fn signal_text(signal: Signal, info: Option<&SignalInfo>) -> String {
    let Some(info) = info else { return format!("--- {signal} ---") };
    let mut fields =
        vec![format!("si_signo={signal}"), format!("si_code={}", code_text(signal, info.code()))];
    match (signal.name().as_str(), info.code()) {
        ("SIGCHLD", code) if code > 0 => {
            fields.push(format!("si_pid={}, si_uid={}", info.sender(), info.user()));
            fields.push(format!("si_status={}", status_text(code, info.status())));
        }
        ("SIGSEGV" | "SIGBUS" | "SIGILL" | "SIGFPE" | "SIGTRAP", code) if code > 0 => {
            let address = info.address();
            fields.push(if address == 0 {
                "si_addr=NULL".to_owned()
            } else {
                format!("si_addr={address:#x}")
            });
        }
        (_, code) if code <= 0 => fields.push(format!("si_pid={}, si_uid={}", info.sender(), info.user())),
        _ => {}
    }
    format!("--- {signal} {{{}}} ---", fields.join(", "))
}

fn code_text(signal: Signal, code: i32) -> String {
    libdebug::signal_code_name(signal.0, code).map_or_else(|| code.to_string(), str::to_owned)
}

fn status_text(code: i32, status: i32) -> String {
    const CLD_EXITED: i32 = 1;
    if code == CLD_EXITED { status.to_string() } else { Signal(status).name() }
}

fn death_text(death: Death) -> String {
    match death {
        Death::Exited(code) => format!("+++ exited with {code} +++"),
        Death::Killed(signal) => format!("+++ killed by {signal} +++"),
    }
}

/// Time of day, UTC.
fn clock(at: SystemTime) -> String {
    const DAY: u64 = 86_400;
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs() % DAY;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:06}", seconds % 60, since.subsec_micros())
}
