//! What the kernel itself knows of a stop's system call: PTRACE_GET_SYSCALL_INFO, decoded.

use crate::error::Result;
use crate::ids::Tid;
use crate::ptrace::Ptrace;

/// Where a stopped tracee is in a system call, by the kernel's own record (ptrace(2),
/// `PTRACE_GET_SYSCALL_INFO`): no count of stops can get this wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyscallInfo {
    /// In no syscall-stop.
    Outside,
    /// syscall-enter-stop.
    Enter(SyscallCall),
    /// syscall-exit-stop.
    Exit {
        /// What the call returns; a negative errno on failure.
        value: i64,
        /// Whether that is a failure.
        is_error: bool,
    },
    /// seccomp-stop: before the call, for which a filter has answered SECCOMP_RET_TRACE.
    Seccomp {
        /// The call.
        call: SyscallCall,
        /// The filter's data (SECCOMP_RET_DATA).
        data: u32,
    },
}

/// A system call that is about to be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyscallCall {
    /// The `AUDIT_ARCH_*` value of the calling convention.
    pub audit_arch: u32,
    /// Its number, in that convention's table.
    pub number: u64,
    /// Its six arguments, whether it has so many or not.
    pub arguments: [u64; 6],
}

/// The longest layout: `struct ptrace_syscall_info` of linux/ptrace.h, as 64-bit words.
pub(crate) const WORDS: usize = 11;

const OP_ENTRY: u8 = 1;
const OP_EXIT: u8 = 2;
const OP_SECCOMP: u8 = 3;

/// Words: 0 holds `op` (byte 0) and `arch` (bytes 4 to 7), 1 the instruction pointer, 2 the stack pointer; then
/// what the operation has.
fn decode(words: &[u64; WORDS]) -> SyscallInfo {
    match words[0].to_le_bytes()[0] {
        OP_ENTRY => SyscallInfo::Enter(call(words)),
        OP_EXIT => SyscallInfo::Exit { value: words[3].cast_signed(), is_error: words[4] & 0xff != 0 },
        OP_SECCOMP => SyscallInfo::Seccomp { call: call(words), data: words[10] as u32 },
        _ => SyscallInfo::Outside,
    }
}

fn call(words: &[u64; WORDS]) -> SyscallCall {
    let mut arguments = [0; 6];
    arguments.copy_from_slice(&words[4..10]);
    SyscallCall { audit_arch: (words[0] >> 32) as u32, number: words[3], arguments }
}

impl Ptrace {
    /// Where `tid` is in a system call (PTRACE_GET_SYSCALL_INFO, Linux 5.3).
    ///
    /// # Errors
    /// [`KernelError::Gone`](crate::KernelError::Gone) when it died or runs.
    pub fn syscall_info(self, tid: Tid) -> Result<SyscallInfo> {
        let mut words = [0; WORDS];
        self.syscall_info_words(tid, &mut words)?;
        Ok(decode(&words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_told_apart() {
        const X86_64: u64 = 0xc000_003e;
        let words = |op: u64, rest: [u64; 8]| {
            let mut words = [0; WORDS];
            words[0] = X86_64 << 32 | op;
            words[3..].copy_from_slice(&rest);
            decode(&words)
        };
        let read = SyscallCall { audit_arch: X86_64 as u32, number: 0, arguments: [1, 2, 3, 4, 5, 6] };
        assert_eq!(words(0, [0; 8]), SyscallInfo::Outside);
        assert_eq!(words(1, [0, 1, 2, 3, 4, 5, 6, 9]), SyscallInfo::Enter(read));
        assert_eq!(
            words(2, [(-2_i64).cast_unsigned(), 0x1_01, 0, 0, 0, 0, 0, 0]),
            SyscallInfo::Exit { value: -2, is_error: true }
        );
        assert_eq!(words(3, [0, 1, 2, 3, 4, 5, 6, 7]), SyscallInfo::Seccomp { call: read, data: 7 });
    }
}
