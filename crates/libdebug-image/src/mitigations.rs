//! What a file was built with that makes attacks harder.

use crate::{Image, Machine};

/// How much of what the loader relocates is read-only afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relro {
    /// Nothing.
    None,
    /// What is bound before the program begins, but not the slots of functions that are bound when first called.
    Partial,
    /// Everything: all is bound before the program begins.
    Full,
}

/// What a file was built with that makes attacks harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mitigations {
    /// The loader may place it anywhere: a PIE, or a library.
    pub pie: bool,
    /// What is read-only after relocation.
    pub relro: Relro,
    /// Stack and data are not executable (`PT_GNU_STACK` without `PF_X`).
    pub nx: bool,
    /// Functions look after a canary on the stack: `__stack_chk_fail` is there.
    pub canary: bool,
    /// It allows that indirect branches are checked: Intel's IBT, on Arm BTI.
    pub ibt: bool,
    /// It allows a shadow stack (SHSTK); on Arm, return addresses are signed (PAC).
    pub shstk: bool,
    /// There is no `.symtab`.
    pub stripped: bool,
}

impl Image {
    /// What the file was built with that makes attacks harder.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # let image = libdebug_image::Image::parse(Arc::new(std::fs::read(std::env::current_exe()?)?))?;
    /// let found = image.mitigations();
    /// assert!(found.pie && found.nx && !found.stripped);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn mitigations(&self) -> Mitigations {
        let features = self.processor_features();
        Mitigations {
            pie: self.is_pie_like(),
            relro: self.relro(),
            nx: self.layout().hardening.stack_is_executable == Some(false),
            canary: self.checks_the_stack(),
            ibt: features & 1 != 0,
            shstk: features & 2 != 0,
            stripped: self.tables().symtab.is_none(),
        }
    }

    fn relro(&self) -> Relro {
        match (self.layout().hardening.has_relro, self.layout().linking.binds_now) {
            (false, _) => Relro::None,
            (true, false) => Relro::Partial,
            (true, true) => Relro::Full,
        }
    }

    fn checks_the_stack(&self) -> bool {
        let names = ["__stack_chk_fail", "__stack_chk_fail_local"];
        let is_name = |name: &str| names.contains(&name);
        names.iter().any(|name| self.symbol(name).is_some())
            || self.imports().iter().any(|import| is_name(&import.name))
    }

    /// The bits of `GNU_PROPERTY_X86_FEATURE_1_AND`, or of its equal on Arm; 0 without one.
    fn processor_features(&self) -> u32 {
        let wanted: u32 = if self.machine() == Machine::Aarch64 { 0xc000_0000 } else { 0xc000_0002 };
        let range = self.layout().hardening.properties.clone();
        let mut rest = range.and_then(|range| self.data().get(range)).unwrap_or_default();
        let alignment = if self.is_64_bit() { 8 } else { 4 };
        while let Some((header, tail)) = rest.split_at_checked(8) {
            let field =
                |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let (kind, size) = (field(0), field(4) as usize);
            if kind == wanted {
                return tail.first_chunk().map_or(0, |bits| u32::from_le_bytes(*bits));
            }
            rest = tail.get(size.next_multiple_of(alignment)..).unwrap_or_default();
        }
        0
    }
}
