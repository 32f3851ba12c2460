//! System calls in words: what their arguments and results say, memory and descriptors looked at.

use libdebug_arch::decode::{ArgumentKind, argument_kind, render_argument};
use libdebug_arch::{Syscall, SyscallAbi, errno_description, errno_name, errno_of_return, syscall_by_number};
use libdebug_kernel::{SyscallCall, Tid, proc};

use crate::thread::Thread;

/// How many bytes of a text or buffer, and how many texts of an array, are shown.
const SHOWN_BYTES: usize = 64;
const SHOWN_TEXTS: usize = 16;
const PAGE: u64 = 4096;
const WORD: u64 = 8;

/// Calls that return an open descriptor.
const OPENING: [&str; 23] = [
    "open",
    "openat",
    "openat2",
    "creat",
    "dup",
    "dup2",
    "dup3",
    "socket",
    "accept",
    "accept4",
    "epoll_create",
    "epoll_create1",
    "eventfd",
    "eventfd2",
    "signalfd",
    "signalfd4",
    "timerfd_create",
    "inotify_init",
    "inotify_init1",
    "memfd_create",
    "memfd_secret",
    "pidfd_open",
    "pidfd_getfd",
];

/// What the table says of a call: its name, and the C declarations of its arguments. `None` for a number that
/// the table does not have.
///
/// ```
/// # use libdebug::SyscallCall;
/// let read = SyscallCall { audit_arch: 0xc000_003e, number: 0, arguments: [0; 6] };
/// let declared: &[&str] = &["unsigned int fd", "char *buf", "size_t count"];
/// assert_eq!(libdebug::declarations(&read), Some(("read", declared)));
/// ```
pub fn declarations(call: &SyscallCall) -> Option<(&'static str, &'static [&'static str])> {
    let (_, row) = row_of(call)?;
    Some((row.name, &row.arguments))
}

fn row_of(call: &SyscallCall) -> Option<(SyscallAbi, &'static Syscall)> {
    let abi = SyscallAbi::from_audit_arch(call.audit_arch)?;
    Some((abi, syscall_by_number(abi, call.number)?))
}

fn kind_of(abi: SyscallAbi, row: &'static Syscall, index: usize) -> Option<ArgumentKind> {
    argument_kind(abi, row.name, &row.arguments, index)
}

impl Thread {
    /// What argument `index` of a call that the thread is about to make says, where that is more than its number:
    /// flags by name, the text that a pointer leads to, the file of a descriptor. Only before the call.
    ///
    /// ```
    /// # fn main() -> libdebug::Result<()> {
    /// # use libdebug::{Debugger, SyscallCall};
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// let thread = debugger.main_thread()?;
    /// let open = SyscallCall { audit_arch: 0xc000_003e, number: 2, arguments: [0, 0o2000000, 0, 0, 0, 0] };
    /// assert_eq!(thread.describe_argument(&open, 1).as_deref(), Some("O_RDONLY|O_CLOEXEC"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn describe_argument(&self, call: &SyscallCall, index: usize) -> Option<String> {
        self.look(|words| words.argument(call, index))
    }

    /// What the result of a call that the thread has made says, where that is more than its number: the error by
    /// name, what the kernel has put into a buffer, the file of a new descriptor. Only behind the call.
    pub fn describe_result(&self, call: &SyscallCall, value: i64) -> Option<String> {
        if let Some(errno) = errno_of_return(value) {
            return named_error(errno);
        }
        let (_, row) = row_of(call)?;
        if OPENING.contains(&row.name) {
            return Some(with_file(self.tid(), value.to_string()));
        }
        let filled = (0..row.arguments.len()).find(|&index| is_filled(call, index))?;
        self.look(|words| words.buffer(call.arguments[filled], value.cast_unsigned()))
    }

    fn look(&self, act: impl FnOnce(&Words<'_>) -> Option<String>) -> Option<String> {
        let read = |address, limit| self.debugger().read_memory(address, limit).ok();
        act(&Words { tid: self.tid(), read: &read, shows_files: true })
    }
}

/// The error's name and what it means.
pub(crate) fn named_error(errno: i32) -> Option<String> {
    let description = errno_description(errno).unwrap_or_default();
    Some(format!("{} ({description})", errno_name(errno)?))
}

/// Whether the kernel fills what argument `index` leads to, so that it is to be read behind the call.
pub(crate) fn is_filled(call: &SyscallCall, index: usize) -> bool {
    let kind = row_of(call).and_then(|(abi, row)| kind_of(abi, row, index));
    matches!(kind, Some(ArgumentKind::Buffer { filled: true, .. }))
}

/// What an argument means, where the table has the call.
pub(crate) fn meaning(call: &SyscallCall, index: usize) -> Option<ArgumentKind> {
    row_of(call).and_then(|(abi, row)| kind_of(abi, row, index))
}

/// Whether the call returns a new descriptor.
pub(crate) fn opens(call: &SyscallCall) -> bool {
    row_of(call).is_some_and(|(_, row)| OPENING.contains(&row.name))
}

/// Arguments in words, with the memory of the thread that makes the call.
pub(crate) struct Words<'a> {
    pub(crate) tid: Tid,
    /// So many bytes from an address on; `None` where that many cannot be read.
    pub(crate) read: &'a dyn Fn(u64, usize) -> Option<Vec<u8>>,
    /// Whether a descriptor is shown with its file.
    pub(crate) shows_files: bool,
}

impl Words<'_> {
    /// As [`Thread::describe_argument`].
    pub(crate) fn argument(&self, call: &SyscallCall, index: usize) -> Option<String> {
        let (abi, row) = row_of(call)?;
        let kind = kind_of(abi, row, index)?;
        let value = *call.arguments.get(index)?;
        let plain = || render_argument(abi, kind, row.arguments[index], value);
        match kind {
            _ if value == 0 && is_address(kind) => Some(plain()),
            ArgumentKind::Path | ArgumentKind::Text => self.text(value),
            ArgumentKind::TextArray => self.texts(value),
            ArgumentKind::Buffer { length, filled: false } => {
                self.buffer(value, *call.arguments.get(length)?)
            }
            ArgumentKind::Descriptor | ArgumentKind::DirectoryDescriptor if self.shows_files => {
                Some(with_file(self.tid, plain()))
            }
            ArgumentKind::Descriptor
            | ArgumentKind::DirectoryDescriptor
            | ArgumentKind::Flags(_)
            | ArgumentKind::Mode
            | ArgumentKind::Signal => Some(plain()),
            ArgumentKind::Signed | ArgumentKind::ProcessId => {
                Some(plain()).filter(|text| text.starts_with('-'))
            }
            ArgumentKind::Buffer { .. } | ArgumentKind::Pointer | ArgumentKind::Unsigned => None,
        }
    }

    /// As [`Words::argument`], and its number as its type has it where that says no more.
    pub(crate) fn argument_or_number(&self, call: &SyscallCall, index: usize) -> String {
        self.argument(call, index).unwrap_or_else(|| {
            let value = call.arguments.get(index).copied().unwrap_or(0);
            let known = row_of(call).and_then(|(abi, row)| {
                Some(render_argument(abi, kind_of(abi, row, index)?, row.arguments.get(index)?, value))
            });
            known.unwrap_or_else(|| format!("{value:#x}"))
        })
    }

    /// What can be read from `address` on, at most `limit` bytes.
    fn readable(&self, address: u64, limit: usize) -> Option<Vec<u8>> {
        if let Some(bytes) = (self.read)(address, limit) {
            return Some(bytes);
        }
        // A page that is not mapped may begin within.
        let rest = usize::try_from(PAGE - address % PAGE).unwrap_or(limit);
        (self.read)(address, rest.min(limit))
    }

    fn text(&self, address: u64) -> Option<String> {
        let bytes = self.readable(address, SHOWN_BYTES)?;
        let end = bytes.iter().position(|&byte| byte == 0);
        Some(quoted(&bytes[..end.unwrap_or(bytes.len())], end.is_none()))
    }

    /// The text at `address` as the program has it, without quotes.
    pub(crate) fn path(&self, address: u64) -> Option<Vec<u8>> {
        const LONGEST: usize = 4096;
        let bytes = self.readable(address, LONGEST)?;
        let end = bytes.iter().position(|&byte| byte == 0)?;
        Some(bytes[..end].to_vec())
    }

    pub(crate) fn buffer(&self, address: u64, length: u64) -> Option<String> {
        let shown = usize::try_from(length).unwrap_or(SHOWN_BYTES).min(SHOWN_BYTES);
        let bytes = self.readable(address, shown)?;
        Some(quoted(&bytes, length > shown as u64))
    }

    fn texts(&self, address: u64) -> Option<String> {
        let mut texts = Vec::new();
        for index in 0..=SHOWN_TEXTS as u64 {
            let word = (self.read)(address.wrapping_add(index * WORD), WORD as usize)?;
            match u64::from_le_bytes(word.try_into().ok()?) {
                0 => break,
                _ if texts.len() == SHOWN_TEXTS => texts.push("...".to_owned()),
                text => texts.push(self.text(text).unwrap_or_else(|| format!("{text:#x}"))),
            }
        }
        Some(format!("[{}]", texts.join(", ")))
    }
}

/// `number` with the file that this descriptor is open on.
pub(crate) fn with_file(tid: Tid, number: String) -> String {
    let file = number.parse().ok().and_then(|fd| proc::descriptor(tid, fd).ok());
    file.map_or_else(|| number.clone(), |path| format!("{number}<{}>", path.display()))
}

fn is_address(kind: ArgumentKind) -> bool {
    use ArgumentKind::{Buffer, Path, Pointer, Text, TextArray};
    matches!(kind, Path | Text | TextArray | Buffer { .. } | Pointer)
}

/// A text as it is shown: in quotes, cut off where it is long.
pub(crate) fn in_quotes(text: &[u8]) -> String {
    quoted(&text[..text.len().min(SHOWN_BYTES)], text.len() > SHOWN_BYTES)
}

fn quoted(bytes: &[u8], is_cut: bool) -> String {
    format!("\"{}\"{}", bytes.escape_ascii(), if is_cut { "..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_quoted_as_in_c() {
        assert_eq!(quoted(b"a\n\"\x01", false), r#""a\n\"\x01""#);
        assert_eq!(quoted(b"ab", true), "\"ab\"...");
    }

    #[test]
    fn calls_that_no_table_has_are_not_declared() {
        let call = |audit_arch, number| SyscallCall { audit_arch, number, arguments: [0; 6] };
        assert_eq!(declarations(&call(0xc000_003e, 0x1337)), None);
        assert_eq!(declarations(&call(1, 0)), None);
        assert_eq!(declarations(&call(0x4000_0003, 3)).map(|(name, _)| name), Some("read"));
    }
}
