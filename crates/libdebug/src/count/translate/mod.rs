//! Programs that count themselves: their code is executed as blocks in pages of our own, which add up what they execute.
//! Whatever is no ordinary instruction of a file's code is left to single steps: a thread is in the blocks, or it is
//! where the program has it, with all registers as the program has them.
//!
//! Threads come out by a trap that is ours, or by any other stop. What a block has spilled is put back then, and what
//! was counted and not executed is taken off again.

mod areas;
mod batch;
mod inject;
mod realm;
mod regions;
mod text;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use libdebug_arch::x86_64::translate::area;
use libdebug_arch::x86_64::{TRAP_FLAG, index};
use libdebug_kernel::proc::Map;
use libdebug_kernel::{Pid, ProcessMemory, Ptrace, Tid};

pub(super) use batch::Trap;
pub(super) use batch::{Batch, Registers};
use inject::Stopped;
use realm::Realm;
pub(super) use realm::{Kind, Left, NameOf};

/// One thread's share in it.
#[derive(Debug, Default)]
pub(crate) struct Ride {
    /// Its words, where it has some.
    area: Option<u64>,
    /// Where those are.
    realm: u64,
    /// It is in the blocks.
    pub(super) is_inside: bool,
    /// The base of `gs` that the program has.
    gs: u64,
    /// What its counter said when it was last looked at.
    seen: u64,
    /// How far from its limit it is when it goes in, if it has one.
    pub(super) left: Option<u64>,
    /// As the program has them, where they are not written yet.
    held: Option<Box<Registers>>,
    trap: Option<Trap>,
    /// A trap of ours is still to be reported, although the thread is not there any more.
    pub(super) awaits_trap: bool,
}

/// The maps of a process, looked at when they are needed.
pub(super) type MapsOf<'a> = dyn FnMut() -> Arc<[Map]> + 'a;

/// Whether a process is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    In(u64),
    Never,
}

/// All address spaces with blocks.
#[derive(Debug)]
pub(super) struct Translator {
    kind: Kind,
    realms: HashMap<u64, Realm>,
    homes: HashMap<Pid, Home>,
    threads: HashMap<Pid, usize>,
    next: u64,
}

/// A thread has come out of the blocks.
#[derive(Debug)]
pub(super) struct Out {
    /// What it has executed in there.
    pub(super) executed: u64,
    /// It was at a trap of ours: there is no signal.
    pub(super) is_trap: bool,
    pub(super) left: Left,
}

impl Translator {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, realms: HashMap::new(), homes: HashMap::new(), threads: HashMap::new(), next: 1 }
    }

    /// A thread was created, maybe the first one of a process that is a copy of one of ours, or in its memory.
    pub(super) fn adopt(&mut self, process: Pid) {
        *self.threads.entry(process).or_default() += 1;
        if self.homes.contains_key(&process) || self.realms.is_empty() {
            return;
        }
        let Ok(memory) = ProcessMemory::open(process) else { return };
        let mut origins = self.realms.values_mut();
        let Some(origin) = origins.find(|realm| realm.areas.signed_by(&memory) == Some(realm.id)) else {
            return;
        };
        self.next += 1;
        origin.areas.set_nonce(&origin.memory, self.next);
        if origin.areas.nonce(&memory) == Some(self.next) {
            origin.users.insert(process);
            self.homes.insert(process, Home::In(origin.id));
            return;
        }
        let copy = origin.copy(process, memory, self.next);
        self.homes.insert(process, Home::In(copy.id));
        self.realms.insert(copy.id, copy);
    }

    /// A process has ended, or has another program.
    pub(super) fn forget(&mut self, process: Pid) {
        let Some(Home::In(id)) = self.homes.remove(&process) else { return };
        let Some(realm) = self.realms.get_mut(&id) else { return };
        realm.users.remove(&process);
        match realm.users.iter().next() {
            None => drop(self.realms.remove(&id)),
            Some(&other) if realm.through == process => {
                realm.through = other;
                realm.memory = ProcessMemory::open(other).unwrap_or_else(|_| ProcessMemory::closed(other));
            }
            Some(_) => {}
        }
    }

    /// This process is stepped from now on.
    pub(super) fn never(&mut self, process: Pid) {
        self.forget(process);
        self.homes.insert(process, Home::Never);
    }

    fn home(&mut self, host: &Stopped<'_>, maps: &mut MapsOf<'_>) -> Option<u64> {
        match self.homes.get(&host.process) {
            Some(Home::In(id)) => return Some(*id),
            Some(Home::Never) => return None,
            None => {}
        }
        self.next += 1;
        let realm = match inject::has_shadow_stack(host.tid) {
            false => Realm::create(host, &maps(), self.next, self.kind),
            true => None,
        };
        let home = realm.as_ref().map_or(Home::Never, |realm| Home::In(realm.id));
        self.homes.insert(host.process, home);
        let realm = realm?;
        let id = realm.id;
        self.realms.insert(id, realm);
        Some(id)
    }

    /// Whether a thread at `pc` may go on in blocks, as far as that can be told without looking at it.
    fn is_worth_it(&self, process: Pid, pc: u64, maps: &mut MapsOf<'_>) -> bool {
        match self.homes.get(&process) {
            Some(Home::Never) => false,
            Some(Home::In(id)) if self.realms.get(id).is_some_and(|realm| realm.knows(pc)) => true,
            _ => realm::lasting_map(&maps(), pc).is_some(),
        }
    }

    /// Has a thread that is about to execute an ordinary instruction at `pc` go on in the blocks. Answers whether it does.
    pub(super) fn enter(
        &mut self,
        ptrace: Ptrace,
        (tid, process): (Tid, Pid),
        pc: u64,
        ride: &mut Ride,
        maps: &mut MapsOf<'_>,
        name: &mut NameOf<'_>,
    ) -> bool {
        let trap = ride.trap.take();
        if !self.is_worth_it(process, pc, maps) {
            return false;
        }
        let held = ride.held.take();
        let Some(registers) = held.as_deref().copied().or_else(|| ptrace.general_registers(tid).ok()) else {
            return false;
        };
        let host = Stopped { ptrace, tid, process, registers: &registers };
        let block = self.entry(&host, ride, trap, maps, name).filter(|_| self.keep_limit(ride).is_some());
        let entered = block.is_some_and(|block| {
            let mut inside = registers;
            inside[index::RIP] = block;
            inside[index::GS_BASE] = ride.area.unwrap_or(0);
            inside[index::ORIG_RAX] = u64::MAX;
            ptrace.set_general_registers(tid, &inside).is_ok()
        });
        ride.is_inside = entered;
        match entered {
            true => ride.gs = registers[index::GS_BASE],
            false => ride.held = held,
        }
        entered
    }

    fn entry(
        &mut self,
        host: &Stopped<'_>,
        ride: &mut Ride,
        trap: Option<Trap>,
        maps: &mut MapsOf<'_>,
        name: &mut NameOf<'_>,
    ) -> Option<u64> {
        if !can_enter(host.registers) {
            return None;
        }
        let id = self.home(host, maps)?;
        let realm = self.realms.get_mut(&id)?;
        let pc = host.registers[index::RIP];
        let block = match realm.known(pc) {
            Some(block) => block,
            None => realm.block(host, &maps(), pc, name)?,
        };
        if ride.area.is_none() || ride.realm != id {
            let (area, is_used) = realm.areas.take()?;
            if is_used {
                realm.clean(area);
            }
            (ride.area, ride.realm, ride.seen) = (Some(area), id, realm.total(area)?);
        }
        if let Some(trap) = trap {
            realm.join(trap, pc, block);
        }
        Some(block)
    }

    /// Has the thread that goes in come out before it has executed more than what is left, if anything limits it.
    fn keep_limit(&self, ride: &mut Ride) -> Option<()> {
        if let Some(left) = ride.left {
            ride.seen = self.realms.get(&ride.realm)?.limit(ride.area?, left)?;
        }
        Some(())
    }

    /// Whether there is one thread only.
    pub(super) fn is_alone(&self) -> bool {
        self.threads.values().sum::<usize>() == 1
    }

    /// Takes a stopped thread out of the blocks. Its registers are kept back: see [`Ride::settle`].
    pub(super) fn leave(&self, ptrace: Ptrace, tid: Tid, ride: &mut Ride) -> Option<Out> {
        ride.is_inside = false;
        let realm = self.realms.get(&ride.realm)?;
        let area = ride.area?;
        let mut registers = Box::new(ptrace.general_registers(tid).ok()?);
        if !realm.contains(registers[index::RIP]) {
            return None;
        }
        let words = realm.words(area)?;
        let left = realm.leave(&mut registers, &words)?;
        registers[index::GS_BASE] = ride.gs;
        ride.held = Some(registers);
        ride.trap = left.trap;
        let total = batch::word(&words, area::TOTAL);
        let executed = total.wrapping_sub(ride.seen).wrapping_add_signed(left.owed);
        ride.seen = total;
        Some(Out { executed, is_trap: left.trap.is_some(), left })
    }

    /// What a thread that runs in the blocks has executed since it went in, as far as that shows.
    pub(super) fn unseen(&self, ride: &Ride) -> u64 {
        match (self.realms.get(&ride.realm), ride.area) {
            (Some(realm), Some(area)) if ride.is_inside => {
                realm.total(area).map_or(0, |total| total.wrapping_sub(ride.seen))
            }
            _ => 0,
        }
    }

    /// How often the thread has executed each block since the last time that this was asked.
    pub(super) fn harvest(&self, ride: &Ride) -> Vec<(Arc<Batch>, usize, u64)> {
        match (self.realms.get(&ride.realm), ride.area) {
            (Some(realm), Some(area)) => realm.harvest(area),
            _ => Vec::new(),
        }
    }

    /// A thread has ended.
    pub(super) fn bury(&mut self, process: Pid, ride: &mut Ride) {
        self.give_back(ride);
        let Some(threads) = self.threads.get_mut(&process) else { return };
        *threads -= 1;
        if *threads == 0 {
            self.threads.remove(&process);
            self.forget(process);
        }
    }

    /// The thread needs its words no more.
    pub(super) fn give_back(&mut self, ride: &mut Ride) {
        if let (Some(realm), Some(area)) = (self.realms.get_mut(&ride.realm), ride.area.take()) {
            realm.areas.give_back(area);
        }
        *ride = Ride::default();
    }

    /// The program's code in this range may be another from now on.
    pub(super) fn code_changed(&mut self, process: Pid, range: Range<u64>) {
        let Some(Home::In(id)) = self.homes.get(&process) else { return };
        let Some(realm) = self.realms.get_mut(id) else { return };
        match realm.is_hit_by(&range) {
            true => self.never(process),
            false => realm.forget(range),
        }
    }

    /// The last thread of a process is let go.
    pub(super) fn remove(&mut self, ptrace: Ptrace, (tid, process): (Tid, Pid), maps: &[Map]) {
        if let Some(Home::In(id)) = self.homes.get(&process)
            && let Some(realm) = self.realms.get(id)
            && realm.users.len() == 1
            && self.threads.get(&process) == Some(&1)
            && let Ok(registers) = ptrace.general_registers(tid)
        {
            realm.remove(&Stopped { ptrace, tid, process, registers: &registers }, maps);
        }
    }
}

impl Ride {
    /// The thread comes out at its trap the next time, too.
    pub(super) fn keep_trap(&mut self) {
        self.trap = None;
    }

    /// The program's stack pointer, if its registers were kept back.
    pub(super) fn stack(&self) -> Option<u64> {
        self.held.as_ref().map(|registers| registers[index::RSP])
    }

    /// The thread goes on where the program has it, with the registers that were kept back.
    pub(super) fn settle(&mut self, ptrace: Ptrace, tid: Tid) {
        self.trap = None;
        if let Some(registers) = self.held.take() {
            // One that is gone needs none.
            let _ = ptrace.set_general_registers(tid, &registers);
        }
    }

    /// Where the program is, if its registers were kept back.
    pub(super) fn pc(&self) -> Option<u64> {
        self.held.as_ref().map(|registers| registers[index::RIP])
    }
}

/// Whether a thread executes 64-bit code, one instruction after the other, and is not in the middle of a system call that the
/// kernel is about to restart.
fn can_enter(registers: &Registers) -> bool {
    const USER_64: u64 = 0x33;
    const RESTARTS: std::ops::RangeInclusive<i64> = -516..=-512; // -ERESTART…, include/linux/errno.h
    let is_in_call = registers[index::ORIG_RAX].cast_signed() >= 0;
    let restarts = is_in_call && RESTARTS.contains(&registers[index::RAX].cast_signed());
    registers[index::CS] == USER_64 && registers[index::EFLAGS] & TRAP_FLAG == 0 && !restarts
}
