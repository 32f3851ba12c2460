//! What can be told at once, for faces that must not block while they hold a lock of their own.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use libdebug_arch::x86_64::{Register, RegisterValue};
use libdebug_kernel::proc;

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::mailbox::lock;
use crate::session::read;
use crate::thread::Thread;
use crate::tree;

thread_local! {
    static MUST_NOT_WAIT: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in [`Debugger::at_once`]. Looked at where a wait begins, so that nothing that `act` asks
/// for can get past it, however quickly other threads let the process go on.
pub(crate) fn must_not_wait() -> bool {
    MUST_NOT_WAIT.get()
}

/// Lets the thread wait again, as it might before.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        MUST_NOT_WAIT.set(self.0);
    }
}

impl Debugger {
    /// Does `act` if it waits neither for the process to stop nor for the tracer thread; `None` if it would, and
    /// then nothing was done. For looking at a stopped process, and [`Debugger::cont`]. A face that holds a lock
    /// which callbacks need must not wait: let go of that lock, and ask again without this.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/cat").run()?;
    /// let pc = debugger.main_thread()?.pc()?;
    /// assert!(debugger.at_once(|debugger| debugger.read_memory(pc, 4)).is_some());
    /// debugger.cont()?;
    /// assert!(debugger.at_once(|debugger| debugger.read_memory(pc, 4)).is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of `act`.
    pub fn at_once<T>(&self, act: impl FnOnce(&Self) -> Result<T>) -> Option<Result<T>> {
        let _restore = Restore(MUST_NOT_WAIT.replace(true));
        match act(self) {
            Err(Error::WouldWait) => None,
            done => Some(done),
        }
    }

    /// Whether the calling thread is in a callback of this debugger.
    pub fn in_callback(&self) -> bool {
        tree::current(self.shared()).is_some()
    }

    /// Whether a request that needs the process stopped would not have to wait for that. Does not wait.
    pub fn is_settled(&self) -> bool {
        self.shared().stopped.is_set() || self.in_callback()
    }

    /// Whether the process was let go: its threads are nobody's business any more. Does not wait.
    pub fn is_detached(&self) -> bool {
        self.shared().session().is_some_and(|session| session.detached.load(Ordering::Acquire))
    }

    /// The path of the program that the process executes, `None` without a process, or when that has
    /// ended. Does not wait.
    pub fn executable(&self) -> Option<String> {
        let session = self.shared().session()?;
        proc::executable(session.inhabited()).ok().map(|path| path.to_string_lossy().into_owned())
    }

    /// How many threads [`Debugger::threads`] would list. Does not wait.
    pub fn thread_count(&self) -> usize {
        self.shared().session().map_or(0, |session| read(&session.threads).len())
    }
}

impl Thread {
    /// The value of `register` where that takes no request and no wait: the process is stopped, and the
    /// register's block was read at this stop. `None` says no more than: ask [`Thread::read`].
    #[inline]
    pub fn read_cached(&self, register: &'static Register) -> Option<Result<RegisterValue>> {
        if self.is_settled() { lock(&self.cell().registers).read(register) } else { None }
    }

    /// As [`Thread::read_cached`], for the registers that are parts of the general ones.
    #[inline]
    pub fn read_cached_u64(&self, register: &'static Register) -> Option<u64> {
        if !self.is_settled() {
            return None;
        }
        register.read_general(lock(&self.cell().registers).general()?)
    }
}
