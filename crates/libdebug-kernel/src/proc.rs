//! /proc, parsed by hand on bytes: see proc(5).

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{KernelError, Result};
use crate::ids::{Errno, Pid, Signal, Tid};

/// One line of /proc/PID/maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Map {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// `r`, `w`, `x` and `p` or `s`, with `-` where absent.
    pub permissions: [u8; 4],
    /// Offset into the backing file, in bytes.
    pub offset: u64,
    /// Inode of the backing file; 0 without one.
    pub inode: u64,
    /// Path of the backing file, or a name in brackets, or nothing.
    pub path: String,
}

impl Map {
    /// Whether `address` lies in it.
    pub fn contains(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Whether its pages may be executed.
    pub fn is_executable(&self) -> bool {
        self.permissions[2] == b'x'
    }

    /// Whether what is written to it is seen by this process only.
    pub fn is_private(&self) -> bool {
        self.permissions[3] == b'p'
    }

    /// The path, or a name made of the start of a map without one: `anon_7f0000000000`.
    pub fn name(&self) -> Cow<'_, str> {
        if self.path.is_empty() { format!("anon_{:x}", self.start).into() } else { (&self.path).into() }
    }

    /// Whether it is backed by a file.
    pub fn has_file(&self) -> bool {
        self.path.starts_with('/')
    }
}

/// The maps of `pid`, ascending by address.
///
/// # Errors
/// [`KernelError::Gone`] when it is dead, [`KernelError::Denied`] without the right to look.
pub fn maps(pid: Pid) -> Result<Vec<Map>> {
    let text = read(pid.leader(), "maps", &format!("/proc/{pid}/maps"))?;
    Ok(text.split(|&byte| byte == b'\n').filter_map(parse_map).collect())
}

/// Parses one line of /proc/PID/maps; `None` for one that is not.
///
/// ```
/// let line = b"55d0c000-55d0d000 r-xp 00001000 fe:00 1234                       /bin/true";
/// let map = libdebug_kernel::proc::parse_map(line).unwrap();
/// assert_eq!((map.start, map.offset, map.path.as_str()), (0x55d0c000, 0x1000, "/bin/true"));
/// ```
pub fn parse_map(line: &[u8]) -> Option<Map> {
    let line =
        std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line).into_owned(), str::to_owned);
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?.as_bytes().try_into().ok()?;
    let offset = fields.next()?;
    let _device = fields.next()?;
    let inode = fields.next()?;
    Some(Map {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        permissions,
        offset: u64::from_str_radix(offset, 16).ok()?,
        inode: inode.parse().ok()?,
        path: fields.next().unwrap_or_default().trim_start().to_owned(),
    })
}

/// The tids of the threads of `pid`, as they are at this moment.
///
/// # Errors
/// [`KernelError::Gone`] when there is no such process.
pub fn tasks(pid: Pid) -> Result<Vec<Tid>> {
    let entries =
        fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| gone("task", pid.leader(), &error))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Tid)).collect())
}

/// What /proc/TID/status says of a thread, as far as a debugger asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// `R`, `S`, `D`, `T`, `t`, `Z`, `X`.
    pub state: char,
    /// Its thread group.
    pub process: Pid,
    /// The process that it is a child of.
    pub parent: Pid,
    /// Its tracer's tid, 0 without one.
    pub tracer: Tid,
    /// The signals that wait in its own queue, the lowest bit for signal 1.
    pub pending: u64,
    /// How many seccomp filters it is under; `u32::MAX` in strict mode.
    pub filters: u32,
}

impl Status {
    /// Whether `signal` waits in the thread's own queue.
    pub fn is_pending(&self, signal: Signal) -> bool {
        (1..=64).contains(&signal.0) && self.pending >> (signal.0 - 1) & 1 == 1
    }
}

/// The status of one thread.
///
/// # Errors
/// [`KernelError::Gone`] when there is no such thread.
pub fn status(tid: Tid) -> Result<Status> {
    let text = read(tid, "status", &format!("/proc/{tid}/status"))?;
    let text = String::from_utf8_lossy(&text);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let number = |name| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    let state = field("State:").and_then(|value| value.chars().next()).unwrap_or('?');
    Ok(Status {
        state,
        process: Pid(number("Tgid:")),
        parent: Pid(number("PPid:")),
        tracer: Tid(number("TracerPid:")),
        filters: filters(number("Seccomp:"), number("Seccomp_filters:")),
        pending: field("SigPnd:").and_then(|value| u64::from_str_radix(value, 16).ok()).unwrap_or(0),
    })
}

/// Whether `tid` executes with a shadow stack (`x86_Thread_features` of proc(5), since Linux 6.6): only calls can be returned from.
///
/// # Errors
/// [`KernelError::Gone`] when there is no such thread.
pub fn has_shadow_stack(tid: Tid) -> Result<bool> {
    let text = read(tid, "status", &format!("/proc/{tid}/status"))?;
    let text = String::from_utf8_lossy(&text);
    let features = text.lines().find_map(|line| line.strip_prefix("x86_Thread_features:"));
    Ok(features.is_some_and(|features| features.split_whitespace().any(|feature| feature == "shstk")))
}

/// What descriptor `number` of `tid` leads to, as /proc tells it: a path, or `pipe:[1234]` and the like.
///
/// # Errors
/// [`KernelError::Gone`] when the thread is dead or has no such descriptor.
pub fn descriptor(tid: Tid, number: u64) -> Result<PathBuf> {
    let link = fs::read_link(format!("/proc/{tid}/fd/{number}"));
    link.map_err(|error| KernelError::new("readlink", tid, Errno(error.raw_os_error().unwrap_or(0))))
}

/// Kernels before 5.9 tell the mode only (seccomp(2)): 1 strict, 2 filters.
fn filters(mode: i32, count: i32) -> u32 {
    match mode {
        0 => 0,
        1 => u32::MAX,
        _ => count.max(1).cast_unsigned(),
    }
}

/// A word of the auxiliary vector of `pid` (getauxval(3)), such as `libc::AT_ENTRY`, 64-bit layout.
///
/// # Errors
/// [`KernelError::Gone`] when it is dead.
pub fn auxiliary(pid: Pid, key: u64) -> Result<Option<u64>> {
    let bytes = read(pid.leader(), "auxv", &format!("/proc/{pid}/auxv"))?;
    let words: Vec<u64> = bytes.chunks_exact(8).map(word).collect();
    Ok(words.chunks_exact(2).find(|pair| pair[0] == key).map(|pair| pair[1]))
}

/// The whole auxiliary vector of `pid` (getauxval(3)): pairs of key and value, two words each.
///
/// # Errors
/// [`KernelError::Gone`] when it is dead.
pub fn auxiliary_vector(pid: Pid) -> Result<Vec<u8>> {
    read(pid.leader(), "auxv", &format!("/proc/{pid}/auxv"))
}

/// The arguments of `pid`, each with a zero byte behind it; the process itself can have changed them.
///
/// # Errors
/// [`KernelError::Gone`] when it is dead.
pub fn command_line(pid: Pid) -> Result<Vec<u8>> {
    read(pid.leader(), "cmdline", &format!("/proc/{pid}/cmdline"))
}

/// Whether the kernel chooses addresses of `pid` at random: not under `ADDR_NO_RANDOMIZE` (personality(2)). `None` where
/// it does not tell.
pub fn randomizes_addresses(pid: Pid) -> Option<bool> {
    let text = fs::read_to_string(format!("/proc/{pid}/personality")).ok()?;
    let flags = u32::from_str_radix(text.trim(), 16).ok()?;
    Some(flags & libc::ADDR_NO_RANDOMIZE.cast_unsigned() == 0)
}

/// Keys of the auxiliary vector.
pub mod auxiliary_key {
    /// The program's entry point, where it is in memory.
    pub const ENTRY: u64 = libc::AT_ENTRY;
    /// The base of the program interpreter.
    pub const BASE: u64 = libc::AT_BASE;
    /// The program headers.
    pub const PHDR: u64 = libc::AT_PHDR;
    /// The vDSO.
    pub const VDSO: u64 = libc::AT_SYSINFO_EHDR;
}

/// The file that `pid` executes.
///
/// # Errors
/// [`KernelError::Gone`] when it is dead, [`KernelError::Denied`] without the right to look.
pub fn executable(pid: Pid) -> Result<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).map_err(|error| gone("exe", pid.leader(), &error))
}

/// Whether the file that `pid` executes is one of 64-bit code (elf(5), `EI_CLASS`); `None` when that cannot be told.
pub fn is_64_bit(pid: Pid) -> Option<bool> {
    const CLASS: usize = 4;
    const CLASS_32: u8 = 1;
    let mut identification = [0; CLASS + 1];
    fs::File::open(format!("/proc/{pid}/exe")).ok()?.read_exact(&mut identification).ok()?;
    Some(identification[CLASS] != CLASS_32)
}

/// The Yama ptrace_scope (ptrace(2), "/proc/sys/kernel/yama/ptrace_scope"); `None` where Yama is not built in.
pub fn ptrace_scope() -> Option<u32> {
    fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok()?.trim().parse().ok()
}

/// What a thread is doing, in words: its state, and its system call by number where it is in one.
///
/// ```
/// use libdebug_kernel::{proc, Tid};
/// let own = Tid(std::process::id() as i32);
/// assert!(!proc::activity(own).is_empty());
/// ```
pub fn activity(tid: Tid) -> String {
    let Ok(status) = status(tid) else { return "gone".to_owned() };
    let state = match status.state {
        'R' => "running",
        'S' => "sleeping",
        'D' => "in an uninterruptible wait",
        'T' => "stopped by job control",
        't' => "stopped by its tracer",
        'Z' => "a zombie",
        _ => "ending",
    };
    match system_call(tid) {
        Some(number) => format!("{state} in system call {number}"),
        None => state.to_owned(),
    }
}

/// The number of the system call that a thread is blocked in; `None` when it is running, or in none, or dead. Source:
/// proc_pid_syscall(5).
///
/// ```
/// assert_eq!(libdebug_kernel::proc::system_call(libdebug_kernel::Tid(0)), None); // there is no such thread
/// ```
pub fn system_call(tid: Tid) -> Option<u64> {
    let call = fs::read_to_string(format!("/proc/{tid}/syscall")).ok()?;
    call.split_ascii_whitespace().next()?.parse().ok()
}

/// The host's own environment: what a program inherits.
pub fn environment() -> impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)> {
    std::env::vars_os()
}

/// The file that execvp(3) would execute for `program`: itself when it has a slash, else the first executable
/// one of that name in the directories of PATH; itself again when there is none.
pub fn find_program(program: &Path) -> PathBuf {
    let bare = program.components().count() == 1 && !program.as_os_str().as_encoded_bytes().contains(&b'/');
    let directories = std::env::var_os("PATH").filter(|_| bare).unwrap_or_default();
    let mut candidates = std::env::split_paths(&directories).map(|directory| directory.join(program));
    candidates.find(|file| is_executable(file)).unwrap_or_else(|| program.to_owned())
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(bytes);
    u64::from_ne_bytes(word)
}

fn read(tid: Tid, call: &'static str, path: &str) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| gone(call, tid, &error))
}

fn gone(call: &'static str, tid: Tid, error: &std::io::Error) -> KernelError {
    let errno = match error.raw_os_error() {
        Some(libc::ENOENT) | None => libc::ESRCH,
        Some(errno) => errno,
    };
    KernelError::new(call, tid, Errno(errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn map_lines_of_every_shape() {
        let anonymous = parse_map(b"7f00-7f10 rw-p 00000000 00:00 0 ").unwrap();
        assert_eq!((anonymous.path.as_str(), anonymous.has_file()), ("", false));
        assert_eq!((anonymous.name().as_ref(), anonymous.is_private()), ("anon_7f00", true));
        let spaced = parse_map(b"1000-2000 r--s 00000200 fe:01 77        /a b/c (deleted)").unwrap();
        assert_eq!((spaced.path.as_str(), spaced.inode), ("/a b/c (deleted)", 77));
        assert_eq!((spaced.name().as_ref(), spaced.is_private()), ("/a b/c (deleted)", false));
        let high =
            parse_map(b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0      [vsyscall]").unwrap();
        assert!(high.is_executable() && high.contains(0xffff_ffff_ff60_0800));
        for damaged in [&b""[..], b"1000-2000", b"x-y r--p 0 0 0", b"1000-2000 r--ps 0 0:0 0"] {
            assert_eq!(parse_map(damaged), None);
        }
    }

    #[test]
    fn the_host_can_be_looked_at() {
        let own = Pid(std::process::id().cast_signed());
        assert!(maps(own).unwrap().iter().any(Map::is_executable));
        assert!(tasks(own).unwrap().contains(&own.leader()));
        assert_eq!(status(own.leader()).unwrap().process, own);
        assert!(auxiliary(own, auxiliary_key::ENTRY).unwrap().is_some());
        assert_eq!(auxiliary_vector(own).unwrap().len() % 16, 0);
        assert!(!command_line(own).unwrap().is_empty());
        assert!(randomizes_addresses(own).is_some());
        assert!(matches!(status(Tid(i32::MAX)), Err(KernelError::Gone { .. })));
    }
}
