//! Patched addresses and debug registers: where breakpoints become visible to the CPU.

use std::collections::BTreeMap;
use std::sync::Arc;

use libdebug_arch::x86_64::debug_registers::{self, Watch, WatchError};
use libdebug_kernel::{Ptrace, Tid};

use crate::breakpoint::{Access, BreakpointCell, BreakpointKind};
use crate::error::{BreakpointError, Error, Result};
use crate::handler::HandlerId;
use crate::process::{Process, Run};
use crate::session::write;
use crate::stop::SiteFacts;

/// One address with a trap in place of its first byte.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) original: u8,
    one_byte: bool,
    /// The breakpoints that want the trap.
    pub(crate) breakpoints: Vec<Arc<BreakpointCell>>,
    /// The tracer wants it for itself.
    pub(crate) internal: bool,
}

/// The sites that hold a trap now, by address.
#[derive(Debug, Default)]
pub(crate) struct Sites(BTreeMap<u64, Site>);

impl Sites {
    pub(crate) fn get(&self, address: u64) -> Option<&Site> {
        self.0.get(&address)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nearest site above `address`.
    pub(crate) fn next_after(&self, address: u64) -> Option<u64> {
        self.0.range(address + 1..).next().map(|(&next, _)| next)
    }

    pub(crate) fn addresses(&self) -> Vec<u64> {
        self.0.keys().copied().collect()
    }

    pub(crate) fn set_original(&mut self, address: u64, byte: u8) {
        if let Some(site) = self.0.get_mut(&address) {
            site.original = byte;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Who wants a trap.
#[derive(Debug, Clone)]
pub(crate) enum Owner {
    Breakpoint(Arc<BreakpointCell>),
    Tracer,
}

impl Process {
    /// Puts a trap at `address`, or adds to the owners of the one that is there.
    pub(crate) fn insert_site(&mut self, address: u64, owner: Owner) -> Result<()> {
        if !self.sites.0.contains_key(&address) {
            let site = self.patch(address)?;
            self.sites.0.insert(address, site);
            self.site_added(address);
            self.pass_where_stopped(address);
        }
        if let Some(site) = self.sites.0.get_mut(&address) {
            match owner {
                Owner::Breakpoint(cell) => site.breakpoints.push(cell),
                Owner::Tracer => site.internal = true,
            }
        }
        Ok(())
    }

    /// What is known of the site at `address`, if there is one.
    pub(crate) fn site_facts(&self, address: u64) -> Option<SiteFacts> {
        let site = self.sites.get(address)?;
        Some(SiteFacts { ambiguous: site.one_byte && !self.displaced.covers_more(address) })
    }

    /// Takes one owner away; the last one's leaving brings the program's byte back.
    pub(crate) fn remove_site(&mut self, address: u64, owner: &Owner) {
        let Some(site) = self.sites.0.get_mut(&address) else { return };
        match owner {
            Owner::Breakpoint(cell) => site.breakpoints.retain(|other| !Arc::ptr_eq(other, cell)),
            Owner::Tracer => site.internal = false,
        }
        if site.breakpoints.is_empty() && !site.internal {
            let original = site.original;
            self.sites.0.remove(&address);
            self.unpatch(address, original);
        }
    }

    fn patch(&mut self, address: u64) -> Result<Site> {
        let memory = self.session.memory();
        let mut code = [0; 16];
        let length = memory.read(address, &mut code);
        if length == 0 {
            return Err(BreakpointError::Unmapped(address).into());
        }
        let original = code[0];
        let own = self.original_bytes(address, &code[..length]);
        let one_byte = self.isa.decode(&own, address).is_some_and(|instruction| instruction.length == 1);
        // First the table, so that no reader of memory ever sees the trap.
        write(&self.session.traps).insert(address, original);
        let trap = self.isa.trap_bytes();
        if memory.write(address, trap) != trap.len() {
            write(&self.session.traps).remove(&address);
            return Err(BreakpointError::Unmapped(address).into());
        }
        Ok(Site { original, one_byte, breakpoints: Vec::new(), internal: false })
    }

    pub(crate) fn unpatch(&mut self, address: u64, original: u8) {
        // A page that was unmapped meanwhile has no trap left to remove.
        self.session.memory().write(address, &[original]);
        write(&self.session.traps).remove(&address);
    }

    /// `code` read from `address`, with the program's bytes in place of traps.
    pub(crate) fn original_bytes(&self, address: u64, code: &[u8]) -> Vec<u8> {
        let mut bytes = code.to_vec();
        for (&at, site) in self.sites.0.range(address..address + code.len() as u64) {
            bytes[(at - address) as usize] = site.original;
        }
        bytes
    }

    /// A thread that already stands at a new trap has not come to it: it passes.
    fn pass_where_stopped(&mut self, address: u64) {
        for tid in self.stopped_tids() {
            if self.shown_pc(tid).is_ok_and(|pc| pc == address)
                && let Some(thread) = self.threads.get_mut(&tid)
            {
                thread.passed = Some(address);
            }
        }
    }
}

/// The four address registers of the CPU (DR0 to DR3), the same in all threads.
#[derive(Debug, Default)]
pub(crate) struct HardwareSlots([Option<Arc<BreakpointCell>>; 4]);

const DR6: usize = 6;
const DR7: usize = 7;

impl HardwareSlots {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The nearest address above `address` that is waited for.
    pub(crate) fn next_after(&self, address: u64) -> Option<u64> {
        self.0.iter().flatten().map(|cell| cell.address).filter(|&next| next > address).min()
    }

    fn slot_of(&self, id: HandlerId) -> Option<usize> {
        self.0.iter().position(|slot| slot.as_ref().is_some_and(|cell| cell.life.id == id))
    }

    /// What DR7 is to be in `tid`: without the breakpoints of other threads.
    fn control(&self, tid: Tid) -> u64 {
        let own = |cell: &&Arc<BreakpointCell>| cell.life.thread.is_none_or(|only| only == tid);
        let slots =
            self.0.each_ref().map(|slot| slot.as_ref().filter(own).and_then(|cell| watch(cell)?.ok()));
        debug_registers::control(&slots)
    }

    /// The breakpoints that DR6 says have fired.
    pub(crate) fn fired(&self, status: u64) -> Vec<Arc<BreakpointCell>> {
        let fired = debug_registers::decode_status(status).slots;
        self.0.iter().zip(fired).filter(|(_, fired)| *fired).filter_map(|(cell, _)| cell.clone()).collect()
    }

    fn write(&self, ptrace: Ptrace, tid: Tid) -> libdebug_kernel::Result<()> {
        // The kernel checks each address against its enabled length, so everything is disabled first.
        ptrace.set_debug_register(tid, DR7, 0)?;
        for (slot, cell) in self.0.iter().enumerate() {
            if let Some(cell) = cell {
                ptrace.set_debug_register(tid, slot, cell.address)?;
            }
        }
        ptrace.set_debug_register(tid, DR7, self.control(tid))
    }
}

fn watch(cell: &BreakpointCell) -> Option<std::result::Result<Watch, WatchError>> {
    match cell.kind {
        BreakpointKind::Software => None,
        BreakpointKind::Hardware { access, length } => {
            Some(Watch::new(cell.address, access_of(access), length.into()))
        }
    }
}

fn access_of(access: Access) -> debug_registers::Access {
    match access {
        Access::Execute => debug_registers::Access::Execute,
        Access::Write => debug_registers::Access::Write,
        Access::ReadWrite => debug_registers::Access::ReadWrite,
    }
}

impl Process {
    /// Takes a free debug register for `cell`, in every thread.
    pub(crate) fn insert_hardware(&mut self, cell: &Arc<BreakpointCell>) -> Result<()> {
        if let Some(Err(error)) = watch(cell) {
            return Err(BreakpointError::Hardware { address: cell.address, reason: error.to_string() }.into());
        }
        let free = self.hardware.0.iter().position(Option::is_none).ok_or(BreakpointError::NoFreeRegister)?;
        self.hardware.0[free] = Some(Arc::clone(cell));
        // A stub that stands for the instruction there too would pass it by.
        self.site_added(cell.address);
        self.look_at_watched(cell);
        let written = self.write_hardware();
        if written.is_err() {
            self.hardware.0[free] = None;
            let _ = self.write_hardware();
        }
        written
    }

    /// Notes what the bytes of a watchpoint hold now.
    pub(crate) fn look_at_watched(&self, cell: &BreakpointCell) {
        let Some(length) = cell.watched_bytes() else { return };
        let mut bytes = [0; 8];
        let read = self.session.memory().read(cell.address, &mut bytes[..length]);
        cell.see((read == length).then_some(u64::from_le_bytes(bytes)));
    }

    pub(crate) fn remove_hardware(&mut self, id: HandlerId) -> Result<()> {
        if let Some(slot) = self.hardware.slot_of(id) {
            self.hardware.0[slot] = None;
            self.write_hardware()?;
        }
        Ok(())
    }

    pub(crate) fn clear_hardware(&mut self) {
        if !self.hardware.is_empty() {
            self.hardware = HardwareSlots::default();
            // Only threads that died meanwhile refuse an empty set.
            let _ = self.write_hardware();
        }
    }

    fn write_hardware(&mut self) -> Result<()> {
        for tid in self.stopped_tids() {
            match self.hardware.write(self.ptrace, tid) {
                Ok(()) | Err(libdebug_kernel::KernelError::Gone { .. }) => {}
                Err(error) => return Err(self.hardware_error(error)),
            }
        }
        Ok(())
    }

    fn hardware_error(&self, error: libdebug_kernel::KernelError) -> Error {
        let address = self.hardware.0.iter().flatten().last().map_or(0, |cell| cell.address);
        BreakpointError::Hardware { address, reason: format!("the kernel refuses it ({})", error.errno()) }
            .into()
    }

    /// A new thread starts with empty debug registers.
    pub(crate) fn equip_thread(&mut self, tid: Tid) {
        let stopped = self.threads.get(&tid).is_some_and(|thread| thread.run == Run::Stopped);
        if stopped && !self.hardware.is_empty() {
            let _ = self.hardware.write(self.ptrace, tid);
        }
    }

    /// What fired in `tid`; reading clears it, as the CPU never does.
    /// With it comes whether a single step has ended.
    pub(crate) fn take_fired(&mut self, tid: Tid) -> (Vec<Arc<BreakpointCell>>, bool) {
        if self.hardware.is_empty() {
            return (Vec::new(), true);
        }
        let status = self.ptrace.debug_register(tid, DR6).unwrap_or(0);
        let _ = self.ptrace.set_debug_register(tid, DR6, 0);
        (self.hardware.fired(status), debug_registers::decode_status(status).single_step)
    }
}

impl Process {
    pub(crate) fn insert_breakpoint(&mut self, cell: &Arc<BreakpointCell>) -> Result<()> {
        self.plant(cell)?;
        self.breakpoints.insert(cell.life.id, Arc::clone(cell));
        self.note_actions();
        Ok(())
    }

    pub(crate) fn plant(&mut self, cell: &Arc<BreakpointCell>) -> Result<()> {
        match cell.kind {
            BreakpointKind::Software => self.insert_site(cell.address, Owner::Breakpoint(Arc::clone(cell))),
            BreakpointKind::Hardware { .. } => self.insert_hardware(cell),
        }
    }

    pub(crate) fn enable_breakpoint(&mut self, cell: &Arc<BreakpointCell>, on: bool) -> Result<()> {
        if !self.breakpoints.contains_key(&cell.life.id) {
            return Err(BreakpointError::Removed(cell.address).into());
        }
        if cell.life.set_enabled(on) == on {
            return Ok(());
        }
        match (on, cell.kind) {
            (true, _) => self.plant(cell),
            (false, BreakpointKind::Software) => {
                self.remove_site(cell.address, &Owner::Breakpoint(Arc::clone(cell)));
                Ok(())
            }
            (false, BreakpointKind::Hardware { .. }) => self.remove_hardware(cell.life.id),
        }
    }

    /// Whether all that hits do is to count.
    pub(crate) fn note_actions(&mut self) {
        self.only_native = self.breakpoints.values().all(|cell| cell.is_native());
    }
}
