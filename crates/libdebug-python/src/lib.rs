//! The extension module `libdebug._native`: what the Python package cannot do itself, as classes over the
//! engine's handles. Decisions are the engine's, names and defaults the Python package's; here values are
//! converted, errors mapped, and the interpreter's lock is let go of where something blocks.
#![allow(missing_docs, reason = "docstrings are for Python's users and stand where they are shown")]

mod breakpoint;
mod callback;
mod debugger;
mod disassembly;
mod error;
mod frame;
mod handling;
mod host;
mod html;
mod memory;
mod memory_key;
mod memory_search;
mod memory_source;
mod migration;
mod names;
mod pipe_manager;
mod python_execution;
mod python_program;
mod raised;
mod registers;
mod release;
mod settle;
mod signal_catcher;
mod signal_info;
mod slot;
mod snapshot;
mod source;
mod switch_interval;
mod symbols;
mod syscall_handler;
mod thread;
mod value;
mod wakeup;

use pyo3::prelude::*;

/// The engine of libdebug, as Python classes.
#[pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use super::breakpoint::Breakpoint;
    #[pymodule_export]
    use super::debugger::DebuggerCore;
    #[pymodule_export]
    use super::error::{
        BreakpointError, CallbackError, InCallbackError, InvalidAddressError, NotDebuggingError,
        ProcessDiedError, SymbolNotFoundError, TerminatedError, WaitTimeoutError,
    };
    #[pymodule_export]
    use super::handling::{HandlingCore, SyscallEnter, SyscallExit, syscall_name, syscall_number};
    #[pymodule_export]
    use super::html::html_table;
    #[pymodule_export]
    use super::memory::MemoryCore;
    #[pymodule_export]
    use super::migration::MigrationCore;
    #[pymodule_export]
    use super::names::{Registers, RegistersAvx, RegistersAvx512};
    #[pymodule_export]
    use super::pipe_manager::PipeCore;
    #[pymodule_export]
    use super::python_execution::PythonBusyError;
    #[pymodule_export]
    use super::python_program::{PythonCore, PythonStateError, UnsupportedPythonError};
    #[pymodule_export]
    use super::registers::{RegisterFile, register_table};
    #[pymodule_export]
    use super::signal_catcher::SignalCatcher;
    #[pymodule_export]
    use super::snapshot::{
        KeptThreadCore, SnapshotCore, count_snapshot, has_snapshot_ending, load_snapshot, process_snapshot,
        thread_snapshot,
    };
    #[pymodule_export]
    use super::source::{image_of, line_addresses, source_line, variable, variables};
    #[pymodule_export]
    use super::symbols::{
        Symbol, SymbolTable, readable, set_symbol_level, set_symbol_servers, symbol_in_maps, symbol_table,
    };
    #[pymodule_export]
    use super::syscall_handler::SyscallHandler;
    #[pymodule_export]
    use super::thread::ThreadCore;
    #[pymodule_export]
    use super::{command, signal_name, tracer_syscalls};
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("NoFreeRegisterError", super::error::no_register_class(module.py())?)?;
        module.add("RegisterOverflowError", super::error::register_overflow_class(module.py())?)
    }
}

/// Return how many system calls the tracer threads of this process have made so far.
///
/// What a stop costs, told exactly on any machine, where time is not.
#[pyfunction]
fn tracer_syscalls() -> u64 {
    libdebug::tracer_syscalls()
}

/// Return the name of a signal's number, as signal(7) has it: `SIGSEGV`, `SIGRTMIN+3`.
#[pyfunction]
fn signal_name(number: i32) -> String {
    libdebug::Signal(number).name()
}

/// Run the command `libdebug` with these arguments, its own name first, and return its exit status.
#[pyfunction]
fn command(py: Python<'_>, arguments: Vec<String>) -> u8 {
    py.detach(|| libdebug_cli::status(arguments))
}
