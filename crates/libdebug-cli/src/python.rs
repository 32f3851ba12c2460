//! `libdebug python`.

use std::io::Write;
use std::path::Path;

use anyhow::Result;
use libdebug::{Frame, Pid};
use libdebug_cpython::{
    Interpreter, Phase, PythonFrame, PythonProgram, PythonThread, StackFrame, ThreadStack,
};
use serde_json::{Value, json};

use crate::arguments::{LookArguments, PythonArguments};
use crate::ending::Endings;
use crate::execute::{Action, execute};

/// What a shell shows for a program that SIGINT has ended.
const INTERRUPTED: i32 = 130;

pub(crate) fn python(arguments: &PythonArguments) -> Result<u8> {
    match Action::of(&arguments.act)? {
        Some(action) => execute(arguments, &action),
        None => look(&PythonProgram::open(Pid(arguments.pid))?, &arguments.look),
    }
}

/// Shows what the program is and what its threads execute.
fn look(program: &PythonProgram, arguments: &LookArguments) -> Result<u8> {
    let stacks = {
        // The host of a console script would hear of Ctrl-C only afterwards.
        let endings = Endings::hold();
        endings.on_first(|| std::process::exit(INTERRUPTED));
        stacks(program, arguments.native)?
    };
    let shown = Shown {
        executable: program.executable()?.to_string_lossy().into_owned(),
        phase: program.phase()?,
        stacks,
    };
    let interpreter = program.interpreter();
    let text =
        if arguments.json { format!("{}\n", shown.as_json(interpreter)) } else { shown.as_text(interpreter) };
    anstream::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

fn stacks(program: &PythonProgram, native: bool) -> Result<Vec<ThreadStack>> {
    if native {
        return Ok(program.stacks()?);
    }
    Ok(program.threads()?.into_iter().map(ThreadStack::without_native).collect())
}

/// What is shown of a program.
struct Shown {
    executable: String,
    phase: Phase,
    stacks: Vec<ThreadStack>,
}

impl Shown {
    fn as_text(&self, interpreter: &Interpreter) -> String {
        let build = match interpreter.build().replace('\n', " ") {
            build if build.is_empty() => interpreter.version().to_string(),
            build => build,
        };
        let mut text = format!("process {}: {}\n", interpreter.pid(), self.executable);
        text += &format!("CPython {build}{}\n", remarks(interpreter, self.phase));
        if interpreter.image().path != self.executable {
            text += &format!("interpreter in {}\n", interpreter.image().path);
        }
        for stack in &self.stacks {
            text += &format!("\n{}\n", heading(&stack.thread));
            for frame in &stack.frames {
                text += &format!("    {}\n", frame_line(frame));
            }
            if !stack.thread.is_complete {
                text += "    (what follows could not be read)\n";
            }
        }
        text
    }

    fn as_json(&self, interpreter: &Interpreter) -> Value {
        json!({
            "pid": interpreter.pid().0,
            "executable": self.executable,
            "version": interpreter.version().to_string(),
            "build": interpreter.build(),
            "library": interpreter.image().path,
            "free_threaded": interpreter.is_free_threaded(),
            "debug_build": interpreter.is_debug_build(),
            "phase": phase_name(self.phase),
            "threads": self.stacks.iter().map(thread_json).collect::<Vec<_>>(),
        })
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Finalizing => "finalizing",
    }
}

fn remarks(interpreter: &Interpreter, phase: Phase) -> String {
    let mut remarks = String::new();
    if interpreter.is_debug_build() {
        remarks += ", a debug build";
    }
    if phase != Phase::Running {
        remarks += &format!(", {}", phase_name(phase));
    }
    remarks
}

fn heading(thread: &PythonThread) -> String {
    let mut text = match thread.tid {
        Some(tid) => format!("thread {tid}"),
        None => format!("thread of ident {:#x}", thread.ident),
    };
    if let Some(name) = &thread.name {
        text += &format!(" {name:?}");
    }
    if thread.interpreter_id != 0 {
        text += &format!(" of interpreter {}", thread.interpreter_id);
    }
    if thread.holds_gil == Some(true) {
        text += ", holds the GIL";
    }
    text
}

fn frame_line(frame: &StackFrame) -> String {
    match frame {
        StackFrame::Python(PythonFrame { function, file, line: Some(line), .. }) => {
            format!("{function} ({file}:{line})")
        }
        StackFrame::Python(PythonFrame { function, file, .. }) => format!("{function} ({file})"),
        StackFrame::Native(frame) => format!("{frame}{}", library(frame)),
    }
}

/// The file of native code, by its name.
fn library(frame: &Frame) -> String {
    let name = frame.file.as_deref().and_then(|path| Path::new(path).file_name());
    name.map_or_else(String::new, |name| format!(" [{}]", name.to_string_lossy()))
}

fn thread_json(stack: &ThreadStack) -> Value {
    let thread = &stack.thread;
    json!({
        "tid": thread.tid.map(|tid| tid.0),
        "ident": thread.ident,
        "name": thread.name,
        "interpreter": thread.interpreter_id,
        "main": thread.is_main,
        "holds_gil": thread.holds_gil,
        "complete": thread.is_complete,
        "frames": stack.frames.iter().map(frame_json).collect::<Vec<_>>(),
    })
}

fn frame_json(frame: &StackFrame) -> Value {
    match frame {
        StackFrame::Python(frame) => json!({
            "kind": "python",
            "function": frame.function,
            "file": frame.file,
            "line": frame.line,
            "first_line": frame.first_line,
            "entry": frame.is_entry,
        }),
        StackFrame::Native(frame) => json!({
            "kind": "native",
            "function": frame.symbol.as_ref().map(|(name, _)| name),
            "offset": frame.symbol.as_ref().map(|(_, offset)| offset),
            "file": frame.file,
            "pc": frame.pc,
        }),
    }
}
