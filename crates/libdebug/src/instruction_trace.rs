//! Which instructions a thread has executed, one after the other, with what was in its registers before each.

use libdebug_arch::x86_64::{Register, RegisterValue};
use libdebug_kernel::{Tid, proc};
use std::fmt;

use crate::coverage::Coverage;
use crate::error::{BoxError, Error, Result};
use crate::mailbox::lock;
use crate::process::Process;
use crate::registers::{Block, block_of};
use crate::thread::Thread;

/// What is traced of a thread's instructions, and how far.
#[derive(Debug, Clone, Default)]
pub struct InstructionTrace {
    /// The address at which the trace ends, before the instruction there.
    pub until: Option<u64>,
    /// The number of instructions after which it ends.
    pub limit: Option<u64>,
    /// The registers that are told with the pc: general and special ones.
    pub registers: Vec<&'static Register>,
}

type Tell = Box<dyn FnMut(&[u64]) -> std::result::Result<(), BoxError> + Send>;

/// What a trace of instructions has seen in all.
#[derive(Debug, Clone, Default)]
pub struct TracedInstructions {
    /// How many were executed.
    pub count: u64,
    /// Each of them once.
    pub coverage: Coverage,
}

/// How many steps are made, and who is told of them.
#[derive(Debug)]
pub(crate) struct Steps {
    pub(crate) until: Option<u64>,
    pub(crate) limit: u64,
    pub(crate) count: u64,
    recorder: Option<Recorder>,
}

struct Recorder {
    registers: Vec<&'static Register>,
    row: Vec<u64>,
    coverage: Coverage,
    tell: Tell,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("registers", &self.registers).finish_non_exhaustive()
    }
}

impl Steps {
    pub(crate) fn counted(until: Option<u64>, limit: Option<u64>) -> Self {
        Self { until, limit: limit.unwrap_or(u64::MAX), count: 0, recorder: None }
    }

    fn told(trace: InstructionTrace, tell: Tell) -> Self {
        let coverage = Coverage::default();
        let recorder = Recorder { registers: trace.registers, row: Vec::new(), coverage, tell };
        Self { recorder: Some(recorder), ..Self::counted(trace.until, trace.limit) }
    }

    pub(crate) fn traced(self) -> TracedInstructions {
        let coverage = self.recorder.map(|recorder| recorder.coverage).unwrap_or_default();
        TracedInstructions { count: self.count, coverage }
    }

    /// One more was executed: the one that was looked at last.
    pub(crate) fn add(&mut self) -> Result<()> {
        self.count += 1;
        match &mut self.recorder {
            Some(recorder) => (recorder.tell)(&recorder.row).map_err(Error::Callback),
            None => Ok(()),
        }
    }
}

impl Process {
    /// Looks at what `tid` is about to execute, where somebody wants to know.
    pub(crate) fn look_at_step(&mut self, tid: Tid, steps: &mut Steps) -> Result<()> {
        let Some(recorder) = &mut steps.recorder else { return Ok(()) };
        recorder.row.clear();
        let pc = self.shown_pc(tid)?;
        recorder.row.push(pc);
        if !recorder.coverage.has(pc) {
            let length = self.instruction_at(tid)?.map_or(1, |found| found.length as u8);
            let look = || proc::maps(self.session.inhabited()).unwrap_or_default();
            recorder.coverage.add(pc, length, look);
        }
        if recorder.registers.is_empty() {
            return Ok(());
        }
        self.load_general(tid)?;
        let Some(thread) = self.threads.get(&tid) else { return Ok(()) };
        let cache = lock(&thread.cell.registers);
        let value = |register: &&'static Register| match cache.read(register) {
            Some(Ok(RegisterValue::U64(value))) => value,
            _ => 0,
        };
        recorder.row.extend(recorder.registers.iter().map(value));
        Ok(())
    }
}

impl Thread {
    /// Steps as [`Thread::count_instructions`] does, and tells of every instruction that was executed: where it is, then
    /// the registers that were asked for, as they were before it. `tell` is called on the tracer's thread; with an error of its
    /// own the trace ends. Memory grows with the code that was executed, not with the trace.
    ///
    /// ```
    /// use libdebug::{InstructionTrace, register};
    /// use std::sync::mpsc;
    ///
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("/bin/true").run()?;
    /// let thread = debugger.main_thread()?;
    /// let (pc, stack) = (thread.pc()?, thread.register("rsp")?);
    /// let (sender, rows) = mpsc::channel();
    /// let registers = register("rsp").into_iter().collect();
    /// let trace = InstructionTrace { limit: Some(100), registers, ..InstructionTrace::default() };
    /// thread.trace_instructions(trace, move |row| Ok(sender.send(row.to_vec())?))?;
    /// let rows: Vec<_> = rows.iter().collect();
    /// assert_eq!(rows.len(), 100);
    /// assert_eq!(rows[0], [pc, stack.as_u64().unwrap()]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Callback`] with what `tell` has answered; [`Error::UnsuitableRegister`] for one that is not of 64 bits or
    /// fewer; and those of [`Thread::step`].
    pub fn trace_instructions(
        &self,
        trace: InstructionTrace,
        tell: impl FnMut(&[u64]) -> std::result::Result<(), BoxError> + Send + 'static,
    ) -> Result<TracedInstructions> {
        if let Some(register) = trace.registers.iter().find(|register| block_of(register) == Block::Extended)
        {
            return Err(Error::UnsuitableRegister(register.name));
        }
        self.take_steps(Steps::told(trace, Box::new(tell)))
    }
}
