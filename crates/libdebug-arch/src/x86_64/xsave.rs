//! The XSAVE area in its standard format (Intel SDM, volume 1, section 13.4), the block that
//! `PTRACE_GETREGSET` with `NT_X86_XSTATE` gives.

/// Where this processor keeps the parts of the XSAVE area whose place is not fixed (CPUID leaf 0xD).
///
/// The default describes a processor without AVX.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XsaveLayout {
    /// Size of the whole area, in bytes.
    pub size: usize,
    /// Offset of bits 128–255 of ymm0–15 (component 2).
    pub ymm_high: Option<usize>,
    /// Offset of k0–k7 (component 5).
    pub opmask: Option<usize>,
    /// Offset of bits 256–511 of zmm0–15 (component 6).
    pub zmm_high: Option<usize>,
    /// Offset of the whole of zmm16–31 (component 7).
    pub hi16_zmm: Option<usize>,
}

const STATUS_WORD: usize = 2;
const ST_SLOTS: usize = 32;
const XMM_SLOTS: usize = 160;
const SLOT: usize = 16;
const XSTATE_BV: usize = 512;

/// Some consecutive bytes of the area, and the state component that they belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) offset: usize,
    pub(super) length: usize,
    component: u32,
}

impl Piece {
    pub(super) const NONE: Self = Self { offset: 0, length: 0, component: 0 };

    const fn new(component: u32, offset: usize, length: usize) -> Self {
        Self { offset, length, component }
    }

    pub(super) fn of<'a>(&self, area: &'a [u8]) -> Option<&'a [u8]> {
        area.get(self.offset..self.offset.checked_add(self.length)?)
    }

    pub(super) fn of_mut<'a>(&self, area: &'a mut [u8]) -> Option<&'a mut [u8]> {
        area.get_mut(self.offset..self.offset.checked_add(self.length)?)
    }

    /// Tells the kernel and the processor that the component no longer has its initial value: without its
    /// bit the bytes written are ignored.
    pub(super) fn mark_in_use(&self, area: &mut [u8]) {
        if let Some(byte) = area.get_mut(XSTATE_BV)
            && self.length > 0
        {
            *byte |= 1 << self.component;
        }
    }
}

/// The pieces that make up the low `bits` of vector register `number`, least significant first; `None` when
/// the processor has no such register.
pub(super) fn vector_pieces(number: usize, bits: u16, layout: &XsaveLayout) -> Option<[Piece; 3]> {
    if number >= 16 {
        let whole = Piece::new(7, layout.hi16_zmm? + 64 * (number - 16), usize::from(bits) / 8);
        return Some([whole, Piece::NONE, Piece::NONE]);
    }
    let mut pieces = [Piece::new(1, XMM_SLOTS + SLOT * number, 16), Piece::NONE, Piece::NONE];
    if bits >= 256 {
        pieces[1] = Piece::new(2, layout.ymm_high? + 16 * number, 16);
    }
    if bits >= 512 {
        pieces[2] = Piece::new(6, layout.zmm_high? + 32 * number, 32);
    }
    Some(pieces)
}

/// ST(`number`): FXSAVE stores the x87 registers by their distance from the top of the stack.
pub(super) const fn st_piece(number: usize) -> Piece {
    Piece::new(0, ST_SLOTS + SLOT * (number & 7), 10)
}

/// The whole slot of MM`number`: MMX names the physical registers, so their slot depends on TOP.
pub(super) fn mm_slot(number: usize, area: &[u8]) -> Option<Piece> {
    let status = u16::from_le_bytes([*area.get(STATUS_WORD)?, *area.get(STATUS_WORD + 1)?]);
    let top = usize::from(status >> 11 & 7);
    Some(Piece::new(0, ST_SLOTS + SLOT * (number.wrapping_sub(top) & 7), SLOT))
}
