//! One stack of native and Python frames.

use libdebug::Frame;

use crate::frames::PythonFrame;
use crate::threads::PythonThread;

/// A frame of a stack of both kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackFrame {
    /// A Python function.
    Python(PythonFrame),
    /// A function of the interpreter, of an extension, of a library.
    Native(Frame),
}

/// The C function that evaluates Python frames, as a symbol; compilers put rare parts of it elsewhere, under names that
/// begin with this.
const EVALUATES: &str = "_PyEval_EvalFrameDefault";

impl PythonThread {
    /// Puts the Python frames in the place of the native ones that evaluate them, innermost first. `native` are the frames of
    /// the same thread at the same stop ([`Thread::frames`](libdebug::Thread::frames)).
    #[must_use]
    pub fn mixed(&self, native: &[Frame]) -> Vec<StackFrame> {
        let counts = self.counts(native);
        let mut python = self.frames.iter().cloned();
        let mut mixed = Vec::new();
        for (frame, count) in native.iter().zip(counts) {
            match count {
                Some(count) => mixed.extend(python.by_ref().take(count).map(StackFrame::Python)),
                None => mixed.push(StackFrame::Native(frame.clone())),
            }
        }
        // The native stack may have ended too early.
        mixed.extend(python.map(StackFrame::Python));
        mixed
    }

    /// How many Python frames each native frame stands for; `None` for one that stands for itself.
    fn counts(&self, native: &[Frame]) -> Vec<Option<usize>> {
        let has_anchors =
            self.evaluations.iter().all(|evaluation| evaluation.anchor.is_some_and(|at| at != 0));
        if has_anchors && !self.evaluations.is_empty() {
            self.by_anchor(native)
        } else {
            self.by_name(native)
        }
    }

    /// By the structures that evaluations have in their frames on the C stack.
    fn by_anchor(&self, native: &[Frame]) -> Vec<Option<usize>> {
        let has = |frame: &Frame, anchor: u64| {
            let low = frame.register("rsp");
            low.zip(frame.cfa).is_some_and(|(low, high)| (low..high).contains(&anchor))
        };
        let mut left = self.evaluations.iter().peekable();
        let mut counts = Vec::new();
        for frame in native {
            let mut count = None;
            while let Some(evaluation) =
                left.next_if(|next| next.anchor.is_some_and(|anchor| has(frame, anchor)))
            {
                count = Some(count.unwrap_or(0) + evaluation.count);
            }
            counts.push(count);
        }
        counts
    }

    /// By the name of the function, innermost first. A call that has just begun, or is at its end, has no frame. Those
    /// that are left over stay as they are: they belong to greenlets that are switched out.
    fn by_name(&self, native: &[Frame]) -> Vec<Option<usize>> {
        let calls = native.iter().filter(|frame| is_evaluation(frame)).count();
        let is_at_border = calls == self.evaluations.len() + 1 && native.first().is_some_and(is_evaluation);
        let mut left = self.evaluations.iter();
        let place = |(place, frame)| {
            if !is_evaluation(frame) || place == 0 && is_at_border {
                return None;
            }
            left.next().map(|evaluation| evaluation.count)
        };
        native.iter().enumerate().map(place).collect()
    }
}

fn is_evaluation(frame: &Frame) -> bool {
    frame.symbol.as_ref().is_some_and(|(name, _)| name.starts_with(EVALUATES))
}
