/// What a register holds, in the smallest form that its width needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterValue {
    /// Registers of up to 64 bits.
    U64(u64),
    /// The `xmm` registers.
    U128(u128),
    /// The `ymm` and `zmm` registers.
    Wide {
        /// Little endian; zero from `width` on.
        bytes: [u8; 64],
        /// How many bytes count: 32 or 64.
        width: usize,
    },
    /// The `st` registers, as the processor stores them: see [`float80`](crate::float80).
    F80([u8; 10]),
}

impl RegisterValue {
    /// The value's bytes, least significant first, without insignificant ones cut off; `None` for `F80`.
    pub(crate) fn integer_bytes(&self) -> Option<[u8; 64]> {
        let mut all = [0; 64];
        match self {
            Self::U64(value) => all[..8].copy_from_slice(&value.to_le_bytes()),
            Self::U128(value) => all[..16].copy_from_slice(&value.to_le_bytes()),
            Self::Wide { bytes, width } => {
                let width = (*width).min(64);
                all[..width].copy_from_slice(&bytes[..width]);
            }
            Self::F80(_) => return None,
        }
        Some(all)
    }

    pub(crate) fn from_integer_bytes(bytes: [u8; 64], width: usize) -> Self {
        match width {
            0..=8 => Self::U64(u64::from_le_bytes(first(&bytes))),
            9..=16 => Self::U128(u128::from_le_bytes(first(&bytes))),
            _ => Self::Wide { bytes, width },
        }
    }

    /// The value as an `f64`, for `st` registers.
    ///
    /// ```
    /// use libdebug_arch::{float80, x86_64::RegisterValue};
    /// assert_eq!(RegisterValue::F80(float80::from_f64(2.5)).as_f64(), Some(2.5));
    /// ```
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::F80(bytes) => Some(crate::float80::to_f64(*bytes)),
            _ => None,
        }
    }

    /// The value as an integer of up to 64 bits, for the registers that have no more.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::U64(value) => Some(*value),
            _ => None,
        }
    }
}

fn first<const N: usize>(bytes: &[u8; 64]) -> [u8; N] {
    std::array::from_fn(|at| bytes[at])
}
