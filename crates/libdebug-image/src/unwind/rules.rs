//! From a frame's registers to its caller's, by the rules of one row of a table.

use gimli::{
    CfaRule, Encoding, EvaluationResult, Expression, Format, Location, RegisterRule, UnwindContext,
    UnwindExpression, UnwindSection, Value,
};

use super::registers::{Abi, FrameRegisters};
use super::tables::{Bytes, Entry};
use super::{CallerFrame, UnwindError};
use crate::FileAddress;

/// Reads memory: fills the buffer from the address on, or answers false.
pub type ReadMemory<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> bool;

/// One frame that is to be unwound.
pub(super) struct Frame<'a, 'b, S> {
    pub(super) section: S,
    pub(super) abi: Abi,
    pub(super) bias: u64,
    pub(super) registers: &'a FrameRegisters,
    pub(super) read: ReadMemory<'b>,
}

impl<'data, S: UnwindSection<Bytes<'data>>> Frame<'_, '_, S> {
    pub(super) fn caller(
        &mut self,
        entry: &Entry<'data>,
        address: FileAddress,
        context: &mut UnwindContext<usize>,
    ) -> Result<CallerFrame, UnwindError> {
        let bases = gimli::BaseAddresses::default();
        let row = entry
            .unwind_info_for_address(&self.section, &bases, context, address.0)
            .map_err(|_| UnwindError::Damaged)?;
        let cfa = self.cfa(row.cfa())?;
        let mut registers = self.abi.kept(self.registers);
        registers.set(self.abi.stack_pointer, cfa);
        for (register, rule) in row.registers() {
            match self.value(cfa, register.0, rule)? {
                Some(value) => registers.set(register.0, value),
                None => registers.forget(register.0),
            }
        }
        let pc = registers.get(entry.cie().return_address_register().0);
        Ok(CallerFrame { cfa, pc, registers, is_signal_frame: entry.is_signal_trampoline() })
    }

    fn cfa(&mut self, rule: &CfaRule<usize>) -> Result<u64, UnwindError> {
        let cfa = match rule {
            CfaRule::RegisterAndOffset { register, offset } => {
                self.register(register.0)?.wrapping_add_signed(*offset)
            }
            CfaRule::Expression(expression) => self.evaluate(expression, None)?,
        };
        Ok(self.abi.wrap(cfa))
    }

    /// What the caller has in a register; `None` when nobody knows.
    fn value(
        &mut self,
        cfa: u64,
        number: u16,
        rule: &RegisterRule<usize>,
    ) -> Result<Option<u64>, UnwindError> {
        let value = match rule {
            RegisterRule::Undefined | RegisterRule::Architectural => return Ok(None),
            RegisterRule::SameValue => return Ok(self.registers.get(number)),
            RegisterRule::Register(other) => return Ok(self.registers.get(other.0)),
            RegisterRule::Offset(offset) => self.word(cfa.wrapping_add_signed(*offset))?,
            RegisterRule::ValOffset(offset) => cfa.wrapping_add_signed(*offset),
            RegisterRule::Expression(expression) => {
                let address = self.evaluate(expression, Some(cfa))?;
                self.word(address)?
            }
            RegisterRule::ValExpression(expression) => self.evaluate(expression, Some(cfa))?,
            RegisterRule::Constant(value) => *value,
        };
        Ok(Some(self.abi.wrap(value)))
    }

    fn register(&self, number: u16) -> Result<u64, UnwindError> {
        self.registers.get(number).ok_or(UnwindError::UnknownRegister(number))
    }

    fn word(&mut self, address: u64) -> Result<u64, UnwindError> {
        self.number(address, self.abi.word)
    }

    fn number(&mut self, address: u64, size: u8) -> Result<u64, UnwindError> {
        let (mut bytes, address) = ([0; 8], self.abi.wrap(address));
        let part = bytes.get_mut(..usize::from(size)).ok_or(UnwindError::Damaged)?;
        if (self.read)(address, part) {
            Ok(u64::from_le_bytes(bytes))
        } else {
            Err(UnwindError::Unreadable(address))
        }
    }

    /// The result of a DWARF expression, which starts with the CFA where there is one.
    fn evaluate(&mut self, place: &UnwindExpression<usize>, cfa: Option<u64>) -> Result<u64, UnwindError> {
        /// Those of compilers and C libraries have a dozen operations at most.
        const LONGEST: u32 = 1000;
        let expression: Expression<Bytes<'data>> =
            place.get(&self.section).map_err(|_| UnwindError::Damaged)?;
        let encoding = Encoding { address_size: self.abi.word, format: Format::Dwarf32, version: 4 };
        let mut evaluation = expression.evaluation(encoding);
        evaluation.set_max_iterations(LONGEST);
        if let Some(cfa) = cfa {
            evaluation.set_initial_value(cfa);
        }
        let mut state = evaluation.evaluate();
        loop {
            state = match state.map_err(|_| UnwindError::Damaged)? {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresMemory { address, size, .. } => {
                    evaluation.resume_with_memory(Value::Generic(self.number(address, size)?))
                }
                EvaluationResult::RequiresRegister { register, .. } => {
                    evaluation.resume_with_register(Value::Generic(self.register(register.0)?))
                }
                EvaluationResult::RequiresRelocatedAddress(address) => {
                    evaluation.resume_with_relocated_address(address.wrapping_add(self.bias))
                }
                _ => return Err(UnwindError::Damaged),
            };
        }
        match evaluation.result().first().map(|piece| piece.location) {
            Some(Location::Address { address }) => Ok(address),
            Some(Location::Value { value: Value::Generic(value) }) => Ok(value),
            _ => Err(UnwindError::Damaged),
        }
    }
}
