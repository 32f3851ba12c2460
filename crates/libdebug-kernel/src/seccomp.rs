//! Seccomp filters that stop a tracee at some system calls and let all others pass at native speed.

/// `AUDIT_ARCH_X86_64` of linux/audit.h.
pub const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// One instruction of classic BPF: `struct sock_filter` of linux/filter.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    operand: u32,
}

const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// Offsets in `struct seccomp_data` (seccomp(2)).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

const ALLOW: u32 = 0x7fff_0000;
const TRACE: u32 = 0x7ff0_0000;

/// The code of a filter that answers SECCOMP_RET_TRACE for the calls `numbers` of convention `audit_arch`, and
/// SECCOMP_RET_ALLOW for all others: what `filter` of `struct sock_fprog` points to, 8 bytes an instruction.
///
/// ```
/// let code = libdebug_kernel::trace_filter(libdebug_kernel::AUDIT_ARCH_X86_64, &[39]);
/// assert_eq!(code.len() / 8, 7);
/// ```
pub fn trace_filter(audit_arch: u32, numbers: &[u32]) -> Vec<u8> {
    let step = |code, operand| Instruction { code, if_true: 0, if_false: 0, operand };
    let mut program = vec![
        step(LOAD_WORD, ARCH),
        Instruction { code: JUMP_IF_EQUAL, if_true: 1, if_false: 0, operand: audit_arch },
        step(RETURN, ALLOW),
        step(LOAD_WORD, NUMBER),
    ];
    for &number in numbers {
        program.push(Instruction { code: JUMP_IF_EQUAL, if_true: 0, if_false: 1, operand: number });
        program.push(step(RETURN, TRACE));
    }
    program.push(step(RETURN, ALLOW));
    if numbers.is_empty() {
        program = vec![step(RETURN, ALLOW)];
    }
    program.iter().flat_map(encode).collect()
}

fn encode(instruction: &Instruction) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&instruction.code.to_le_bytes());
    (bytes[2], bytes[3]) = (instruction.if_true, instruction.if_false);
    bytes[4..].copy_from_slice(&instruction.operand.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers: classic BPF, as far as it is used here.
    fn run(code: &[u8], number: u32, arch: u32) -> u32 {
        let word = |at: usize| u32::from_le_bytes(code[at..at + 4].try_into().unwrap());
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let (operation, operand) = (word(at) as u16, word(at + 4));
            let (if_true, if_false) = (code[at + 2], code[at + 3]);
            at += 8;
            match operation {
                LOAD_WORD => accumulator = if operand == NUMBER { number } else { arch },
                JUMP_IF_EQUAL => {
                    at += 8 * usize::from(if accumulator == operand { if_true } else { if_false });
                }
                _ => return operand,
            }
        }
    }

    #[test]
    fn only_the_named_calls_of_the_convention_are_traced() {
        let code = trace_filter(AUDIT_ARCH_X86_64, &[39, 257]);
        for (number, arch, answer) in [
            (39, AUDIT_ARCH_X86_64, TRACE),
            (257, AUDIT_ARCH_X86_64, TRACE),
            (0, AUDIT_ARCH_X86_64, ALLOW),
            (39, 0x4000_0003, ALLOW),
        ] {
            assert_eq!(run(&code, number, arch), answer, "{number} {arch:#x}");
        }
        assert_eq!(run(&trace_filter(AUDIT_ARCH_X86_64, &[]), 39, AUDIT_ARCH_X86_64), ALLOW);
    }
}
