//! Taking snapshots.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libdebug_image::Image;
use libdebug_kernel::proc;
use libdebug_kernel::proc::Map;

use super::content::room;
use super::kept_registers::KeptRegisters;
use super::{Content, Facts, KeptThread, Snapshot, SnapshotError, SnapshotHost, SnapshotKind, SnapshotLevel};
use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::mailbox::lock;
use crate::registers::layout;
use crate::scan::{SMALL_HOLE, merge};
use crate::session::{self, Phase, Session};
use crate::space::{AddressSpace, LiveSpace};
use crate::thread::Thread;

impl Debugger {
    /// A snapshot of the process with all its threads, as it stands now; waits for a stop.
    ///
    /// # Errors
    /// [`SnapshotError::TooLarge`], [`Error::Died`] when there is no memory any more, and those of [`Debugger::wait`].
    pub fn snapshot(&self, level: SnapshotLevel, name: Option<String>) -> Result<Snapshot> {
        let space = self.space()?;
        let living = self.threads().into_iter().filter(|thread| !thread.is_dead());
        let threads = living.filter_map(|thread| unless_dead(kept(&thread))).collect::<Result<Vec<_>>>()?;
        if threads.is_empty() {
            let how = self.main_thread()?.death();
            return Err(Error::Died { tid: space.session.pid.leader(), how });
        }
        let taken = take(&space, level, threads)?;
        let id = space.session.snapshots.next();
        Ok(taken.called(SnapshotKind::Process, id, name))
    }
}

impl Thread {
    /// A snapshot of the thread, with the memory of its process, as it stands now; waits for a stop.
    ///
    /// # Errors
    /// As [`Debugger::snapshot`].
    pub fn snapshot(&self, level: SnapshotLevel, name: Option<String>) -> Result<Snapshot> {
        let space = self.debugger().space()?;
        self.check_alive()?;
        let thread = kept(self)?;
        let id = thread.id;
        Ok(take(&space, level, vec![thread])?.called(SnapshotKind::Thread, id, name))
    }

    /// Counts a snapshot of this thread that somebody else has taken, and answers its number.
    pub fn count_snapshot(&self) -> u32 {
        self.cell().snapshots.next()
    }
}

/// A thread can be killed at any time, which is no failure of its process's snapshot.
fn unless_dead<T>(taken: Result<T>) -> Option<Result<T>> {
    match taken {
        Err(error) if error.is_death() => None,
        taken => Some(taken),
    }
}

fn kept(thread: &Thread) -> Result<KeptThread> {
    let (general, extended) = thread.register_blocks()?;
    let signal = lock(&thread.cell().stop).signal.map_or(0, |signal| signal.0);
    let registers = KeptRegisters { general, extended, layout: *layout() };
    Ok(KeptThread { tid: thread.tid(), id: thread.count_snapshot(), signal, registers })
}

fn take(space: &LiveSpace<'_>, level: SnapshotLevel, threads: Vec<KeptThread>) -> Result<Snapshot> {
    let session = &space.session;
    let stop = session.stops.load(Ordering::Acquire);
    // The list that is kept may be from before a system call that this stop's callback has made.
    session.forget_maps();
    let maps = space.maps()?;
    let wanted = |map: &Map| match level {
        SnapshotLevel::Base => false,
        SnapshotLevel::Writable => map.permissions[1] == b'w',
        SnapshotLevel::Full => true,
    };
    let content = |map: &Map| if wanted(map) { read(space, map) } else { Ok(None) };
    let contents = maps.iter().map(content).collect::<Result<Vec<_>>>()?;
    let ran = session.stops.load(Ordering::Acquire) != stop || session.phase() == Phase::Running;
    if ran && !space.debugger.in_callback() {
        return Err(SnapshotError::WentOn.into());
    }
    let shared = space.debugger.shared();
    let sources = Arc::clone(&session::read(&shared.symbol_sources));
    let surroundings = SnapshotHost { host: Arc::clone(&shared.host), sources };
    let (images, orphans, facts) = (images(space, &maps), Vec::new(), facts(session, level));
    Ok(Snapshot { facts, threads, maps, contents, images, orphans, surroundings })
}

impl Snapshot {
    fn called(mut self, kind: SnapshotKind, id: u32, name: Option<String>) -> Self {
        (self.facts.kind, self.facts.id, self.facts.name) = (kind, id, name);
        self
    }
}

/// The content of one map, in as few reads as there are parts with something in them; `None` if nothing can be read.
fn read(space: &dyn AddressSpace, map: &Map) -> Result<Option<Content>> {
    let size = map.end - map.start;
    let mut content = Content::zeros(size, size);
    for part in merge(space.populated(map).into_iter(), SMALL_HOLE) {
        let part = part.start.max(map.start)..part.end.min(map.end);
        let Some(mut bytes) = room(&part) else {
            return Err(SnapshotError::TooLarge { map: map.name().into_owned(), size }.into());
        };
        let read = space.read(part.start, &mut bytes)?;
        let is_cut = read < bytes.len();
        bytes.truncate(read);
        content.add(part.start - map.start, bytes);
        if is_cut {
            content.cut(part.start - map.start + read as u64);
            break;
        }
    }
    Ok((content.readable() > 0).then_some(content))
}

fn images(space: &dyn AddressSpace, maps: &[Map]) -> BTreeMap<String, Arc<Image>> {
    let mut images = BTreeMap::new();
    for map in maps.iter().filter(|map| map.has_file()) {
        if !images.contains_key(&map.path)
            && let Some(image) = space.image(&map.path)
        {
            images.insert(map.path.clone(), image);
        }
    }
    images
}

fn facts(session: &Session, level: SnapshotLevel) -> Facts {
    let pid = session.inhabited();
    let program = proc::executable(pid).map(|path| path.to_string_lossy().into_owned());
    let arguments = proc::command_line(pid).unwrap_or_default();
    let words = arguments.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    Facts {
        kind: SnapshotKind::Process,
        level,
        id: 0,
        name: None,
        pid: session.pid.0,
        parent: proc::status(pid.leader()).map_or(0, |status| status.parent.0),
        aslr: proc::randomizes_addresses(pid).unwrap_or(true),
        program: program.unwrap_or_default(),
        arguments: words.collect::<Vec<_>>().join(" ").trim_end().to_owned(),
        auxiliary: proc::auxiliary_vector(pid).unwrap_or_default(),
    }
}
