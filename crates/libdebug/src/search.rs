//! Searching memory: for bytes, for pointers, and along pointers.

use std::collections::BTreeSet;
use std::ops::Range;

use libdebug_kernel::proc::Map;
use memchr::{memchr_iter, memmem};

use crate::debugger::Debugger;
use crate::error::{Error, Result};
use crate::scan::{Patience, Scanner, merged, worth_reading};
use crate::space::AddressSpace;

/// Which of a process's maps are meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum MapChoice {
    /// All of them.
    #[default]
    All,
    /// The one that holds this address.
    At(u64),
    /// Those of the program.
    Binary,
    /// Those whose backing file's path, or name, contains this; the program's name means only the program.
    File(String),
}

impl MapChoice {
    /// As users name it: `all`, `binary`, or a part of a file's path.
    ///
    /// ```
    /// use libdebug::MapChoice;
    /// assert_eq!(MapChoice::parse("all"), MapChoice::All);
    /// assert_eq!(MapChoice::parse("heap"), MapChoice::File("heap".to_owned()));
    /// ```
    pub fn parse(name: &str) -> Self {
        match name {
            "all" | "ALL" | "*" | "hybrid" | "absolute" => Self::All,
            "binary" => Self::Binary,
            name => Self::File(name.to_owned()),
        }
    }
}

/// Where to search for bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchIn {
    /// In which maps.
    pub maps: MapChoice,
    /// The first address. When the maps are those of a file, one below them is relative to the first.
    pub start: Option<u64>,
    /// The first address behind, in the same way; the end of a map is one.
    pub end: Option<u64>,
}

impl SearchIn {
    /// All memory of the process.
    pub fn everywhere() -> Self {
        Self::default()
    }
}

/// What [`Debugger::telescope`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telescope {
    /// The address, and each next value, read at the one before it.
    pub chain: Vec<u64>,
    /// A value leads to one before it, and so on for ever.
    pub has_loop: bool,
    /// The bytes from the last place on that was read, if the value there is itself no address of readable memory.
    pub tail: Vec<u8>,
}

impl Debugger {
    /// All addresses at which `pattern` lies, ascending; they can overlap. What cannot be read is skipped, and so
    /// is what the program has reserved and never touched; a breakpoint's trap is never seen.
    ///
    /// ```
    /// use libdebug::{Debugger, SearchIn};
    /// # fn main() -> libdebug::Result<()> {
    /// let debugger = Debugger::builder("/bin/true").run()?;
    /// assert!(!debugger.find(b"\x7fELF", &SearchIn::everywhere())?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchMap`], [`Error::NotMapped`], [`Error::BadSearch`], [`Error::Interrupted`], and those of
    /// [`Debugger::wait`].
    pub fn find(&self, pattern: &[u8], within: &SearchIn) -> Result<Vec<u64>> {
        let patience = Patience::of(&*self.shared().host);
        find(&self.space()?, pattern, within, &patience)
    }

    /// All pointers that lie in the maps of `from`, looked for at every `step`th byte of each, and lead into the
    /// maps of `to`: where each lies, and where it leads, ascending by where it lies.
    ///
    /// # Errors
    /// As [`Debugger::find`].
    pub fn find_pointers(&self, from: &MapChoice, to: &MapChoice, step: usize) -> Result<Vec<(u64, u64)>> {
        let patience = Patience::of(&*self.shared().host);
        find_pointers(&self.space()?, from, to, step, &patience)
    }

    /// Follows pointers from `address` on, at most `depth` of them. At most `tail` bytes are answered of what the last
    /// one leads to.
    ///
    /// # Errors
    /// [`Error::Interrupted`], and those of [`Debugger::wait`].
    pub fn telescope(&self, address: u64, depth: usize, tail: usize) -> Result<Telescope> {
        let patience = Patience::of(&*self.shared().host);
        telescope(&self.space()?, address, depth, tail, &patience)
    }
}

pub(crate) fn find(
    space: &dyn AddressSpace,
    pattern: &[u8],
    within: &SearchIn,
    patience: &Patience<'_>,
) -> Result<Vec<u64>> {
    if pattern.is_empty() {
        return Err(Error::BadSearch("there is nothing to search for: the value is empty"));
    }
    let maps = choose(space, &within.maps, "backing file")?;
    let bounds = bounds(&maps, within)?;
    let mut hits = Hits { pattern, finder: memmem::Finder::new(pattern), found: Vec::new(), patience };
    let mut scanner = Scanner::new(space, patience, pattern.len() - 1);
    // Zeros are also where nothing was ever written.
    let everywhere = pattern.iter().all(|byte| *byte == 0);
    for run in merged(&maps) {
        let run = run.start.max(bounds.start)..run.end.min(bounds.end);
        let margin = pattern.len() as u64 - 1;
        let parts = if run.is_empty() {
            Vec::new()
        } else if everywhere {
            vec![run]
        } else {
            worth_reading(space, &maps, &run, margin)
        };
        for part in parts {
            scanner.scan(part, |address, bytes| hits.look(address, bytes))?;
        }
    }
    Ok(hits.found)
}

/// Where a pattern was found, so far.
struct Hits<'a> {
    pattern: &'a [u8],
    finder: memmem::Finder<'a>,
    found: Vec<u64>,
    patience: &'a Patience<'a>,
}

impl Hits<'_> {
    fn look(&mut self, address: u64, bytes: &[u8]) -> Result<()> {
        if let [byte] = self.pattern {
            self.found.extend(memchr_iter(*byte, bytes).map(|offset| address + offset as u64));
            return Ok(());
        }
        let (mut at, mut compared) = (0, 0);
        while let Some(offset) = self.finder.find(&bytes[at..]) {
            self.found.push(address + (at + offset) as u64);
            at += offset + 1;
            compared += self.pattern.len();
            // A long pattern that repeats itself in what repeats itself too is compared again at each byte.
            if compared > 1 << 22 {
                compared = 0;
                self.patience.check()?;
            }
        }
        Ok(())
    }
}

/// The addresses that `within` allows.
fn bounds(maps: &[Map], within: &SearchIn) -> Result<Range<u64>> {
    let is_file = matches!(within.maps, MapChoice::Binary | MapChoice::File(_));
    let place = |address: Option<u64>, otherwise: u64, is_end: bool| match address {
        None => Ok(otherwise),
        Some(address) if is_file => in_maps(maps, address, is_end),
        Some(address) => Ok(address),
    };
    let (start, end) = (place(within.start, 0, false)?, place(within.end, u64::MAX, true)?);
    if end < start {
        Err(Error::BadSearch("Invalid range: its end lies before its start."))
    } else {
        Ok(start..end)
    }
}

/// An address relative to the first of the maps, or in one of them. An end may lie right behind one, as it is not
/// searched itself.
fn in_maps(maps: &[Map], address: u64, is_end: bool) -> Result<u64> {
    let base = maps.first().map_or(0, |map| map.start);
    let absolute = if address < base { address.saturating_add(base) } else { address };
    let belongs = |map: &Map| map.contains(absolute) || is_end && map.end == absolute;
    match maps.iter().find(|map| belongs(map)) {
        Some(_) => Ok(absolute),
        None => Err(Error::NotMapped {
            address,
            file: maps.first().map_or(String::new(), |map| map.path.clone()),
        }),
    }
}

/// The maps that are meant; `role` says for what, where there are none.
fn choose(space: &dyn AddressSpace, choice: &MapChoice, role: &'static str) -> Result<Vec<Map>> {
    let maps = space.maps()?;
    let chosen: Vec<Map> = match choice {
        MapChoice::All => maps.to_vec(),
        MapChoice::At(address) => maps.iter().filter(|map| map.contains(*address)).cloned().collect(),
        MapChoice::Binary => of_file(&maps, &space.program()?),
        MapChoice::File(name) => {
            let program = space.program()?;
            let is_program = *name == program || program.rsplit('/').next() == Some(name);
            if is_program { of_file(&maps, &program) } else { named(&maps, name) }
        }
    };
    if chosen.is_empty() { Err(Error::NoSuchMap(role)) } else { Ok(chosen) }
}

fn of_file(maps: &[Map], path: &str) -> Vec<Map> {
    maps.iter().filter(|map| map.path == path).cloned().collect()
}

fn named(maps: &[Map], part: &str) -> Vec<Map> {
    maps.iter().filter(|map| map.name().contains(part)).cloned().collect()
}

const POINTER: usize = 8;

pub(crate) fn find_pointers(
    space: &dyn AddressSpace,
    from: &MapChoice,
    to: &MapChoice,
    step: usize,
    patience: &Patience<'_>,
) -> Result<Vec<(u64, u64)>> {
    if step == 0 {
        return Err(Error::BadSearch("The step must be greater than 0."));
    }
    let targets = Targets(merged(&choose(space, to, "target")?));
    let mut scanner = Scanner::new(space, patience, POINTER - 1);
    let mut found = Vec::new();
    for map in choose(space, from, "where parameter")? {
        let whole = map.start..map.end;
        let parts = if targets.hold(0) {
            vec![whole]
        } else {
            worth_reading(space, std::slice::from_ref(&map), &whole, POINTER as u64 - 1)
        };
        for part in parts {
            scanner.scan(part, |address, bytes| {
                collect_pointers(address, bytes, (address - map.start) as usize, step, &targets, &mut found);
                Ok(())
            })?;
        }
    }
    Ok(found)
}

/// Where pointers may lead, ascending.
struct Targets(Vec<Range<u64>>);

impl Targets {
    fn hold(&self, address: u64) -> bool {
        let next = self.0.partition_point(|range| range.start <= address);
        next > 0 && address < self.0[next - 1].end
    }
}

/// `offset` is the distance of `bytes` from where the steps begin.
fn collect_pointers(
    address: u64,
    bytes: &[u8],
    offset: usize,
    step: usize,
    targets: &Targets,
    found: &mut Vec<(u64, u64)>,
) {
    let lowest = targets.0.first().map_or(u64::MAX, |range| range.start);
    let first = (step - offset % step) % step;
    let mut at = first;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<POINTER>) {
        let value = u64::from_le_bytes(*word);
        if value >= lowest && targets.hold(value) {
            found.push((address + at as u64, value));
        }
        at = at.saturating_add(step);
    }
}

pub(crate) fn telescope(
    space: &dyn AddressSpace,
    address: u64,
    depth: usize,
    tail: usize,
    patience: &Patience<'_>,
) -> Result<Telescope> {
    let mut chain = vec![address];
    let mut seen = BTreeSet::from([address]);
    let (mut place, mut has_loop) = (address, false);
    while chain.len() <= depth
        && let Some(value) = read_pointer(space, place)?
    {
        patience.check()?;
        has_loop = has_loop || !seen.insert(value);
        chain.push(value);
        place = value;
    }
    let is_last = chain.len() > 1 && read_pointer(space, place)?.is_none();
    let tail = if is_last { read_tail(space, chain[chain.len() - 2], tail)? } else { Vec::new() };
    Ok(Telescope { chain, has_loop, tail })
}

fn read_pointer(space: &dyn AddressSpace, address: u64) -> Result<Option<u64>> {
    let mut word = [0; POINTER];
    let read = space.read(address, &mut word)?;
    Ok((read == POINTER).then(|| u64::from_le_bytes(word)))
}

fn read_tail(space: &dyn AddressSpace, address: u64, size: usize) -> Result<Vec<u8>> {
    // A text; nobody looks at more.
    const MOST: usize = 1 << 20;
    let mut bytes = vec![0; size.min(MOST)];
    let read = space.read(address, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
