//! The Rust driver of the benchmarks: `bench ROW [N]` does N events of a row and prints one line of JSON
//! (benches/README.md has the protocol).

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libdebug::{
    Access, Action, BreakpointKind, BreakpointSpec, Debugger, FileScope, SyscallFilterMode, SyscallHandler,
    SyscallSpec, tracer_syscalls,
};

type Outcome = Result<Measured, Box<dyn Error>>;

/// What one row has cost.
struct Measured {
    events: u64,
    wall: Duration,
    cpu: Duration,
    syscalls: u64,
}

/// Status 64 tells that a row is not offered.
const NOT_OFFERED: i32 = 64;

fn main() {
    let mut words = std::env::args().skip(1);
    let row = words.next().unwrap_or_default();
    let count = words.next().and_then(|word| word.parse().ok());
    match measure(&row, count) {
        None => std::process::exit(NOT_OFFERED),
        Some(Ok(done)) => report(&row, &done),
        Some(Err(error)) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

fn report(row: &str, done: &Measured) {
    let (wall, cpu) = (done.wall.as_secs_f64(), done.cpu.as_secs_f64());
    let each = done.syscalls as f64 / done.events.max(1) as f64;
    let events = done.events;
    println!(
        "{{\"row\": \"{row}\", \"events\": {events}, \"wall_s\": {wall}, \"cpu_s\": {cpu}, \
         \"syscalls_per_event\": {each}}}"
    );
}

fn measure(row: &str, count: Option<u64>) -> Option<Outcome> {
    let or = |default: u64| count.unwrap_or(default);
    Some(match row {
        "B2-closure" => hits("loop", or(50_000), closure(), BreakpointKind::Software),
        "B2-count" => hits("loop", or(50_000), Action::Count, BreakpointKind::Software),
        "B2-count-long" => hits("loop-long", or(50_000), Action::Count, BreakpointKind::Software),
        "B3" => synchronous(or(20_000)),
        "B4" => {
            let kind = BreakpointKind::Hardware { access: Access::Execute, length: 1 };
            hits("loop", or(20_000), closure(), kind)
        }
        "S1" => syscalls(or(1_000_000), RARE, SyscallFilterMode::Seccomp, Some(call_closure)),
        "S2" => syscalls(or(20_000), RARE, SyscallFilterMode::Ptrace, Some(call_closure)),
        "S3-both" => syscalls(or(20_000), 1, SyscallFilterMode::Seccomp, Some(call_closure)),
        "S3-enter" => syscalls(or(20_000), 1, SyscallFilterMode::Seccomp, None),
        "S3-both-ptrace" => syscalls(or(20_000), 1, SyscallFilterMode::Ptrace, Some(call_closure)),
        "S3-enter-ptrace" => syscalls(or(20_000), 1, SyscallFilterMode::Ptrace, None),
        "S4" => counted_syscalls(or(20_000)),
        "invoke" => invocations(or(20_000)),
        "P3-followed" => followed(or(500)),
        "P3-free" => free(or(500)),
        "T1" => steps(or(20_000)),
        "T2" => steps_until(or(20_000)),
        "M1" => large_reads(or(16)),
        "M2" => small_reads(or(100_000)),
        "P1-40M" => starts("small", or(200)),
        "P1-symbols" => starts("symbols", or(200)),
        _ => return None,
    })
}

fn target(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("BENCH_TARGETS").unwrap_or_default()).join(name)
}

/// An action that reads one register.
fn closure() -> Action {
    let seen = Arc::new(AtomicU64::new(0));
    Action::call(move |thread, _| {
        seen.fetch_add(thread.pc()?, Ordering::Relaxed);
        Ok(())
    })
}

fn timed(events: u64, work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Outcome {
    let (wall, cpu, syscalls) = (Instant::now(), cpu_time(), tracer_syscalls());
    work()?;
    let (wall, cpu, syscalls) = (wall.elapsed(), cpu_time() - cpu, tracer_syscalls() - syscalls);
    Ok(Measured { events, wall, cpu, syscalls })
}

/// This process's user and system time, in the clock ticks of proc(5).
fn cpu_time() -> Duration {
    const TICK: u32 = 100;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u32 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u32>().ok()).sum();
    Duration::from_secs(1) * ticks / TICK
}

fn hits(name: &str, count: u64, action: Action, kind: BreakpointKind) -> Outcome {
    let debugger = Debugger::builder(target(name)).arg(count.to_string()).run()?;
    let address = debugger.resolve_symbol("f", &FileScope::Binary)?.address;
    let breakpoint =
        debugger.set_breakpoint(BreakpointSpec { action, kind, ..BreakpointSpec::at(address) })?;
    let measured = to_the_end(&debugger, count)?;
    check(breakpoint.hit_count() == count, "events were lost")?;
    Ok(measured)
}

fn synchronous(count: u64) -> Outcome {
    let debugger = Debugger::builder(target("loop")).arg((count + 1).to_string()).run()?;
    let breakpoint = debugger.breakpoint("f")?;
    let thread = debugger.main_thread()?;
    debugger.cont()?;
    debugger.wait()?;
    let measured = timed(count, || {
        for _ in 0..count {
            debugger.cont()?;
            debugger.wait()?;
            check(thread.pc()? == breakpoint.address(), "stopped elsewhere")?;
        }
        Ok(())
    })?;
    check(breakpoint.hit_count() == count + 1, "events were lost")?;
    Ok(measured)
}

/// In a row of rare calls, one in so many is handled.
const RARE: u64 = 1_000;

type CallAction = Action<SyscallHandler>;

/// An action that reads the number of the call.
fn call_closure() -> CallAction {
    let seen = Arc::new(AtomicU64::new(0));
    Action::call_at_syscall(move |thread, _| {
        seen.fetch_add(thread.syscall_number()?, Ordering::Relaxed);
        Ok(())
    })
}

fn caller(count: u64, every: u64, mode: SyscallFilterMode) -> Result<Debugger, Box<dyn Error>> {
    let program = Debugger::builder(target("calls")).arg(count.to_string()).arg(every.to_string());
    Ok(program.syscall_filter(mode).run()?)
}

fn syscalls(count: u64, every: u64, mode: SyscallFilterMode, on_exit: Option<fn() -> CallAction>) -> Outcome {
    let on_exit = on_exit.map(|action| action());
    handled(&caller(count, every, mode)?, count, count / every, call_closure(), on_exit)
}

fn counted_syscalls(count: u64) -> Outcome {
    let debugger = caller(count, 1, SyscallFilterMode::Seccomp)?;
    handled(&debugger, count, count, Action::Count, None)
}

fn handled(
    debugger: &Debugger,
    count: u64,
    rare: u64,
    on_enter: CallAction,
    on_exit: Option<CallAction>,
) -> Outcome {
    let number = Some(Debugger::syscall_number("getuid")?);
    let spec = SyscallSpec { number, on_enter: Some(on_enter), on_exit, ..SyscallSpec::default() };
    let handler = debugger.handle_syscall(spec)?;
    let measured = to_the_end(debugger, count)?;
    check(handler.hit_count() == rare, "events were lost")?;
    Ok(measured)
}

fn to_the_end(debugger: &Debugger, events: u64) -> Outcome {
    timed(events, || {
        debugger.cont()?;
        Ok(debugger.wait()?)
    })
}

fn invocations(count: u64) -> Outcome {
    let debugger = Debugger::builder(target("loop")).arg("1").run()?;
    let (thread, number) = (debugger.main_thread()?, Debugger::syscall_number("getpid")?);
    let pid = debugger.pid().map(|pid| i64::from(pid.0));
    timed(count, || {
        for _ in 0..count {
            check(Some(thread.invoke_syscall(number, &[])?) == pid, "another answer")?;
        }
        Ok(())
    })
}

fn forking(count: u64, follow: bool) -> Result<Debugger, Box<dyn Error>> {
    Ok(Debugger::builder(target("forks")).arg(count.to_string()).follow_children(follow).run()?)
}

fn followed(count: u64) -> Outcome {
    let debugger = forking(count, true)?;
    timed(count, || {
        debugger.cont()?;
        for _ in 0..count {
            debugger.wait_child(None)?.ok_or("children were lost")?.cont()?;
        }
        Ok(debugger.wait()?)
    })
}

fn free(count: u64) -> Outcome {
    let debugger = forking(count, false)?;
    to_the_end(&debugger, count)
}

fn steps(count: u64) -> Outcome {
    let debugger = Debugger::builder(target("loop")).arg("1000000000").run()?;
    let thread = debugger.main_thread()?;
    timed(count, || {
        for _ in 0..count {
            thread.step()?;
        }
        Ok(())
    })
}

fn steps_until(count: u64) -> Outcome {
    let debugger = Debugger::builder(target("loop")).arg("1000000000").run()?;
    let thread = debugger.main_thread()?;
    timed(count, || Ok(thread.step_until(0, Some(count))?))
}

fn at_ready(name: &str) -> Result<Debugger, Box<dyn Error>> {
    let debugger = Debugger::builder(target(name)).run()?;
    debugger.breakpoint("ready")?;
    debugger.cont()?;
    debugger.wait()?;
    Ok(debugger)
}

const BLOCK: usize = 64 << 20;

fn large_reads(count: u64) -> Outcome {
    let debugger = at_ready("memory")?;
    let block = debugger.resolve_symbol("block", &FileScope::Binary)?.address;
    let mut buffer = vec![0; BLOCK];
    debugger.read_memory_into(block, &mut buffer)?;
    timed(count, || {
        for _ in 0..count {
            debugger.read_memory_into(block, &mut buffer)?;
        }
        Ok(())
    })
}

fn small_reads(count: u64) -> Outcome {
    let debugger = at_ready("memory")?;
    let block = debugger.resolve_symbol("block", &FileScope::Binary)?.address;
    let mut word = [0; 8];
    let mut place = 1_u64;
    timed(count, || {
        for _ in 0..count {
            place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            debugger.read_memory_into(block + place % (BLOCK as u64 - 8), &mut word)?;
        }
        Ok(())
    })
}

fn starts(name: &str, count: u64) -> Outcome {
    let launch = Debugger::builder(target(name)).arg("1").launch();
    let debugger = Debugger::new()?;
    timed(count, || {
        for _ in 0..count {
            debugger.run(&launch)?;
            debugger.kill()?;
        }
        Ok(())
    })
}

fn check(holds: bool, otherwise: &str) -> Result<(), Box<dyn Error>> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}
