//! Source lines and variables of a stopped process.

use std::sync::Arc;

use libdebug_arch::x86_64::{RegisterValue, register};
use libdebug_image::{FileAddress, Frame, Image, InlinedCall, Registers, Spelling, Variable, demangle};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::lookup::{Step, debug_file, steps};
use crate::space::AddressSpace;
use crate::symbol_sources::SymbolSources;
use crate::symbols::{FileScope, Mapped, Note, Resolved, image_at, mapped_file};
use crate::thread::Thread;

/// Where an instruction comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// The source file, as the compiler was told.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1; 0 when it is not known.
    pub column: u32,
    /// The function, readable; of an inlined one, that one.
    pub function: Option<String>,
    /// The functions that were inlined there, the innermost first.
    pub inlined: Vec<InlinedCall>,
}

/// `file.c:42` as its parts; `None` for what is no line. `shape::area` is none, nor is `operator:7` of nothing.
pub(crate) fn split_line(text: &str) -> Option<(&str, u32)> {
    let (file, line) = text.rsplit_once(':')?;
    let line = line.parse().ok().filter(|line| *line > 0)?;
    (!file.is_empty() && !file.ends_with(':')).then_some((file, line))
}

/// The image that has the debug information of a mapped one: itself, or its debug file. That of the cheapest source.
fn with_info(image: &Arc<Image>, path: &str, sources: &SymbolSources) -> Option<Arc<Image>> {
    steps(sources.level).find_map(|step| info_of_step(image, path, sources, step))
}

fn info_of_step(image: &Arc<Image>, path: &str, sources: &SymbolSources, step: Step) -> Option<Arc<Image>> {
    let found = match step {
        Step::DebugInfo => Arc::clone(image),
        Step::DebugFileInfo | Step::Network => debug_file(image, path, sources, step)?.image,
        Step::Names | Step::Readable | Step::DebugFileTables => return None,
    };
    found.debug_info().is_some().then_some(found)
}

/// All virtual addresses where the code of a line begins, those of the program before those of other files.
fn line_addresses(
    space: &dyn AddressSpace,
    files: &[Mapped],
    name: &str,
    line: u32,
) -> Result<Vec<(u64, u32)>> {
    let sources = space.symbol_sources();
    let mut has_info = false;
    for step in steps(sources.level) {
        for file in files {
            let Some(image) = space.image(&file.path) else { continue };
            let Some(bias) = file.bias(&image) else { continue };
            let Some(info) = info_of_step(&image, &file.path, &sources, step) else { continue };
            has_info = true;
            let places = info.debug_info().map(|info| info.line_places(name, line)).unwrap_or_default();
            if !places.is_empty() {
                return Ok(places.iter().map(|place| (place.address.in_process(bias), place.line)).collect());
            }
        }
    }
    let reason = match has_info {
        false => "no mapped file has debug information (compile with -g)",
        true => "no mapped file was compiled from a file of that name with code at that line or behind it",
    };
    Err(Error::NoSuchLine { file: name.to_owned(), line, reason })
}

/// As for symbols: the first place, and what its user should know of the choice.
pub(crate) fn resolve_line(
    space: &dyn AddressSpace,
    name: &str,
    line: u32,
    scope: &FileScope,
) -> Result<Resolved> {
    let files = match scope {
        FileScope::Hybrid => Mapped::all(space)?,
        scope => vec![mapped_file(space, scope)?.0],
    };
    let found = line_addresses(space, &files, name, line)?;
    let mut notes = Vec::new();
    let (address, actual) = found[0];
    if actual != line {
        notes.push(Note::NextLine { file: name.to_owned(), line, actual });
    }
    if found.len() > 1 {
        notes.push(Note::SeveralPlaces { file: name.to_owned(), line: actual, count: found.len() });
    }
    Ok(Resolved { address, notes, indirect: false })
}

impl Debugger {
    /// The virtual addresses where the code of a source line begins: one in each function that has a copy of it. `file`
    /// is a path or the end of one. For a line without code, those of the next one that has.
    ///
    /// # Errors
    /// [`Error::NoSuchLine`] with the reason, and those of [`Debugger::wait`].
    pub fn line_addresses(&self, file: &str, line: u32) -> Result<Vec<u64>> {
        let space = self.space()?;
        let files = Mapped::all(&space)?;
        let found = line_addresses(&space, &files, file, line)?;
        Ok(found.into_iter().map(|(address, _)| address).collect())
    }

    /// The source line of the instruction at a virtual address; `None` where there is no debug information.
    ///
    /// # Errors
    /// Those of [`Debugger::wait`].
    pub fn source_line(&self, address: u64) -> Result<Option<SourceLocation>> {
        source_line(&self.space()?, address)
    }

    /// The variable of that name that is declared outside of functions, with its type and value: of the program, else of
    /// the first mapped file that has debug information of one.
    ///
    /// # Errors
    /// [`Error::NoSuchVariable`], and those of [`Debugger::wait`].
    pub fn variable(&self, name: &str) -> Result<Variable> {
        let space = self.space()?;
        let (sources, machine) = (space.symbol_sources(), Machine { space: &space, thread: None });
        for file in Mapped::all(&space)? {
            let Some(image) = space.image(&file.path) else { continue };
            let Some(load_bias) = file.bias(&image) else { continue };
            let Some(info) = with_info(&image, &file.path, &sources) else { continue };
            let frame = Frame { pc: FileAddress(0), load_bias, registers: &machine, cfa: None };
            if let Some(found) = info.debug_info().and_then(|info| info.global(name, &frame)) {
                return Ok(found);
            }
        }
        Err(Error::NoSuchVariable(name.to_owned()))
    }
}

/// The source line of the instruction at a virtual address.
pub(crate) fn source_line(space: &dyn AddressSpace, address: u64) -> Result<Option<SourceLocation>> {
    let Some((file, image, address)) = image_at(space, address)? else { return Ok(None) };
    let found = with_info(&image, &file.path, &space.symbol_sources());
    Ok(found.as_deref().and_then(Image::debug_info).and_then(|info| {
        let place = info.source_line(address)?;
        let inlined = info.inlined_at(address);
        let innermost = inlined.first().map(|call| call.name.clone());
        let around = || {
            let name = info.function_at(address)?.name;
            Some(demangle(name, Spelling::Full).unwrap_or_else(|| name.to_owned()))
        };
        let function = innermost.or_else(around);
        Some(SourceLocation { file: place.file, line: place.line, column: place.column, function, inlined })
    }))
}

impl Thread {
    /// Arguments and local variables of the function that the thread is in, as far as debug information tells: outer
    /// blocks' before inner ones', each with its type and value.
    ///
    /// ```no_run
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = libdebug::Debugger::builder("./program").run()?;
    /// debugger.breakpoint("work.c:42")?;
    /// debugger.cont()?;
    /// for variable in debugger.main_thread()?.variables()? {
    ///     println!("{} {} = {:?}", variable.of.name, variable.name, variable.value);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Debugger::wait`].
    pub fn variables(&self) -> Result<Vec<Variable>> {
        let (space, pc) = (self.debugger().space()?, self.pc()?);
        let Some((file, image, address)) = image_at(&space, pc)? else { return Ok(Vec::new()) };
        let Some(load_bias) = file.bias(&image) else { return Ok(Vec::new()) };
        let sources = space.symbol_sources();
        let Some(info) = with_info(&image, &file.path, &sources) else { return Ok(Vec::new()) };
        let machine = Machine { space: &space, thread: Some(self) };
        let mut frame = Frame { pc: address, load_bias, registers: &machine, cfa: None };
        // Debug files have no call frame information of their own.
        frame.cfa = frame.canonical_frame_address(&image);
        Ok(info.debug_info().map(|info| info.variables(&frame)).unwrap_or_default())
    }
}

/// A thread and the memory of its process, as location expressions see them.
struct Machine<'m> {
    space: &'m dyn AddressSpace,
    thread: Option<&'m Thread>,
}

/// The numbers of registers in DWARF: System V ABI, AMD64 supplement, figure 3.36.
const NUMBERS: [&str; 17] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15", "rip",
];

/// The first of 16 vector registers.
const FIRST_VECTOR: u16 = 17;

impl Registers for Machine<'_> {
    fn register(&self, number: u16) -> Option<u64> {
        let vector = || {
            let index = number.checked_sub(FIRST_VECTOR).filter(|index| *index < 16)?;
            register(&format!("xmm{index}"))
        };
        let register = NUMBERS.get(usize::from(number)).map_or_else(vector, |name| register(name))?;
        match self.thread?.read(register).ok()? {
            RegisterValue::U64(value) => Some(value),
            RegisterValue::U128(value) => Some(value as u64),
            _ => None,
        }
    }

    fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        self.space.read(address, buffer).is_ok_and(|count| count == buffer.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_from_symbols() {
        let table = [
            ("main.c:42", Some(("main.c", 42))),
            ("src/main.cpp:7", Some(("src/main.cpp", 7))),
            ("shape::area", None),
            ("main", None),
            ("main.c:0", None),
            (":42", None),
            ("a::5", None),
        ];
        for (text, expected) in table {
            assert_eq!(split_line(text), expected, "{text}");
        }
    }
}
