//! Where a variable is: location expressions.

use gimli::{AttributeValue, Encoding, EvaluationResult, Expression, Piece, Value};

use super::entry::Context;
use super::frame::Frame;
use super::sections::Bytes;

/// Expressions of real programs take a handful of steps; damaged ones can jump in circles.
const MOST_STEPS: u32 = 10_000;

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// At a virtual address.
    Memory(u64),
    /// It is known, and stands nowhere; its low bytes.
    Bytes(Vec<u8>),
}

/// What expressions of a function count from.
pub(super) struct Around<'f, 'a, 'u> {
    pub(super) context: &'f Context<'a, 'u>,
    pub(super) frame: &'f Frame<'f>,
    pub(super) frame_base: Option<u64>,
}

impl<'a> Around<'_, 'a, '_> {
    /// Where the value is whose location an attribute describes: by an expression, or by a list of them for parts of the
    /// function. `None` when it is nowhere at this instruction.
    pub(super) fn locate(&self, attribute: AttributeValue<Bytes<'a>>) -> Option<Location> {
        if let Some(expression) = attribute.exprloc_value() {
            return self.evaluate(expression);
        }
        let context = self.context;
        let mut places = context.dwarf.attr_locations(context.unit, attribute).ok()??;
        while let Ok(Some(place)) = places.next() {
            if (place.range.begin..place.range.end).contains(&self.frame.pc.0) {
                return self.evaluate(place.data);
            }
        }
        None
    }

    fn evaluate(&self, expression: Expression<Bytes<'a>>) -> Option<Location> {
        run(expression, self.context.unit.encoding(), self.frame, Some(self))
    }

    fn indexed_address(&self, index: gimli::DebugAddrIndex) -> Option<u64> {
        self.context.dwarf.address(self.context.unit, index).ok()
    }
}

/// An expression of call frame information, which has no function around it.
pub(super) fn evaluate_plain(
    expression: Expression<Bytes<'_>>,
    encoding: Encoding,
    frame: &Frame<'_>,
) -> Option<Location> {
    run(expression, encoding, frame, None)
}

fn run<'a>(
    expression: Expression<Bytes<'a>>,
    encoding: Encoding,
    frame: &Frame<'_>,
    around: Option<&Around<'_, 'a, '_>>,
) -> Option<Location> {
    let mut evaluation = expression.evaluation(encoding);
    evaluation.set_max_iterations(MOST_STEPS);
    let mut state = evaluation.evaluate().ok()?;
    loop {
        state = match state {
            EvaluationResult::Complete => return located(&evaluation.result(), frame),
            EvaluationResult::RequiresMemory { address, size, .. } => {
                evaluation.resume_with_memory(Value::Generic(frame.unsigned(address, size.into())?))
            }
            EvaluationResult::RequiresRegister { register, .. } => {
                evaluation.resume_with_register(Value::Generic(frame.registers.register(register.0)?))
            }
            EvaluationResult::RequiresFrameBase => evaluation.resume_with_frame_base(around?.frame_base?),
            EvaluationResult::RequiresCallFrameCfa => {
                let around = around?;
                evaluation
                    .resume_with_call_frame_cfa(frame.canonical_frame_address(around.context.info.image)?)
            }
            EvaluationResult::RequiresRelocatedAddress(address) => {
                evaluation.resume_with_relocated_address(address.wrapping_add(frame.load_bias))
            }
            EvaluationResult::RequiresIndexedAddress { index, relocate } => {
                let bias = if relocate { frame.load_bias } else { 0 };
                evaluation.resume_with_indexed_address(around?.indexed_address(index)?.wrapping_add(bias))
            }
            // Values at the function's entry, in its caller, or of the thread: not to be had from one frame.
            _ => return None,
        }
        .ok()?;
    }
}

/// A value in one piece; those that are scattered over several places are put together.
fn located(pieces: &[Piece<Bytes<'_>>], frame: &Frame<'_>) -> Option<Location> {
    if let [Piece { size_in_bits: None, location, .. }] = pieces {
        return whole(location, frame);
    }
    let mut bytes = Vec::new();
    for piece in pieces {
        let size = usize::try_from(piece.size_in_bits? / 8).ok().filter(|size| *size <= 4096)?;
        bytes.extend(piece_bytes(whole(&piece.location, frame)?, size, frame)?);
        if bytes.len() > 1 << 20 {
            return None;
        }
    }
    Some(Location::Bytes(bytes))
}

fn piece_bytes(location: Location, size: usize, frame: &Frame<'_>) -> Option<Vec<u8>> {
    match location {
        Location::Memory(address) => {
            let mut bytes = vec![0; size];
            frame.registers.read(address, &mut bytes).then_some(bytes)
        }
        Location::Bytes(mut bytes) => {
            bytes.resize(size, 0);
            Some(bytes)
        }
    }
}

fn whole(location: &gimli::Location<Bytes<'_>>, frame: &Frame<'_>) -> Option<Location> {
    match location {
        gimli::Location::Address { address } => Some(Location::Memory(*address)),
        gimli::Location::Register { register } => {
            let value = frame.registers.register(register.0)?;
            Some(Location::Bytes(value.to_le_bytes().to_vec()))
        }
        gimli::Location::Value { value } => {
            let value = value.to_u64(u64::MAX).ok()?;
            Some(Location::Bytes(value.to_le_bytes().to_vec()))
        }
        gimli::Location::Bytes { value } => Some(Location::Bytes(value.slice().to_vec())),
        _ => None,
    }
}
