//! The line of an instruction, by the three kinds of tables that code objects had.
//!
//! Sources: `Objects/lnotab_notes.txt` of 3.8 and 3.10, `Objects/locations.md` of 3.11. Damaged tables have no lines.

use crate::layout::LineTable;

/// The line of the instruction at `offset`, in bytes from the first; `None` for one that belongs to no line. An offset
/// before the first instruction means a frame that has not begun: its line is the first.
pub(crate) fn line_of(kind: LineTable, table: &[u8], first_line: i32, offset: i64) -> Option<u32> {
    let line = match kind {
        _ if offset < 0 => Some(first_line),
        LineTable::Increments => by_increments(table, first_line, offset),
        LineTable::Ranges => by_ranges(table, first_line, offset),
        LineTable::Locations => by_locations(table, first_line, offset),
    };
    line.and_then(|line| u32::try_from(line).ok())
}

/// Pairs of an address increment and a line increment; a line counts from its address on.
fn by_increments(table: &[u8], first_line: i32, offset: i64) -> Option<i32> {
    let mut line = first_line;
    let mut address = 0;
    for pair in table.chunks_exact(2) {
        address += i64::from(pair[0]);
        if address > offset {
            break;
        }
        line = line.wrapping_add(i32::from(pair[1].cast_signed()));
    }
    Some(line)
}

/// Pairs of a range's length and its line, relative to the last one; -128 for no line.
fn by_ranges(table: &[u8], first_line: i32, offset: i64) -> Option<i32> {
    const NONE: i8 = -128;
    let mut line = first_line;
    let mut end = 0;
    for pair in table.chunks_exact(2) {
        let difference = pair[1].cast_signed();
        let has_line = difference != NONE;
        if has_line {
            line = line.wrapping_add(i32::from(difference));
        }
        end += i64::from(pair[0]);
        if offset < end {
            return has_line.then_some(line);
        }
    }
    None
}

/// Entries of a first byte with a code and a length in code units, and what the code says follows.
fn by_locations(table: &[u8], first_line: i32, offset: i64) -> Option<i32> {
    const UNIT: i64 = 2;
    let mut line = first_line;
    let mut end = 0;
    let mut rest = table;
    while let Some((&first, behind)) = rest.split_first() {
        let length = behind.iter().position(|byte| byte & 0x80 != 0).unwrap_or(behind.len());
        let (fields, next) = behind.split_at(length);
        let difference = line_difference(first >> 3 & 0xf, fields);
        line = line.wrapping_add(difference.unwrap_or(0));
        end += (i64::from(first & 7) + 1) * UNIT;
        if offset < end {
            return difference.map(|_| line);
        }
        rest = next;
    }
    None
}

/// By how much the line of an entry is greater than that of the entry before; `None` without a line.
fn line_difference(code: u8, fields: &[u8]) -> Option<i32> {
    match code {
        15 => None,
        13 | 14 => Some(signed(fields)),
        10..=12 => Some(i32::from(code) - 10),
        _ => Some(0),
    }
}

/// A number in groups of six bits, the lowest first, whose lowest bit is the sign.
fn signed(fields: &[u8]) -> i32 {
    let mut value: u32 = 0;
    for (place, byte) in fields.iter().enumerate().take(6) {
        value |= u32::from(byte & 0x3f) << (6 * place);
        if byte & 0x40 == 0 {
            break;
        }
    }
    let magnitude = (value >> 1).cast_signed();
    if value & 1 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increments_count_from_their_address_on() {
        let table = [0, 1, 4, 2, 6, 0xff];
        let line = |offset| line_of(LineTable::Increments, &table, 10, offset);
        let found: Vec<_> = [-1, 0, 2, 4, 8, 10, 400].map(line).into_iter().flatten().collect();
        assert_eq!(found, [10, 11, 11, 13, 13, 12, 12]);
    }

    #[test]
    fn ranges_can_have_no_line() {
        let table = [4, 1, 2, 0x80, 6, 2];
        let line = |offset| line_of(LineTable::Ranges, &table, 7, offset);
        assert_eq!(
            [-2, 0, 2, 4, 6, 10, 12].map(line),
            [Some(7), Some(8), Some(8), None, Some(10), Some(10), None]
        );
    }

    #[test]
    fn locations_of_every_form() {
        // Short form (same line), one line on, long form two lines back, none, no columns 40 lines on.
        let table =
            [0x80 | 1, 0x23, 0x80 | 11 << 3, 1, 2, 0x80 | 14 << 3, 5, 0, 1, 1, 0x80 | 15 << 3, 0xe8, 0x50, 1];
        let line = |offset| line_of(LineTable::Locations, &table, 20, offset);
        assert_eq!(
            [-2, 0, 2, 4, 6, 8, 10, 12].map(line),
            [Some(20), Some(20), Some(20), Some(21), Some(19), None, Some(59), None]
        );
    }

    #[test]
    fn damaged_tables_have_no_lines_or_some_but_do_no_harm() {
        for kind in [LineTable::Increments, LineTable::Ranges, LineTable::Locations] {
            for length in 0..5 {
                let _ = line_of(kind, &[0xff; 5][..length], i32::MAX, i64::MAX);
                let _ = line_of(kind, &[0x7f; 5][..length], i32::MIN, 3);
            }
        }
        assert_eq!(line_of(LineTable::Ranges, &[2, 0], -5, 0), None);
    }
}
