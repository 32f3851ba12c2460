//! `libdebug trace`.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, LineWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use libdebug::{CallChoice, CallExit, Frame, TraceEvent, TraceOptions, TraceWhat, Tracing};
use serde_json::json;

use crate::arguments::{TraceArguments, Wanted};
use crate::ending::Endings;
use crate::lines::{Form, Lines};
use crate::status_of;
use crate::summary::Summary;

const INTERRUPTED: u8 = 130;

type Sink = Box<dyn Write + Send>;

/// What is made of the events.
enum Shown {
    Lines(Lines),
    Json(Sink),
    Summary(Summary, Sink),
}

impl Shown {
    fn of(arguments: &TraceArguments) -> Result<Self> {
        let sink = sink(arguments)?;
        Ok(match (arguments.summary, arguments.json) {
            (true, _) => Self::Summary(Summary::default(), sink),
            (_, true) => Self::Json(sink),
            _ => Self::Lines(Lines::new(sink, form(arguments))),
        })
    }

    fn take(&mut self, event: &TraceEvent) -> std::io::Result<()> {
        match self {
            Self::Lines(lines) => lines.take(event),
            Self::Json(sink) => match as_json(event) {
                Some(object) => writeln!(sink, "{object}"),
                None => Ok(()),
            },
            Self::Summary(summary, _) => {
                summary.take(event);
                Ok(())
            }
        }
    }

    fn end(&mut self, as_object: bool) -> std::io::Result<()> {
        match self {
            Self::Lines(lines) => lines.flush(),
            Self::Json(sink) => sink.flush(),
            Self::Summary(summary, sink) => {
                let text = if as_object { format!("{}\n", summary.as_json()) } else { summary.as_text() };
                sink.write_all(text.as_bytes())?;
                sink.flush()
            }
        }
    }
}

fn form(arguments: &TraceArguments) -> Form {
    let is_live = arguments.output.is_none();
    Form { shows_times: arguments.times, shows_clock: arguments.clock, is_live }
}

fn sink(arguments: &TraceArguments) -> Result<Sink> {
    Ok(match &arguments.output {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(LineWriter::new(std::io::stderr())),
    })
}

pub(crate) fn trace(arguments: &TraceArguments) -> Result<u8> {
    let options = options(arguments)?;
    let shown = Arc::new(Mutex::new(Shown::of(arguments)?));
    let taking = Arc::clone(&shown);
    let tell = move |event: TraceEvent| {
        // Whoever has closed the stream wants no more of it.
        let _ = taking.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
    };
    let endings = Endings::hold();
    let tracing = match arguments.target.wanted(!arguments.no_aslr, endings.before)? {
        Wanted::Run(launch) => Tracing::start(&launch, &options, tell)?,
        Wanted::Attach(pid) => {
            let tracing = Tracing::attach(pid, &options, tell)?;
            anstream::eprintln!("libdebug: process {} attached", tracing.pid());
            tracing
        }
    };
    let (stopper, stopped) = (tracing.stopper(), Arc::new(AtomicBool::new(false)));
    let is_stopped = Arc::clone(&stopped);
    endings.on_first(move || {
        is_stopped.store(true, Ordering::Release);
        stopper.stop();
    });
    let death = tracing.wait()?;
    match shown.lock().unwrap_or_else(PoisonError::into_inner).end(arguments.json) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        done => done?,
    }
    Ok(if stopped.load(Ordering::Acquire) { INTERRUPTED } else { status_of(death) })
}

fn options(arguments: &TraceArguments) -> Result<TraceOptions> {
    let mut calls = match &arguments.filter {
        Some(list) => CallChoice::parse(list)?,
        None => CallChoice::all(),
    };
    calls.paths.clone_from(&arguments.path);
    let (shows_files, shows_stacks) = (arguments.files, arguments.stacks);
    let accelerate = !arguments.no_seccomp;
    Ok(TraceOptions { calls, shows_files, shows_stacks, accelerate, ..TraceOptions::default() })
}

fn as_json(event: &TraceEvent) -> Option<serde_json::Value> {
    let seconds = event.at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let mut object = json!({"time": seconds, "process": event.process.0, "thread": event.thread.0});
    let (kind, rest) = match &event.what {
        TraceWhat::Enter(enter) if enter.name.starts_with("exit") => {
            ("call", json!({"name": enter.name, "arguments": enter.arguments, "result": null}))
        }
        TraceWhat::Enter(_) => return None,
        TraceWhat::Exit(exit) => (
            "call",
            json!({
                "name": exit.enter.name,
                "number": exit.enter.call.number,
                "arguments": exit.arguments,
                "result": exit.value,
                "error": exit.error.as_ref().map(|(_, name)| name.split(' ').next()),
                "seconds": exit.elapsed.as_secs_f64(),
            }),
        ),
        TraceWhat::Signal(signal, _) => ("signal", json!({"name": signal.name()})),
        TraceWhat::Stopped(signal) => ("stopped", json!({"name": signal.name()})),
        TraceWhat::Ended(libdebug::Death::Exited(code)) => ("exited", json!({"code": code})),
        TraceWhat::Ended(libdebug::Death::Killed(signal)) => ("killed", json!({"name": signal.name()})),
    };
    object["event"] = kind.into();
    if let TraceWhat::Exit(CallExit { enter, .. }) | TraceWhat::Enter(enter) = &event.what
        && !enter.stack.is_empty()
    {
        object["stack"] = enter.stack.iter().map(frame_json).collect();
    }
    if let (Some(all), Some(more)) = (object.as_object_mut(), rest.as_object()) {
        all.extend(more.clone());
    }
    Some(object)
}

fn frame_json(frame: &Frame) -> serde_json::Value {
    let (symbol, offset) = frame.symbol.clone().unzip();
    json!({"pc": frame.pc, "file": frame.file, "symbol": symbol, "offset": offset})
}
