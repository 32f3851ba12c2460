//! Searching a real process, and reading its instructions.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cont, program};
use libdebug::{Debugger, Error, FileScope, InstructionKind, MapChoice, SearchIn};

/// `haystack`, with its memory filled.
fn haystack() -> Debugger {
    let debugger = Debugger::builder(program("haystack")).run().unwrap();
    debugger.breakpoint("ready").unwrap();
    cont(&debugger);
    debugger
}

fn symbol(debugger: &Debugger, name: &str) -> u64 {
    debugger.resolve_symbol(name, &FileScope::Binary).unwrap().address
}

fn pointer(debugger: &Debugger, name: &str) -> u64 {
    let bytes = debugger.read_memory(symbol(debugger, name), 8).unwrap();
    u64::from_le_bytes(bytes.try_into().unwrap())
}

#[test]
fn texts_are_found_in_memory_of_every_kind() {
    let debugger = haystack();
    let find = |text: &str| debugger.find(text.as_bytes(), &SearchIn::everywhere()).unwrap();
    assert_eq!(find("across the maps"), [pointer(&debugger, "across") + 4090]);
    assert_eq!(find("nedle in the reserved"), [pointer(&debugger, "reserved") + (1 << 30)]);
    assert_eq!(find("a hidden page"), [pointer(&debugger, "hidden") + 8]);
    debugger.set_fast_memory(false);
    let binary = SearchIn { maps: MapChoice::Binary, ..SearchIn::everywhere() };
    let word_by_word = debugger.find(b"a text at the end", &binary).unwrap();
    assert!(word_by_word.contains(&symbol(&debugger, "text")));
}

#[test]
fn pointers_are_found_and_followed() {
    let debugger = haystack();
    let (chain, text) = (symbol(&debugger, "chain"), symbol(&debugger, "text"));
    let found = debugger.find_pointers(&MapChoice::At(chain), &MapChoice::At(text), 8).unwrap();
    assert!(found.contains(&(chain + 16, text)));
    let telescope = debugger.telescope(chain, 10, 17).unwrap();
    assert_eq!(telescope.chain[..4], [chain, chain + 8, chain + 16, text]);
    assert_eq!(telescope.tail, b"a text at the end");
    let nowhere = debugger.find_pointers(&MapChoice::At(1), &MapChoice::All, 8);
    assert!(matches!(nowhere, Err(Error::NoSuchMap(_))));
}

#[test]
fn instructions_are_the_programs_own() {
    let debugger = haystack();
    let main = symbol(&debugger, "main");
    let lines = debugger.disassemble(main, 200).unwrap();
    let call = lines.iter().find(|line| line.text == "call ready").unwrap();
    assert_eq!((call.kind, call.target), (InstructionKind::Call, Some(symbol(&debugger, "ready"))));
    let set: Vec<_> = lines[..20]
        .iter()
        .map(|line| debugger.breakpoint(&format!("main+{:x}", line.address - main)).unwrap())
        .collect();
    assert_eq!(debugger.disassemble(main, 200).unwrap(), lines);
    drop(set);
    let nowhere = debugger.disassemble(0xdead_beef, 1);
    assert!(matches!(nowhere, Err(Error::BadAddress { address: 0xdead_beef, .. })));
}

#[test]
fn many_places_are_read_at_once() {
    let debugger = haystack();
    let (text, hidden) = (symbol(&debugger, "text"), pointer(&debugger, "hidden"));
    let mut bytes = [0; 10];
    debugger.read_memory_places(&[(text, 6), (hidden + 8, 3), (text + 2, 1)], &mut bytes).unwrap();
    assert_eq!(&bytes, b"a texta ht");
    let bad = debugger.read_memory_places(&[(text, 6), (0xdead_beef, 4)], &mut bytes);
    assert!(matches!(bad, Err(Error::BadAddress { address: 0xdead_beef, .. })));
}
