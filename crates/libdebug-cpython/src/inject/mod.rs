//! Python code run by the program itself, where its interpreter runs such code: between two bytecodes of the main thread
//! (a pending call), in a thread that waits in a system call without the interpreter's lock, and where C code of CPython's asks
//! whether a signal has come.

mod arm;
mod block;
mod channel;
mod hold;
mod injection;
mod machine_code;
mod pages;
mod request;
mod whereabouts;

pub(crate) use channel::{Channel, Packet};
pub(crate) use hold::Hold;
pub(crate) use injection::{Injection, Order, Whom};
pub(crate) use request::{Request, literal};
