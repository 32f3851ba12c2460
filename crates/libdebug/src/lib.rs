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

mod advance;
mod breakpoint;
mod builder;
mod call;
mod debugger;
mod displaced;
mod error;
mod event;
mod host;
mod immediate;
mod io;
mod launch;
mod mailbox;
mod memory;
mod placement;
mod process;
mod rally;
mod registers;
mod resume;
mod session;
mod site;
mod step;
mod stop;
mod symbols;
mod thread;
mod tracer;
mod wait;

pub use breakpoint::{
    Access, Action, Breakpoint, BreakpointId, BreakpointKind, BreakpointSpec, Callback, CallbackResult,
};
pub use builder::{Builder, Launch, StartAt};
pub use debugger::Debugger;
pub use error::{BoxError, BreakpointError, Error, Result};
pub use host::{Host, RustHost};
pub use io::{IoError, Output, ProcessIo, ProcessState, Seen, Stdio, Until, Wait, WaitCheck, Watch};
pub use libdebug_arch::x86_64::{Register, RegisterClass, RegisterError, RegisterValue, register, registers};
pub use libdebug_arch::{Isa, float80};
pub use libdebug_kernel::proc::Map;
pub use libdebug_kernel::{Death, Pid, Signal, Tid, tracer_syscalls};
pub use registers::cpu_has;
pub use session::StopReason;
pub use symbols::{FileScope, Note, Resolved};
pub use thread::Thread;
