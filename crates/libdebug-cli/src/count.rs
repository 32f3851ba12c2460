//! `libdebug count`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use libdebug::{Count, CountBy, CountEnd, CountOptions, Counting, Death};
use serde_json::{Value, json};

use crate::arguments::{By, CountArguments, Wanted};
use crate::ending::Endings;
use crate::flamegraph::flamegraph;
use crate::progress::Progress;
use crate::status_of;

/// What a shell shows for a program that SIGINT has ended.
const INTERRUPTED: u8 = 130;

pub(crate) fn count(arguments: &CountArguments) -> Result<u8> {
    let options = options(arguments);
    let (sink, picture) = (sink(arguments)?, picture(arguments)?);
    let endings = Endings::hold();
    let counting = match arguments.target.wanted(!arguments.no_aslr, endings.before)? {
        Wanted::Run(launch) => Counting::start(&launch, &options)?,
        Wanted::Attach(pid) => {
            let counting = Counting::attach(pid, &options)?;
            anstream::eprintln!("libdebug: process {pid} attached");
            counting
        }
    };
    let watcher = counting.watcher();
    endings.on_first(move || watcher.stop());
    let progress = Progress::of(counting.watcher());
    let counted = counting.wait();
    drop(progress);
    let counted = counted?;
    show(arguments, &counted, sink)?;
    if let Some(mut picture) = picture {
        picture.write_all(flamegraph(&title(arguments, &counted), &counted.stacks).as_bytes())?;
    }
    Ok(match counted.end {
        CountEnd::Finished => status_of(counted.death),
        CountEnd::Limit => 0,
        CountEnd::Stopped => INTERRUPTED,
    })
}

fn options(arguments: &CountArguments) -> CountOptions {
    let by = arguments.by.map(|by| match by {
        By::Function => CountBy::Function,
        By::Module => CountBy::Module,
        By::Syscall => CountBy::Syscall,
        By::Mnemonic => CountBy::Mnemonic,
        By::Thread => CountBy::Thread,
    });
    let needs_stacks = arguments.folded || arguments.flamegraph.is_some();
    CountOptions {
        by: if needs_stacks { Some(CountBy::Stack) } else { by },
        range: arguments.range.clone(),
        limit: arguments.limit,
        single_step: arguments.single_step,
        ..CountOptions::default()
    }
}

/// Where the result goes: known to work before anything is counted.
fn sink(arguments: &CountArguments) -> Result<Box<dyn Write>> {
    Ok(match &arguments.output {
        Some(path) => Box::new(create(path)?),
        None => Box::new(anstream::stderr()),
    })
}

fn picture(arguments: &CountArguments) -> Result<Option<File>> {
    arguments.flamegraph.as_deref().map(create).transpose()
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

fn show(arguments: &CountArguments, counted: &Count, mut sink: Box<dyn Write>) -> Result<()> {
    let text = match arguments {
        CountArguments { json: true, .. } => format!("{}\n", as_json(counted)),
        CountArguments { folded: true, .. } => as_folded(counted),
        _ => as_text(arguments, counted),
    };
    Ok(sink.write_all(text.as_bytes())?)
}

/// The form that Brendan Gregg's stackcollapse scripts write: functions with semicolons between them, a space, a number.
fn as_folded(counted: &Count) -> String {
    let line = |(stack, count): &(Vec<String>, u64)| {
        let names: Vec<_> = stack.iter().map(|name| name.replace(';', ":")).collect();
        format!("{} {count}\n", names.join(";"))
    };
    let mut lines: Vec<_> = counted.stacks.iter().map(line).collect();
    lines.sort();
    lines.concat()
}

fn title(arguments: &CountArguments, counted: &Count) -> String {
    let words: Vec<_> = arguments.target.program.iter().map(|word| word.to_string_lossy()).collect();
    match (arguments.target.pid, counted.stacks.first()) {
        (Some(pid), Some((stack, _))) => {
            format!("process {pid}, {}", stack.first().map_or("", String::as_str))
        }
        (Some(pid), None) => format!("process {pid}"),
        (None, _) => words.join(" "),
    }
}

fn as_json(counted: &Count) -> Value {
    let threads: Vec<_> = counted.threads.iter().map(|thread| {
        json!({"process": thread.process.0, "thread": thread.thread.0, "instructions": thread.instructions})
    }).collect();
    let groups: Vec<_> =
        counted.groups.iter().map(|(name, count)| json!({"name": name, "instructions": count})).collect();
    json!({
        "instructions": counted.instructions,
        "end": end_of(counted),
        "exit_code": counted.exit_code(),
        "signal": match counted.death { Some(Death::Killed(signal)) => Some(signal.name()), _ => None },
        "seconds": counted.elapsed.as_secs_f64(),
        "threads": threads,
        "groups": groups,
    })
}

fn end_of(counted: &Count) -> &'static str {
    match counted.end {
        CountEnd::Finished => "finished",
        CountEnd::Limit => "limit",
        CountEnd::Stopped => "stopped",
    }
}

fn as_text(arguments: &CountArguments, counted: &Count) -> String {
    let mut text = String::new();
    let total = counted.instructions;
    for (name, count) in counted.groups.iter().take(arguments.top) {
        let share = *count as f64 * 100.0 / total.max(1) as f64;
        text += &format!("{count:>16}  {share:>5.1} %  {name}\n");
    }
    let rest = counted.groups.len().saturating_sub(arguments.top);
    if rest > 0 {
        text += &format!("{:>16}           and {rest} more\n", "");
    }
    if counted.threads.len() > 1 && arguments.by.is_none() {
        for thread in &counted.threads {
            text += &format!(
                "{:>16}  thread {} of process {}\n",
                thread.instructions, thread.thread, thread.process
            );
        }
    }
    let why = match counted.end {
        CountEnd::Finished => how(counted.death),
        CountEnd::Limit => ", the limit".to_owned(),
        CountEnd::Stopped => " until it was stopped".to_owned(),
    };
    text + &format!("{total:>16}  instructions in {:.2} s{why}\n", counted.elapsed.as_secs_f64())
}

fn how(death: Option<Death>) -> String {
    match death {
        Some(Death::Exited(0)) | None => String::new(),
        Some(Death::Exited(code)) => format!(", exit code {code}"),
        Some(Death::Killed(signal)) => format!(", killed by {signal}"),
    }
}
