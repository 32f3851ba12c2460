//! The interpreter that builds this project, looked into while a program stands in it.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use libdebug::{Debugger, Pid, ProcessView};
use libdebug_cpython::{Error, Interpreter, Phase, PythonProgram, StackFrame};

const SCRIPT: &str = "
import sys
class Shape:
    def area(self):
        return sorted([1], key=lambda value: sys.stdin.readline())
print('ready', flush=True); Shape().area()
";

/// A program that has told that it is ready; killed with its handle.
struct Target(Child);

impl Target {
    fn start(words: &[&str]) -> Self {
        let (program, arguments) = words.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn pid(&self) -> Pid {
        Pid(self.0.id().cast_signed())
    }

    fn let_end(&mut self) -> bool {
        self.0.stdin.take().unwrap().write_all(b"\n").unwrap();
        self.0.wait().unwrap().success()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn python() -> Target {
    Target::start(&["python3", "-c", SCRIPT])
}

#[test]
fn a_program_under_a_debugger() {
    let mut target = python();
    let debugger = Debugger::new().unwrap();
    debugger.attach(target.pid(), false).unwrap();
    let interpreter = Interpreter::find(&debugger).unwrap();
    assert_eq!(interpreter.pid(), target.pid());
    assert_eq!(interpreter.version().major, 3);
    assert!(interpreter.build().starts_with(&interpreter.version().to_string()));
    assert_eq!(interpreter.phase(&debugger).unwrap(), Phase::Running);
    let function = interpreter.symbol("Py_AddPendingCall").unwrap();
    assert!(interpreter.contains(function) && interpreter.contains(interpreter.runtime()));
    assert!(!interpreter.contains(debugger.main_thread().unwrap().pc().unwrap()));
    assert_eq!(interpreter.symbol("no_such_function"), None);
    assert_eq!(interpreter.remote_debugging().is_some(), interpreter.version().minor >= 14);
    let threads = interpreter.threads(&debugger).unwrap();
    let main = &threads[0];
    assert!(main.is_main && main.is_complete && main.tid == Some(target.pid().leader()));
    let names: Vec<_> = main.frames.iter().map(|frame| frame.function.rsplit('.').next().unwrap()).collect();
    assert!(names.ends_with(&["<lambda>", "area", "<module>"]), "{names:?}");
    assert_eq!(main.frames.last().unwrap().line, Some(6));
    debugger.detach().unwrap();
    assert!(target.let_end());
}

#[test]
fn a_program_that_goes_on() {
    let mut target = python();
    let program = PythonProgram::open(target.pid()).unwrap();
    assert!(program.stopped_for().is_none());
    let stacks = program.stacks().unwrap();
    assert!(program.stopped_for().is_some());
    let frames = &stacks[0].frames;
    let python = frames.iter().filter(|frame| matches!(frame, StackFrame::Python(_))).count();
    assert_eq!(python, stacks[0].thread.frames.len());
    assert!(matches!(frames.first(), Some(StackFrame::Native(_))));
    let sorting = |frame: &StackFrame| matches!(frame, StackFrame::Native(frame) if frame.cfa.is_some());
    assert!(frames.iter().any(sorting));
    assert!(target.let_end());
    assert!(matches!(program.threads(), Err(Error::Gone(pid)) if pid == target.pid()));
}

#[test]
fn what_is_no_python_is_not_touched() {
    let mut target = Target::start(&["sh", "-c", "echo ready; read line"]);
    let refused = PythonProgram::open(target.pid());
    assert!(matches!(refused, Err(Error::NotPython { .. })), "{refused:?}");
    let view = ProcessView::open(target.pid()).unwrap();
    assert!(matches!(Interpreter::look(&view), Err(Error::NotPython { .. })));
    assert!(target.let_end());
    assert!(matches!(
        PythonProgram::open(target.pid()),
        Err(Error::Debugger(libdebug::Error::NoSuchProcess(_)))
    ));
}
