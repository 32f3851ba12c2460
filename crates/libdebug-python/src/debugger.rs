//! One debugger, as the class `Debugger` uses it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libdebug::{
    Access, BreakpointKind, BreakpointSpec, Death, Debugger, Error, FileScope, Launch, Map, Note, Pid,
    Signal, StartAt, Stdio, Tid,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit};

use crate::breakpoint::{Breakpoint, action_for};
use crate::callback::{Table, say};
use crate::error::{Doing, raise};
use crate::host::PythonHost;
use crate::release::Released;
use crate::thread::ThreadCore;
use crate::{switch_interval, symbols};

/// What a user who kills a process makes of it.
const KILLED: Death = Death::Killed(Signal::KILL);

/// The maps of one stop, with what was made of them for users.
type MapsOfStop = Option<(Arc<[Map]>, Py<PyAny>)>;

/// A debugger: one process at a time, and the thread that traces it.
#[pyclass(frozen, weakref, module = "libdebug._native")]
pub(crate) struct DebuggerCore {
    engine: Released<Debugger>,
    host: Arc<PythonHost>,
    table: Arc<Table>,
    maps: Mutex<MapsOfStop>,
    /// This debugger is one of those that want the interpreter to switch threads more often.
    hurried: AtomicBool,
}

#[pymethods]
impl DebuggerCore {
    #[new]
    fn new(py: Python<'_>, make_thread: Py<PyAny>) -> PyResult<Self> {
        let host = Arc::new(PythonHost::new()?);
        let engine = Debugger::with_host(Arc::clone(&host) as Arc<dyn libdebug::Host>);
        Ok(Self::around(engine.map_err(|error| raise(py, Doing::Other, error))?, host, make_thread))
    }

    /// How many children have debuggers of their own. Does not wait.
    #[getter]
    fn child_count(&self) -> usize {
        self.engine.child_count()
    }

    /// Return the debugger of a child by its place, to be held by one object; None if there are fewer.
    fn child(&self, place: usize, make_thread: Py<PyAny>) -> Option<Self> {
        let child = self.engine.child(place)?;
        Some(Self::around(child, Arc::clone(&self.host), make_thread))
    }

    /// Wait for the next child that this has not told of yet, at most `timeout` seconds, and return its place;
    /// None when the process stops or ends first.
    #[pyo3(signature = (timeout=None))]
    fn wait_child(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<usize>> {
        let timeout = timeout.map(duration).transpose()?.flatten();
        let birth = self.blocking(py, Doing::Wait, |engine| engine.wait_birth(timeout))?;
        Ok(birth.map(|(place, child)| {
            // One of many handles, as long as the engine is not told to forget the child.
            py.detach(|| drop(child));
            place
        }))
    }

    /// Whether processes that the process creates get debuggers of their own.
    #[getter]
    fn follow_children(&self) -> bool {
        self.engine.follows_children()
    }

    #[setter]
    fn set_follow_children(&self, on: bool) {
        self.engine.set_follows_children(on);
    }

    /// Choose whether a program that looks for a debugger finds none.
    fn set_escape_antidebug(&self, on: bool) {
        self.engine.set_escape_antidebug(on);
    }

    /// Choose how system calls that somebody handles are told from the others: `auto`, `seccomp` or `ptrace`.
    fn set_syscall_filter(&self, mode: &str) -> PyResult<()> {
        self.engine.set_syscall_filter(filter_mode_named(mode)?);
        Ok(())
    }

    /// Start a program, which then stands at its entry point, or at its first instruction.
    #[pyo3(signature = (path, argv, env=None, *, aslr=true, stdio="pipes", at_entry_point=true,
        kill_on_exit=true))]
    #[expect(clippy::too_many_arguments, reason = "keywords of the Python side, one per property")]
    fn run(
        &self,
        py: Python<'_>,
        path: PathBuf,
        argv: Vec<OsString>,
        env: Option<Vec<(OsString, OsString)>>,
        aslr: bool,
        stdio: &str,
        at_entry_point: bool,
        kill_on_exit: bool,
    ) -> PyResult<()> {
        let mut launch = Launch::new(path);
        (launch.argv, launch.env, launch.aslr, launch.kill_on_exit) = (argv, env, aslr, kill_on_exit);
        launch.stdio = stdio_named(stdio)?;
        launch.start_at = if at_entry_point { StartAt::EntryPoint } else { StartAt::FirstInstruction };
        self.begin(py, |engine| engine.run(&launch))
    }

    /// Attach to a live process, which is stopped then.
    #[pyo3(signature = (pid, *, kill_on_exit=true))]
    fn attach(&self, py: Python<'_>, pid: i32, kill_on_exit: bool) -> PyResult<()> {
        self.begin(py, |engine| engine.attach(Pid(pid), kill_on_exit))
    }

    /// Let the process go: it runs on without the debugger.
    fn detach(&self, py: Python<'_>) -> PyResult<()> {
        self.blocking(py, Doing::Detach, Debugger::detach)?;
        self.table.forget_process();
        Ok(())
    }

    /// Kill the process and wait for its end.
    fn kill(&self, py: Python<'_>) -> PyResult<()> {
        self.blocking(py, Doing::Kill, Debugger::kill)
    }

    /// End the process, unless it is to live on, and the debugger, and those of all descendants. The thread ends
    /// with the last debugger of the tree.
    fn terminate(&self, py: Python<'_>) -> PyResult<()> {
        let ended = py.detach(|| self.engine.terminate());
        ended.map_err(|error| raise(py, Doing::Kill, error))?;
        self.calm_down(py)?;
        // So that the objects, which refer to each other, go with their last user and not with the collector.
        self.table.clear();
        let alone = self.engine.has_no_tracer() && !self.engine.in_callback();
        if alone { self.host.join(py) } else { Ok(()) }
    }

    /// Kill the process, unless it is to live on, and leave the debugger's thread to itself.
    ///
    /// For an interpreter that ends while a callback does not.
    fn abandon(&self, py: Python<'_>) {
        py.detach(|| self.engine.abandon());
    }

    /// Let all threads go on, or one alone, and return at once.
    #[pyo3(signature = (only=None))]
    fn cont(&self, py: Python<'_>, only: Option<&Bound<'_, ThreadCore>>) -> PyResult<()> {
        if self.table.has_callbacks() && !self.hurried.swap(true, Ordering::AcqRel) {
            switch_interval::shorten(py)?;
        }
        let result = match only.map(Bound::get) {
            Some(thread) => py.detach(|| thread.handle().cont()),
            None => {
                let done = self.engine.at_once(Debugger::cont);
                done.unwrap_or_else(|| py.detach(|| self.engine.cont()))
            }
        };
        result.map_err(|error| raise(py, Doing::Cont, error))
    }

    /// Block until the process has stopped or ended, at most `timeout` seconds.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<()> {
        let timeout = timeout.map(duration).transpose()?.flatten();
        self.blocking(py, Doing::Wait, |engine| match timeout {
            Some(timeout) => engine.wait_timeout(timeout),
            None => engine.wait(),
        })
    }

    /// Stop the process, or leave it stopped after the callback that calls this. Return at once.
    fn interrupt(&self, py: Python<'_>) -> PyResult<()> {
        self.blocking(py, Doing::Interrupt, Debugger::interrupt)
    }

    /// Wait until the process is stopped, unless a callback asks. An exception of a callback is left to be
    /// raised by the next wait.
    fn settle(&self, py: Python<'_>) -> PyResult<()> {
        if self.engine.is_settled() { Ok(()) } else { self.blocking(py, Doing::Wait, Debugger::settled) }
    }

    /// The threads, in the order of their creation; the same list and objects as long as the process is debugged.
    #[getter]
    fn threads(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
        if !self.is_held() || self.table.thread_count() == self.engine.thread_count() {
            return self.table.threads(py, &[]);
        }
        self.table.threads(py, &self.engine.threads())
    }

    /// The process's id, also after its end; 0 before there is one.
    #[getter]
    fn pid(&self) -> i32 {
        self.engine.pid().map_or(0, |pid| pid.0)
    }

    /// Whether the process is running right now.
    #[getter]
    fn running(&self) -> bool {
        self.engine.is_running()
    }

    /// Whether there is a process that was neither killed nor let go.
    #[getter]
    fn debugging(&self) -> bool {
        self.engine.is_debugging()
    }

    /// Whether the process has ended, but not by SIGKILL. Does not wait.
    #[getter]
    fn ended(&self) -> bool {
        let ended = |thread: libdebug::Thread| thread.death().is_some_and(|death| death != KILLED);
        self.engine.is_dead() && self.engine.main_thread().is_ok_and(ended)
    }

    /// Whether the calling thread is in a callback.
    #[getter]
    fn in_callback(&self) -> bool {
        self.engine.in_callback()
    }

    /// Whether a callback is running in any thread.
    #[getter]
    fn calling_back(&self) -> bool {
        self.table.is_calling()
    }

    /// The path of the program that the process executes, or None.
    #[getter]
    fn executable(&self) -> Option<String> {
        self.engine.executable()
    }

    /// Whether memory is accessed through /proc, instead of word by word through ptrace.
    #[getter]
    fn fast_memory(&self) -> bool {
        self.engine.fast_memory()
    }

    #[setter]
    fn set_fast_memory(&self, on: bool) {
        self.engine.set_fast_memory(on);
    }

    /// Choose whether a request made while the process runs interrupts it.
    fn set_auto_interrupt(&self, on: bool) {
        self.engine.set_auto_interrupt(on);
    }

    /// Whether the process ends with the debugger.
    #[getter]
    fn kill_on_exit(&self) -> bool {
        self.engine.kill_on_exit()
    }

    /// Choose whether the process ends with the debugger.
    fn set_kill_on_exit(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        self.blocking(py, Doing::Other, |engine| engine.set_kill_on_exit(on))
    }

    /// Return the virtual address of a symbol, `symbol+hex`, or an address relative to a file.
    fn resolve(&self, py: Python<'_>, position: Position, file: &str) -> PyResult<u64> {
        resolve(py, &self.engine, &position, &FileScope::parse(file), Doing::Other)
    }

    /// Set a breakpoint at a virtual address, for all threads or for the one of that id.
    #[pyo3(signature = (address, symbol, *, condition=None, length=1, callback=None, thread_id=None))]
    #[expect(clippy::too_many_arguments, reason = "Python's users name them")]
    fn set_breakpoint(
        &self,
        py: Python<'_>,
        address: u64,
        symbol: String,
        condition: Option<&str>,
        length: u8,
        callback: Option<Py<PyAny>>,
        thread_id: Option<i32>,
    ) -> PyResult<Py<Breakpoint>> {
        let action = action_for(py, callback.as_ref(), &self.table)?;
        let called = matches!(action, libdebug::Action::Call(_));
        let (kind, thread) = (kind_of(condition, length)?, thread_id.map(Tid));
        let spec = BreakpointSpec { address, symbol, kind, action, thread };
        let handle = self.blocking(py, Doing::Other, |engine| engine.set_breakpoint(spec))?;
        let id = handle.id();
        let object = Py::new(py, Breakpoint::new(handle, &self.table, callback, length))?;
        self.table.add_breakpoint(id, object.clone_ref(py));
        self.table.count_callback(false, called);
        Ok(object)
    }

    /// Remove a breakpoint: the program's own instruction is back.
    fn remove_breakpoint(&self, py: Python<'_>, breakpoint: &Bound<'_, Breakpoint>) -> PyResult<()> {
        let object = breakpoint.get();
        self.blocking(py, Doing::Other, |_| object.handle().remove())?;
        self.table.count_callback(object.python_callback(py).is_some(), false);
        self.table.drop_breakpoint(object.handle().id());
        Ok(())
    }

    /// Return what `make` makes of the memory maps: called once a stop, with one tuple for each map of start,
    /// end, permissions, offset and backing file.
    fn maps(&self, py: Python<'_>, make: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let maps = self.blocking(py, Doing::Memory, Debugger::maps)?;
        let cached = self.with_maps(|cached| match cached {
            Some((of, object)) if Arc::ptr_eq(of, &maps) => Some(object.clone_ref(py)),
            _ => None,
        });
        match cached {
            Some(object) => Ok(object),
            None => self.make_maps(maps, make),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Ok(maps) = self.maps.try_lock()
            && let Some((_, object)) = &*maps
        {
            visit.call(object)?;
        }
        self.table.traverse(&visit)
    }

    fn __clear__(&self) {
        drop(self.with_maps(Option::take));
        self.table.clear();
    }
}

impl Drop for DebuggerCore {
    fn drop(&mut self) {
        self.table.clear();
        // Without an interpreter there is no interval to restore.
        let _ = Python::try_attach(|py| self.calm_down(py));
    }
}

impl DebuggerCore {
    fn around(engine: Debugger, host: Arc<PythonHost>, make_thread: Py<PyAny>) -> Self {
        let (table, maps) = (Arc::new(Table::new(make_thread)), Mutex::new(None));
        engine.share_symbol_sources(Arc::clone(symbols::sources()));
        Self { engine: Released::new(engine), host, table, maps, hurried: AtomicBool::new(false) }
    }

    pub(crate) fn failure(&self, py: Python<'_>) -> Option<PyErr> {
        self.table.failure(py)
    }

    pub(crate) fn engine(&self) -> &Debugger {
        &self.engine
    }

    pub(crate) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    fn with_maps<T>(&self, act: impl FnOnce(&mut MapsOfStop) -> T) -> T {
        act(&mut self.maps.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn make_maps(&self, maps: Arc<[Map]>, make: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let rows: Vec<_> = maps
            .iter()
            .map(|map| {
                let permissions = String::from_utf8_lossy(&map.permissions).into_owned();
                (map.start, map.end, permissions, map.offset, map.path.clone())
            })
            .collect();
        let object = make.call1((rows,))?.unbind();
        let shown = object.clone_ref(make.py());
        drop(self.with_maps(|cached| cached.replace((maps, shown))));
        Ok(object)
    }

    /// Whether the threads are the debugger's: not after detach.
    fn is_held(&self) -> bool {
        self.engine.pid().is_some() && !self.engine.is_detached()
    }

    /// Starts or attaches to a process; what was known of another is forgotten.
    fn begin(&self, py: Python<'_>, act: impl FnOnce(&Debugger) -> Result<(), Error> + Send) -> PyResult<()> {
        let result = self.blocking(py, Doing::Other, act);
        if result.is_ok() || !self.engine.is_debugging() {
            self.table.forget_process();
        }
        result
    }

    fn blocking<T: Send>(
        &self,
        py: Python<'_>,
        doing: Doing,
        act: impl FnOnce(&Debugger) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let result = py.detach(|| act(&self.engine));
        if self.hurried.load(Ordering::Relaxed) && !self.engine.is_running() {
            self.calm_down(py)?;
        }
        result.map_err(|error| raise(py, doing, error))
    }

    /// Nothing runs any more that could call back.
    fn calm_down(&self, py: Python<'_>) -> PyResult<()> {
        if self.hurried.swap(false, Ordering::AcqRel) { switch_interval::restore(py) } else { Ok(()) }
    }
}

/// A virtual address or a symbol, as users give it.
#[derive(FromPyObject)]
pub(crate) enum Position {
    Address(u64),
    Symbol(String),
}

/// The virtual address of `position`; the choices made on the user's behalf are logged.
pub(crate) fn resolve(
    py: Python<'_>,
    engine: &Debugger,
    position: &Position,
    scope: &FileScope,
    doing: Doing,
) -> PyResult<u64> {
    let find = |engine: &Debugger| match position {
        Position::Address(address) => engine.resolve_address(*address, scope),
        Position::Symbol(symbol) => engine.resolve_symbol(symbol, scope),
    };
    // Symbols may be in files that are read or fetched for the first time.
    let quick = if matches!(position, Position::Address(_)) { engine.at_once(find) } else { None };
    let found = quick.unwrap_or_else(|| py.detach(|| find(engine)));
    let found = found.map_err(|error| raise(py, doing, error))?;
    warn(py, &found.notes)?;
    Ok(found.address)
}

pub(crate) fn warn(py: Python<'_>, notes: &[Note]) -> PyResult<()> {
    notes.iter().try_for_each(|note| say(py, "warning", &note.to_string()))
}

fn filter_mode_named(name: &str) -> PyResult<libdebug::SyscallFilterMode> {
    match name {
        "auto" => Ok(libdebug::SyscallFilterMode::Auto),
        "seccomp" => Ok(libdebug::SyscallFilterMode::Seccomp),
        "ptrace" => Ok(libdebug::SyscallFilterMode::Ptrace),
        _ => Err(PyValueError::new_err("syscall_filter must be auto, seccomp or ptrace")),
    }
}

fn stdio_named(name: &str) -> PyResult<Stdio> {
    match name {
        "pipes" => Ok(Stdio::Piped),
        "inherit" => Ok(Stdio::Inherit),
        "terminal" => Ok(Stdio::Terminal),
        _ => Err(PyValueError::new_err("stdio must be pipes, inherit or terminal")),
    }
}

/// A software breakpoint without a condition, else a hardware one.
fn kind_of(condition: Option<&str>, length: u8) -> PyResult<BreakpointKind> {
    let access = match condition {
        None => return Ok(BreakpointKind::Software),
        Some("x") => Access::Execute,
        Some("w") => Access::Write,
        Some("rw") => Access::ReadWrite,
        Some(_) => {
            return Err(PyValueError::new_err(
                "Invalid condition for watchpoints. Supported conditions are 'w', 'rw', 'x'.",
            ));
        }
    };
    Ok(BreakpointKind::Hardware { access, length })
}

/// Seconds as users give them; `None` for more than anybody can wait.
pub(crate) fn duration(seconds: f64) -> PyResult<Option<Duration>> {
    const YEARS: f64 = 1e9;
    if seconds.is_nan() || seconds < 0.0 {
        return Err(PyValueError::new_err(
            "timeout must be a number of seconds that is not negative, or None",
        ));
    }
    Ok((seconds < YEARS).then(|| Duration::from_secs_f64(seconds)))
}
