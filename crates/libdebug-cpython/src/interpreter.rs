//! An interpreter that was found in a process.

use libdebug::{Debugger, FileAddress, MappedImage, Pid, ProcessView, Tid};

use crate::error::{Error, Result};
use crate::find::{self, Found};
use crate::layout::{Layout, RemoteDebugging};
use crate::program::ThreadStack;
use crate::target::{Reader, Target};
use crate::threads::{self, PythonThread};
use crate::version::Version;

/// How far an interpreter's life is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `Py_Initialize` has not returned: modules are being imported, no main program runs yet.
    Starting,
    /// Programs run.
    Running,
    /// `Py_FinalizeEx` takes everything down: no more code may be given to it.
    Finalizing,
}

/// The CPython in a process: what it is, and where its runtime is.
///
/// ```no_run
/// # fn main() -> libdebug_cpython::Result<()> {
/// use libdebug::{Debugger, Pid};
/// use libdebug_cpython::Interpreter;
/// let debugger = Debugger::new()?;
/// debugger.attach(Pid(1234), false)?;
/// let interpreter = Interpreter::find(&debugger)?;
/// println!("CPython {} in {}", interpreter.version(), interpreter.image().path);
/// for thread in interpreter.threads(&debugger)? {
///     println!("{:?} {:?}", thread.tid, thread.frames.first());
/// }
/// debugger.detach()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Interpreter {
    found: Found,
    layout: Layout,
}

impl Interpreter {
    /// Finds the interpreter of a process under a debugger; waits for a stop.
    ///
    /// # Errors
    /// [`Error::NotPython`], [`Error::OtherImplementation`], [`Error::OtherVersion`], [`Error::OtherMachine`],
    /// [`Error::NotInitialized`] before there is an interpreter, and those of
    /// [`Debugger::wait`](libdebug::Debugger::wait).
    pub fn find(debugger: &Debugger) -> Result<Self> {
        Self::of(debugger)
    }

    /// As [`Interpreter::find`], in a process that nobody stops.
    ///
    /// # Errors
    /// As [`Interpreter::find`], and [`Error::Debugger`] when it has ended.
    pub fn look(view: &ProcessView) -> Result<Self> {
        Self::of(view)
    }

    fn of(target: &dyn Target) -> Result<Self> {
        let found = find::find(target)?;
        let layout = found.layout(target)?;
        let interpreter = Self { found, layout };
        if interpreter.heads(&Reader::new(target))?.is_empty() {
            return Err(Error::NotInitialized(interpreter.pid()));
        }
        Ok(interpreter)
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.found.pid
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.found.version
    }

    /// What `sys.version` says: version, build and compiler; empty where it is not to be found.
    #[must_use]
    pub fn build(&self) -> &str {
        &self.found.build
    }

    /// Whether the build can do without a global lock (PEP 703).
    #[must_use]
    pub fn is_free_threaded(&self) -> bool {
        self.found.is_free_threaded
    }

    /// Whether the build checks itself (`--with-pydebug`).
    #[must_use]
    pub fn is_debug_build(&self) -> bool {
        // Functions that such builds have, to 3.11 and from 3.12 on.
        ["_Py_RefTotal", "_Py_GetGlobalRefTotal", "_Py_GetRefTotal", "_Py_INCREF_IncRefTotal"]
            .iter()
            .any(|name| self.symbol(name).is_some())
    }

    /// The file that has the interpreter, libpython or the program, and where it is mapped.
    #[must_use]
    pub fn image(&self) -> &MappedImage {
        &self.found.image
    }

    /// Whether an address, a pc for example, is in the interpreter's own code or data.
    #[must_use]
    pub fn contains(&self, address: u64) -> bool {
        let image = self.image();
        image.image.loads(FileAddress::from_process(address, image.load_bias))
    }

    /// The address of a function or variable that the interpreter exports, such as `Py_AddPendingCall`; `None` without it.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<u64> {
        self.found.symbol(name)
    }

    /// The address of `_PyRuntime`.
    #[must_use]
    pub fn runtime(&self) -> u64 {
        self.found.runtime
    }

    /// What PEP 768 lets others write; `None` before 3.14.
    #[must_use]
    pub fn remote_debugging(&self) -> Option<RemoteDebugging> {
        self.layout.remote
    }

    /// How far its life is at this stop.
    ///
    /// # Errors
    /// Those of [`Debugger::read_memory`].
    pub fn phase(&self, debugger: &Debugger) -> Result<Phase> {
        self.phase_of(debugger)
    }

    pub(crate) fn phase_of(&self, target: &dyn Target) -> Result<Phase> {
        let memory = Reader::new(target);
        let runtime = self.layout.runtime;
        if memory.u64(self.runtime() + runtime.finalizing)? != 0 {
            return Ok(Phase::Finalizing);
        }
        let is_initialized = memory.u32(self.runtime() + runtime.initialized)? != 0;
        Ok(if is_initialized { Phase::Running } else { Phase::Starting })
    }

    /// The threads that the interpreter knows, with what each executes, at this stop. Main interpreter first, oldest
    /// thread first.
    ///
    /// # Errors
    /// [`Error::Unexpected`] for memory that is not as this version has it, and those of [`Debugger::read_memory`].
    pub fn threads(&self, debugger: &Debugger) -> Result<Vec<PythonThread>> {
        let thread_pointers: Vec<(Tid, u64)> = debugger
            .threads()
            .iter()
            .filter(|thread| !thread.is_dead())
            .filter_map(|thread| Some((thread.tid(), thread.register("fs_base").ok()?.as_u64()?)))
            .collect();
        threads::read(self, debugger, &thread_pointers)
    }

    /// As [`Interpreter::threads`], of a process that nobody stops: what is read need not belong together, unless it is the
    /// same twice. Before Python 3.11 no tids are told.
    ///
    /// # Errors
    /// As [`Interpreter::threads`].
    pub fn look_at_threads(&self, view: &ProcessView) -> Result<Vec<PythonThread>> {
        // No thread's pointer is this: only what thread states say of tids counts.
        let tids: Vec<_> = view.tids()?.into_iter().map(|tid| (tid, u64::MAX)).collect();
        threads::read(self, view, &tids)
    }

    /// As [`Interpreter::threads`], with the native frames of each thread around its Python ones.
    ///
    /// # Errors
    /// As [`Interpreter::threads`].
    pub fn stacks(&self, debugger: &Debugger) -> Result<Vec<ThreadStack>> {
        let living = debugger.threads();
        let stack = |thread: PythonThread| {
            let native = living.iter().find(|living| Some(living.tid()) == thread.tid);
            let native = native.map(libdebug::Thread::frames).transpose()?.unwrap_or_default();
            Ok(ThreadStack { frames: thread.mixed(&native), thread })
        };
        self.threads(debugger)?.into_iter().map(stack).collect()
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The interpreters of the process (`PyInterpreterState`), the main one first.
    pub(crate) fn heads(&self, memory: &Reader<'_>) -> Result<Vec<u64>> {
        const MOST: usize = 1 << 12;
        let mut heads = Vec::new();
        let mut next = memory.u64(self.runtime() + self.layout.runtime.interpreters)?;
        while next != 0 && heads.len() < MOST {
            heads.push(next);
            next = memory.u64(next + self.layout.interpreter.next)?;
        }
        // The list has the newest first.
        heads.reverse();
        Ok(heads)
    }

    pub(crate) fn unexpected(&self, what: &'static str) -> Error {
        Error::Unexpected { pid: self.pid(), version: self.version(), what }
    }
}
