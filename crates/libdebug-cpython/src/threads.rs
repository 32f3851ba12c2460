//! The threads that an interpreter knows.

use std::collections::HashMap;

use libdebug::Tid;

use crate::error::Result;
use crate::frames::{self, Codes, Evaluation, PythonFrame};
use crate::interpreter::Interpreter;
use crate::layout::Gil;
use crate::objects::Objects;
use crate::target::{Reader, Target};

/// A thread that an interpreter knows, with what it executes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PythonThread {
    /// The address of its `PyThreadState`.
    pub state: u64,
    /// The address of the `PyInterpreterState` that it belongs to.
    pub interpreter: u64,
    /// The number of that interpreter: 0 for the main one.
    pub interpreter_id: i64,
    /// The thread of the process; `None` for a thread state that no living thread has.
    pub tid: Option<Tid>,
    /// `threading.get_ident()`: what pthread_self(3) answers in it.
    pub ident: u64,
    /// The name that it has in module `threading`; `None` where that is not imported or does not know the thread.
    pub name: Option<String>,
    /// Whether it is the main thread of the main interpreter.
    pub is_main: bool,
    /// Whether it holds the interpreter's lock; `None` where there is none (free-threaded).
    pub holds_gil: Option<bool>,
    /// What it executes, innermost first. Empty in a thread that executes no Python code.
    pub frames: Vec<PythonFrame>,
    /// False when frames are missing behind the last one, because they could not be read.
    pub is_complete: bool,
    pub(crate) evaluations: Vec<Evaluation>,
}

/// Reads all threads; `thread_pointers` are those of the process, as pthread_self(3) answers in them.
pub(crate) fn read(
    interpreter: &Interpreter,
    target: &dyn Target,
    thread_pointers: &[(Tid, u64)],
) -> Result<Vec<PythonThread>> {
    let memory = Reader::new(target);
    let objects = Objects { interpreter, memory: &memory };
    let codes = Codes::new(&objects);
    let mut threads = Vec::new();
    for (place, head) in interpreter.heads(&memory)?.into_iter().enumerate() {
        let of_one = OneInterpreter::read(&objects, head, place == 0, thread_pointers)?;
        for state in states(&objects, head)? {
            threads.push(of_one.thread(&objects, &codes, state)?);
        }
    }
    Ok(threads)
}

/// The thread states of an interpreter, the oldest first.
fn states(objects: &Objects<'_>, interpreter: u64) -> Result<Vec<u64>> {
    const MOST: usize = 1 << 16;
    let layout = objects.interpreter.layout();
    let mut states = Vec::new();
    let mut next = objects.memory.u64(interpreter + layout.interpreter.threads)?;
    while next != 0 && states.len() < MOST {
        states.push(next);
        next = objects.memory.u64(next + layout.thread.next)?;
    }
    // The list has the newest first.
    states.reverse();
    Ok(states)
}

/// What the threads of one interpreter have in common.
struct OneInterpreter<'a> {
    address: u64,
    id: i64,
    /// The ident of the main thread, in the main interpreter.
    main_thread: Option<u64>,
    /// The thread state that holds the lock, 0 for none; nothing without a lock.
    holder: Option<u64>,
    names: HashMap<u64, String>,
    thread_pointers: &'a [(Tid, u64)],
}

impl<'a> OneInterpreter<'a> {
    fn read(
        objects: &Objects<'_>,
        address: u64,
        is_main: bool,
        thread_pointers: &'a [(Tid, u64)],
    ) -> Result<Self> {
        let (layout, memory) = (objects.interpreter.layout(), objects.memory);
        let main_thread = memory.u64(objects.interpreter.runtime() + layout.runtime.main_thread)?;
        Ok(Self {
            address,
            id: memory.u64(address + layout.interpreter.id)?.cast_signed(),
            main_thread: is_main.then_some(main_thread),
            holder: holder(objects, address)?,
            // Names are changed while threads run: they can be halfway at any stop.
            names: names(objects, address).ok().flatten().unwrap_or_default(),
            thread_pointers,
        })
    }

    fn thread(&self, objects: &Objects<'_>, codes: &Codes<'_>, state: u64) -> Result<PythonThread> {
        let layout = &objects.interpreter.layout().thread;
        let ident = objects.memory.u64(state + layout.ident)?;
        let (frames, evaluations, is_complete) = frames::read(objects, codes, state);
        Ok(PythonThread {
            state,
            interpreter: self.address,
            interpreter_id: self.id,
            tid: self.tid(objects.memory, ident, layout.native_id.map(|offset| state + offset))?,
            ident,
            name: self.names.get(&ident).cloned(),
            is_main: self.main_thread == Some(ident),
            holds_gil: self.holder.map(|holder| holder == state),
            frames,
            is_complete,
            evaluations,
        })
    }

    /// The thread's own pointer tells it in every namespace of pids and after fork(2); what the thread state has is as
    /// the thread once saw itself.
    fn tid(&self, memory: &Reader<'_>, ident: u64, native_id_at: Option<u64>) -> Result<Option<Tid>> {
        let by_pointer = self.thread_pointers.iter().find(|(_, pointer)| *pointer == ident);
        if let Some((tid, _)) = by_pointer {
            return Ok(Some(*tid));
        }
        let Some(native_id_at) = native_id_at else { return Ok(None) };
        let native_id = memory.u64(native_id_at)?;
        let known = self.thread_pointers.iter().map(|(tid, _)| *tid);
        Ok(known.into_iter().find(|tid| u64::try_from(tid.0) == Ok(native_id)))
    }
}

/// The thread state that holds the lock, 0 for none; nothing where there is no lock.
fn holder(objects: &Objects<'_>, interpreter: u64) -> Result<Option<u64>> {
    let (layout, memory) = (&objects.interpreter.layout().gil, objects.memory);
    let gil = match layout.place {
        Gil::InRuntime(offset) => objects.interpreter.runtime() + offset,
        Gil::ByInterpreter(offset) => memory.u64(interpreter + offset)?,
    };
    if gil == 0 {
        return Ok(None);
    }
    if let Some(enabled) = layout.enabled
        && memory.u32(gil + enabled)? == 0
    {
        return Ok(None);
    }
    let is_locked = memory.i32(gil + layout.locked)? > 0;
    if is_locked { Ok(Some(memory.u64(gil + layout.holder)?)) } else { Ok(Some(0)) }
}

/// The names of an interpreter's threads by their idents: what `threading._active` has. `None` where the module is not
/// imported.
fn names(objects: &Objects<'_>, interpreter: u64) -> Result<Option<HashMap<u64, String>>> {
    let layout = objects.interpreter.layout();
    let modules = objects.memory.u64(interpreter + layout.interpreter.modules)?;
    if modules == 0 {
        return Ok(None);
    }
    let Some(module) = objects.item(modules, "threading")? else { return Ok(None) };
    // A module's dictionary is the first field behind the object's head, which ends with the type.
    let dictionary = objects.memory.u64(module + layout.objects.of_type + 8)?;
    let Some(active) = objects.item(dictionary, "_active")? else { return Ok(None) };
    let mut names = HashMap::new();
    for entry in objects.entries(active)? {
        if let Ok(Some(name)) = objects.attribute(entry.value, "_name") {
            names.insert(objects.integer(entry.key)?, objects.text(name)?);
        }
    }
    Ok(Some(names))
}
