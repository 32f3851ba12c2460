//! The program's memory, without our traps in it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cont, finish, line, program, send};
use libdebug::{Action, BreakpointSpec, Debugger, Error, FileScope};

fn symbol(debugger: &Debugger, name: &str) -> u64 {
    debugger.resolve_symbol(name, &FileScope::Binary).unwrap().address
}

#[test]
fn reads_show_the_programs_bytes_and_never_a_trap() {
    let debugger = Debugger::builder(program("selfcheck")).run().unwrap();
    let hot = symbol(&debugger, "hot");
    let clean = debugger.read_memory(hot - 8, 64).unwrap();
    let set: Vec<_> = [0, 1, 4, 7]
        .map(|offset| {
            debugger
                .set_breakpoint(BreakpointSpec { action: Action::Count, ..BreakpointSpec::at(hot + offset) })
        })
        .into_iter()
        .map(Result::unwrap)
        .collect();
    for fast in [true, false] {
        debugger.set_fast_memory(fast);
        for start in 0..12 {
            for length in 1..40 {
                let bytes = debugger.read_memory(hot - 8 + start, length).unwrap();
                assert_eq!(bytes, clean[start as usize..][..length], "{start} {length} {fast}");
            }
        }
    }
    drop(set);
}

#[test]
fn writes_over_a_trap_keep_it_and_outlive_it() {
    for fast in [true, false] {
        let debugger = Debugger::builder(program("selfcheck")).run().unwrap();
        debugger.set_fast_memory(fast);
        let hot = symbol(&debugger, "hot");
        let breakpoint = debugger.breakpoint_with("hot", Action::Count).unwrap();
        debugger.cont().unwrap();
        let before = line(&debugger);
        common::interrupt(&debugger);
        // mov eax, 99; ret
        let code = [0xb8, 99, 0, 0, 0, 0xc3];
        debugger.write_memory(hot, &code).unwrap();
        assert_eq!(debugger.read_memory(hot, 6).unwrap(), code);
        debugger.cont().unwrap();
        send(&debugger, "\n");
        assert!(line(&debugger).ends_with("hot=99"));
        assert_eq!(breakpoint.hit_count(), 2, "still there");
        common::interrupt(&debugger);
        breakpoint.remove().unwrap();
        assert_eq!(debugger.read_memory(hot, 6).unwrap(), code);
        debugger.cont().unwrap();
        send(&debugger, "\n");
        let after = line(&debugger);
        assert!(after.ends_with("hot=99") && after != before);
        assert_eq!(breakpoint.hit_count(), 2);
    }
}

#[test]
fn a_byte_written_right_behind_a_passed_trap_is_executed() {
    // A copy of the old instruction must not live on.
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    let breakpoint = debugger.breakpoint("counter_function").unwrap();
    cont(&debugger);
    cont(&debugger);
    let address = breakpoint.address();
    // ret, over whatever the function begins with.
    debugger.write_memory(address, &[0xc3]).unwrap();
    for _ in 0..8 {
        assert_eq!(thread.pc().unwrap(), address);
        cont(&debugger);
    }
    assert_eq!(breakpoint.hit_count(), 10);
    assert!(finish(&debugger).starts_with("basic: counter=0 "));
}

#[test]
fn requests_larger_than_the_map_are_refused_and_change_nothing() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let table = symbol(&debugger, "table");
    let maps = debugger.maps().unwrap();
    let map = maps.iter().find(|map| map.contains(table)).unwrap();
    let before = debugger.read_memory(map.start, (map.end - map.start) as usize).unwrap();
    for fast in [true, false] {
        debugger.set_fast_memory(fast);
        for size in [4 << 30, usize::MAX / 2] {
            assert!(matches!(debugger.read_memory(table, size), Err(Error::BadAddress { .. })));
        }
        let stack = maps.iter().find(|map| map.path == "[stack]").unwrap();
        let error = debugger.write_memory(stack.end - 4, &[0; 8]).unwrap_err();
        assert!(matches!(error, Error::BadAddress { done: 4, size: 8, .. }), "{error:?}");
        assert!(debugger.read_memory(0, 8).is_err());
        assert!(debugger.write_memory(0, &[1]).is_err());
        assert!(debugger.read_memory(u64::MAX - 3, 8).is_err());
        assert!(debugger.write_memory(u64::MAX - 3, &[0; 8]).is_err());
        assert_eq!(
            debugger.read_memory(stack.end - 4, 4).unwrap(),
            debugger.read_memory(stack.end - 4, 4).unwrap()
        );
    }
    assert_eq!(debugger.read_memory(map.start, before.len()).unwrap(), before);
    finish(&debugger);
}

#[test]
fn both_ways_of_access_agree_everywhere() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    debugger.breakpoint_with("counter_function", Action::Count).unwrap();
    for map in debugger.maps().unwrap().iter().filter(|map| !map.path.starts_with("[v")) {
        let size = ((map.end - map.start) as usize).min(20_000);
        debugger.set_fast_memory(true);
        let fast = debugger.read_memory(map.start + 3, size - 3);
        debugger.set_fast_memory(false);
        let words = debugger.read_memory(map.start + 3, size - 3);
        assert_eq!(fast.ok(), words.ok(), "{}", map.path);
    }
    let table = symbol(&debugger, "table");
    for fast in [true, false] {
        debugger.set_fast_memory(fast);
        for (offset, data) in [(1, &b"abc"[..]), (8, b"12345678"), (5, b"a longer text over words")] {
            debugger.write_memory(table + offset, data).unwrap();
            debugger.set_fast_memory(!fast);
            assert_eq!(debugger.read_memory(table + offset, data.len()).unwrap(), data);
            debugger.set_fast_memory(fast);
        }
    }
}

#[test]
fn pages_that_the_program_may_not_touch_can_be_read_and_written() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let maps = debugger.maps().unwrap();
    let text = maps.iter().find(|map| &map.permissions == b"r-xp" && map.has_file()).unwrap();
    let read_only = maps.iter().find(|map| &map.permissions == b"r--p" && map.has_file()).unwrap();
    for map in [text, read_only] {
        let byte = debugger.read_memory(map.start, 1).unwrap();
        debugger.write_memory(map.start, &[!byte[0]]).unwrap();
        assert_eq!(debugger.read_memory(map.start, 1).unwrap(), [!byte[0]]);
        debugger.write_memory(map.start, &byte).unwrap();
    }
    if let Some(guard) = maps.iter().find(|map| &map.permissions == b"---p") {
        debugger.read_memory(guard.start, 64).unwrap();
    }
    finish(&debugger);
}

#[test]
fn breakpoints_at_places_that_are_not_there_are_refused() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    for address in [0, 8, 0x1234_5678_9000, u64::MAX] {
        match debugger.set_breakpoint(BreakpointSpec::at(address)) {
            Err(Error::Breakpoint(error)) => assert!(error.to_string().contains(&format!("{address:#x}"))),
            other => panic!("{address:#x}: {other:?}"),
        }
    }
    assert!(matches!(debugger.breakpoint("no_such_function"), Err(Error::NoSuchSymbol { .. })));
    match debugger.breakpoint("counter_funktion") {
        Err(Error::NoSuchSymbol { near: Some(near), .. }) => assert_eq!(near, "counter_function"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(debugger.breakpoint("main+zz"), Err(Error::NoSuchSymbol { .. } | Error::BadSymbol(_))));
    assert!(finish(&debugger).starts_with("basic: counter=45"));
}
