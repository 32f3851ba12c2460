//! The registers of one thread at one moment.

use libdebug_arch::x86_64::{
    GeneralRegisters, Register, RegisterClass, RegisterValue, XsaveLayout, index, registers,
};

use crate::error::{Error, Result};

/// The registers of one thread at one moment, in the layout of the processor that had them.
#[derive(Debug, Clone)]
pub struct KeptRegisters {
    pub(super) general: GeneralRegisters,
    pub(super) extended: Vec<u8>,
    pub(super) layout: XsaveLayout,
}

impl PartialEq for KeptRegisters {
    fn eq(&self, other: &Self) -> bool {
        let value = |of: &Self, register: &'static Register| of.read(register).ok();
        registers().iter().all(|register| value(self, register) == value(other, register))
    }
}

/// Where the components begin in the layout that processors with all of them have (Intel SDM, volume 1, 13.4).
const YMM_HIGH: usize = 576;
const OPMASK: usize = 1088;
const ZMM_HIGH: usize = 1152;
const HIGH_ZMM: usize = 1664;
const SIZE: usize = 2688;
/// The area without any of these.
const LEGACY_SIZE: usize = 576;
/// Where the kernel says which components there are: the first word that software may use.
const COMPONENTS: usize = 464;
const AVX: u64 = 0b111;
const AVX512: u64 = 0b1110_0111;

impl KeptRegisters {
    /// All registers zero, on a processor with AVX or AVX-512.
    pub(super) fn zeros(avx: bool, avx512: bool) -> Self {
        let (size, components) = match (avx, avx512) {
            (_, true) => (SIZE, AVX512),
            (true, false) => (YMM_HIGH + 256, AVX),
            (false, false) => (LEGACY_SIZE, 0b11),
        };
        let mut extended = vec![0; size];
        extended[COMPONENTS..COMPONENTS + 8].copy_from_slice(&components.to_le_bytes());
        let layout = usual_layout(size, components);
        Self { general: GeneralRegisters::default(), extended, layout }
    }

    /// Those of a core file, whose area says itself which components it has.
    pub(super) fn of_core(general: [u64; index::COUNT], floating: &[u8], extended: Vec<u8>) -> Self {
        let general = GeneralRegisters(general);
        if extended.len() < LEGACY_SIZE {
            let mut area = floating.to_vec();
            area.resize(LEGACY_SIZE, 0);
            return Self { general, layout: usual_layout(LEGACY_SIZE, 0b11), extended: area };
        }
        let here = crate::registers::layout();
        let mut word = [0; 8];
        word.copy_from_slice(&extended[COMPONENTS..COMPONENTS + 8]);
        let usual = usual_layout(extended.len(), u64::from_le_bytes(word));
        let layout = if here.size == extended.len() { *here } else { usual };
        Self { general, extended, layout }
    }

    /// Whether every place of the layout lies in the area.
    pub(super) fn is_sound(&self) -> bool {
        let layout = &self.layout;
        let places = [layout.ymm_high, layout.opmask, layout.zmm_high, layout.hi16_zmm];
        self.extended.len() >= LEGACY_SIZE
            && layout.size <= self.extended.len()
            && places.into_iter().flatten().all(|place| place < self.extended.len())
    }

    /// The value of a register.
    ///
    /// # Errors
    /// [`Error::Register`] for one that the processor did not have.
    pub fn read(&self, register: &'static Register) -> Result<RegisterValue> {
        Ok(register.read(&self.general, &self.extended, &self.layout)?)
    }

    /// The value of the register called `name`, such as `rip`.
    ///
    /// # Errors
    /// [`Error::NoSuchRegister`] and [`Error::Register`].
    pub fn get(&self, name: &str) -> Result<RegisterValue> {
        let register = libdebug_arch::x86_64::register(name);
        self.read(register.ok_or_else(|| Error::NoSuchRegister(name.to_owned()))?)
    }

    pub(super) fn set(&mut self, register: &'static Register, value: &RegisterValue) -> bool {
        register.write(value, &mut self.general, &mut self.extended, &self.layout).is_ok()
    }

    /// The registers that users know of and the processor had.
    pub fn listed(&self) -> impl Iterator<Item = &'static Register> {
        let layout = self.layout;
        let all = registers().iter();
        all.filter(move |one| one.class != RegisterClass::Internal && one.exists(&layout))
    }

    /// The program counter.
    #[must_use]
    pub fn pc(&self) -> u64 {
        self.general.pc()
    }

    /// The stack pointer.
    #[must_use]
    pub fn sp(&self) -> u64 {
        self.general.sp()
    }
}

fn usual_layout(size: usize, components: u64) -> XsaveLayout {
    let has = |needed: u64, place: usize, length: usize| {
        (components & needed == needed && place + length <= size).then_some(place)
    };
    XsaveLayout {
        size,
        ymm_high: has(0b100, YMM_HIGH, 256),
        opmask: has(1 << 5, OPMASK, 64),
        zmm_high: has(1 << 6, ZMM_HIGH, 512),
        hi16_zmm: has(1 << 7, HIGH_ZMM, 1024),
    }
}
