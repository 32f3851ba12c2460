use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};

/// What a single step over an instruction needs to know of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StepKind {
    /// Its step ends with the debug trap, and leaves nothing of the step behind.
    #[default]
    Plain,
    /// Asks the kernel for a service, `int 0x80` too.
    Syscall,
    /// Leaves a copy of the flags on the stack, the step's own among them.
    PushesFlags,
    /// A string instruction with a repeat prefix: each iteration is a step.
    Repeats,
    /// Raises an interrupt or trap on purpose.
    Interrupts,
    /// Loads the stack segment: the CPU puts the trap off until the next instruction is executed too.
    Shadows,
}

/// What a step over the first instruction of `bytes` is; [`StepKind::Plain`] for what is no instruction.
///
/// ```
/// use libdebug_arch::x86_64::{StepKind, step_kind};
/// assert_eq!(step_kind(&[0x0f, 0x05]), StepKind::Syscall);
/// assert_eq!(step_kind(&[0xf3, 0xa4]), StepKind::Repeats);
/// assert_eq!(step_kind(&[0xf3, 0xc3]), StepKind::Plain); // rep ret
/// assert_eq!(step_kind(&[0x9c]), StepKind::PushesFlags);
/// assert_eq!(step_kind(&[0xcc]), StepKind::Interrupts);
/// assert_eq!(step_kind(&[0x8e, 0xd0]), StepKind::Shadows); // mov ss, ax
/// ```
#[must_use]
pub fn step_kind(bytes: &[u8]) -> StepKind {
    let raw = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).decode();
    match raw.mnemonic() {
        Mnemonic::Syscall | Mnemonic::Sysenter => StepKind::Syscall,
        Mnemonic::Pushfq | Mnemonic::Pushf | Mnemonic::Pushfd => StepKind::PushesFlags,
        Mnemonic::Int if raw.immediate8() == 0x80 => StepKind::Syscall,
        Mnemonic::Int | Mnemonic::Int1 | Mnemonic::Int3 => StepKind::Interrupts,
        _ if raw.is_string_instruction() && (raw.has_rep_prefix() || raw.has_repne_prefix()) => {
            StepKind::Repeats
        }
        Mnemonic::Mov if raw.op0_kind() == OpKind::Register && raw.op0_register() == Register::SS => {
            StepKind::Shadows
        }
        _ => StepKind::Plain,
    }
}
