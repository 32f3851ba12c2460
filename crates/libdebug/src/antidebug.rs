//! What a program that looks for its debugger is shown: what it would see without one.

use std::path::Path;

use libdebug_arch::x86_64::index;
use libdebug_kernel::{Tid, proc};

use crate::error::Result;
use crate::mailbox::lock;
use crate::process::Process;

const READ: u64 = 0;
const PREAD: u64 = 17;
const PTRACE: u64 = 101;
const TRACEME: u64 = 0;

/// What a system call that has just been made tells of a debugger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telltale {
    /// PTRACE_TRACEME fails for whom somebody traces already.
    TraceMe,
    /// `TracerPid:` in `/proc/PID/status`, read into a buffer.
    Read { descriptor: u64, buffer: u64, length: usize },
}

fn telltale(number: u64, arguments: [u64; 2], result: i64) -> Option<Telltale> {
    match number {
        PTRACE if arguments[0] == TRACEME => Some(Telltale::TraceMe),
        READ | PREAD if result > 0 => {
            let length = usize::try_from(result).ok()?;
            Some(Telltale::Read { descriptor: arguments[0], buffer: arguments[1], length })
        }
        _ => None,
    }
}

/// Whether `path` is a file that names the tracer of a thread.
fn names_tracer(path: &Path) -> bool {
    path.starts_with("/proc") && path.file_name().is_some_and(|name| name == "status")
}

/// `text` of such a file with no tracer in it; `None` where it names another one than `tracer`, or none.
fn without_tracer(text: &[u8], tracer: i32) -> Option<Vec<u8>> {
    let line = format!("TracerPid:\t{tracer}\n");
    let place = text.windows(line.len()).position(|window| window == line.as_bytes())?;
    let (before, behind) = (&text[..place], &text[place + line.len()..]);
    Some([before, b"TracerPid:\t0\n", behind].concat())
}

impl Process {
    /// At a syscall-exit-stop, before anybody else looks at it.
    pub(crate) fn disguise(&mut self, tid: Tid) -> Result<()> {
        self.load_general(tid)?;
        let Some(thread) = self.threads.get(&tid) else { return Ok(()) };
        let Some(general) = lock(&thread.cell.registers).general().map(|general| general.0) else {
            return Ok(());
        };
        let arguments = [general[index::RDI], general[index::RSI]];
        match telltale(general[index::ORIG_RAX], arguments, general[index::RAX].cast_signed()) {
            // The second one fails without a debugger too.
            Some(Telltale::TraceMe) if !std::mem::replace(&mut self.traced_by_parent, true) => {
                lock(&thread.cell.registers).change_general(index::RAX, |_| 0);
            }
            Some(Telltale::Read { descriptor, buffer, length }) => {
                self.hide_tracer(tid, descriptor, buffer, length);
            }
            Some(Telltale::TraceMe) | None => {}
        }
        Ok(())
    }

    fn hide_tracer(&self, tid: Tid, descriptor: u64, buffer: u64, length: usize) {
        if !proc::descriptor(tid, descriptor).is_ok_and(|path| names_tracer(&path)) {
            return;
        }
        let memory = self.session.memory();
        let mut text = vec![0; length];
        if memory.read(buffer, &mut text) != length {
            return;
        }
        let Some(text) = without_tracer(&text, self.ptrace.own_tid().0) else { return };
        memory.write(buffer, &text);
        if let Some(thread) = self.threads.get(&tid) {
            lock(&thread.cell.registers).change_general(index::RAX, |_| text.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_of_a_debugger_is_looked_at() {
        assert_eq!(telltale(PTRACE, [0, 0], -1), Some(Telltale::TraceMe));
        assert_eq!(telltale(PTRACE, [1, 0], -1), None);
        assert_eq!(telltale(READ, [3, 9], 0), None);
        assert_eq!(telltale(PREAD, [3, 9], 5), Some(Telltale::Read { descriptor: 3, buffer: 9, length: 5 }));
        assert_eq!(telltale(1, [3, 9], 5), None);
    }

    #[test]
    fn status_files_name_tracers() {
        for path in ["/proc/1/status", "/proc/1/task/2/status"] {
            assert!(names_tracer(Path::new(path)));
        }
        for path in ["/proc/1/stat", "/tmp/status", "pipe:[1]"] {
            assert!(!names_tracer(Path::new(path)));
        }
    }

    #[test]
    fn only_our_own_number_is_taken_out() {
        let text = b"Pid:\t7\nTracerPid:\t123\nUid:\t0\n";
        assert_eq!(without_tracer(text, 123).unwrap(), b"Pid:\t7\nTracerPid:\t0\nUid:\t0\n");
        assert_eq!(without_tracer(text, 12), None);
        assert_eq!(without_tracer(b"", 1), None);
    }
}
