//! A stopped thread's registers: read once a stop, written back once, at resume.

use libdebug_arch::x86_64::{GeneralRegisters, Register, RegisterValue, XsaveLayout, index};
use libdebug_kernel::{Ptrace, Tid, XsaveAreas, xsave_areas};
use std::sync::OnceLock;

use crate::error::Result;

/// The copy of one thread's registers.
#[derive(Debug, Default, Clone)]
pub(crate) struct RegisterCache {
    general: Option<GeneralRegisters>,
    general_dirty: bool,
    extended: Option<Vec<u8>>,
    extended_dirty: bool,
    /// Where the kernel says the thread is.
    kernel_pc: Option<u64>,
    /// Where users see it while `general` is not loaded.
    shown_pc: Option<u64>,
    /// Where it was when the general registers were read: there, and only there, an interrupted system call among them
    /// is the kernel's to restart.
    read_at: Option<u64>,
    /// Where it goes on, while users see the place in the program that this stands for: inside the out-of-line
    /// copy of an instruction.
    raw_pc: Option<u64>,
}

/// Which of the two blocks a register lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    General,
    Extended,
}

/// The block of `register`.
pub(crate) fn block_of(register: &Register) -> Block {
    if register.is_extended() { Block::Extended } else { Block::General }
}

/// The layout of this CPU's XSAVE area.
pub(crate) fn layout() -> &'static XsaveLayout {
    static LAYOUT: OnceLock<XsaveLayout> = OnceLock::new();
    LAYOUT.get_or_init(|| layout_of(&xsave_areas()))
}

/// Whether this CPU, under this kernel, has `register`.
pub fn cpu_has(register: &Register) -> bool {
    register.exists(layout())
}

fn layout_of(areas: &XsaveAreas) -> XsaveLayout {
    XsaveLayout {
        size: areas.size,
        ymm_high: areas.component(2),
        opmask: areas.component(5),
        zmm_high: areas.component(6),
        hi16_zmm: areas.component(7),
    }
}

impl RegisterCache {
    pub(crate) fn general(&self) -> Option<&GeneralRegisters> {
        self.general.as_ref()
    }

    pub(crate) fn extended(&self) -> Option<&[u8]> {
        self.extended.as_deref()
    }

    pub(crate) fn has(&self, block: Block) -> bool {
        match block {
            Block::General => self.general.is_some(),
            Block::Extended => self.extended.is_some(),
        }
    }

    /// Forgets what is not to be written back: the thread has run.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Where the kernel says the thread is, asked now unless that is known.
    pub(crate) fn load_pc(&mut self, ptrace: Ptrace, tid: Tid) -> Result<u64> {
        let pc = match self.kernel_pc {
            Some(pc) => pc,
            None => ptrace.general_register(tid, index::RIP)?,
        };
        Ok(*self.kernel_pc.insert(pc))
    }

    /// The general registers, read now unless they were at this stop.
    pub(crate) fn load_general(&mut self, ptrace: Ptrace, tid: Tid) -> Result<()> {
        if self.general.is_none() {
            let mut general = GeneralRegisters(ptrace.general_registers(tid)?);
            self.kernel_pc = Some(general.pc());
            self.read_at = self.kernel_pc;
            if let Some(pc) = self.shown_pc {
                general.set_pc(pc);
            }
            self.general = Some(general);
        }
        Ok(())
    }

    /// The pc that users see, as far as it is known.
    pub(crate) fn pc(&self) -> Option<u64> {
        self.general.as_ref().map(GeneralRegisters::pc).or(self.shown_pc)
    }

    /// The pc that users see, once it was worked out: the kernel's may be in a stub.
    pub(crate) fn shown(&self) -> Option<u64> {
        self.shown_pc.and_then(|_| self.pc())
    }

    /// The address that the thread would go on from.
    pub(crate) fn real_pc(&self) -> Option<u64> {
        self.raw_pc.or(self.pc())
    }

    /// Shows `pc`, from where the thread goes on, or from `raw` if that is given.
    pub(crate) fn show_pc(&mut self, pc: u64, raw: Option<u64>) {
        self.shown_pc = Some(pc);
        self.raw_pc = raw;
        if let Some(general) = &mut self.general {
            general.set_pc(pc);
        }
    }

    pub(crate) fn load_extended(&mut self, ptrace: Ptrace, tid: Tid) -> Result<()> {
        if self.extended.is_none() {
            let mut area = Vec::new();
            ptrace.extended_registers(tid, &mut area, layout().size)?;
            self.extended = Some(area);
        }
        Ok(())
    }

    /// The value of `register`; `None` when its block was not loaded.
    pub(crate) fn read(&self, register: &'static Register) -> Option<Result<RegisterValue>> {
        let empty = GeneralRegisters::default();
        match block_of(register) {
            Block::General => {
                self.general.as_ref().map(|general| Ok(register.read(general, &[], layout())?))
            }
            Block::Extended => {
                self.extended.as_ref().map(|area| Ok(register.read(&empty, area, layout())?))
            }
        }
    }

    /// Changes `register`; `None` when its block was not loaded.
    pub(crate) fn write(&mut self, register: &'static Register, value: RegisterValue) -> Option<Result<()>> {
        match block_of(register) {
            Block::General => {
                let general = self.general.as_mut()?;
                let shown = general.pc();
                let written = register.write(&value, general, &mut [], layout());
                self.general_dirty |= written.is_ok();
                if general.pc() != shown {
                    // Nobody is to work out any more what the kernel's pc stands for.
                    (self.shown_pc, self.raw_pc) = (Some(general.pc()), None);
                }
                Some(written.map_err(Into::into))
            }
            Block::Extended => {
                let area = self.extended.as_mut()?;
                let written = register.write(&value, &mut GeneralRegisters::default(), area, layout());
                self.extended_dirty |= written.is_ok();
                Some(written.map_err(Into::into))
            }
        }
    }

    /// Changes one general register, by its index, if they were loaded.
    pub(crate) fn change_general(&mut self, index: usize, change: impl FnOnce(u64) -> u64) {
        if let Some(general) = &mut self.general {
            general.0[index] = change(general.0[index]);
            self.general_dirty = true;
        }
    }

    /// Other general registers in place of all; both kinds were loaded.
    pub(crate) fn replace_general(&mut self, registers: [u64; index::COUNT]) {
        let pc = registers[index::RIP];
        self.general = Some(GeneralRegisters(registers));
        self.general_dirty = true;
        (self.shown_pc, self.raw_pc) = (Some(pc), None);
    }

    /// Back to what the registers were at an earlier time, when all were loaded: everything is written back.
    pub(crate) fn restore(&mut self, earlier: Self) {
        let kernel_pc = self.kernel_pc;
        *self = Self { general_dirty: true, extended_dirty: true, kernel_pc, ..earlier };
    }

    /// Writes back what was changed, and moves the thread to `pc`, or to where it goes on if that is not where
    /// the kernel has it. The copy stays; forget it with [`RegisterCache::clear`] when the thread runs.
    pub(crate) fn flush(&mut self, ptrace: Ptrace, tid: Tid, pc: Option<u64>) -> Result<()> {
        if self.extended_dirty
            && let Some(area) = &self.extended
        {
            ptrace.set_extended_registers(tid, area)?;
            self.extended_dirty = false;
        }
        let target = pc.or(self.real_pc());
        match (&self.general, target) {
            (Some(general), Some(target)) if self.general_dirty => {
                let registers = written(general, target, self.read_at);
                ptrace.set_general_registers(tid, &registers)?;
            }
            (_, Some(target)) if self.kernel_pc != Some(target) => {
                ptrace.set_general_register(tid, index::RIP, target)?;
            }
            _ => return Ok(()),
        }
        self.general_dirty = false;
        self.kernel_pc = target;
        Ok(())
    }
}

/// What to write for a thread that goes on at `pc`: once it is moved, an interrupted system call is not to be
/// restarted.
fn written(general: &GeneralRegisters, pc: u64, read_at: Option<u64>) -> [u64; 27] {
    let mut registers = general.0;
    registers[index::RIP] = pc;
    if read_at != Some(pc) && is_restart(general.0[index::RAX]) {
        registers[index::ORIG_RAX] = u64::MAX;
    }
    registers
}

/// Whether `rax` asks the kernel to restart an interrupted system call, for which it would move the pc two
/// bytes back: wrong once the pc is somewhere else (ERESTARTSYS, NOINTR, NOHAND, RESTARTBLOCK: 512, 513, 514
/// and 516 in the kernel's errno.h, which programs never see).
fn is_restart(rax: u64) -> bool {
    matches!(rax.cast_signed(), -514..=-512 | -516)
}
