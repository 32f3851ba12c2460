//! The block of data that `trampoline.S` works with: words of eight bytes, in its order.

use crate::error::{Error, Result};

/// Where the block begins, in bytes from the page of code.
pub(crate) const BLOCK: u64 = 0x1000;
/// Its size; the text to be executed follows.
pub(crate) const BLOCK_SIZE: usize = 8 * 40;

/// The places of the words.
pub(crate) mod word {
    pub(crate) const CLAIM: usize = 0;
    pub(crate) const REFERENCES: usize = 1;
    pub(crate) const BACK: usize = 2;
    pub(crate) const BASE: usize = 3;
    pub(crate) const LENGTH: usize = 4;
    pub(crate) const MUNMAP: usize = 5;
    pub(crate) const RESTORER: usize = 6;
    pub(crate) const GIL_ENSURE: usize = 8;
    pub(crate) const SOURCE: usize = 23;
    pub(crate) const INTERRUPT: usize = 24;
    pub(crate) const WORKER: usize = 32;
    pub(crate) const CLOSE: usize = 38;
    pub(crate) const DESCRIPTOR: usize = 39;
}

/// What the word `CLAIM` says: who is first to change it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Claim {
    /// The code is to run.
    Open = 0,
    /// It is not to run any more. The program says 1 when it has begun.
    Withdrawn = 2,
}

/// The functions of CPython that are called, and where their addresses go. All are exported, in every version from 3.8 on.
#[rustfmt::skip]
const FUNCTIONS: [(usize, &str); 20] = [
    (7, "PyGILState_Check"), (8, "PyGILState_Ensure"), (9, "PyGILState_Release"), (10, "PyErr_Fetch"),
    (11, "PyErr_Restore"), (12, "PyErr_Clear"), (13, "PyErr_SetNone"), (14, "PyDict_New"), (15, "PyDict_SetItemString"),
    (16, "PyDict_GetItemString"), (17, "PyDict_Clear"), (18, "PyEval_GetBuiltins"), (19, "Py_CompileString"),
    (20, "PyEval_EvalCode"), (21, "Py_DecRef"),
    (33, "PyThreadState_Swap"), (34, "PyEval_SetTrace"), (35, "PyInterpreterState_Main"),
    (36, "PyInterpreterState_ThreadHead"), (37, "PyThreadState_Next"),
];
/// Carries changed locals over into a frame; since 3.13 it does nothing, and may be missing.
const LOCALS_TO_FAST: (usize, &str) = (22, "PyFrame_LocalsToFast");
/// Names as text: the file that our code is said to be of, and what is looked at in its namespace.
const NAMES: [(usize, &str); 5] = [(25, "<libdebug>"), (27, "__builtins__"), (29, "F"), (30, "X"), (31, "K")];

/// The block.
#[derive(Debug, Clone)]
pub(crate) struct Block([u64; BLOCK_SIZE / 8]);

impl Block {
    /// With the functions' addresses and the names.
    pub(crate) fn new(symbol: &dyn Fn(&str) -> Option<u64>) -> Result<Self> {
        let mut block = Self([0; BLOCK_SIZE / 8]);
        for (place, name) in FUNCTIONS {
            block.0[place] = symbol(name).ok_or(Error::MissingFunction(name))?;
        }
        block.0[LOCALS_TO_FAST.0] = symbol(LOCALS_TO_FAST.1).unwrap_or(0);
        for (place, name) in NAMES {
            for (index, part) in name.as_bytes().chunks(8).enumerate() {
                let mut word = [0; 8];
                word[..part.len()].copy_from_slice(part);
                block.0[place + index] = u64::from_le_bytes(word);
            }
        }
        Ok(block)
    }

    pub(crate) fn set(&mut self, place: usize, value: u64) {
        self.0[place] = value;
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_function_is_named() {
        let error = Block::new(&|name| (name != "Py_DecRef").then_some(1)).unwrap_err();
        assert!(error.to_string().contains("Py_DecRef"));
    }

    #[test]
    fn names_end_with_a_zero_and_do_not_overlap() {
        let bytes = Block::new(&|_| Some(u64::MAX)).unwrap().bytes();
        for (place, name) in NAMES {
            assert_eq!(&bytes[8 * place..8 * place + name.len()], name.as_bytes());
            assert_eq!(bytes[8 * place + name.len()], 0, "{name}");
        }
    }

    #[test]
    fn the_places_are_those_of_the_machine_code() {
        let source = include_str!("trampoline.S");
        let place = |name: &str| {
            let line = source.lines().find(|line| line.trim().starts_with(&format!(".equ {name}, BLOCK")));
            line.unwrap().rsplit(['*', ' ']).next().unwrap().parse().unwrap_or(0)
        };
        let places = [
            ("CLAIM", word::CLAIM),
            ("REFERENCES", word::REFERENCES),
            ("BACK", word::BACK),
            ("BASE", word::BASE),
            ("LENGTH", word::LENGTH),
            ("MUNMAP", word::MUNMAP),
            ("RESTORER", word::RESTORER),
            ("GIL_ENSURE", word::GIL_ENSURE),
            ("DECREF", 21),
            ("LOCALS_TO_FAST", 22),
            ("SOURCE", word::SOURCE),
            ("INTERRUPT", word::INTERRUPT),
            ("WORKER", word::WORKER),
            ("NEXT_STATE", 37),
            ("CLOSE", word::CLOSE),
            ("DESCRIPTOR", word::DESCRIPTOR),
            ("FILE_NAME", 25),
            ("BUILTINS_NAME", 27),
            ("FRAME_NAME", 29),
            ("RAISE_NAME", 30),
            ("KEEP_NAME", 31),
        ];
        for (name, expected) in places {
            assert_eq!(place(name), expected, "{name}");
        }
    }
}
