//! One thread, as the class `ThreadContext` uses it.

use std::fs::OpenOptions;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use libdebug::{Error, Finish, InstructionTrace, Signal, Thread, register};
use pyo3::prelude::*;

use crate::disassembly::{Line, disassemble};
use crate::error::{Doing, raise};
use crate::frame::{Row as FrameRow, row_of as frame_row_of};
use crate::names::registers_of;
use crate::release::Released;
use crate::settle::{quickly, settle};
use crate::signal_info::{Row, row_of};
use crate::value::Word;

/// One thread of the process under debug.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct ThreadCore {
    thread: Released<Thread>,
    /// Its registers, each an attribute.
    #[pyo3(get)]
    regs: Py<PyAny>,
}

/// What is called.
#[derive(FromPyObject)]
enum Function {
    Address(u64),
    Symbol(String),
}

#[pymethods]
impl ThreadCore {
    /// Its thread id.
    #[getter]
    fn thread_id(&self) -> i32 {
        self.thread.tid().0
    }

    /// Whether it has ended. Does not wait.
    #[getter]
    fn dead(&self) -> bool {
        self.thread.is_dead()
    }

    /// Whether it is exiting but not gone. Does not wait.
    #[getter]
    fn zombie(&self) -> bool {
        self.thread.is_zombie()
    }

    /// The exit code, or None. Waits until the process is stopped.
    #[getter]
    fn exit_code(&self, py: Python<'_>) -> PyResult<Option<i32>> {
        use libdebug::Death;
        Ok(self.death(py)?.and_then(|death| match death {
            Death::Exited(code) => Some(code),
            Death::Killed(_) => None,
        }))
    }

    /// The name of the signal that killed it, or None. Waits until the process is stopped.
    #[getter]
    fn exit_signal(&self, py: Python<'_>) -> PyResult<Option<String>> {
        use libdebug::Death;
        Ok(self.death(py)?.and_then(|death| match death {
            Death::Killed(signal) => Some(signal.name()),
            Death::Exited(_) => None,
        }))
    }

    /// The number of the signal that it stopped with, 0 for none.
    #[getter]
    fn signal_number(&self, py: Python<'_>) -> PyResult<i32> {
        let signal = self.blocking(py, Doing::Other, Thread::signal)?;
        Ok(signal.map_or(0, |signal| signal.0))
    }

    #[setter]
    fn set_signal_number(&self, py: Python<'_>, number: i32) -> PyResult<()> {
        let signal = Some(Signal(number)).filter(|signal| signal.0 != 0);
        self.blocking(py, Doing::Other, |thread| thread.set_signal(signal))
    }

    /// The name of the signal that it stopped with, or None.
    #[getter]
    fn signal(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.blocking(py, Doing::Other, Thread::signal)?.map(Signal::name))
    }

    /// What the kernel tells of the signal that it stopped at: signal, code, the code's name, pid, uid, address,
    /// value and status, None for what this signal does not have. None when it is stopped at no signal.
    #[getter]
    fn signal_info(&self, py: Python<'_>) -> PyResult<Option<Row>> {
        let info = self.blocking(py, Doing::Other, Thread::signal_info)?;
        Ok(info.as_ref().map(row_of))
    }

    /// The number of the system call that it is in, or would make next.
    #[getter]
    fn syscall_number(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, || self.thread.syscall_number())
    }

    #[setter]
    fn set_syscall_number(&self, py: Python<'_>, number: Word) -> PyResult<()> {
        self.ask(py, || self.thread.set_syscall_number(number.0))
    }

    /// What a system call returned, as an unsigned number.
    #[getter]
    fn syscall_return(&self, py: Python<'_>) -> PyResult<u64> {
        self.ask(py, || self.thread.syscall_return().map(i64::cast_unsigned))
    }

    #[setter]
    fn set_syscall_return(&self, py: Python<'_>, value: Word) -> PyResult<()> {
        self.ask(py, || self.thread.set_syscall_return(value.0.cast_signed()))
    }

    /// Return the argument of that index of a system call, 0 to 5.
    fn syscall_argument(&self, py: Python<'_>, index: usize) -> PyResult<u64> {
        self.ask(py, || self.thread.syscall_argument(index))
    }

    /// Change the argument of that index of a system call, 0 to 5.
    fn set_syscall_argument(&self, py: Python<'_>, index: usize, value: Word) -> PyResult<()> {
        self.ask(py, || self.thread.set_syscall_argument(index, value.0))
    }

    /// Have the thread make a system call, and return what the kernel did: a negative errno on failure.
    fn invoke_syscall(&self, py: Python<'_>, number: u64, arguments: Vec<Word>) -> PyResult<i64> {
        let arguments: Vec<_> = arguments.into_iter().map(|word| word.0).collect();
        self.blocking(py, Doing::Other, |thread| thread.invoke_syscall(number, &arguments))
    }

    /// Call a function of the program, by its address or symbol.
    fn call(&self, py: Python<'_>, function: Function, arguments: Vec<Word>) -> PyResult<u64> {
        let arguments: Vec<_> = arguments.into_iter().map(|word| word.0).collect();
        self.blocking(py, Doing::Other, |thread| match &function {
            Function::Address(address) => thread.call(*address, &arguments),
            Function::Symbol(symbol) => thread.call_symbol(symbol, &arguments),
        })
    }

    /// Whether it stands still while others may run. Does not wait.
    #[getter]
    fn parked(&self) -> bool {
        self.thread.is_parked()
    }

    /// Stop it, while all others go on.
    fn interrupt(&self, py: Python<'_>) -> PyResult<()> {
        self.blocking(py, Doing::Interrupt, Thread::interrupt)
    }

    /// Return `count` instructions from a virtual address on, read as this thread would execute them: address, bytes,
    /// mnemonic, operands, text, kind, target, and symbol with the distance from its start. Fewer where memory ends.
    fn disassemble(&self, py: Python<'_>, address: u64, count: usize) -> PyResult<Vec<Line>> {
        disassemble(py, &self.thread, address, count)
    }

    /// Execute one instruction.
    fn step(&self, py: Python<'_>) -> PyResult<()> {
        self.blocking(py, Doing::Cont, Thread::step)
    }

    /// Step until the thread is at the address, at most `limit` times.
    #[pyo3(signature = (address, limit=None))]
    fn step_until(&self, py: Python<'_>, address: u64, limit: Option<u64>) -> PyResult<()> {
        self.blocking(py, Doing::Cont, |thread| thread.step_until(address, limit))
    }

    /// Step until the thread is at the address or ends, at most `limit` times, and return how many instructions that were.
    #[pyo3(signature = (until=None, limit=None))]
    fn count_instructions(&self, py: Python<'_>, until: Option<u64>, limit: Option<u64>) -> PyResult<u64> {
        self.blocking(py, Doing::Cont, |thread| thread.count_instructions(until, limit))
    }

    /// Step likewise, append the pc and the named registers before each instruction to a file, as words of 64 bits, and
    /// return how many instructions that were, and the code that was executed as a file of the format drcov.
    fn trace_instructions(
        &self,
        py: Python<'_>,
        until: Option<u64>,
        limit: Option<u64>,
        registers: Vec<String>,
        path: PathBuf,
    ) -> PyResult<(u64, Vec<u8>)> {
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(|error| raise(py, Doing::Other, Error::File { path, error }))?;
        let find = |name: String| register(&name).ok_or(Error::NoSuchRegister(name));
        let registers = registers.into_iter().map(find).collect::<Result<_, _>>();
        let registers = registers.map_err(|error| raise(py, Doing::Other, error))?;
        let trace = InstructionTrace { until, limit, registers };
        let mut rows = BufWriter::new(file);
        let write = move |row: &[u64]| {
            row.iter().try_for_each(|value| rows.write_all(&value.to_le_bytes())).map_err(Into::into)
        };
        let traced = self.blocking(py, Doing::Cont, |thread| thread.trace_instructions(trace, write))?;
        Ok((traced.count, traced.coverage.to_drcov()))
    }

    /// Run to the end of the current function: by a stop at the caller, or by steps.
    fn finish(&self, py: Python<'_>, by_steps: bool) -> PyResult<()> {
        let way = if by_steps { Finish::Steps } else { Finish::Backtrace };
        self.blocking(py, Doing::Cont, |thread| thread.finish(way))
    }

    /// The address that the current function returns to.
    #[getter]
    fn saved_ip(&self, py: Python<'_>) -> PyResult<u64> {
        self.blocking(py, Doing::Other, Thread::saved_ip)
    }

    /// Return the pc and all return addresses, innermost first.
    fn backtrace(&self, py: Python<'_>) -> PyResult<Vec<u64>> {
        self.blocking(py, Doing::Other, Thread::backtrace)
    }

    /// Return all frames, innermost first: pc, CFA, file, symbol, the pc's distance from its start, whether it is a
    /// signal's frame, and the registers that are known.
    fn frames(&self, py: Python<'_>) -> PyResult<Vec<FrameRow>> {
        let frames = self.blocking(py, Doing::Other, Thread::frames)?;
        frames.into_iter().map(|frame| frame_row_of(py, frame)).collect()
    }

    /// Execute one instruction, and all of the function where that is a call.
    fn next(&self, py: Python<'_>) -> PyResult<()> {
        self.blocking(py, Doing::Cont, Thread::next)
    }
}

impl ThreadCore {
    pub(crate) fn engine_thread(&self) -> &Thread {
        &self.thread
    }

    pub(crate) fn new(py: Python<'_>, thread: Thread) -> PyResult<Self> {
        Ok(Self { regs: registers_of(py, thread.clone())?, thread: Released::new(thread) })
    }

    pub(crate) fn handle(&self) -> &Thread {
        &self.thread
    }

    fn ask<T: Send>(&self, py: Python<'_>, act: impl Fn() -> Result<T, Error> + Send + Sync) -> PyResult<T> {
        quickly(py, self.thread.debugger(), Doing::Registers, act)
    }

    fn death(&self, py: Python<'_>) -> PyResult<Option<libdebug::Death>> {
        settle(py, self.thread.debugger())?;
        Ok(self.thread.death())
    }

    fn blocking<T: Send>(
        &self,
        py: Python<'_>,
        doing: Doing,
        act: impl FnOnce(&Thread) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        py.detach(|| act(&self.thread)).map_err(|error| raise(py, doing, error))
    }
}
