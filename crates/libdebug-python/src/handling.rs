//! How a debugger is told which system calls and signals to handle.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use libdebug::{
    CatcherSpec, Debugger, Error, Signal, SyscallCall, SyscallEvent, SyscallFilter, SyscallObserver,
    SyscallSpec, Thread, Tid, declarations,
};
use libdebug_arch::{SyscallAbi, syscall_by_number};
use pyo3::prelude::*;

use crate::callback::{self, Table};
use crate::debugger::DebuggerCore;
use crate::error::{Doing, raise};
use crate::release::Released;
use crate::signal_catcher::{self, SignalCatcher};
use crate::syscall_handler::{SyscallHandler, spec_for};
use crate::value::Word;

/// The system calls and signals of one debugger's process, or of one thread of it.
#[pyclass(frozen, module = "libdebug._native")]
pub(crate) struct HandlingCore {
    engine: Released<Debugger>,
    table: Arc<Table>,
    /// The one thread whose events its handlers handle; `None` for all.
    thread: Option<Tid>,
}

#[pymethods]
impl HandlingCore {
    #[new]
    #[pyo3(signature = (core, thread_id=None))]
    fn new(core: &Bound<'_, DebuggerCore>, thread_id: Option<i32>) -> Self {
        let core = core.get();
        let (engine, table) = (Released::new(core.engine().clone()), Arc::clone(core.table()));
        Self { engine, table, thread: thread_id.map(Tid) }
    }

    /// Handle a system call by its number, or all for None. With `handler`, this one takes the callbacks, and is
    /// enabled.
    #[pyo3(signature = (number, on_enter, on_exit, recursive, handler=None))]
    fn handle_syscall(
        &self,
        py: Python<'_>,
        number: Option<u64>,
        on_enter: Option<Py<PyAny>>,
        on_exit: Option<Py<PyAny>>,
        recursive: bool,
        handler: Option<Py<SyscallHandler>>,
    ) -> PyResult<Py<SyscallHandler>> {
        let spec = spec_for(py, &self.table, number, on_enter.as_ref(), on_exit.as_ref(), recursive)?;
        self.install(py, spec, on_enter, on_exit, handler)
    }

    /// Put the system call `new` in the place of `number`, or of all for None, with those arguments that are not
    /// None. With `handler`, this one does that from now on, and is enabled.
    #[pyo3(signature = (number, new, arguments, recursive, handler=None))]
    fn hijack_syscall(
        &self,
        py: Python<'_>,
        number: Option<u64>,
        new: u64,
        arguments: [Option<Word>; 6],
        recursive: bool,
        handler: Option<Py<SyscallHandler>>,
    ) -> PyResult<Py<SyscallHandler>> {
        let arguments = arguments.map(|word| word.map(|word| word.0));
        let spec = SyscallSpec::hijack(number, new, arguments, recursive);
        let spec = spec.map_err(|error| raise(py, Doing::Other, error))?;
        self.install(py, spec, None, None, handler)
    }

    /// Give the program `value` in the place of a system call, or of all for None, which the kernel never makes.
    /// With `handler`, this one does that from now on, and is enabled.
    #[pyo3(signature = (number, value, handler=None))]
    fn answer_syscall(
        &self,
        py: Python<'_>,
        number: Option<u64>,
        value: Word,
        handler: Option<Py<SyscallHandler>>,
    ) -> PyResult<Py<SyscallHandler>> {
        self.install(py, SyscallSpec::answer(number, value.0.cast_signed()), None, None, handler)
    }

    /// Handle what a handler of another process handles, in the same way.
    fn copy_handler(
        &self,
        py: Python<'_>,
        handler: &Bound<'_, SyscallHandler>,
    ) -> PyResult<Py<SyscallHandler>> {
        let of = handler.get();
        let (on_enter, on_exit) = of.callbacks(py);
        let spec = match of.has_python_callbacks(py) {
            true => of.spec(py, &self.table, on_enter.as_ref(), on_exit.as_ref())?,
            false => of.handle().spec(),
        };
        self.install(py, spec, on_enter, on_exit, None)
    }

    /// Catch what a catcher of another process catches, in the same way.
    fn copy_catcher(
        &self,
        py: Python<'_>,
        catcher: &Bound<'_, SignalCatcher>,
    ) -> PyResult<Py<SignalCatcher>> {
        let (of, mut spec) = (catcher.get(), catcher.get().handle().spec());
        let callback = of.any_callback(py);
        if of.python_callback(py).is_some() {
            spec.action = signal_catcher::action_for(py, callback.as_ref(), &self.table)?;
        }
        self.add_catcher(py, spec, callback)
    }

    /// Catch a signal by its number, or all for None.
    fn catch_signal(
        &self,
        py: Python<'_>,
        number: Option<i32>,
        callback: Option<Py<PyAny>>,
        recursive: bool,
    ) -> PyResult<Py<SignalCatcher>> {
        let action = signal_catcher::action_for(py, callback.as_ref(), &self.table)?;
        self.add_catcher(
            py,
            CatcherSpec { signal: number.map(Signal), action, recursive, thread: None },
            callback,
        )
    }

    /// Put the signal `new` in the place of `number`, or of all for None.
    fn hijack_signal(
        &self,
        py: Python<'_>,
        number: Option<i32>,
        new: i32,
        recursive: bool,
    ) -> PyResult<Py<SignalCatcher>> {
        let spec = CatcherSpec::hijack(number.map(Signal), Signal(new), recursive);
        self.add_catcher(py, spec.map_err(|error| raise(py, Doing::Other, error))?, None)
    }

    /// Remove a catcher.
    fn remove_catcher(&self, py: Python<'_>, catcher: &Bound<'_, SignalCatcher>) -> PyResult<()> {
        let object = catcher.get();
        self.blocking(py, |_| object.handle().remove())?;
        self.table.count_callback(object.python_callback(py).is_some(), false);
        self.table.drop_catcher(object.handle().id());
        Ok(())
    }

    /// The numbers of the signals that are never delivered.
    #[getter]
    fn blocked_signals(&self, py: Python<'_>) -> PyResult<Vec<i32>> {
        let blocked = self.blocking(py, Debugger::blocked_signals)?;
        Ok(blocked.into_iter().map(|signal| signal.0).collect())
    }

    #[setter]
    fn set_blocked_signals(&self, py: Python<'_>, numbers: Vec<i32>) -> PyResult<()> {
        let signals: BTreeSet<_> = numbers.into_iter().map(Signal).collect();
        self.blocking(py, |engine| engine.set_blocked_signals(signals))
    }

    /// Who is told, with the thread, of a program that the process has executed in place of its own.
    #[getter]
    fn on_exec(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.table.on_exec(py)
    }

    #[setter]
    fn set_on_exec(&self, callback: Option<Py<PyAny>>) {
        let table = Arc::clone(&self.table);
        let told: Option<Arc<libdebug::ExecCallback>> = match callback {
            Some(_) => Some(Arc::new(move |thread| callback::at_exec(&table, thread))),
            None => None,
        };
        self.engine.on_exec(told);
        self.table.set_on_exec(callback);
    }

    /// Have `observer` told of system calls, with the thread and a `SyscallEnter` or `SyscallExit`: only of those
    /// numbers, unless there are none, and not of the excepted ones. None for nobody.
    fn observe_syscalls(
        &self,
        py: Python<'_>,
        observer: Option<Py<PyAny>>,
        only: Vec<u64>,
        except_: Vec<u64>,
        decoded: bool,
    ) -> PyResult<()> {
        let wanted = observer.is_some();
        let filter = SyscallFilter { only, except: except_ };
        let told = wanted.then(|| observer_for(&self.table, filter, decoded));
        self.blocking(py, |engine| engine.observe_syscalls(told))?;
        self.table.set_observer(observer);
        Ok(())
    }
}

impl HandlingCore {
    fn blocking<T: Send>(
        &self,
        py: Python<'_>,
        act: impl FnOnce(&Debugger) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        py.detach(|| act(&self.engine)).map_err(|error| raise(py, Doing::Other, error))
    }

    fn install(
        &self,
        py: Python<'_>,
        spec: SyscallSpec,
        on_enter: Option<Py<PyAny>>,
        on_exit: Option<Py<PyAny>>,
        handler: Option<Py<SyscallHandler>>,
    ) -> PyResult<Py<SyscallHandler>> {
        let object = match handler {
            Some(object) => {
                self.blocking(py, |_| object.get().handle().set_enabled(true))?;
                object
            }
            None => self.new_handler(py, spec.clone())?,
        };
        object.get().replace(py, spec, on_enter, on_exit);
        Ok(object)
    }

    fn new_handler(&self, py: Python<'_>, spec: SyscallSpec) -> PyResult<Py<SyscallHandler>> {
        let handle =
            self.blocking(py, |engine| engine.handle_syscall(SyscallSpec { thread: self.thread, ..spec }))?;
        let id = handle.id();
        let object = Py::new(py, SyscallHandler::new(handle, &self.table))?;
        self.table.add_handler(id, object.clone_ref(py));
        Ok(object)
    }

    fn add_catcher(
        &self,
        py: Python<'_>,
        spec: CatcherSpec,
        callback: Option<Py<PyAny>>,
    ) -> PyResult<Py<SignalCatcher>> {
        let handle =
            self.blocking(py, |engine| engine.catch_signal(CatcherSpec { thread: self.thread, ..spec }))?;
        let id = handle.id();
        let object = Py::new(py, SignalCatcher::new(handle, &self.table, callback))?;
        self.table.add_catcher(id, object.clone_ref(py));
        self.table.count_callback(false, object.get().python_callback(py).is_some());
        Ok(object)
    }
}

/// One argument of a system call: its declaration, the value that the program gave, the value that callbacks have left,
/// and what that says in words.
type Argument = (String, u64, u64, Option<String>);

/// A system call that is about to be made.
#[pyclass(frozen, get_all, module = "libdebug._native")]
pub(crate) struct SyscallEnter {
    /// Its name, `0x` and the number for one that is in no table.
    name: String,
    /// One tuple for each argument: its C declaration, the value that the program gave, the value that callbacks
    /// have left, and what that says in words, or None.
    arguments: Vec<Argument>,
    /// Whether a handler's callback ran.
    called: bool,
    /// Whether another call is made in its place.
    hijacked: bool,
    /// Whether it is made in the place of another call.
    replaces: bool,
}

/// A system call that is over.
#[pyclass(frozen, get_all, module = "libdebug._native")]
pub(crate) struct SyscallExit {
    /// Its name.
    name: String,
    /// What the kernel returned, unsigned.
    value: u64,
    /// What callbacks have made of it.
    new_value: u64,
    /// Whether a handler's callback ran.
    called: bool,
    /// What the result says in words, or None.
    text: Option<String>,
}

/// What each thread is in.
type Pending = Mutex<HashMap<Tid, SyscallCall>>;

fn observer_for(table: &Arc<Table>, filter: SyscallFilter, decoded: bool) -> SyscallObserver {
    let (table, pending) = (Arc::clone(table), Pending::default());
    let observe = Arc::new(move |thread: &Thread, event: &SyscallEvent| match *event {
        SyscallEvent::Enter { before, after, called, replaces } => {
            let hijacked = before.number != after.number;
            if !hijacked {
                with(&pending, |calls| calls.insert(thread.tid(), after));
            }
            let (name, arguments) = enter(thread, &before, &after, decoded);
            let event = SyscallEnter { name, arguments, called, hijacked, replaces };
            callback::observe(&table, thread, |py| Ok(Py::new(py, event)?.into_any()))
        }
        SyscallEvent::Exit { before, after, called } => {
            let call = with(&pending, |calls| calls.remove(&thread.tid()));
            let text = call.filter(|_| decoded).and_then(|call| thread.describe_result(&call, after));
            let name = call.map(|call| name_of(&call)).unwrap_or_default();
            let (value, new_value) = (before.cast_unsigned(), after.cast_unsigned());
            let event = SyscallExit { name, value, new_value, called, text };
            callback::observe(&table, thread, |py| Ok(Py::new(py, event)?.into_any()))
        }
    });
    SyscallObserver { filter, observe }
}

fn with<T>(pending: &Pending, act: impl FnOnce(&mut HashMap<Tid, SyscallCall>) -> T) -> T {
    act(&mut pending.lock().unwrap_or_else(PoisonError::into_inner))
}

fn name_of(call: &SyscallCall) -> String {
    declarations(call).map_or_else(|| format!("{:#x}", call.number), |(name, _)| name.to_owned())
}

fn enter(
    thread: &Thread,
    before: &SyscallCall,
    after: &SyscallCall,
    decoded: bool,
) -> (String, Vec<Argument>) {
    let declared = declarations(before).map(|(_, declared)| declared);
    // The arguments of another call are told with that one.
    let executed = if before.number == after.number { after } else { before };
    let count = declared.map_or(before.arguments.len(), <[_]>::len);
    let argument = |index: usize| {
        let declaration = declared.map_or_else(|| format!("arg{index}"), |all| all[index].to_owned());
        let text = if decoded { thread.describe_argument(executed, index) } else { None };
        (declaration, before.arguments[index], executed.arguments[index], text)
    };
    (name_of(before), (0..count.min(before.arguments.len())).map(argument).collect())
}

/// Return the number of a system call by its name.
#[pyfunction]
pub(crate) fn syscall_number(py: Python<'_>, name: &str) -> PyResult<u64> {
    Debugger::syscall_number(name).map_err(|error| raise(py, Doing::Other, error))
}

/// Return the name of a system call by its number, None for a number without one.
#[pyfunction]
pub(crate) fn syscall_name(number: u64) -> Option<&'static str> {
    syscall_by_number(SyscallAbi::X86_64, number).map(|call| call.name)
}
