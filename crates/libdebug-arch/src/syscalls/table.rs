use std::collections::HashMap;

use super::Syscall;

/// What the file of an ABI says, ready to be looked up.
pub(super) struct Table {
    /// By number.
    pub(super) rows: Vec<Syscall>,
    /// Where in `rows` a name is.
    names: HashMap<&'static str, usize>,
}

impl Table {
    /// A line that is no row is passed over; a test sees to it that there is none.
    pub(super) fn read(text: &'static str) -> Self {
        let mut rows: Vec<Syscall> = text.lines().filter_map(row).collect();
        rows.sort_unstable_by_key(|row| row.number);
        let names = index(&rows);
        Self { rows, names }
    }

    pub(super) fn by_number(&self, number: u32) -> Option<&Syscall> {
        let place = self.rows.binary_search_by_key(&number, |row| row.number).ok()?;
        self.rows.get(place)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Syscall> {
        self.rows.get(*self.names.get(name)?)
    }
}

fn row(line: &'static str) -> Option<Syscall> {
    let mut fields = line.split('\t');
    let number = fields.next()?.parse().ok()?;
    let (name, uapi_name) = (fields.next()?, fields.next()?);
    let arguments = fields.next().unwrap_or_default();
    let implemented = arguments != "-";
    let arguments = if implemented {
        arguments.split(", ").filter(|text| !text.is_empty()).collect()
    } else {
        Box::default()
    };
    Some(Syscall { number, name, uapi_name, implemented, arguments })
}

/// Calls are entered in the order in which they have a right to a name.
fn index(rows: &[Syscall]) -> HashMap<&'static str, usize> {
    let same = rows.iter().enumerate().filter(|(_, row)| row.name == row.uapi_name);
    let names = same.chain(rows.iter().enumerate()).map(|(place, row)| (row.name, place));
    let uapi_names = rows.iter().enumerate().map(|(place, row)| (row.uapi_name, place));
    let mut index = HashMap::with_capacity(2 * rows.len());
    for (name, place) in names.chain(uapi_names) {
        index.entry(name).or_insert(place);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::{super::SyscallAbi, row};

    #[test]
    fn every_line_is_a_row() {
        for text in [include_str!("x86_64.tsv"), include_str!("i386.tsv"), include_str!("aarch64.tsv")] {
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                assert!(row(line).is_some_and(|row| row.arguments.len() <= 6), "{line}");
            }
        }
    }

    #[test]
    fn no_number_is_there_twice() {
        for abi in SyscallAbi::ALL {
            let rows = &abi.table().rows;
            assert!(rows.windows(2).all(|pair| pair[0].number < pair[1].number), "{abi:?}");
        }
    }
}
