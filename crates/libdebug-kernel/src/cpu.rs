//! Which CPU, and what it saves.

use crate::count::count;
use crate::error::{KernelError, Result};
use crate::ids::{Errno, Tid};

/// A set of CPUs, 0 to 1023, as in sched_setaffinity(2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CpuSet([u64; 16]);

impl std::fmt::Debug for CpuSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries((0..1024).filter(|&cpu| self.contains(cpu))).finish()
    }
}

impl CpuSet {
    /// The set of one CPU; empty for a number beyond 1023.
    pub fn single(cpu: usize) -> Self {
        let mut words = [0; 16];
        if let Some(word) = words.get_mut(cpu / 64) {
            *word = 1 << (cpu % 64);
        }
        Self(words)
    }

    /// Some CPU of the set that is not `cpu`.
    pub fn other_than(&self, cpu: usize) -> Option<usize> {
        (0..1024).find(|&other| other != cpu && self.contains(other))
    }

    /// Whether `cpu` is in the set.
    pub fn contains(&self, cpu: usize) -> bool {
        self.0.get(cpu / 64).is_some_and(|word| word >> (cpu % 64) & 1 == 1)
    }

    /// How many CPUs are in the set.
    pub fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// The CPUs that `tid` may run on; `Tid(0)` is the calling thread.
///
/// # Errors
/// [`KernelError::Gone`] when there is no such thread.
pub fn affinity(tid: Tid) -> Result<CpuSet> {
    count();
    let mut set = CpuSet([0; 16]);
    // SAFETY: the words are valid for the write of their size; the kernel's masks are arrays of longs.
    match unsafe { libc::sched_getaffinity(tid.0, size_of::<CpuSet>(), set.0.as_mut_ptr().cast()) } {
        0 => Ok(set),
        _ => Err(KernelError::new("sched_getaffinity", tid, Errno::last())),
    }
}

/// Lets `tid` run on `set` only.
///
/// # Errors
/// [`KernelError::Gone`] when there is no such thread, [`KernelError::Failed`] when none of the CPUs may be used.
pub fn set_affinity(tid: Tid, set: &CpuSet) -> Result<()> {
    count();
    // SAFETY: the words are valid for the read of their size.
    match unsafe { libc::sched_setaffinity(tid.0, size_of::<CpuSet>(), set.0.as_ptr().cast()) } {
        0 => Ok(()),
        _ => Err(KernelError::new("sched_setaffinity", tid, Errno::last())),
    }
}

/// The CPU that the calling thread runs on right now (from the vDSO: no system call).
pub fn current_cpu() -> usize {
    // SAFETY: sched_getcpu has no preconditions.
    usize::try_from(unsafe { libc::sched_getcpu() }).unwrap_or(0)
}

/// Where the CPU puts the parts of the XSAVE area in its standard format, by CPUID leaf 0xD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XsaveAreas {
    /// The size of the whole area for every component that the CPU has.
    pub size: usize,
    offsets: [usize; 64],
}

impl XsaveAreas {
    /// The offset of component `number` (2 is the upper halves of YMM, 5 opmask, 6 ZMM_Hi256, 7 Hi16_ZMM);
    /// `None` when this CPU or kernel does not save it.
    pub fn component(&self, number: usize) -> Option<usize> {
        self.offsets.get(number).copied().filter(|&offset| offset != 0)
    }
}

/// Reads the layout from this CPU (Intel SDM volume 1, 13.2 and 13.4.2).
pub fn xsave_areas() -> XsaveAreas {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const XSAVE_AND_OSXSAVE: u32 = 1 << 26 | 1 << 27;
    let mut areas = XsaveAreas { size: 512 + 64, offsets: [0; 64] };
    if __cpuid(1).ecx & XSAVE_AND_OSXSAVE != XSAVE_AND_OSXSAVE {
        return areas;
    }
    let main = __cpuid_count(0xd, 0);
    areas.size = main.ecx as usize;
    let saved = u64::from(main.edx) << 32 | u64::from(main.eax);
    for component in (2..63).filter(|component| saved >> component & 1 == 1) {
        areas.offsets[component] = __cpuid_count(0xd, component as u32).ebx as usize;
    }
    areas
}
