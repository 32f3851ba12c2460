//! Stacks: from a thread's registers to the frames of all callers.

mod guess;
mod modules;
mod stack;

use std::fmt;
use std::sync::Arc;

use libdebug_arch::x86_64::{GeneralRegisters, dwarf};
use libdebug_image::{CallerFrame, FileAddress, FrameRegisters, UnwindError, UnwindScratch};
use libdebug_kernel::proc::Map;

use crate::error::{Error, Result};
use crate::space::AddressSpace;
use crate::symbol_sources::SymbolSources;
use crate::thread::Thread;
pub(crate) use modules::{Modules, ModulesSlot};
use stack::StackWindow;

/// More frames than a stack of the usual 8 MiB has in any recursion but the smallest.
const MOST_FRAMES: usize = 1 << 18;

/// One frame of a stack.
///
/// A thread's innermost frame is the function that it is in; the next ones are its callers.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where the frame goes on: the thread's pc in the innermost frame, return addresses in the others.
    pub pc: u64,
    /// The canonical frame address: what the stack pointer was before the call that made the frame. `None` when the
    /// frame could not be unwound.
    pub cfa: Option<u64>,
    /// The file that the code is from, as the maps name it; `[vdso]` too. `None` for code that is in no file.
    pub file: Option<String>,
    /// The symbol that covers the code, and the distance of the pc from its start, in bytes.
    pub symbol: Option<(String, u64)>,
    /// It is the kernel's, made to run a signal's handler: the next one was interrupted, and has made no call.
    pub is_signal_frame: bool,
    registers: FrameRegisters,
}

impl Frame {
    /// The value that a register had, and has again when the thread comes back to this frame; `None` for one that is
    /// lost, as functions need not preserve all, and for a name that is none of the general registers'.
    #[must_use]
    pub fn register(&self, name: &str) -> Option<u64> {
        let number = dwarf::REGISTERS.iter().position(|(known, _)| *known == name)?;
        self.registers.get(u16::try_from(number).ok()?)
    }

    /// The registers that are known, by name.
    pub fn registers(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.registers.known().map(|(number, value)| (dwarf::REGISTERS[usize::from(number)].0, value))
    }
}

impl fmt::Display for Frame {
    /// As in `main+1f`, or the pc where no symbol is known.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.symbol {
            Some((name, offset)) => write!(formatter, "{name}+{offset:x}"),
            None => write!(formatter, "{:#x}", self.pc),
        }
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Frame {{ {:#x} {self}, cfa: {:x?} }}", self.pc, self.cfa)
    }
}

/// A walk over the frames of one stack, innermost first.
pub(crate) struct Walk<'a> {
    space: &'a dyn AddressSpace,
    modules: Arc<Modules>,
    sources: Arc<SymbolSources>,
    stack: StackWindow<'a>,
    scratch: UnwindScratch,
    next: Option<Place>,
    left: usize,
}

/// A frame that the walk has come to.
#[derive(Clone, Copy)]
struct Place {
    pc: u64,
    registers: FrameRegisters,
    /// The pc is the next instruction, and not behind a call.
    is_exact: bool,
    /// No caller's frame begins below.
    floor: u64,
}

/// A frame that the walk has passed.
pub(crate) struct Passed {
    pub(crate) pc: u64,
    pub(crate) caller: Option<CallerFrame>,
    registers: FrameRegisters,
    is_exact: bool,
}

impl<'a> Walk<'a> {
    /// Begins at the registers of a thread.
    pub(crate) fn new(space: &'a dyn AddressSpace, start: &GeneralRegisters) -> Result<Self> {
        let mut registers = FrameRegisters::default();
        for (number, (_, index)) in dwarf::REGISTERS.into_iter().enumerate() {
            registers.set(number as u16, start.0[index]);
        }
        let next = Some(Place { pc: start.pc(), registers, is_exact: true, floor: 0 });
        let (stack, scratch) = (StackWindow::new(space), UnwindScratch::default());
        let (modules, sources) = (space.modules()?, space.symbol_sources());
        Ok(Self { space, modules, sources, stack, scratch, next, left: MOST_FRAMES })
    }

    /// With the symbol.
    fn describe(&self, passed: &Passed) -> Frame {
        let is_signal_frame = passed.caller.is_some_and(|caller| caller.is_signal_frame);
        let address = lookup_address(passed.pc, passed.is_exact || is_signal_frame);
        let loaded = self.modules.image_at(self.space, address);
        let path = self.modules.map_at(address).map_or("", |map| map.path.as_str());
        let mut symbol = loaded.and_then(|loaded| loaded.symbol_at(address, path, &self.sources));
        if let Some((_, offset)) = &mut symbol {
            *offset = offset.wrapping_add(passed.pc.wrapping_sub(address));
        }
        let cfa = passed.caller.map(|caller| caller.cfa);
        let file = Some(path.to_owned()).filter(|path| !path.is_empty());
        Frame { pc: passed.pc, cfa, file, symbol, is_signal_frame, registers: passed.registers }
    }

    /// All frames that are left, with their symbols.
    pub(crate) fn described(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(passed) = self.next() {
            frames.push(self.describe(&passed));
        }
        frames
    }

    fn unwind(&mut self, place: &Place) -> Option<CallerFrame> {
        let caller = match self.unwind_by_table(place) {
            Ok(caller) => caller,
            Err(UnwindError::NoEntry | UnwindError::Damaged) => {
                self.guess(place.pc, &place.registers, place.is_exact)?
            }
            // The table is right, and the stack is not what it should be.
            Err(_) => return None,
        };
        // A signal's handler may have a stack of its own, anywhere.
        (caller.is_signal_frame || caller.cfa > place.floor).then_some(caller)
    }

    fn unwind_by_table(&mut self, place: &Place) -> std::result::Result<CallerFrame, UnwindError> {
        let address = lookup_address(place.pc, place.is_exact);
        let loaded = self.modules.image_at(self.space, address).ok_or(UnwindError::NoEntry)?;
        let file_address = FileAddress::from_process(address, loaded.bias);
        let stack = &mut self.stack;
        let mut read = |address: u64, buffer: &mut [u8]| stack.read(address, buffer);
        loaded.image.unwind(&mut self.scratch, file_address, loaded.bias, &place.registers, &mut read)
    }

    /// The frame of a caller, unless nothing there can be one.
    fn place_of(&self, caller: &CallerFrame) -> Option<Place> {
        let pc = caller.pc.filter(|&pc| pc != 0)?;
        let is_code = |pc: u64| self.modules.map_at(pc).is_some_and(Map::is_executable);
        // What was interrupted can be anywhere: its pc may be what the signal is about.
        let plausible = caller.is_signal_frame || is_code(pc.wrapping_sub(1));
        let floor = if caller.is_signal_frame { 0 } else { caller.cfa };
        let place = Place { pc, registers: caller.registers, is_exact: caller.is_signal_frame, floor };
        plausible.then_some(place)
    }
}

impl Iterator for Walk<'_> {
    type Item = Passed;

    fn next(&mut self) -> Option<Passed> {
        self.left = self.left.checked_sub(1)?;
        let place = self.next.take()?;
        let caller = self.unwind(&place);
        self.next = caller.as_ref().and_then(|caller| self.place_of(caller));
        Some(Passed { pc: place.pc, caller, registers: place.registers, is_exact: place.is_exact })
    }
}

/// A call can be a function's last instruction: what is behind it belongs to another function then.
fn lookup_address(pc: u64, is_exact: bool) -> u64 {
    if is_exact { pc } else { pc.wrapping_sub(1) }
}

/// Where a frame goes when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Return {
    pub(crate) address: u64,
    /// The stack pointer behind the return.
    pub(crate) stack: u64,
}

impl Thread {
    /// The addresses of the backtrace, innermost first: the pc, then all return addresses.
    ///
    /// By the call frame information of each file, which compilers write for code without frame pointers too; where
    /// there is none, by frame pointers. Through handlers of signals.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/ls").run()?;
    /// debugger.breakpoint("malloc")?;
    /// debugger.cont()?;
    /// debugger.wait()?;
    /// let thread = debugger.main_thread()?;
    /// let addresses = thread.backtrace()?;
    /// assert_eq!(addresses[0], thread.pc()?);
    /// assert_eq!(addresses[1], thread.saved_ip()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Thread::register`].
    pub fn backtrace(&self) -> Result<Vec<u64>> {
        self.walk(|walk| walk.map(|frame| frame.pc).collect())
    }

    /// As [`Thread::backtrace`], with all that is known of each frame.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/ls").run()?;
    /// debugger.breakpoint("malloc")?;
    /// debugger.cont()?;
    /// debugger.wait()?;
    /// let frames = debugger.main_thread()?.frames()?;
    /// for frame in &frames {
    ///     println!("{:#x} {frame} in {:?}, CFA {:x?}", frame.pc, frame.file, frame.cfa);
    /// }
    /// assert_eq!(frames[1].register("rsp"), frames[0].cfa);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Thread::register`].
    pub fn frames(&self) -> Result<Vec<Frame>> {
        self.walk(|walk| walk.described())
    }

    /// The address that the current function returns to.
    ///
    /// # Errors
    /// [`Error::NoReturnAddress`] in a thread's outermost frame, or where nothing tells; and those of
    /// [`Thread::register`].
    pub fn saved_ip(&self) -> Result<u64> {
        Ok(self.current_return()?.address)
    }

    pub(crate) fn current_return(&self) -> Result<Return> {
        let caller = self.walk(|walk| {
            let caller = walk.next()?.caller?;
            Some((walk.next()?.pc, caller.registers.get(dwarf::STACK_POINTER)?))
        })?;
        let (address, stack) = caller.ok_or(Error::NoReturnAddress(self.tid()))?;
        Ok(Return { address, stack })
    }

    fn walk<T>(&self, act: impl FnOnce(&mut Walk<'_>) -> T) -> Result<T> {
        let registers = self.general_registers()?;
        let space = self.debugger().space()?;
        Ok(act(&mut Walk::new(&space, &registers)?))
    }
}
