use super::xsave::{Piece, XsaveLayout, mm_slot, st_piece, vector_pieces};
use super::{GeneralRegisters, RegisterValue};

/// One name that users can read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Lower case, as users write it.
    pub name: &'static str,
    /// What it is for.
    pub class: RegisterClass,
    /// Its width.
    pub bits: u16,
    /// What the processor must have for it to exist.
    pub feature: Feature,
    /// Where its bits lie.
    pub location: Location,
}

/// What a register is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegisterClass {
    /// `rax` to `r15`, `rip` and their parts.
    General,
    /// Flags, segment selectors and segment bases.
    Special,
    /// `orig_rax`: the kernel's, not the processor's, and not listed to users.
    Internal,
    /// `xmm`, `ymm`, `zmm`.
    Vector,
    /// `mm0` to `mm7`.
    Mmx,
    /// `st0` to `st7`.
    X87,
}

/// What a processor must have for a register to exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feature {
    /// Every x86-64 processor has it.
    Base,
    /// AVX.
    Avx,
    /// AVX-512.
    Avx512,
}

/// Where a register's bits lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// In [`GeneralRegisters`], from bit `shift` of that element on.
    General {
        /// See [`index`](super::index).
        index: usize,
        /// 8 for `ah`, `bh`, `ch` and `dh`, else 0.
        shift: u8,
    },
    /// Spread over the XSAVE area's vector components.
    Vector {
        /// 0 to 31.
        number: usize,
    },
    /// The low 64 bits of a physical x87 register.
    Mmx {
        /// 0 to 7.
        number: usize,
    },
    /// An x87 register, counted from the top of the stack.
    X87 {
        /// 0 to 7.
        number: usize,
    },
}

/// Why a register could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RegisterError {
    /// The value has more bits than the register.
    #[error("the value does not fit into register {name}, which has {bits} bits")]
    ValueOutOfRange {
        /// The register.
        name: &'static str,
        /// Its width.
        bits: u16,
    },
    /// A floating-point value for an integer register, or the reverse.
    #[error("register {name} takes another kind of value")]
    WrongKind {
        /// The register.
        name: &'static str,
    },
    /// The processor has no such register.
    #[error("this processor has no register {name}")]
    NotInThisCpu {
        /// The register.
        name: &'static str,
    },
}

impl Register {
    /// True when the register lies in the XSAVE area, false when in the general registers.
    #[inline]
    #[must_use]
    pub const fn is_extended(&self) -> bool {
        !matches!(self.location, Location::General { .. })
    }

    /// True when a processor with that layout has the register.
    #[must_use]
    pub const fn exists(&self, layout: &XsaveLayout) -> bool {
        match self.feature {
            Feature::Base => true,
            Feature::Avx => layout.ymm_high.is_some(),
            Feature::Avx512 => layout.zmm_high.is_some() && layout.hi16_zmm.is_some(),
        }
    }

    /// Reads a general register; `None` when it is an extended one.
    ///
    /// ```
    /// use libdebug_arch::x86_64::{GeneralRegisters, index, register};
    /// let mut registers = GeneralRegisters::default();
    /// registers.0[index::RAX] = 0x1122;
    /// assert_eq!(register("ah").unwrap().read_general(&registers), Some(0x11));
    /// ```
    #[inline]
    #[must_use]
    pub const fn read_general(&self, general: &GeneralRegisters) -> Option<u64> {
        match self.location {
            Location::General { index, shift } => Some(general.0[index] >> shift & self.mask()),
            _ => None,
        }
    }

    /// Writes a general register by the rules of the processor: a 32-bit name clears the upper half, 16-bit
    /// and 8-bit names keep the other bits. Bits of `value` beyond the register's width are dropped.
    ///
    /// Returns false, and writes nothing, when the register is an extended one.
    #[inline]
    pub const fn write_general(&self, value: u64, general: &mut GeneralRegisters) -> bool {
        let Location::General { index, shift } = self.location else { return false };
        let kept = if self.bits >= 32 { 0 } else { general.0[index] & !(self.mask() << shift) };
        general.0[index] = kept | (value & self.mask()) << shift;
        true
    }

    const fn mask(&self) -> u64 {
        if self.bits >= 64 { u64::MAX } else { (1 << self.bits) - 1 }
    }

    /// Reads the register out of a stopped thread's two register blocks. General registers ignore `xstate`.
    ///
    /// # Errors
    /// [`RegisterError::NotInThisCpu`] when `layout` or `xstate` has no place for it.
    #[inline]
    pub fn read(
        &self,
        general: &GeneralRegisters,
        xstate: &[u8],
        layout: &XsaveLayout,
    ) -> Result<RegisterValue, RegisterError> {
        match self.read_general(general) {
            Some(value) => Ok(RegisterValue::U64(value)),
            None => self.read_extended(xstate, layout).ok_or(self.not_in_this_cpu()),
        }
    }

    fn read_extended(&self, xstate: &[u8], layout: &XsaveLayout) -> Option<RegisterValue> {
        match self.location {
            Location::General { .. } => None,
            Location::X87 { number } => {
                let bytes = st_piece(number).of(xstate)?;
                Some(RegisterValue::F80(bytes.try_into().ok()?))
            }
            Location::Mmx { .. } | Location::Vector { .. } => {
                let mut bytes = [0; 64];
                gather(&self.pieces(xstate, layout)?, xstate, &mut bytes)?;
                bytes[self.bytes()..].fill(0);
                Some(RegisterValue::from_integer_bytes(bytes, self.bytes()))
            }
        }
    }

    /// Writes the register. The bits that a narrower name does not reach keep their value, except that a
    /// 32-bit name clears the upper half of its 64 and `mmN` clears the rest of its slot. Values for names of
    /// up to 32 bits are masked. The components written are marked as in use in the area's header.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing has been written then.
    #[inline]
    pub fn write(
        &self,
        value: &RegisterValue,
        general: &mut GeneralRegisters,
        xstate: &mut [u8],
        layout: &XsaveLayout,
    ) -> Result<(), RegisterError> {
        match (self.location, value) {
            (Location::General { .. }, RegisterValue::U64(value)) => {
                self.write_general(*value, general);
                Ok(())
            }
            (Location::General { .. }, _) => {
                let bytes = self.fitting(value)?;
                self.write_general(u64::from_le_bytes(std::array::from_fn(|at| bytes[at])), general);
                Ok(())
            }
            (Location::X87 { number }, RegisterValue::F80(value)) => {
                scatter(&[st_piece(number)], value, xstate).ok_or(self.not_in_this_cpu())
            }
            (Location::X87 { .. }, _) => Err(RegisterError::WrongKind { name: self.name }),
            _ => {
                let bytes = self.fitting(value)?;
                let pieces = self.pieces(xstate, layout).ok_or(self.not_in_this_cpu())?;
                scatter(&pieces, &bytes, xstate).ok_or(self.not_in_this_cpu())
            }
        }
    }

    /// The value's bytes when the register can take them.
    fn fitting(&self, value: &RegisterValue) -> Result<[u8; 64], RegisterError> {
        let bytes = value.integer_bytes().ok_or(RegisterError::WrongKind { name: self.name })?;
        if self.bits > 32 && bytes[self.bytes()..].iter().any(|&byte| byte != 0) {
            return Err(RegisterError::ValueOutOfRange { name: self.name, bits: self.bits });
        }
        Ok(bytes)
    }

    fn pieces(&self, xstate: &[u8], layout: &XsaveLayout) -> Option<[Piece; 3]> {
        match self.location {
            Location::Vector { number } => vector_pieces(number, self.bits, layout),
            Location::Mmx { number } => Some([mm_slot(number, xstate)?, Piece::NONE, Piece::NONE]),
            Location::General { .. } | Location::X87 { .. } => None,
        }
    }

    fn bytes(&self) -> usize {
        usize::from(self.bits) / 8
    }

    const fn not_in_this_cpu(&self) -> RegisterError {
        RegisterError::NotInThisCpu { name: self.name }
    }
}

fn gather(pieces: &[Piece], area: &[u8], out: &mut [u8; 64]) -> Option<()> {
    let mut at = 0;
    for piece in pieces {
        out.get_mut(at..at + piece.length)?.copy_from_slice(piece.of(area)?);
        at += piece.length;
    }
    Some(())
}

/// All pieces are looked up before the first is written, so that a failure changes nothing.
fn scatter(pieces: &[Piece], bytes: &[u8], area: &mut [u8]) -> Option<()> {
    pieces.iter().try_for_each(|piece| piece.of(area).map(drop))?;
    let mut at = 0;
    for piece in pieces {
        piece.of_mut(area)?.copy_from_slice(bytes.get(at..at + piece.length)?);
        piece.mark_in_use(area);
        at += piece.length;
    }
    Some(())
}
