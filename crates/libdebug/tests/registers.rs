//! Every register, against a program that knows what it put into them and prints what it finds.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use common::{cont, finish, output, program};
use libdebug::{Action, Debugger, Error, RegisterValue, Thread};

fn bytes(value: RegisterValue) -> Vec<u8> {
    match value {
        RegisterValue::U64(value) => value.to_le_bytes().to_vec(),
        RegisterValue::U128(value) => value.to_le_bytes().to_vec(),
        RegisterValue::Wide { bytes, width } => bytes[..width].to_vec(),
        RegisterValue::F80(bytes) => bytes.to_vec(),
    }
}

fn like(value: RegisterValue, bytes: &[u8]) -> RegisterValue {
    match value {
        RegisterValue::U64(_) => RegisterValue::U64(u64::from_le_bytes(bytes.try_into().unwrap())),
        RegisterValue::U128(_) => RegisterValue::U128(u128::from_le_bytes(bytes.try_into().unwrap())),
        RegisterValue::Wide { width, .. } => {
            let mut all = [0; 64];
            all[..width].copy_from_slice(bytes);
            RegisterValue::Wide { bytes: all, width }
        }
        RegisterValue::F80(_) => RegisterValue::F80(bytes.try_into().unwrap()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Names and values as the program prints them, with the mark of a change.
fn table(text: &str) -> BTreeMap<String, String> {
    // The opmask registers have no name in the debugger.
    let lines = text.lines().filter(|line| !line.starts_with('k'));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn at_ready(arguments: &[&str]) -> (Debugger, Thread) {
    let debugger = Debugger::builder(program("regs")).args(arguments.to_vec()).run().unwrap();
    debugger.breakpoint("regs_ready").unwrap();
    cont(&debugger);
    let thread = debugger.main_thread().unwrap();
    (debugger, thread)
}

const KINDS: [&[&str]; 4] = [&["x87"], &["mmx"], &["x87", "avx"], &["mmx", "sse"]];

#[test]
fn every_register_is_read_as_the_program_knows_it() {
    for arguments in KINDS {
        let free = Debugger::builder(program("regs")).args(arguments.to_vec()).run().unwrap();
        let known = table(&finish(&free));
        assert!(known.len() >= 15 + 16 + 8);
        let (debugger, thread) = at_ready(arguments);
        for (name, value) in &known {
            assert_eq!(&hex(&bytes(thread.register(name).unwrap())), value, "{name}");
        }
        assert_eq!(table(&finish(&debugger)), known, "reading changes nothing");
    }
}

#[test]
fn every_register_takes_what_is_written_and_the_others_keep_theirs() {
    for arguments in KINDS {
        let (debugger, thread) = at_ready(arguments);
        let names: Vec<_> = table(&finish(&debugger)).into_keys().collect();
        drop(thread);
        // Every second one, so that a write that spills over is seen.
        for odd in [0, 1] {
            let (debugger, thread) = at_ready(arguments);
            let mut wanted = BTreeMap::new();
            for (number, name) in names.iter().enumerate() {
                let value = thread.register(name).unwrap();
                let mut new = bytes(value);
                if number % 2 == odd {
                    // The exponent and the integer bit of an x87 value stay: not every pattern is a number.
                    let end = if matches!(value, RegisterValue::F80(_)) { 7 } else { new.len() };
                    new[..end].iter_mut().for_each(|byte| *byte = !*byte);
                    thread.set_register(name, like(value, &new)).unwrap();
                    assert_eq!(bytes(thread.register(name).unwrap()), new, "{name}");
                    wanted.insert(name.clone(), format!("{} changed", hex(&new)));
                } else {
                    wanted.insert(name.clone(), hex(&new));
                }
            }
            cont(&debugger);
            assert_eq!(table(&output(&debugger)), wanted, "{arguments:?}");
        }
    }
}

#[test]
fn writes_in_callbacks_and_between_steps_arrive() {
    let debugger = Debugger::builder(program("regs")).run().unwrap();
    let action = Action::call(|thread, _| {
        thread.set_register("r12", RegisterValue::U64(0x1122_3344_5566_7788))?;
        thread.set_register("xmm3", RegisterValue::U128(7))?;
        thread.step()?;
        thread.set_register("r13d", RegisterValue::U64(0xffff_ffff))?;
        Ok(())
    });
    debugger.breakpoint_with("regs_ready", action).unwrap();
    let text = finish(&debugger);
    assert!(text.contains("r12 8877665544332211 changed\n"), "{text}");
    // A write of 32 bits clears the upper half, as the processor does it.
    assert!(
        text.contains("r13 ffffffff00000000 changed\n") || text.contains("r13 ffffffffd4d5d6d7 changed\n")
    );
    let vector = table(&text).into_iter().find(|(name, _)| name.ends_with("mm3") && name.len() == 4).unwrap();
    assert!(vector.1.starts_with("07000000000000000000000000000000") && vector.1.ends_with(" changed"));
}

#[test]
fn a_moved_pc_is_where_the_thread_goes_on() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let breakpoint = debugger.breakpoint("counter_function").unwrap();
    let thread = debugger.main_thread().unwrap();
    // Each call returns at once, without counting.
    for _ in 0..10 {
        cont(&debugger);
        let stack = thread.register("rsp").unwrap().as_u64().unwrap();
        let back = debugger.read_memory(stack, 8).unwrap();
        thread.set_register("rsp", RegisterValue::U64(stack + 8)).unwrap();
        thread.set_pc(u64::from_le_bytes(back.try_into().unwrap())).unwrap();
    }
    assert!(finish(&debugger).starts_with("basic: counter=0 "));
    assert_eq!(breakpoint.hit_count(), 10);
}

#[test]
fn a_pc_moved_onto_a_trap_hits_it() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let first = debugger.breakpoint("counter_function").unwrap();
    let main = debugger.breakpoint("main").unwrap();
    let thread = debugger.main_thread().unwrap();
    cont(&debugger);
    assert!(main.hit_on(&thread).unwrap());
    let place = thread.pc().unwrap();
    thread.set_pc(first.address()).unwrap();
    cont(&debugger);
    assert_eq!((thread.pc().unwrap(), first.hit_count()), (first.address(), 1));
    thread.set_pc(place).unwrap();
    cont(&debugger);
    assert_eq!((thread.pc().unwrap(), main.hit_count()), (place, 2));
}

#[test]
fn bad_names_and_values_are_refused() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let thread = debugger.main_thread().unwrap();
    assert!(matches!(thread.register("eip"), Err(Error::NoSuchRegister(_))));
    let before = [thread.register("rax").unwrap(), thread.register("st0").unwrap()];
    let wide = RegisterValue::U128(1 << 64);
    assert!(matches!(thread.set_register("rax", wide), Err(Error::Register(_))));
    assert!(matches!(thread.set_register("st0", wide), Err(Error::Register(_))));
    assert!(matches!(thread.set_register("rax", RegisterValue::F80([0; 10])), Err(Error::Register(_))));
    assert_eq!([thread.register("rax").unwrap(), thread.register("st0").unwrap()], before);
    thread.set_register("al", RegisterValue::U64(0x1ff)).unwrap();
    assert_eq!(thread.register("al").unwrap(), RegisterValue::U64(0xff), "masked");
    finish(&debugger);
}

#[test]
fn a_second_read_at_a_stop_costs_no_system_call() {
    let debugger = Debugger::builder(program("basic")).run().unwrap();
    let breakpoint = debugger.breakpoint("counter_function").unwrap();
    cont(&debugger);
    assert_eq!(breakpoint.hit_count(), 1);
    let thread = debugger.main_thread().unwrap();
    thread.register("rax").unwrap();
    thread.register("xmm0").unwrap();
    let reads = std::iter::repeat_with(|| thread.register("rbx").and(thread.register("xmm1")));
    assert!(reads.take(1000).all(|value| value.is_ok()));
    drop(debugger);
}

#[test]
fn what_the_kernel_refuses_at_a_resume_leaves_every_thread_stopped() {
    for threads in ["1", "8"] {
        let debugger = Debugger::builder(program("threads")).args([threads, "100"]).run().unwrap();
        let breakpoint = debugger.breakpoint("hot").unwrap();
        cont(&debugger);
        let thread = debugger.threads().pop().unwrap();
        let base = thread.register("fs_base").unwrap();
        let all = |debugger: &Debugger| {
            let threads = debugger.threads();
            threads.iter().map(|thread| thread.pc().unwrap()).collect::<Vec<_>>()
        };
        let before = all(&debugger);
        // No address of user space.
        thread.set_register("fs_base", RegisterValue::U64(u64::MAX - 7)).unwrap();
        let refused = debugger.cont().and_then(|()| debugger.wait_timeout(common::PATIENCE));
        assert!(matches!(refused, Err(Error::Kernel(_))), "{refused:?}");
        assert_eq!(all(&debugger), before);
        thread.set_register("fs_base", base).unwrap();
        breakpoint.remove().unwrap();
        assert!(finish(&debugger).ends_with(" ok\n"));
    }
}
