//! What Linux does for a debugger: ptrace requests, waiting and its decoding, spawning, memory, /proc.
//!
//! The only crate with `unsafe` code. It takes no decisions: nothing here knows of breakpoints, symbols or
//! registers by name, and nothing prints.
//!
//! Requests that the kernel binds to the attaching thread hang off [`Ptrace`], a token that cannot leave its
//! thread:
//!
//! ```compile_fail
//! let ptrace = libdebug_kernel::Ptrace::for_this_thread();
//! std::thread::spawn(move || ptrace); // a `Ptrace` is not `Send`
//! ```

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!("libdebug-kernel supports Linux on x86_64");

mod bell;
mod count;
mod cpu;
mod descriptor;
mod error;
mod file;
mod fork;
mod ids;
mod latch;
mod memory;
mod pagemap;
pub mod proc;
mod ptrace;
mod seccomp;
mod signal_origin;
mod spawn;
mod stay;
mod stdio;
mod sys;
mod syscall_info;
mod timer;
mod wait;

pub use bell::{Bell, Doorbell, timer_expiries};
pub use count::tracer_syscalls;
pub use cpu::{CpuSet, XsaveAreas, affinity, current_cpu, set_affinity, xsave_areas};
pub use descriptor::duplicate_descriptor;
pub use error::{KernelError, Result};
pub use file::MappedFile;
pub use fork::fork_generation;
pub use ids::{Errno, Pid, Signal, Tid};
pub use latch::{Interest, Latch, Readiness, Watched, wait_ready};
pub use memory::ProcessMemory;
pub use proc::{environment, find_program};
pub use ptrace::{Options, Ptrace, SignalInfo};
pub use seccomp::{AUDIT_ARCH_X86_64, trace_filter};
pub use signal_origin::SignalOrigin;
pub use spawn::{SpawnSpec, Spawned, StdioPlan};
pub use stay::without_thread_exit;
pub use stdio::{Pipe, Terminal, pipe, set_foreground, terminal_foreground, write_quietly};
pub use sys::{
    SignalMask, await_ending_signal, block_ending_signals, shares_memory, signal_mask, signal_process,
    signal_thread, unblock_ending_signals,
};
pub use syscall_info::{SyscallCall, SyscallInfo};
pub use timer::Timer;
pub use wait::{Death, Event, Stop, Wait, decode};
