//! What all threads of the host may see of the process under debug.
//!
//! The tracer thread decides and writes; users' threads read, and write registers while the process is stopped.
//! Everything here exists once: a handle that a user holds points to these cells.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use libdebug_kernel::{Death, Latch, Pid, ProcessMemory, Signal, Tid, fork_generation, proc};

use crate::breakpoint::BreakpointCell;
use crate::debugger::Debugger;
use crate::error::{BoxError, Error, Result};
use crate::handler::{ExecCallback, HandlerId};
use crate::host::Host;
use crate::io::{Foreground, ProcessIo};
use crate::mailbox::lock;
use crate::registers::RegisterCache;
use crate::snapshot::SnapshotCount;
use crate::symbol_sources::SharedSymbolSources;
use crate::syscall::SyscallSide;
use crate::tree::Link;
use crate::unwind::ModulesSlot;

/// A lock for reading that survives a panic of another holder.
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// A lock for writing that survives a panic of another holder.
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Names one debugger of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DebuggerId(pub(crate) u64);

impl DebuggerId {
    fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// One debugger, as its tracer thread and its users' threads share it.
pub(crate) struct Shared {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) id: DebuggerId,
    pub(crate) link: Arc<Link>,
    /// Whether new processes of the process get debuggers of their own.
    pub(crate) follow_children: AtomicBool,
    /// Those debuggers, in the order of their processes' creation.
    pub(crate) children: Mutex<Vec<Debugger>>,
    pub(crate) births: Births,
    /// Set while nothing of the process runs: stopped, dead, or no process at all.
    pub(crate) stopped: Latch,
    /// A user wants the process to stop; cleared when it has.
    pub(crate) interrupt: AtomicBool,
    /// Of the host: after a fork the child has no tracer thread.
    pub(crate) generation: u32,
    /// Whether the process is to end with the debugger.
    pub(crate) kill_on_exit: AtomicBool,
    /// Nobody waits for the tracer thread's end any more.
    pub(crate) abandoned: AtomicBool,
    session: RwLock<Option<Arc<Session>>>,
    failures: Mutex<Vec<BoxError>>,
    pub(crate) symbol_sources: RwLock<Arc<SharedSymbolSources>>,
    pub(crate) io: Mutex<Option<Arc<ProcessIo>>>,
    /// Gives the terminal back to the host when dropped.
    pub(crate) foreground: Mutex<Option<Foreground>>,
    pub(crate) fast_memory: AtomicBool,
    pub(crate) share_cpu: AtomicBool,
    pub(crate) auto_interrupt: AtomicBool,
    /// System calls that somebody handles are to be told from the others by a filter in the program.
    pub(crate) filters_syscalls: AtomicBool,
    /// Programs that look for a debugger are not to find one.
    pub(crate) escape_antidebug: AtomicBool,
    /// Run when the process has executed another program.
    pub(crate) on_exec: Mutex<Option<Arc<ExecCallback>>>,
    /// The process was created by another one under debug, whose debugger closes the streams of both.
    is_child: bool,
    /// Nobody carries out commands any more.
    pub(crate) ended: AtomicBool,
}

/// Which children users have waited for.
#[derive(Default)]
pub(crate) struct Births {
    /// Set while there may be a child that nobody has waited for.
    pub(crate) unseen: Latch,
    taken: AtomicUsize,
}

impl Births {
    /// The oldest of `children` that was not taken yet, and its place.
    pub(crate) fn take(&self, children: &[Debugger]) -> Option<(usize, Debugger)> {
        let place = self.taken.load(Ordering::Acquire);
        let next = children.get(place).map(|child| (place, child.clone()));
        if next.is_some() {
            self.taken.fetch_add(1, Ordering::AcqRel);
        } else {
            self.unseen.clear();
        }
        next
    }

    pub(crate) fn tell(&self) {
        self.unseen.set();
    }

    fn forget(&self) {
        self.taken.store(0, Ordering::Release);
    }
}

impl Shared {
    pub(crate) fn new(host: Arc<dyn Host>) -> Self {
        Self::linked(host, Arc::new(Link::new()), false)
    }

    /// For a child of this debugger's process: blank, but for what concerns how it is debugged.
    pub(crate) fn child(&self) -> Self {
        let child = Self::linked(Arc::clone(&self.host), Arc::clone(&self.link), true);
        let same =
            |to: &AtomicBool, from: &AtomicBool| to.store(from.load(Ordering::Acquire), Ordering::Release);
        same(&child.kill_on_exit, &self.kill_on_exit);
        same(&child.follow_children, &self.follow_children);
        same(&child.fast_memory, &self.fast_memory);
        same(&child.auto_interrupt, &self.auto_interrupt);
        same(&child.escape_antidebug, &self.escape_antidebug);
        same(&child.filters_syscalls, &self.filters_syscalls);
        *write(&child.symbol_sources) = Arc::clone(&read(&self.symbol_sources));
        *lock(&child.io) = lock(&self.io).clone();
        child
    }

    fn linked(host: Arc<dyn Host>, link: Arc<Link>, is_child: bool) -> Self {
        let stopped = Latch::new();
        stopped.set();
        Self {
            host,
            id: DebuggerId::next(),
            link,
            follow_children: AtomicBool::new(false),
            children: Mutex::new(Vec::new()),
            births: Births::default(),
            on_exec: Mutex::new(None),
            is_child,
            ended: AtomicBool::new(false),
            stopped,
            interrupt: AtomicBool::new(false),
            generation: fork_generation(),
            kill_on_exit: AtomicBool::new(true),
            abandoned: AtomicBool::new(false),
            session: RwLock::new(None),
            failures: Mutex::new(Vec::new()),
            symbol_sources: RwLock::new(Arc::new(SharedSymbolSources::default())),
            io: Mutex::new(None),
            foreground: Mutex::new(None),
            fast_memory: AtomicBool::new(true),
            share_cpu: AtomicBool::new(true),
            auto_interrupt: AtomicBool::new(false),
            escape_antidebug: AtomicBool::new(false),
            filters_syscalls: AtomicBool::new(false),
        }
    }

    /// The process under debug, dead or alive; `None` before run and after kill or detach.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        read(&self.session).clone()
    }

    pub(crate) fn set_session(&self, session: Option<Arc<Session>>) {
        *write(&self.session) = session;
    }

    /// Other handles to the streams of a process that is gone must not keep its descriptors open.
    pub(crate) fn close_io(&self) {
        if let Some(io) = lock(&self.io).as_ref().filter(|_| !self.is_child) {
            io.close();
        }
    }

    /// Whether a process is there whose stops are worth waiting for. For a child's that has ended no descriptors are
    /// kept: a large tree leaves many of them.
    pub(crate) fn expect_stops(&self, on: bool) {
        if self.is_child {
            self.stopped.set_spare(!on);
            self.births.unseen.set_spare(!on);
        }
    }

    /// Nobody carries out commands any more: nobody is to wait for that.
    pub(crate) fn close(&self) {
        self.ended.store(true, Ordering::Release);
        if let Some(session) = self.session() {
            session.closed.store(true, Ordering::Release);
            session.set_phase(Phase::Dead);
        }
        self.forget_children();
        self.stopped.set();
    }

    /// Debuggers of children that nobody else holds end. Without the lock: each tells its own children.
    pub(crate) fn forget_children(&self) {
        self.births.forget();
        drop(std::mem::take(&mut *lock(&self.children)));
    }

    /// A callback failed: the next wait of a user's thread says so.
    pub(crate) fn fail(&self, error: BoxError) {
        lock(&self.failures).push(error);
    }

    /// A process begins, or none will: what the one before it left does not concern anybody any more.
    pub(crate) fn forget_failures(&self) {
        let failures = std::mem::take(&mut *lock(&self.failures));
        // Without the lock: an error may hold anything.
        drop(failures);
    }

    /// The oldest failure that nobody was told of.
    pub(crate) fn take_failure(&self) -> Option<BoxError> {
        let mut failures = lock(&self.failures);
        if failures.is_empty() { None } else { Some(failures.remove(0)) }
    }
}

/// Where a process is in its life under debug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// All threads are stopped.
    Stopped,
    /// Some thread may run.
    Running,
    /// All threads have ended.
    Dead,
}

/// One process under debug, from run or attach to kill or detach.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) pid: Pid,
    /// The host knows that a look at the running process waits.
    pub(crate) has_remarked: AtomicBool,
    phase: AtomicU8,
    /// Kill, detach or another run have ended it: handles to it are history.
    pub(crate) closed: AtomicBool,
    pub(crate) detached: AtomicBool,
    /// Another debugger has it, for a while.
    pub(crate) handed_over: AtomicBool,
    /// Counts published stops, so that what was read at one stop is not taken for another's.
    pub(crate) stops: AtomicU64,
    pub(crate) threads: RwLock<Vec<Arc<ThreadCell>>>,
    memory: RwLock<Arc<ProcessMemory>>,
    /// Addresses that hold a trap of ours now, with the program's own bytes.
    pub(crate) traps: RwLock<BTreeMap<u64, u8>>,
    maps: Mutex<Option<(u64, Arc<[proc::Map]>)>>,
    /// The images of those maps, for looks at stacks.
    pub(crate) modules: ModulesSlot,
    pub(crate) snapshots: SnapshotCount,
}

impl Session {
    pub(crate) fn new(pid: Pid, memory: ProcessMemory) -> Self {
        Self {
            pid,
            has_remarked: AtomicBool::new(false),
            phase: AtomicU8::new(Phase::Stopped as u8),
            closed: AtomicBool::new(false),
            detached: AtomicBool::new(false),
            handed_over: AtomicBool::new(false),
            stops: AtomicU64::new(1),
            threads: RwLock::new(Vec::new()),
            memory: RwLock::new(Arc::new(memory)),
            traps: RwLock::new(BTreeMap::new()),
            maps: Mutex::new(None),
            modules: ModulesSlot::default(),
            snapshots: SnapshotCount::default(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            value if value == Phase::Stopped as u8 => Phase::Stopped,
            value if value == Phase::Running as u8 => Phase::Running,
            _ => Phase::Dead,
        }
    }

    /// Moves on; what has died stays dead.
    pub(crate) fn set_phase(&self, phase: Phase) {
        if self.phase() != Phase::Dead {
            self.phase.store(phase as u8, Ordering::Release);
        }
    }

    pub(crate) fn memory(&self) -> Arc<ProcessMemory> {
        Arc::clone(&read(&self.memory))
    }

    /// After execve: another address space, without any trap.
    pub(crate) fn replace_memory(&self, memory: ProcessMemory) {
        *write(&self.memory) = Arc::new(memory);
        write(&self.traps).clear();
        self.forget_maps();
    }

    /// The process has ended: nothing can be read any more.
    pub(crate) fn close_memory(&self) {
        *write(&self.memory) = Arc::new(ProcessMemory::closed(self.pid));
    }

    /// The maps, read once a stop.
    pub(crate) fn maps(&self) -> libdebug_kernel::Result<Arc<[proc::Map]>> {
        let stop = self.stops.load(Ordering::Acquire);
        let mut cache = lock(&self.maps);
        if let Some((_, maps)) = cache.as_ref().filter(|(at, _)| *at == stop) {
            return Ok(Arc::clone(maps));
        }
        let maps: Arc<[proc::Map]> = proc::maps(self.inhabited())?.into();
        *cache = Some((stop, Arc::clone(&maps)));
        Ok(maps)
    }

    /// The pid, or another thread's tid where the leader has exited: it has no address space any more, to
    /// /proc, while the process lives on.
    pub(crate) fn inhabited(&self) -> Pid {
        let threads = read(&self.threads);
        let gone = |cell: &ThreadCell| cell.zombie.load(Ordering::Acquire) || cell.death().is_some();
        let living = threads.iter().find(|cell| !gone(cell));
        living
            .filter(|_| threads.first().is_some_and(|leader| gone(leader)))
            .map_or(self.pid, |cell| Pid(cell.tid.0))
    }

    /// Refuses requests while another debugger has the process.
    pub(crate) fn check_present(&self) -> Result<()> {
        if self.handed_over.load(Ordering::Acquire) { Err(Error::HandedOver) } else { Ok(()) }
    }

    pub(crate) fn forget_maps(&self) {
        *lock(&self.maps) = None;
    }

    /// The first thread: the one that the process is known by.
    pub(crate) fn leader(&self) -> Option<Arc<ThreadCell>> {
        read(&self.threads).first().cloned()
    }
}

/// Why a thread stands where it stands, as its users see it; several can hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The program was started or attached to.
    Started,
    /// It came to this breakpoint, or touched what it watches.
    Breakpoint(HandlerId),
    /// A step has ended.
    Step,
    /// [`Debugger::interrupt`](crate::Debugger::interrupt), or another thread's stop.
    Interrupted,
    /// A signal is about to be delivered.
    Signal(Signal),
    /// This catcher has caught the signal that is about to be delivered.
    Caught(HandlerId),
    /// It is about to make a system call that this handler handles.
    SyscallEnter(HandlerId),
    /// It comes from a system call that this handler handles.
    SyscallExit(HandlerId),
    /// It executed another program.
    Exec,
    /// A callback asked for the stop, or failed.
    Callback,
}

/// What a user can see and change of the stop that a thread is in.
#[derive(Debug, Default)]
pub(crate) struct StopRecord {
    pub(crate) reasons: Vec<StopReason>,
    /// The breakpoints among them.
    pub(crate) hit: Vec<Arc<BreakpointCell>>,
    /// The signal that the thread stopped with, SIGTRAP for the debugger's own stops.
    pub(crate) signal: Option<Signal>,
    /// The signal that the next resume delivers.
    pub(crate) deliver: Option<Signal>,
    /// It is in a syscall-stop, on this side.
    pub(crate) side: Option<SyscallSide>,
}

/// One thread of the process under debug.
#[derive(Debug)]
pub(crate) struct ThreadCell {
    pub(crate) tid: Tid,
    pub(crate) registers: Mutex<RegisterCache>,
    pub(crate) stop: Mutex<StopRecord>,
    /// It has come to its exit event: no user code of it will run any more.
    pub(crate) zombie: AtomicBool,
    /// Its users want it to stand still, whatever the others do.
    parked: AtomicBool,
    /// The signal of the group-stop that it is in, 0 for none: it stays in it while its process runs.
    group_stop: AtomicI32,
    death: Mutex<Option<Option<Death>>>,
    pub(crate) snapshots: SnapshotCount,
}

impl ThreadCell {
    pub(crate) fn new(tid: Tid) -> Self {
        Self {
            tid,
            registers: Mutex::default(),
            stop: Mutex::default(),
            zombie: AtomicBool::new(false),
            parked: AtomicBool::new(false),
            group_stop: AtomicI32::new(0),
            death: Mutex::new(None),
            snapshots: SnapshotCount::default(),
        }
    }

    pub(crate) fn is_parked(&self) -> bool {
        self.parked.load(Ordering::Acquire)
    }

    pub(crate) fn set_parked(&self, parked: bool) {
        self.parked.store(parked, Ordering::Release);
    }

    /// The signal of the group-stop that it is in.
    pub(crate) fn group_stop(&self) -> Option<Signal> {
        Some(Signal(self.group_stop.load(Ordering::Acquire))).filter(|signal| signal.0 != 0)
    }

    pub(crate) fn set_group_stop(&self, signal: Option<Signal>) {
        self.group_stop.store(signal.map_or(0, |signal| signal.0), Ordering::Release);
    }

    /// `None` while alive; how it ended as far as the kernel told us.
    pub(crate) fn death(&self) -> Option<Option<Death>> {
        *lock(&self.death)
    }

    pub(crate) fn set_death(&self, how: Option<Death>) {
        let mut death = lock(&self.death);
        if !matches!(*death, Some(Some(_))) {
            *death = Some(how);
        }
    }
}
