//! Source lines: of an address, and the addresses of a line.

use std::sync::OnceLock;

use gimli::{AttributeValue, ColumnType, FileEntry, LineProgramHeader, LineRow};

use super::DebugInfo;
use super::sections::{Bytes, Dwarf, Unit};
use super::units::Walk;
use crate::FileAddress;
use crate::by_name::hash;

/// A unit of more rows than this is damaged.
const MOST_ROWS: usize = 4 << 20;
const MOST_FILES: usize = 1 << 16;

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceLine {
    /// The file, as the compiler was told: absolute, or relative to where it ran if that is not known.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1; 0 when it is not known.
    pub column: u32,
}

/// Where the code of a source line begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinePlace {
    /// The address of its first instruction; of a function's own line, the first behind its prologue.
    pub address: FileAddress,
    /// The file, in full.
    pub file: String,
    /// The line: the one that was asked for, or the next that has code.
    pub line: u32,
}

/// The line table of one unit.
#[derive(Debug, Default)]
pub(crate) struct UnitLines {
    files: Vec<Box<str>>,
    /// By address; of several at one address the last holds.
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    address: u64,
    file: u32,
    line: u32,
    column: u32,
    is_statement: bool,
    is_end: bool,
}

impl<'image> DebugInfo<'image> {
    /// The source line that the instruction at that address is of.
    #[must_use]
    pub fn source_line(self, address: FileAddress) -> Option<SourceLine> {
        let lines = self.lines_of(self.unit_at(address.0)?)?;
        let row = lines.at(address.0).filter(|row| row.line > 0)?;
        Some(SourceLine { file: lines.file(row.file)?.to_owned(), line: row.line, column: row.column })
    }

    /// Where the code of a line begins: one place for each function that has a copy of it, by address. When the line has
    /// no code, that of the next line which has.
    ///
    /// `file` is a path or the end of one: `main.c` is `/home/me/src/main.c`, too.
    #[must_use]
    pub fn line_places(self, file: &str, line: u32) -> Vec<LinePlace> {
        let units = self.units_with_file(file);
        let candidates = || units.iter().filter_map(|unit| self.lines_of(*unit));
        let at_or_behind = |row: &Row| row.is_statement && !row.is_end && row.line >= line.max(1);
        let best = candidates()
            .flat_map(|lines| lines.rows_in(file).filter(|row| at_or_behind(row)).map(|row| row.line));
        let Some(best) = best.min() else { return Vec::new() };
        let mut places: Vec<LinePlace> =
            candidates().flat_map(|lines| self.places_in(lines, file, best)).collect();
        places.sort_by_key(|place| place.address);
        places.dedup_by_key(|place| place.address);
        places
    }

    /// The lowest address in each function.
    fn places_in(self, lines: &UnitLines, file: &str, line: u32) -> Vec<LinePlace> {
        let mut places = Vec::new();
        let mut seen = Vec::new();
        for row in lines.rows_in(file).filter(|row| row.line == line && row.is_statement && !row.is_end) {
            let function = self.function_at(FileAddress(row.address)).map(|function| function.address.0);
            if seen.contains(&function) {
                continue;
            }
            seen.push(function);
            let address =
                if function == Some(row.address) { lines.behind_prologue(row) } else { row.address };
            let Some(file) = lines.file(row.file) else { continue };
            places.push(LinePlace { address: FileAddress(address), file: file.to_owned(), line });
        }
        places
    }

    /// The units that may have a file of that name; their line tables tell.
    fn units_with_file(self, file: &str) -> Vec<u32> {
        let index = self.store.files.get_or_init(|| self.file_index());
        let wanted = last_part_hash(file);
        let from = index.partition_point(|row| row.0 < wanted);
        index[from..].iter().take_while(|row| row.0 == wanted).map(|row| row.1).collect()
    }

    /// A hash of the last part of each file's path with the unit whose line table has it, sorted.
    fn file_index(self) -> Vec<(u32, u32)> {
        let mut walk = Walk::new(self, self.units());
        let mut index = Vec::new();
        while let Some((number, unit)) = walk.next() {
            let files = files(&walk.dwarf, &unit);
            index.extend(files.iter().map(|path| (last_part_hash(path), number)));
        }
        index.sort_unstable();
        index.dedup();
        index
    }

    pub(super) fn unit_at(self, address: u64) -> Option<u32> {
        self.units().at(address).or_else(|| self.function_index().at(address).map(|row| row.unit))
    }

    pub(super) fn lines_of(self, unit: u32) -> Option<&'image UnitLines> {
        let all = self.store.lines.get_or_init(|| (0..self.units().len()).map(|_| OnceLock::new()).collect());
        Some(all.get(unit as usize)?.get_or_init(|| self.read_lines(unit).unwrap_or_default()))
    }

    fn read_lines(self, index: u32) -> Option<UnitLines> {
        let dwarf = self.dwarf();
        let unit = self.unit(&dwarf, index)?;
        let mut all = unit.line_program.clone()?.rows();
        let (mut rows, mut from) = (Vec::new(), 0);
        while let Ok(Some((_, row))) = all.next_row() {
            rows.push(plain(row));
            if row.end_sequence() {
                // What the linker has dropped begins at address 0.
                if rows.get(from).is_none_or(|first: &Row| first.address <= 1) {
                    rows.truncate(from);
                }
                from = rows.len();
            }
            if rows.len() > MOST_ROWS {
                break;
            }
        }
        rows.sort_by_key(|row| (row.address, !row.is_end));
        let files = files(&dwarf, &unit).into_iter().map(String::into_boxed_str).collect();
        Some(UnitLines { files, rows })
    }
}

impl UnitLines {
    fn at(&self, address: u64) -> Option<&Row> {
        let behind = self.rows.partition_point(|row| row.address <= address);
        self.rows.get(behind.checked_sub(1)?).filter(|row| !row.is_end)
    }

    pub(super) fn file(&self, index: u32) -> Option<&str> {
        self.files.get(index as usize).map(|path| &**path)
    }

    fn rows_in<'l>(&'l self, file: &str) -> impl Iterator<Item = &'l Row> + use<'l> {
        let is_meant: Vec<bool> = self.files.iter().map(|path| is_end_of(file, path)).collect();
        self.rows.iter().filter(move |row| is_meant.get(row.file as usize) == Some(&true))
    }

    /// Compilers end a prologue with a row of its own, as debuggers expect it.
    fn behind_prologue(&self, first: &Row) -> u64 {
        let behind = self.rows.partition_point(|row| row.address <= first.address);
        match self.rows.get(behind) {
            Some(row) if !row.is_end && row.is_statement && row.line > 0 => row.address,
            _ => first.address,
        }
    }
}

fn last_part_hash(path: &str) -> u32 {
    hash(path.rsplit('/').next().unwrap_or_default().as_bytes())
}

/// Whether `name` is the path or its last parts.
fn is_end_of(name: &str, path: &str) -> bool {
    path.strip_suffix(name)
        .is_some_and(|before| before.is_empty() || before.ends_with('/') || name.starts_with('/'))
}

fn plain(row: &LineRow) -> Row {
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Row {
        address: row.address(),
        file: small(row.file_index()),
        line: row.line().map_or(0, |line| small(line.get())),
        column: match row.column() {
            ColumnType::LeftEdge => 0,
            ColumnType::Column(column) => small(column.get()),
        },
        is_statement: row.is_stmt(),
        is_end: row.end_sequence(),
    }
}

/// The files of a unit's line table, by the numbers that its rows use.
fn files(dwarf: &Dwarf<'_>, unit: &Unit<'_>) -> Vec<String> {
    let Some(program) = &unit.line_program else { return Vec::new() };
    let header = program.header();
    // Before version 5, numbers begin with 1.
    let first = usize::from(header.version() < 5);
    let paths = header.file_names().iter().take(MOST_FILES).map(|file| path(dwarf, unit, header, file));
    std::iter::repeat_n(String::new(), first).chain(paths).collect()
}

fn path<'a>(
    dwarf: &Dwarf<'a>,
    unit: &Unit<'a>,
    header: &LineProgramHeader<Bytes<'a>>,
    file: &FileEntry<Bytes<'a>>,
) -> String {
    let text = |value: AttributeValue<Bytes<'a>>| {
        dwarf.attr_string(unit, value).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let directory = file.directory(header).map(text).unwrap_or_default();
    let unit_directory = unit.comp_dir.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    join(&unit_directory, &join(&directory, &text(file.path_name())))
}

fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() || name.starts_with('/') || name.is_empty() {
        return name.to_owned();
    }
    format!("{}/{name}", directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_meant_by_the_end_of_its_path() {
        for (name, path, expected) in [
            ("main.c", "/src/main.c", true),
            ("src/main.c", "/src/main.c", true),
            ("/src/main.c", "/src/main.c", true),
            ("ain.c", "/src/main.c", false),
            ("other.c", "/src/main.c", false),
            ("main.c", "main.c", true),
        ] {
            assert_eq!(is_end_of(name, path), expected, "{name} of {path}");
        }
    }
}
