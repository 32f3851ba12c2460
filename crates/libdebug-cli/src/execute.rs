//! `libdebug python` with code to run, or a session to hold.

use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use libdebug::{
    Pid, Signal, SignalMask, Tid, await_ending_signal, block_ending_signals, unblock_ending_signals,
};
use libdebug_cpython::{Executor, Outcome, Piece, PythonProgram, Talk};
use serde_json::{Value, json};

use crate::KILLED;
use crate::arguments::{ActArguments, PythonArguments};
use crate::prompt::Prompt;

/// The code has raised an exception.
const RAISED: u8 = 1;

/// What is to be done in a program.
pub(crate) enum Action {
    Exec(String),
    Eval(String),
    Talk(Talk),
}

impl Action {
    pub(crate) fn of(arguments: &ActArguments) -> Result<Option<Self>> {
        Ok(Some(match arguments {
            ActArguments { exec: Some(code), .. } => Self::Exec(code.clone()),
            ActArguments { file: Some(path), .. } => Self::Exec(read(path)?),
            ActArguments { eval: Some(expression), .. } => Self::Eval(expression.clone()),
            ActArguments { pdb: true, .. } => Self::Talk(Talk::Pdb),
            ActArguments { console: true, .. } => Self::Talk(Talk::Console),
            ActArguments { breakpoint: Some(place), .. } => Self::Talk(breakpoint(place)?),
            _ => return Ok(None),
        }))
    }
}

fn read(path: &Path) -> Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn breakpoint(place: &str) -> Result<Talk> {
    let parts = place.rsplit_once(':').and_then(|(file, line)| Some((file.to_owned(), line.parse().ok()?)));
    match parts {
        Some((file, line)) if !file.is_empty() => Ok(Talk::Breakpoint(file, line)),
        _ => bail!("{place:?} is no place of a breakpoint: FILE:LINE is"),
    }
}

pub(crate) fn execute(arguments: &PythonArguments, action: &Action) -> Result<u8> {
    let executor = executor(arguments)?;
    let keys = Keys::of(&executor);
    let done = match action {
        Action::Exec(code) if arguments.look.json => executor.exec(code).map(|outcome| tell(&outcome)),
        Action::Eval(expression) if arguments.look.json => {
            executor.eval(expression).map(|outcome| tell(&outcome))
        }
        Action::Exec(code) => executor.exec_with(code, &mut print).map(|outcome| show(&outcome)),
        Action::Eval(expression) => executor.eval_with(expression, &mut print).map(|outcome| show(&outcome)),
        Action::Talk(talk) => executor.talk(talk, &mut Prompt::new()).map(|()| Ok(0)),
    };
    drop(keys);
    done?
}

fn executor(arguments: &PythonArguments) -> Result<Executor> {
    let limit = Duration::try_from_secs_f64(arguments.timeout).context("--timeout")?;
    let executor = Executor::attach(Pid(arguments.pid)).timeout(limit);
    Ok(match &arguments.thread {
        Some(name) => executor.thread(thread_called(Pid(arguments.pid), name)?),
        None => executor,
    })
}

/// The thread of that tid, ident or name.
pub(crate) fn thread_called(pid: Pid, name: &str) -> Result<Tid> {
    let threads = PythonProgram::open(pid)?.threads()?;
    let number = name.parse::<u64>().ok();
    let is_meant = |thread: &&libdebug_cpython::PythonThread| {
        let tid = thread.tid.and_then(|tid| u64::try_from(tid.0).ok());
        thread.name.as_deref() == Some(name)
            || number.is_some_and(|number| tid == Some(number) || thread.ident == number)
    };
    let named = |thread: &libdebug_cpython::PythonThread| {
        format!("{} {}", thread.tid.map_or(0, |tid| tid.0), thread.name.as_deref().unwrap_or("(no name)"))
    };
    let found = threads.iter().find(is_meant).and_then(|thread| thread.tid);
    found.with_context(|| {
        let known: Vec<_> = threads.iter().map(named).collect();
        format!("no thread of the interpreter is called {name:?}; there are {}", known.join(", "))
    })
}

/// A closed stream is nothing that could be told.
fn print(piece: Piece<'_>) {
    let _ = match piece {
        Piece::Output(text) => {
            let mut stdout = std::io::stdout();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        }
        Piece::Error(text) => std::io::stderr().write_all(text.as_bytes()),
    };
}

fn show(outcome: &Outcome) -> Result<u8> {
    if let Some(repr) = &outcome.repr {
        writeln!(std::io::stdout(), "{repr}")?;
    }
    if let Some(raised) = &outcome.raised {
        write!(std::io::stderr(), "{raised}")?;
    }
    Ok(status(outcome))
}

fn status(outcome: &Outcome) -> u8 {
    if outcome.raised.is_some() { RAISED } else { 0 }
}

fn tell(outcome: &Outcome) -> Result<u8> {
    let value = outcome.json.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let told = json!({
        "output": outcome.output,
        "raised": outcome.raised,
        "repr": outcome.repr,
        "value": value,
    });
    writeln!(std::io::stdout(), "{told}")?;
    Ok(status(outcome))
}

/// While it lives, Ctrl-C is for what runs in the program; what else asks to end ends this command.
pub(crate) struct Keys(SignalMask);

impl Keys {
    pub(crate) fn of(executor: &Executor) -> Self {
        let keys = Self(block_ending_signals());
        let executor = executor.clone();
        // Without a thread there is no Ctrl-C; it ends with the command.
        let _ = std::thread::Builder::new().name("libdebug-keys".to_owned()).spawn(move || {
            loop {
                let signal = await_ending_signal();
                // The program sees that this end of its channel is closed, and goes on.
                if signal != Signal::INT || !executor.is_running() {
                    std::process::exit(i32::from(KILLED) + signal.0);
                }
                if let Err(error) = executor.interrupt() {
                    anstream::eprintln!("libdebug: {error}");
                }
            }
        });
        keys
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        unblock_ending_signals(&self.0);
    }
}
