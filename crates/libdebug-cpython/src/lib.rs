//! A live CPython process seen through the crate `libdebug`: what it is, what its threads execute, and Python code run in it.
//!
//! Nothing here makes a ptrace request or knows of symbols of debug information: [`Interpreter`] reads structures of CPython
//! 3.8 to 3.15, whose places it knows by version, or, from 3.13 on, by what the interpreter tells of itself.
#![forbid(unsafe_code)]

mod debug_offsets;
mod error;
mod execute;
mod find;
mod frames;
mod inject;
mod interpreter;
mod layout;
mod lines;
mod mixed;
mod objects;
mod program;
mod session;
mod tables;
mod target;
mod threads;
mod version;

pub use error::{Error, Result};
pub use execute::{Executor, Outcome, Piece};
pub use frames::PythonFrame;
pub use interpreter::{Interpreter, Phase};
pub use layout::RemoteDebugging;
pub use mixed::StackFrame;
pub use program::{PythonProgram, ThreadStack};
pub use session::{Choices, Console, Line, Talk};
pub use threads::PythonThread;
pub use version::{ReleaseLevel, Version};
