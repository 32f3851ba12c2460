//! The Python frames of a thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::error::Result;
use crate::layout::{Evaluations, FrameRoot, Position};
use crate::lines::line_of;
use crate::objects::Objects;

/// One call of a Python function, or of a module's or a class's body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PythonFrame {
    /// The file as the code object has it (`co_filename`): it need not be absolute, nor exist.
    pub file: String,
    /// The function's qualified name (`Class.method`, `f.<locals>.<lambda>`); its name alone before 3.11; `<module>`.
    pub function: String,
    /// The line that is executed; `None` for instructions without one.
    pub line: Option<u32>,
    /// The line that the function begins at.
    pub first_line: u32,
    /// It was called from C: by the interpreter itself, by `sorted`, by an extension. The frames inside of it up to the
    /// next such one share its call of the evaluating C function.
    pub is_entry: bool,
    /// The address of the frame, `PyFrameObject` to 3.10, `_PyInterpreterFrame` since.
    pub address: u64,
}

/// The frames that one call of the evaluating C function has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Evaluation {
    /// A structure in that call's own frame on the C stack, where this version has one.
    pub(crate) anchor: Option<u64>,
    /// How many frames are its, innermost first in a thread's list.
    pub(crate) count: usize,
}

/// What code objects say, read once each.
pub(crate) struct Codes<'a> {
    objects: &'a Objects<'a>,
    known: RefCell<HashMap<u64, Rc<CodeObject>>>,
}

struct CodeObject {
    file: String,
    function: String,
    first_line: i32,
    lines: Vec<u8>,
    /// In code units, from the first instruction.
    first_traced: u64,
}

impl<'a> Codes<'a> {
    pub(crate) fn new(objects: &'a Objects<'a>) -> Self {
        Self { objects, known: RefCell::default() }
    }

    fn get(&self, address: u64) -> Result<Rc<CodeObject>> {
        if let Some(known) = self.known.borrow().get(&address) {
            return Ok(Rc::clone(known));
        }
        let code = Rc::new(self.read(address)?);
        self.known.borrow_mut().insert(address, Rc::clone(&code));
        Ok(code)
    }

    fn read(&self, address: u64) -> Result<CodeObject> {
        let (layout, memory) = (&self.objects.interpreter.layout().code, self.objects.memory);
        let first_traced = match layout.instructions {
            Some((_, first_traced)) => memory.u32(address + first_traced)?.into(),
            None => 0,
        };
        Ok(CodeObject {
            file: self.objects.text(memory.u64(address + layout.file)?)?,
            function: self.objects.text(memory.u64(address + layout.name)?)?,
            first_line: memory.i32(address + layout.first_line)?,
            lines: self.objects.bytes(memory.u64(address + layout.lines)?)?,
            first_traced,
        })
    }
}

/// The frames of a thread state, the calls of the evaluating function that they belong to, and whether these are all.
pub(crate) fn read(
    objects: &Objects<'_>,
    codes: &Codes<'_>,
    state: u64,
) -> (Vec<PythonFrame>, Vec<Evaluation>, bool) {
    let mut chain = Chain { objects, codes, frames: Vec::new(), evaluations: Vec::new(), current: None };
    let is_complete = chain.follow(state).is_ok();
    chain.evaluations.extend(chain.current.take());
    (chain.frames, chain.evaluations, is_complete)
}

struct Chain<'a> {
    objects: &'a Objects<'a>,
    codes: &'a Codes<'a>,
    frames: Vec<PythonFrame>,
    evaluations: Vec<Evaluation>,
    current: Option<Evaluation>,
}

impl Chain<'_> {
    fn follow(&mut self, state: u64) -> Result<()> {
        const MOST: usize = 1 << 20;
        let (layout, memory) = (self.objects.interpreter.layout(), self.objects.memory);
        let (mut frame, mut anchor) = self.root(state)?;
        let base = layout.thread.base_frame.map(|offset| state + offset);
        for _ in 0..MOST {
            if frame == 0 || Some(frame) == base {
                return Ok(());
            }
            let is_end = match layout.frame.evaluations {
                Evaluations::Shim(least) => self.owner(frame)?.is_some_and(|owner| owner >= least),
                _ => false,
            };
            if is_end {
                self.end(Some(frame));
            } else {
                self.add(frame)?;
                let is_entry = match layout.frame.evaluations {
                    Evaluations::OneEach => true,
                    Evaluations::FirstHasFlag(flag) => memory.u8(frame + flag)? != 0,
                    Evaluations::Shim(_) => false,
                };
                if is_entry {
                    self.end(anchor);
                    anchor = self.anchor_before(anchor)?;
                }
            }
            frame = memory.u64(frame + layout.frame.previous)?;
        }
        Err(self.objects.interpreter.unexpected("there is no end of frames"))
    }

    /// The innermost frame, and its evaluation's structure on the C stack.
    fn root(&self, state: u64) -> Result<(u64, Option<u64>)> {
        let memory = self.objects.memory;
        Ok(match self.objects.interpreter.layout().thread.root {
            FrameRoot::Direct { frame, c_frame } => {
                let anchor = c_frame.map(|(c_frame, _)| memory.u64(state + c_frame)).transpose()?;
                (memory.u64(state + frame)?, anchor)
            }
            FrameRoot::ByCFrame { c_frame, frame, .. } => {
                let anchor = memory.u64(state + c_frame)?;
                (if anchor == 0 { 0 } else { memory.u64(anchor + frame)? }, Some(anchor))
            }
        })
    }

    fn anchor_before(&self, anchor: Option<u64>) -> Result<Option<u64>> {
        let previous = match self.objects.interpreter.layout().thread.root {
            FrameRoot::Direct { c_frame: Some((_, previous)), .. } | FrameRoot::ByCFrame { previous, .. } => {
                previous
            }
            FrameRoot::Direct { .. } => return Ok(None),
        };
        let anchor = anchor.filter(|&anchor| anchor != 0);
        anchor.map(|anchor| self.objects.memory.u64(anchor + previous)).transpose()
    }

    fn owner(&self, frame: u64) -> Result<Option<u8>> {
        let layout = &self.objects.interpreter.layout().frame;
        layout.owner.map(|owner| self.objects.memory.u8(frame + owner)).transpose()
    }

    /// Ends the evaluation that the last frames belong to.
    fn end(&mut self, anchor: Option<u64>) {
        let ended = self.current.take().unwrap_or_default();
        if ended.count > 0
            && let Some(frame) = self.frames.last_mut()
        {
            frame.is_entry = true;
        }
        self.evaluations.push(Evaluation { anchor, ..ended });
    }

    /// Adds a frame, unless it is one whose function has not begun: the interpreter does not show it either.
    fn add(&mut self, frame: u64) -> Result<()> {
        let (layout, memory) = (self.objects.interpreter.layout(), self.objects.memory);
        // References of frames have marks in their lowest bits, from 3.14 on.
        let code_at = memory.u64(frame + layout.frame.code)? & !7;
        let code = self.codes.get(code_at)?;
        let offset = self.offset(frame, code_at)?;
        const GENERATOR: u8 = 1;
        const UNIT: u64 = 2;
        let first_traced = i64::try_from(code.first_traced.saturating_mul(UNIT)).unwrap_or(i64::MAX);
        let has_begun = layout.code.instructions.is_none()
            || offset >= first_traced
            || self.owner(frame)? == Some(GENERATOR);
        let current = self.current.get_or_insert_default();
        if has_begun {
            current.count += 1;
            self.frames.push(PythonFrame {
                file: code.file.clone(),
                function: code.function.clone(),
                line: line_of(layout.code.lines_are, &code.lines, code.first_line, offset),
                first_line: u32::try_from(code.first_line).unwrap_or(0),
                is_entry: false,
                address: frame,
            });
        }
        Ok(())
    }

    /// How far a frame is in its code, in bytes.
    fn offset(&self, frame: u64, code: u64) -> Result<i64> {
        let (layout, memory) = (self.objects.interpreter.layout(), self.objects.memory);
        let at = frame + layout.frame.position;
        match layout.frame.position_is {
            Position::LastInstruction => Ok(memory.i32(at)?.into()),
            Position::LastUnit => Ok(i64::from(memory.i32(at)?) * 2),
            Position::Pointer => {
                let start = self.instructions(frame, code)?;
                Ok(memory.u64(at)?.wrapping_sub(start).cast_signed())
            }
        }
    }

    /// Where the instructions begin that a frame executes.
    fn instructions(&self, frame: u64, code: u64) -> Result<u64> {
        let (layout, memory) = (self.objects.interpreter.layout(), self.objects.memory);
        let own = code + layout.code.instructions.map_or(0, |(start, _)| start);
        let Some((copies, number)) = layout.code.copies.zip(layout.frame.copy) else { return Ok(own) };
        let (array, number) = (memory.u64(code + copies)?, memory.i32(frame + number)?);
        match u64::try_from(number) {
            // The size of the array comes first.
            Ok(number) if array != 0 => memory.u64(array + 8 + 8 * number),
            _ => Ok(own),
        }
    }
}
