use super::flags::Part::{Bits, Choice};

/// The mask of a [`Part::Choice`] that is the whole value.
pub(super) const ALL_BITS: u64 = u64::MAX;

/// The names of an argument's values: of one constant, of bits, or of both together.
#[derive(Debug, PartialEq, Eq)]
pub struct FlagSet {
    /// What zero is called, `0` where it has no name.
    pub(super) zero: &'static str,
    /// In the order in which they are written.
    pub(super) parts: &'static [Part],
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The bits under a mask are one of several constants.
    Choice(u64, Names),
    /// Each constant is there if all of its bits are. One that includes another stands before it.
    Bits(Names),
}

pub(super) type Names = &'static [(u64, &'static str)];

impl FlagSet {
    /// The value in words, as strace(1) writes it: names with `|` between them, and what has no name in hexadecimal.
    ///
    /// The value has the width of the argument's type: an `int` in a 64-bit register is to be cut first, as
    /// [`render_argument`](super::render_argument) does.
    ///
    /// ```
    /// use libdebug_arch::{SyscallAbi, decode};
    /// let open = decode::open_flags(SyscallAbi::X86_64);
    /// assert_eq!(open.render(0o2000000), "O_RDONLY|O_CLOEXEC");
    /// assert_eq!(open.render(0o1102), "O_RDWR|O_CREAT|O_TRUNC");
    /// assert_eq!(open.render(0x8000_0001), "O_WRONLY|0x80000000");
    /// ```
    #[must_use]
    pub fn render(&self, value: u64) -> String {
        let (mut words, mut rest) = (Vec::new(), value);
        for part in self.parts {
            rest = part.take(rest, &mut words);
        }
        let unnamed = (rest != 0).then(|| format!("{rest:#x}"));
        words.extend(unnamed);
        if words.is_empty() { self.zero.to_owned() } else { words.join("|") }
    }
}

impl Part {
    /// Adds the names of what it knows, and returns what it does not.
    fn take(&self, value: u64, words: &mut Vec<String>) -> u64 {
        match self {
            Choice(mask, names) => match names.iter().find(|(constant, _)| *constant == value & mask) {
                Some((_, name)) => {
                    words.push((*name).to_owned());
                    value & !mask
                }
                None => value,
            },
            Bits(names) => names.iter().fold(value, |rest, (constant, name)| {
                if rest & constant != *constant {
                    return rest;
                }
                words.push((*name).to_owned());
                rest & !constant
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL_BITS, Bits, Choice, FlagSet};

    const MIXED: FlagSet = FlagSet {
        zero: "NOTHING",
        parts: &[
            Choice(3, &[(1, "ONE"), (2, "TWO")]),
            Bits(&[(0x30, "BOTH"), (0x10, "LOW"), (0x20, "HIGH")]),
        ],
    };
    const ONE_OF: FlagSet = FlagSet { zero: "0", parts: &[Choice(ALL_BITS, &[(0, "NONE"), (7, "SEVEN")])] };

    #[test]
    fn values_in_words() {
        let rows = [
            (&MIXED, 0, "NOTHING"),
            (&MIXED, 1, "ONE"),
            (&MIXED, 0x12, "TWO|LOW"),
            (&MIXED, 0x30, "BOTH"),
            (&MIXED, 0x23, "HIGH|0x3"),
            (&MIXED, 0x41, "ONE|0x40"),
            (&MIXED, 0x80, "0x80"),
            (&ONE_OF, 0, "NONE"),
            (&ONE_OF, 7, "SEVEN"),
            (&ONE_OF, 8, "0x8"),
            (&ONE_OF, u64::MAX, "0xffffffffffffffff"),
        ];
        for (set, value, text) in rows {
            assert_eq!(set.render(value), text);
        }
    }
}
