//! Core files: the memory and the threads of a process at one moment (core(5)).
//!
//! What is written here is read here, by GDB, and by whatever else reads the kernel's own. Layouts are those of
//! x86-64: `struct elf_prstatus` and `struct elf_prpsinfo` of linux/elfcore.h, notes as in fs/binfmt_elf.c.

mod notes;
mod read;
mod write;

/// How many general registers a thread has: those of `struct user_regs_struct`, in its order.
pub const GENERAL_REGISTERS: usize = 27;

/// What a core file says, but for the content of memory.
///
/// ```
/// use libdebug_image::{CoreFile, CoreSegment};
/// let core = CoreFile {
///     segments: vec![CoreSegment { address: 0x1000, size: 4096, ..CoreSegment::default() }],
///     ..CoreFile::default()
/// };
/// let (head, placed) = core.head();
/// assert_eq!(placed, [None]);
/// assert_eq!(CoreFile::parse(&head).unwrap().segments[0].address, 0x1000);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreFile {
    /// The process.
    pub process: CoreProcess,
    /// Its threads; the first is the one that a debugger shows.
    pub threads: Vec<CoreThread>,
    /// The auxiliary vector (getauxval(3)), as /proc/PID/auxv has it.
    pub auxiliary: Vec<u8>,
    /// Which files are mapped where.
    pub files: Vec<CoreMapping>,
    /// The parts of memory, ascending by address.
    pub segments: Vec<CoreSegment>,
    /// What this library adds for itself, in a note that others pass over.
    pub private: Vec<u8>,
}

/// What `NT_PRPSINFO` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreProcess {
    /// Its pid.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// The name of its program, at most 15 bytes of it.
    pub name: String,
    /// Its arguments, at most 79 bytes of them.
    pub arguments: String,
}

/// One thread: `NT_PRSTATUS`, and the notes behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreThread {
    /// Its tid.
    pub tid: i32,
    /// The signal that it stopped or died with; 0 for none.
    pub signal: i32,
    /// Its general registers.
    pub general: [u64; GENERAL_REGISTERS],
    /// `NT_FPREGSET`: the 512 bytes of FXSAVE; nothing where the file has none.
    pub floating: Vec<u8>,
    /// `NT_X86_XSTATE`: the whole XSAVE area; nothing where the file has none.
    pub extended: Vec<u8>,
}

/// One file that is mapped: `NT_FILE`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreMapping {
    /// The first address.
    pub start: u64,
    /// The first address behind.
    pub end: u64,
    /// Where in the file it starts, in bytes.
    pub offset: u64,
    /// Its path.
    pub path: String,
}

/// One part of memory: `PT_LOAD`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreSegment {
    /// The first address.
    pub address: u64,
    /// Its size, in bytes.
    pub size: u64,
    /// How many bytes of it, from its start on, the file has.
    pub file_size: u64,
    /// Where in the file they are. [`CoreFile::head`] decides that itself.
    pub file_offset: u64,
    /// `PF_R`.
    pub readable: bool,
    /// `PF_W`.
    pub writable: bool,
    /// `PF_X`.
    pub executable: bool,
}

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const SECTION_HEADER: usize = 64;
const PAGE: u64 = 4096;

const TYPE_CORE: u16 = 4;
const MACHINE_X86_64: u16 = 62;
/// `PN_XNUM`: the number of program headers is in the first section header.
const MANY_HEADERS: u16 = 0xffff;
const LOAD: u32 = 1;
const NOTE: u32 = 4;

/// Types of notes, those of the kernel named `CORE` and `LINUX`.
mod note_type {
    pub(super) const STATUS: u32 = 1;
    pub(super) const FLOATING: u32 = 2;
    pub(super) const PROCESS: u32 = 3;
    pub(super) const AUXILIARY: u32 = 6;
    pub(super) const EXTENDED: u32 = 0x202;
    pub(super) const FILES: u32 = 0x4649_4c45;
    /// Ours, under our name.
    pub(super) const PRIVATE: u32 = 1;
}

/// Where the fields of `struct elf_prstatus` and `struct elf_prpsinfo` are.
mod field {
    pub(super) const STATUS_SIZE: usize = 336;
    pub(super) const STATUS_SIGNAL: usize = 12;
    pub(super) const STATUS_TID: usize = 32;
    pub(super) const STATUS_PARENT: usize = 36;
    pub(super) const STATUS_REGISTERS: usize = 112;
    pub(super) const STATUS_HAS_FLOATING: usize = 328;
    pub(super) const PROCESS_SIZE: usize = 136;
    pub(super) const PROCESS_PID: usize = 24;
    pub(super) const PROCESS_PARENT: usize = 28;
    pub(super) const PROCESS_NAME: usize = 40;
    pub(super) const NAME_SIZE: usize = 16;
    pub(super) const PROCESS_ARGUMENTS: usize = 56;
    pub(super) const ARGUMENTS_SIZE: usize = 80;
}
