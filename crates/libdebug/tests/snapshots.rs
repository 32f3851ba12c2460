//! Snapshots of real processes: what they have, what they tell when the process is gone, and what has changed.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cont, program};
use libdebug::{
    Debugger, Error, FileScope, MapChoice, RegisterValue, SearchIn, Snapshot, SnapshotError, SnapshotKind,
    SnapshotLevel, tracer_syscalls,
};

fn at(name: &str, symbol: &str) -> Debugger {
    let debugger = Debugger::builder(program(name)).run().unwrap();
    debugger.breakpoint(symbol).unwrap();
    cont(&debugger);
    debugger
}

fn full(debugger: &Debugger) -> Snapshot {
    debugger.snapshot(SnapshotLevel::Full, None).unwrap()
}

fn error(result: libdebug::Result<Vec<u8>>) -> SnapshotError {
    match result {
        Err(Error::Snapshot(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_snapshot_tells_what_the_process_was_when_it_is_gone() {
    let debugger = at("haystack", "ready");
    let everywhere = SearchIn::everywhere();
    let (hits, program) = (debugger.find(b"across the maps", &everywhere).unwrap(), MapChoice::Binary);
    let pointers = debugger.find_pointers(&program, &program, 8).unwrap();
    let chain = debugger.resolve_symbol("chain", &FileScope::Binary).unwrap().address;
    let telescope = debugger.telescope(chain, 10, 17).unwrap();
    let pc = debugger.main_thread().unwrap().pc().unwrap();
    let lines = debugger.disassemble(pc, 10).unwrap();
    let maps = debugger.maps().unwrap();
    let (frames, count) =
        (debugger.main_thread().unwrap().frames().unwrap(), debugger.symbols().unwrap().len());
    let snapshot = full(&debugger);
    debugger.kill().unwrap();
    drop(debugger);
    assert_eq!(snapshot.find(b"across the maps", &everywhere).unwrap(), hits);
    assert_eq!(snapshot.find_pointers(&program, &program, 8).unwrap(), pointers);
    assert_eq!(snapshot.telescope(chain, 10, 17).unwrap(), telescope);
    assert_eq!(snapshot.resolve_symbol("chain", &FileScope::Binary).unwrap().address, chain);
    let thread = &snapshot.threads()[0];
    assert_eq!(snapshot.disassemble(thread, pc, 10).unwrap(), lines, "a trap is at the first of them");
    assert_eq!((thread.registers.pc(), snapshot.maps()), (pc, &maps));
    assert_eq!(snapshot.frames(thread).unwrap(), frames);
    assert_eq!(snapshot.backtrace(thread).unwrap(), frames.iter().map(|frame| frame.pc).collect::<Vec<_>>());
    assert_eq!(snapshot.saved_ip(thread).unwrap(), frames[1].pc);
    assert_eq!(snapshot.symbols().unwrap().len(), count);
}

#[test]
fn reserved_memory_takes_no_space() {
    let debugger = at("haystack", "ready");
    let before = tracer_syscalls();
    let snapshot = full(&debugger);
    let calls = tracer_syscalls() - before;
    let kept: u64 = (0..snapshot.maps().len())
        .filter_map(|place| snapshot.content(place))
        .flat_map(|content| content.populated().collect::<Vec<_>>())
        .map(|part| part.end - part.start)
        .sum();
    assert!(kept < 16 << 20, "{kept} bytes are kept of a program that has reserved 2 GiB");
    let most = 4 * snapshot.maps().len() as u64;
    assert!(calls < most, "{calls} system calls for {most} maps / 4");
}

#[test]
fn levels_say_how_much_there_is() {
    let debugger = at("basic", "counter_function");
    let thread = debugger.main_thread().unwrap();
    let (pc, sp) = (thread.pc().unwrap(), thread.register("rsp").unwrap().as_u64().unwrap());
    let base = debugger.snapshot(SnapshotLevel::Base, None).unwrap();
    assert_eq!(error(base.read_memory(sp, 8)), SnapshotError::NoMemory);
    assert!(base.find(b"x", &SearchIn::everywhere()).is_err());
    assert!(matches!(base.backtrace(&base.threads()[0]), Err(Error::Snapshot(SnapshotError::NoStack))));
    let writable = debugger.snapshot(SnapshotLevel::Writable, None).unwrap();
    assert_eq!(writable.backtrace(&writable.threads()[0]).unwrap(), thread.backtrace().unwrap());
    assert_eq!(writable.read_memory(sp, 8).unwrap(), debugger.read_memory(sp, 8).unwrap());
    let lines = writable.disassemble(&writable.threads()[0], pc, 5).unwrap();
    assert_eq!(lines, debugger.disassemble(pc, 5).unwrap(), "code is read from the file");
    assert!(matches!(error(writable.read_memory(pc, 1)), SnapshotError::NoContent { .. }));
    let full = full(&debugger);
    assert_eq!(full.read_memory(pc, 32).unwrap(), debugger.read_memory(pc, 32).unwrap());
    assert!(matches!(full.read_memory(8, 1), Err(Error::BadAddress { .. })));
    assert!(matches!(full.read_memory(pc, usize::MAX), Err(Error::BadAddress { .. } | Error::Snapshot(_))));
    let of_kernel = full.maps().iter().position(|map| map.path == "[vsyscall]");
    assert!(of_kernel.is_none_or(|place| full.content(place).is_none()), "nobody can read that");
}

#[test]
fn snapshots_of_threads_and_processes_are_counted_for_themselves() {
    let debugger = at("threads", "hot");
    let threads = debugger.threads();
    let (main, other) = (&threads[0], &threads[1]);
    let take = |thread: &libdebug::Thread| thread.snapshot(SnapshotLevel::Base, None).unwrap();
    assert_eq!((take(main).id(), take(main).id(), take(other).id()), (0, 1, 0));
    let process = debugger.snapshot(SnapshotLevel::Base, Some("both".to_owned())).unwrap();
    assert_eq!((process.id(), process.kind(), process.name()), (0, SnapshotKind::Process, Some("both")));
    let ids: Vec<_> = process.threads().iter().map(|thread| (thread.tid, thread.id)).take(2).collect();
    assert_eq!(ids, [(main.tid(), 2), (other.tid(), 1)]);
    assert_eq!(process.threads().len(), threads.len());
    assert_eq!(debugger.snapshot(SnapshotLevel::Base, None).unwrap().id(), 1);
    let snapshot = take(other);
    assert_eq!((snapshot.kind(), snapshot.threads()[0].tid), (SnapshotKind::Thread, other.tid()));
    for kept in process.threads() {
        let thread = threads.iter().find(|thread| thread.tid() == kept.tid).unwrap();
        for register in kept.registers.listed() {
            assert_eq!(kept.registers.read(register).unwrap(), thread.read(register).unwrap());
        }
    }
}

#[test]
fn what_has_changed_is_told() {
    let debugger = at("basic", "counter_function");
    let before = debugger.snapshot(SnapshotLevel::Full, None).unwrap();
    let message = debugger.resolve_symbol("message", &FileScope::Binary).unwrap().address;
    debugger.write_memory(message + 4, b"slow!").unwrap();
    let thread = debugger.main_thread().unwrap();
    thread.set_register("r12", RegisterValue::U64(77)).unwrap();
    let after = debugger.snapshot(SnapshotLevel::Full, None).unwrap();
    let diff = before.diff(&after).unwrap();
    let changed: Vec<_> = diff.maps.iter().filter(|map| map.has_changed).collect();
    let [map] = changed[..] else { panic!("{changed:?}") };
    let start = after.maps()[map.new.unwrap()].start;
    let part = message + 4 - start;
    assert_eq!(map.content, vec![part..part + 5; 1], "the trap at the breakpoint is none of it");
    let registers = before.threads()[0].registers.changes(&after.threads()[0].registers);
    let names: Vec<_> = registers.iter().map(|change| change.register.name).collect();
    assert_eq!(names, ["r12", "r12d", "r12w", "r12b"]);
    assert_eq!((diff.both.len(), diff.born.len(), diff.dead.len()), (1, 0, 0));
}

#[test]
fn maps_and_threads_that_come_and_go_are_told() {
    let debugger = Debugger::builder(program("threads")).run().unwrap();
    let start = debugger.snapshot(SnapshotLevel::Full, None).unwrap();
    debugger.breakpoint("hot").unwrap();
    cont(&debugger);
    let later = debugger.snapshot(SnapshotLevel::Writable, None).unwrap();
    let diff = start.diff(&later).unwrap();
    assert_eq!((diff.level, diff.both.len(), diff.born.len()), (SnapshotLevel::Writable, 1, 4));
    assert!(diff.maps.iter().any(|map| map.old.is_none() && map.has_changed), "stacks of threads");
    let back = later.diff(&start).unwrap();
    assert_eq!(
        (back.dead, back.maps.iter().filter(|map| map.new.is_none()).count()),
        (diff.born, diff.maps.iter().filter(|map| map.old.is_none()).count())
    );
    let thread = debugger.main_thread().unwrap().snapshot(SnapshotLevel::Base, None).unwrap();
    assert!(matches!(thread.diff(&later), Err(Error::Snapshot(SnapshotError::Different(_)))));
}

#[test]
fn the_dead_leave_no_snapshot() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    cont(&debugger);
    assert!(matches!(debugger.snapshot(SnapshotLevel::Base, None), Err(error) if error.is_death()));
    let thread = debugger.main_thread().unwrap();
    assert!(matches!(thread.snapshot(SnapshotLevel::Base, None), Err(error) if error.is_death()));
}
