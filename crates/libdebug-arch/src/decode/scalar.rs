//! How wide a declared type is. The types are those of the kernel's own declarations.

use crate::SyscallAbi;

/// What a value of a type takes of its register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    bits: u32,
}

impl Scalar {
    pub(super) fn of(abi: SyscallAbi, declaration: &str) -> Self {
        let long = if abi == SyscallAbi::I386 { 32 } else { 64 };
        if Self::is_pointer(declaration) {
            return Self { bits: long };
        }
        let bits = match type_name(declaration) {
            "umode_t" | "old_uid_t" | "old_gid_t" => 16,
            "long" | "unsigned long" | "size_t" | "off_t" | "aio_context_t" | "old_sigset_t" => long,
            "loff_t" | "u64" | "__u64" => 64,
            _ => 32,
        };
        Self { bits }
    }

    /// A pointer, written as such or behind a name.
    pub(super) fn is_pointer(declaration: &str) -> bool {
        const NAMES: [&str; 3] = ["cap_user_header_t", "cap_user_data_t", "__sighandler_t"];
        declaration.contains('*') || NAMES.contains(&type_name(declaration))
    }

    pub(super) fn is_signed(declaration: &str) -> bool {
        const NAMES: [&str; 9] =
            ["int", "long", "loff_t", "off_t", "__s32", "key_t", "key_serial_t", "timer_t", "pid_t"];
        NAMES.contains(&type_name(declaration))
    }

    pub(super) const fn cut(self, register: u64) -> u64 {
        register & (u64::MAX >> (64 - self.bits))
    }

    pub(super) const fn sign_extend(self, register: u64) -> i64 {
        let unused = 64 - self.bits;
        (register << unused).cast_signed() >> unused
    }
}

/// The type in a declaration that is no pointer, without `const`.
pub(super) fn type_name(declaration: &str) -> &str {
    let (kind, _) = declaration.rsplit_once(' ').unwrap_or((declaration, ""));
    kind.strip_prefix("const ").unwrap_or(kind)
}

#[cfg(test)]
mod tests {
    use super::Scalar;
    use crate::SyscallAbi::{Aarch64, I386, X86_64};

    #[test]
    fn widths() {
        let rows = [
            (X86_64, "int fd", 32),
            (X86_64, "unsigned fd", 32),
            (X86_64, "umode_t mode", 16),
            (X86_64, "size_t count", 64),
            (I386, "size_t count", 32),
            (I386, "const char *path", 32),
            (Aarch64, "const char *path", 64),
            (I386, "cap_user_header_t header", 32),
            (Aarch64, "const clockid_t which_clock", 32),
            (X86_64, "const __u32 flags", 32),
            (X86_64, "__u64 mask", 64),
        ];
        for (abi, declaration, bits) in rows {
            assert_eq!(Scalar::of(abi, declaration).bits, bits, "{abi:?} {declaration}");
        }
    }

    #[test]
    fn values_of_a_width() {
        let int = Scalar { bits: 32 };
        assert_eq!(
            (int.cut(0xdead_0000_ffff_fffe), int.sign_extend(0xdead_0000_ffff_fffe)),
            (0xffff_fffe, -2)
        );
        let long = Scalar { bits: 64 };
        assert_eq!((long.cut(u64::MAX), long.sign_extend(u64::MAX)), (u64::MAX, -1));
    }
}
