//! The Python objects of one debugger: what a callback is given, and what the garbage collector must see.
//!
//! The engine's closures hold this table and nothing of Python's. Only `DebuggerCore` shows the table's content
//! to the collector, and empties it when it goes: so a closure keeps nothing alive by itself.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libdebug::{Action, BoxError, CallbackResult, Debugger, HandlerId, SyscallSide, Thread};
use pyo3::prelude::*;
use pyo3::types::PyList;
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::breakpoint::Breakpoint;
use crate::raised::Unfetched;
use crate::signal_catcher::SignalCatcher;
use crate::syscall_handler::SyscallHandler;
use crate::thread::ThreadCore;

/// One thread with the object that users have of it.
struct Known {
    core: Py<ThreadCore>,
    object: Py<PyAny>,
}

impl Known {
    fn copy(&self, py: Python<'_>) -> Self {
        Self { core: self.core.clone_ref(py), object: self.object.clone_ref(py) }
    }
}

#[derive(Default)]
struct Objects {
    make_thread: Option<Py<PyAny>>,
    threads: Vec<Known>,
    /// Place in `threads` by tid; the newest of that tid.
    by_tid: HashMap<i32, usize>,
    /// What users hold: one list per process.
    list: Option<Py<PyList>>,
    breakpoints: HashMap<HandlerId, Py<Breakpoint>>,
    handlers: HashMap<HandlerId, Py<SyscallHandler>>,
    catchers: HashMap<HandlerId, Py<SignalCatcher>>,
    /// Who is told of system calls.
    observer: Option<Py<PyAny>>,
    /// Who is told of new programs.
    on_exec: Option<Py<PyAny>>,
}

/// The Python objects of one debugger. The lock is held for moments only, and never while Python code runs.
#[derive(Default)]
pub(crate) struct Table {
    objects: Mutex<Objects>,
    raised: Unfetched,
    /// How many Python callbacks are set.
    callbacks: AtomicUsize,
    /// How many callbacks are running now.
    calls: AtomicUsize,
}

impl Table {
    pub(crate) fn new(make_thread: Py<PyAny>) -> Self {
        let table = Self::default();
        table.with(|objects| objects.make_thread = Some(make_thread));
        table
    }

    /// What a callback has raised, and nobody was told of yet.
    pub(crate) fn failure(&self, py: Python<'_>) -> Option<PyErr> {
        self.raised.oldest(py)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Objects) -> T) -> T {
        act(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets everything of the process: another one comes, or none.
    pub(crate) fn forget_process(&self) {
        let old = self.with(|objects| {
            let (make_thread, on_exec) = (objects.make_thread.take(), objects.on_exec.take());
            // Who is told of new programs is told by the debugger, not by one process of it.
            self.callbacks.store(usize::from(on_exec.is_some()), Ordering::Release);
            std::mem::replace(objects, Objects { make_thread, on_exec, ..Objects::default() })
        });
        drop(old);
    }

    /// Forgets everything: the debugger goes.
    pub(crate) fn clear(&self) {
        drop(self.with(std::mem::take));
        self.raised.clear();
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.raised.traverse(visit)?;
        // Whoever holds the lock also holds references: nothing of this is garbage then.
        let Ok(objects) = self.objects.try_lock() else { return Ok(()) };
        visit.call(&objects.make_thread)?;
        visit.call(&objects.list)?;
        for known in &objects.threads {
            visit.call(&known.core)?;
            visit.call(&known.object)?;
        }
        visit.call(&objects.observer)?;
        visit.call(&objects.on_exec)?;
        objects.breakpoints.values().try_for_each(|breakpoint| visit.call(breakpoint))?;
        objects.handlers.values().try_for_each(|handler| visit.call(handler))?;
        objects.catchers.values().try_for_each(|catcher| visit.call(catcher))
    }

    /// Whether anything that happens in the process runs Python code.
    pub(crate) fn has_callbacks(&self) -> bool {
        self.callbacks.load(Ordering::Acquire) > 0
    }

    /// Whether a callback is running now.
    pub(crate) fn is_calling(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
    }

    pub(crate) fn count_callback(&self, had: bool, has: bool) {
        match (had, has) {
            (false, true) => {
                self.callbacks.fetch_add(1, Ordering::AcqRel);
            }
            (true, false) => {
                let fewer = |count: usize| Some(count.saturating_sub(1));
                let _ = self.callbacks.fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer);
            }
            _ => {}
        }
    }

    pub(crate) fn add_breakpoint(&self, id: HandlerId, breakpoint: Py<Breakpoint>) {
        self.with(|objects| objects.breakpoints.insert(id, breakpoint));
    }

    pub(crate) fn drop_breakpoint(&self, id: HandlerId) {
        drop(self.with(|objects| objects.breakpoints.remove(&id)));
    }

    pub(crate) fn add_handler(&self, id: HandlerId, handler: Py<SyscallHandler>) {
        self.with(|objects| objects.handlers.insert(id, handler));
    }

    pub(crate) fn add_catcher(&self, id: HandlerId, catcher: Py<SignalCatcher>) {
        self.with(|objects| objects.catchers.insert(id, catcher));
    }

    pub(crate) fn drop_catcher(&self, id: HandlerId) {
        drop(self.with(|objects| objects.catchers.remove(&id)));
    }

    pub(crate) fn set_on_exec(&self, callback: Option<Py<PyAny>>) {
        let has = callback.is_some();
        let old = self.with(|objects| std::mem::replace(&mut objects.on_exec, callback));
        self.count_callback(old.is_some(), has);
    }

    pub(crate) fn on_exec(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.with(|objects| objects.on_exec.as_ref().map(|callback| callback.clone_ref(py)))
    }

    pub(crate) fn set_observer(&self, observer: Option<Py<PyAny>>) {
        let has = observer.is_some();
        let old = self.with(|objects| std::mem::replace(&mut objects.observer, observer));
        self.count_callback(old.is_some(), has);
    }

    /// The users' list of threads, brought up to date with the engine's.
    pub(crate) fn threads(&self, py: Python<'_>, current: &[Thread]) -> PyResult<Py<PyList>> {
        for thread in current {
            if self.known(py, thread).is_none() {
                self.add_thread(py, thread)?;
            }
        }
        let list = self.with(|objects| objects.list.as_ref().map(|list| list.clone_ref(py)));
        match list {
            Some(list) => Ok(list),
            None => {
                let list = PyList::empty(py).unbind();
                Ok(self.with(|objects| objects.list.get_or_insert(list).clone_ref(py)))
            }
        }
    }

    /// How many threads users have objects of.
    pub(crate) fn thread_count(&self) -> usize {
        self.with(|objects| objects.threads.len())
    }

    /// The engine's handle of a thread; users may have no object of it yet.
    pub(crate) fn core_of(
        &self,
        py: Python<'_>,
        tid: i32,
        debugger: &Debugger,
    ) -> PyResult<Option<Py<ThreadCore>>> {
        if self.thread_count() != debugger.thread_count() && !debugger.is_detached() {
            self.threads(py, &debugger.threads())?;
        }
        Ok(self.find(py, tid).map(|known| known.core))
    }

    fn find_with<T>(&self, py: Python<'_>, pick: impl FnOnce(&Objects) -> Option<&Py<T>>) -> Option<Py<T>> {
        self.with(|objects| pick(objects).map(|object| object.clone_ref(py)))
    }

    fn find(&self, py: Python<'_>, tid: i32) -> Option<Known> {
        self.with(|objects| {
            let place = *objects.by_tid.get(&tid)?;
            Some(objects.threads.get(place)?.copy(py))
        })
    }

    /// The object that users have of a thread.
    fn known(&self, py: Python<'_>, thread: &Thread) -> Option<Py<PyAny>> {
        // The kernel numbers threads anew from time to time: the same tid can be another thread.
        let known = |known: &Known| known.core.get().handle() == thread;
        self.find(py, thread.tid().0).filter(known).map(|known| known.object)
    }

    fn add_thread(&self, py: Python<'_>, thread: &Thread) -> PyResult<()> {
        let make = self.with(|objects| objects.make_thread.as_ref().map(|make| make.clone_ref(py)));
        // Without it the debugger has ended, and shows no threads any more.
        let Some(make) = make else { return Ok(()) };
        let core = Py::new(py, ThreadCore::new(py, thread.clone())?)?;
        let object = make.call1(py, (core.clone_ref(py),))?;
        let list = self.threads(py, &[])?;
        let known = Known { core, object: object.clone_ref(py) };
        self.with(|objects| {
            objects.by_tid.insert(thread.tid().0, objects.threads.len());
            objects.threads.push(known);
        });
        list.bind(py).append(object)
    }

    /// The object for a callback. All threads that are new get theirs, so that the list keeps their order.
    fn shown(&self, py: Python<'_>, thread: &Thread) -> PyResult<Py<PyAny>> {
        if let Some(object) = self.known(py, thread) {
            return Ok(object);
        }
        self.threads(py, &thread.debugger().threads())?;
        Ok(self.known(py, thread).unwrap_or_else(|| py.None()))
    }

    fn call(&self, py: Python<'_>, thread: &Thread, call: &Call) -> PyResult<()> {
        let arguments = (self.shown(py, thread)?, call.object.clone_ref(py)).into_pyobject(py)?;
        self.calls.fetch_add(1, Ordering::AcqRel);
        // By reference: nothing of Python's is to be let go of between here and the callback's own frames.
        let result = call.callback.bind(py).call1(&arguments);
        self.calls.fetch_sub(1, Ordering::AcqRel);
        result.map(drop)
    }
}

/// A callback with what it is given beside the thread.
struct Call {
    callback: Py<PyAny>,
    object: Py<PyAny>,
}

/// The action that runs a breakpoint's Python callback.
pub(crate) fn at_breakpoint(table: &Arc<Table>) -> Action {
    let table = Arc::clone(table);
    Action::call(move |thread, hit| {
        run(&table, thread, "breakpoint", &|| hit.symbol().to_owned(), |py| {
            let object = table.find_with(py, |objects| objects.breakpoints.get(&hit.id()))?;
            Some(Call { callback: object.get().python_callback(py)?, object: object.into_any() })
        })
    })
}

/// The action that runs the Python callback of one side of a system call's handler.
pub(crate) fn at_syscall(table: &Arc<Table>, side: SyscallSide) -> Action<libdebug::SyscallHandler> {
    let table = Arc::clone(table);
    Action::call_at_syscall(move |thread, hit| {
        run(&table, thread, "syscall", &|| syscall_name(hit.number()), |py| {
            let object = table.find_with(py, |objects| objects.handlers.get(&hit.id()))?;
            Some(Call { callback: object.get().python_callback(py, side)?, object: object.into_any() })
        })
    })
}

/// The action that runs a signal catcher's Python callback.
pub(crate) fn at_signal(table: &Arc<Table>) -> Action<libdebug::SignalCatcher> {
    let table = Arc::clone(table);
    Action::call_at_signal(move |thread, hit| {
        let name = || hit.signal().map_or("all signals".to_owned(), libdebug::Signal::name);
        run(&table, thread, "signal", &name, |py| {
            let object = table.find_with(py, |objects| objects.catchers.get(&hit.id()))?;
            Some(Call { callback: object.get().python_callback(py)?, object: object.into_any() })
        })
    })
}

/// Tells of a new program: the callback is given the thread that has executed it.
pub(crate) fn at_exec(table: &Table, thread: &Thread) -> CallbackResult {
    Python::attach(|py| {
        let Some(callback) = table.on_exec(py) else { return Ok(()) };
        let result = table.shown(py, thread).and_then(|thread| callback.bind(py).call1((thread,)).map(drop));
        result.map_err(|error| failed(table, py, "exec", &"of new programs", error))
    })
}

/// Tells the observer of system calls what `event` makes.
pub(crate) fn observe(
    table: &Table,
    thread: &Thread,
    event: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>>,
) -> CallbackResult {
    Python::attach(|py| {
        let Some(callback) = table.with(|objects| objects.observer.as_ref().map(|it| it.clone_ref(py)))
        else {
            return Ok(());
        };
        let result = event(py).and_then(|object| table.call(py, thread, &Call { callback, object }));
        result.map_err(|error| failed(table, py, "trace", &"of system calls", error))
    })
}

fn syscall_name(number: Option<u64>) -> String {
    use libdebug_arch::{SyscallAbi, syscall_by_number};
    match number {
        None => "all system calls".to_owned(),
        Some(number) => syscall_by_number(SyscallAbi::X86_64, number)
            .map_or_else(|| format!("system call {number}"), |call| call.name.to_owned()),
    }
}

fn run(
    table: &Table,
    thread: &Thread,
    kind: &'static str,
    name: &dyn Fn() -> String,
    find: impl FnOnce(Python<'_>) -> Option<Call>,
) -> CallbackResult {
    Python::attach(|py| match find(py) {
        Some(call) => table.call(py, thread, &call).map_err(|error| failed(table, py, kind, &name(), error)),
        None => Ok(()),
    })
}

/// One line in the log; the exception itself comes out of the user's next wait.
fn failed(
    table: &Table,
    py: Python<'_>,
    kind: &'static str,
    name: &dyn std::fmt::Display,
    error: PyErr,
) -> BoxError {
    let class = error.get_type(py).name().map(|name| name.to_string()).unwrap_or_default();
    let text = format!("{class} in the callback of {name}: {}", error.value(py));
    if let Err(failure) = say(py, "error", &text) {
        failure.write_unraisable(py, None);
    }
    Box::new(table.raised.add(py, kind, error))
}

/// Logs `text` through the package's log; `kind` is `warning` or `error`.
pub(crate) fn say(py: Python<'_>, kind: &str, text: &str) -> PyResult<()> {
    let log = py.import(intern!(py, "libdebug.liblog"))?.getattr(intern!(py, "liblog"))?;
    log.call_method1(kind, ("%s", text)).map(drop)
}
