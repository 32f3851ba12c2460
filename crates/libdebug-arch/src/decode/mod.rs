//! What the arguments of a system call mean, and how their values read: `O_RDONLY|O_CLOEXEC` instead of `0x80000`.
//!
//! Only registers are looked at, never memory: a path or a buffer is told to be one, and reading it is the caller's.

mod abi;
mod events;
mod files;
mod flags;
mod memory;
mod process;
mod rules;
mod scalar;
mod signal;

pub use abi::{mmap_flags, open_flags, protection};
pub use flags::FlagSet;
pub use signal::{signal_code_name, signal_name};

use crate::SyscallAbi;
use scalar::Scalar;

/// What a file descriptor argument says for "relative to the current directory" (openat(2)).
pub const AT_FDCWD: i64 = -100;

/// What an argument of a system call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// An open file, -1 for none where the call allows that.
    Descriptor,
    /// A directory that a path is relative to, or [`AT_FDCWD`].
    DirectoryDescriptor,
    /// The address of a path that ends with a zero byte.
    Path,
    /// The address of another text that ends with a zero byte.
    Text,
    /// The address of an array of addresses of texts that ends with a null pointer, as execve(2) takes.
    TextArray,
    /// The address of bytes.
    Buffer {
        /// Which argument says how many bytes there are, from 0.
        length: usize,
        /// Whether the kernel fills it, so that it is to be read after the call; what the call returns, if less, is
        /// how much is there.
        filled: bool,
    },
    /// Names from a set.
    Flags(&'static FlagSet),
    /// Permissions of a file, in octal.
    Mode,
    /// A signal number, 0 for none.
    Signal,
    /// The id of a process, thread or group.
    ProcessId,
    /// The address of anything else, or a word of which another argument says what it is.
    Pointer,
    /// A number that can be negative.
    Signed,
    /// A number that cannot.
    Unsigned,
}

/// What the argument `index` (from 0) of a system call means; `arguments` are all of its declarations.
///
/// The declaration alone decides where the call is unknown. `None` when there is no such argument.
///
/// ```
/// use libdebug_arch::decode::{ArgumentKind, argument_kind};
/// use libdebug_arch::{SyscallAbi, syscall_by_name};
/// let abi = SyscallAbi::X86_64;
/// let read = syscall_by_name(abi, "read").unwrap();
/// let kind = |index| argument_kind(abi, read.name, &read.arguments, index);
/// assert_eq!(kind(0), Some(ArgumentKind::Descriptor));
/// assert_eq!(kind(1), Some(ArgumentKind::Buffer { length: 2, filled: true }));
/// assert_eq!(kind(2), Some(ArgumentKind::Unsigned));
/// assert_eq!(kind(3), None);
/// ```
#[must_use]
pub fn argument_kind(abi: SyscallAbi, call: &str, arguments: &[&str], index: usize) -> Option<ArgumentKind> {
    let declaration = arguments.get(index)?;
    let name = parameter_name(declaration);
    let by_call = rules::flag_set(abi, call, name)
        .map(ArgumentKind::Flags)
        .or_else(|| buffer(call, name, arguments))
        .or_else(|| rules::exception(call, name));
    Some(by_call.unwrap_or_else(|| by_declaration(declaration, name)))
}

/// The value of an argument in words, from the whole register that carries it.
///
/// What the declared type does not hold is cut off first: a program may leave anything in the upper half of a register
/// that carries an `int`. Addresses are hexadecimal, `NULL` for 0; the text behind an address is the caller's to read.
///
/// ```
/// use libdebug_arch::SyscallAbi;
/// use libdebug_arch::decode::{ArgumentKind, render_argument};
/// let render = |kind, declaration, value| render_argument(SyscallAbi::X86_64, kind, declaration, value);
/// assert_eq!(render(ArgumentKind::DirectoryDescriptor, "int dfd", 0xffff_ff9c), "AT_FDCWD");
/// assert_eq!(render(ArgumentKind::Signed, "int timeout", 0xffff_ffff), "-1");
/// assert_eq!(render(ArgumentKind::Mode, "umode_t mode", 0o644), "0644");
/// assert_eq!(render(ArgumentKind::Path, "const char *path", 0x7fff_0010), "0x7fff0010");
/// ```
#[must_use]
pub fn render_argument(abi: SyscallAbi, kind: ArgumentKind, declaration: &str, register: u64) -> String {
    let scalar = Scalar::of(abi, declaration);
    let (cut, signed) = (scalar.cut(register), scalar.sign_extend(register));
    match kind {
        ArgumentKind::DirectoryDescriptor if signed == AT_FDCWD => "AT_FDCWD".to_owned(),
        ArgumentKind::Descriptor | ArgumentKind::DirectoryDescriptor => low_int(register).to_string(),
        ArgumentKind::Signed | ArgumentKind::ProcessId => signed.to_string(),
        ArgumentKind::Unsigned => cut.to_string(),
        ArgumentKind::Flags(set) => set.render(cut),
        ArgumentKind::Mode => format!("0{cut:03o}"),
        ArgumentKind::Signal => signal_name(cut).unwrap_or_else(|| signed.to_string()),
        ArgumentKind::Path
        | ArgumentKind::Text
        | ArgumentKind::TextArray
        | ArgumentKind::Buffer { .. }
        | ArgumentKind::Pointer => address(cut),
    }
}

fn address(value: u64) -> String {
    if value == 0 { "NULL".to_owned() } else { format!("{value:#x}") }
}

/// Whatever the declaration says (`unsigned long fd` of mmap), the kernel looks a descriptor up by 32 bits.
fn low_int(register: u64) -> i32 {
    let [a, b, c, d, ..] = register.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

fn parameter_name(declaration: &str) -> &str {
    declaration.rsplit([' ', '*']).next().unwrap_or(declaration)
}

fn buffer(call: &str, name: &str, arguments: &[&str]) -> Option<ArgumentKind> {
    let (length, filled) = rules::buffer(call, name)?;
    let length = arguments.iter().position(|declaration| parameter_name(declaration) == length)?;
    Some(ArgumentKind::Buffer { length, filled })
}

fn by_declaration(declaration: &str, name: &str) -> ArgumentKind {
    match declaration.matches('*').count() {
        0 => by_scalar(declaration, name),
        1 if declaration.starts_with("const char *") && !declaration.contains("unsigned") => {
            if rules::is_path(name) { ArgumentKind::Path } else { ArgumentKind::Text }
        }
        2 if declaration.starts_with("const char *const *") => ArgumentKind::TextArray,
        _ => ArgumentKind::Pointer,
    }
}

fn by_scalar(declaration: &str, name: &str) -> ArgumentKind {
    match scalar::type_name(declaration) {
        "umode_t" => ArgumentKind::Mode,
        "pid_t" => ArgumentKind::ProcessId,
        "clockid_t" => ArgumentKind::Flags(&events::CLOCK),
        "mqd_t" => ArgumentKind::Descriptor,
        _ => match rules::by_name(name) {
            Some(kind) => kind,
            None if Scalar::is_pointer(declaration) => ArgumentKind::Pointer,
            None if Scalar::is_signed(declaration) => ArgumentKind::Signed,
            None => ArgumentKind::Unsigned,
        },
    }
}
