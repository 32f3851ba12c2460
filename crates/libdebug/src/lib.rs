//! A programmatic debugger for Linux programs.
//!
//! Run a program or attach to a process, drive it to a point, look, change, and let it go on:
//!
//! ```
//! use libdebug::{Action, Debugger};
//!
//! # fn main() -> libdebug::Result<()> {
//! let debugger = Debugger::builder("/bin/true").run()?;
//! let thread = debugger.main_thread()?;
//! println!("stopped at {:#x}", thread.pc()?);
//! debugger.cont()?;
//! debugger.wait()?;
//! assert_eq!(debugger.exit_code()?, Some(0));
//! # Ok(())
//! # }
//! ```
//!
//! One thread per debugger makes all ptrace requests; handles may be used from any thread. A method that needs
//! the process stopped waits for its next stop.
#![forbid(unsafe_code)]

mod acceleration;
mod advance;
mod antidebug;
mod attend;
mod attend_calls;
mod breakpoint;
mod builder;
mod call;
mod call_function;
mod calling_convention;
mod children;
mod count;
mod coverage;
mod debug_file;
mod debugger;
mod debuginfod;
mod describe;
mod descriptor;
mod disassembly;
mod displaced;
mod end;
mod error;
mod event;
mod family;
mod follow;
mod handler;
mod handling;
mod handover;
mod host;
mod images;
mod immediate;
mod inherit;
mod instruction_trace;
mod invoke;
mod io;
mod launch;
mod listing;
mod lookup;
mod mailbox;
mod map_space;
mod mapped_image;
mod memory;
mod near;
mod park;
mod placement;
mod process;
mod process_view;
mod rally;
mod refusal;
mod registers;
mod resume;
mod roll;
mod scan;
mod search;
mod session;
mod signal;
mod site;
mod snapshot;
mod source;
mod space;
mod step;
mod step_out;
mod stop;
mod symbol_sources;
mod symbols;
mod syscall;
mod syscall_stop;
mod telling;
mod thread;
mod trace;
mod tracer;
mod tree;
mod unwind;
mod wait;

pub use acceleration::SyscallFilterMode;
pub use breakpoint::{Access, Breakpoint, BreakpointKind, BreakpointSpec};
pub use builder::{Builder, Launch, StartAt};
pub use count::{Count, CountBy, CountEnd, CountOptions, CountWatcher, Counting, ThreadCount};
pub use coverage::Coverage;
pub use debugger::Debugger;
pub use debuginfod::Debuginfod;
pub use describe::declarations;
pub use disassembly::CodeLine;
pub use error::{BoxError, BreakpointError, Error, Result};
pub use handler::{Action, Callback, CallbackResult, ExecCallback, HandlerId};
pub use handling::NewArguments;
pub use host::{Host, RustHost};
pub use instruction_trace::{InstructionTrace, TracedInstructions};
pub use io::{IoError, Output, ProcessIo, ProcessState, Seen, Stdio, Until, Wait, WaitCheck, Watch};
pub use libdebug_arch::decode::signal_code_name;
pub use libdebug_arch::x86_64::{Register, RegisterClass, RegisterError, RegisterValue, register, registers};
pub use libdebug_arch::{InstructionKind, Isa, float80};
pub use libdebug_image::{
    Encoding, Field, FileAddress, Image, InlinedCall, Mitigations, Relro, Section, Segment, Shape, Spelling,
    SymbolKind, Type, Value, Variable, VariableKind, demangle,
};
pub use libdebug_kernel::proc::Map;
pub use libdebug_kernel::{
    Death, Pid, Signal, SignalInfo, SignalMask, SignalOrigin, SyscallCall, Tid, await_ending_signal,
    block_ending_signals, tracer_syscalls, unblock_ending_signals,
};

pub use listing::{FileSymbols, ListedSymbol, MappedSymbols, SymbolTable};
pub use map_space::symbol_in_maps;
pub use mapped_image::MappedImage;
pub use process_view::ProcessView;
pub use refusal::AttachRefusal;
pub use registers::cpu_has;
pub use search::{MapChoice, SearchIn, Telescope};
pub use session::StopReason;
pub use signal::{CatcherSpec, SignalCatcher};
pub use snapshot::{
    Content, KeptRegisters, KeptThread, MapDiff, RegisterChange, Snapshot, SnapshotDiff, SnapshotError,
    SnapshotFormat, SnapshotHost, SnapshotKind, SnapshotLevel,
};
pub use source::SourceLocation;
pub use symbol_sources::{SharedSymbolSources, SymbolLevel, SymbolSources};
pub use symbols::{FileScope, Note, Resolved};
pub use syscall::{
    Observe, SyscallEvent, SyscallFilter, SyscallHandler, SyscallObserver, SyscallSide, SyscallSpec,
};
pub use thread::{Finish, Thread};
pub use trace::{
    CallChoice, CallEnter, CallExit, TraceEvent, TraceOptions, TraceStopper, TraceWhat, Tracing,
};
pub use unwind::Frame;
