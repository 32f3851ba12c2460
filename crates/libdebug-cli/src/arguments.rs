//! What can be written behind `libdebug`.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use libdebug::{Launch, Pid, SignalMask};

/// Count the instructions of programs, see their system calls, and look into Python programs.
#[derive(Debug, Parser)]
#[command(name = "libdebug", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count the instructions that a program executes in user mode, exactly.
    Count(CountArguments),
    /// Show the system calls that a program makes.
    Trace(TraceArguments),
    /// Look into a Python program that runs.
    Python(PythonArguments),
}

/// What is looked at.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// The process that is looked at, with all its threads, from now on; it goes on at the end.
    #[arg(short, long, value_name = "PID")]
    pub(crate) pid: Option<i32>,
    /// The program to run and its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}

/// What to do with a target.
pub(crate) enum Wanted {
    Run(Box<Launch>),
    Attach(Pid),
}

impl Target {
    /// `mask` is what the program begins with blocked.
    pub(crate) fn wanted(&self, aslr: bool, mask: SignalMask) -> Result<Wanted> {
        let Some(pid) = self.pid else {
            let program = self.program.first().cloned().unwrap_or_default();
            check_program(&program)?;
            let mut launch = Launch::new(program);
            launch.argv.clone_from(&self.program);
            (launch.aslr, launch.signal_mask) = (aslr, Some(mask));
            return Ok(Wanted::Run(Box::new(launch)));
        };
        Ok(Wanted::Attach(Pid(pid)))
    }
}

/// Whatever follows the options is the program, an option that there is not too.
fn check_program(program: &OsStr) -> Result<()> {
    let word = program.to_string_lossy();
    if !word.starts_with('-') {
        return Ok(());
    }
    let hint = match &*word {
        "-f" | "-ff" | "--follow-forks" => "children are always followed",
        _ => "--help shows those that there are",
    };
    bail!("there is no option {word}: {hint} (a program of that name is ./{word})")
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum By {
    /// The function that the instruction is in.
    Function,
    /// The file that it is mapped from.
    Module,
    /// The next system call.
    Syscall,
    /// The instruction's name.
    Mnemonic,
    /// The thread.
    Thread,
}

#[derive(Debug, Args)]
pub(crate) struct CountArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Tell the instructions apart.
    #[arg(long, value_enum)]
    pub(crate) by: Option<By>,
    /// Write one line for each stack of functions, with its instructions: what tools for flame graphs read.
    #[arg(long, conflicts_with_all = ["by", "json"])]
    pub(crate) folded: bool,
    /// Draw the stacks of functions into this file, as SVG.
    #[arg(long, value_name = "FILE", conflicts_with = "by")]
    pub(crate) flamegraph: Option<PathBuf>,
    /// Count only inside this function, with what it calls.
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) range: Option<String>,
    /// End after so many instructions, and a program that was started with it.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Execute every instruction by a single step of its own: slow, and the same number.
    #[arg(long)]
    pub(crate) single_step: bool,
    /// Show so many rows of a table.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,
    /// Write one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not randomize the program's addresses.
    #[arg(long)]
    pub(crate) no_aslr: bool,
    /// Write the result into this file, not to standard error.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TraceArguments {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Only these calls: names and classes with commas between them, all others with ! before. Classes: %file, %desc, %network,
    /// %process, %memory, %signal, %ipc.
    #[arg(short = 'e', long = "filter", value_name = "CALLS")]
    pub(crate) filter: Option<String>,
    /// Only calls that are given this path, or a descriptor that is open on it.
    #[arg(short = 'P', long, value_name = "PATH")]
    pub(crate) path: Vec<String>,
    /// At the end, a table of calls, errors and time; nothing else.
    #[arg(short = 'c', long)]
    pub(crate) summary: bool,
    /// One JSON object per line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write into this file, not to standard error.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Show the files of descriptors.
    #[arg(short = 'y', long)]
    pub(crate) files: bool,
    /// Show the stack that each call is made from.
    #[arg(short = 'k', long)]
    pub(crate) stacks: bool,
    /// Show how long each call took, in seconds.
    #[arg(short = 'T', long)]
    pub(crate) times: bool,
    /// Show the time of day, in microseconds.
    #[arg(short = 't', long)]
    pub(crate) clock: bool,
    /// Put no filter into the program: it stops at every call, also at those that are not shown.
    #[arg(long)]
    pub(crate) no_seccomp: bool,
    /// Do not randomize the program's addresses.
    #[arg(long)]
    pub(crate) no_aslr: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PythonArguments {
    /// The process.
    #[arg(value_name = "PID")]
    pub(crate) pid: i32,
    #[command(flatten)]
    pub(crate) act: ActArguments,
    /// The thread that runs the code: a tid, or a name of the module threading; the main one otherwise.
    #[arg(short = 'T', long, value_name = "TID|NAME")]
    pub(crate) thread: Option<String>,
    /// How long to wait for the code to begin, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    pub(crate) timeout: f64,
    #[command(flatten)]
    pub(crate) look: LookArguments,
}

/// What is done in the program; without any of these it is only looked at.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct ActArguments {
    /// Execute statements in the frame that is being executed. The exit status is 1 when they raise an exception.
    #[arg(short = 'c', long, value_name = "CODE", allow_hyphen_values = true)]
    pub(crate) exec: Option<String>,
    /// Execute the statements of a file, - for standard input.
    #[arg(short = 'f', long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Show the value of an expression in that frame.
    #[arg(short = 'e', long, value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub(crate) eval: Option<String>,
    /// Open pdb in that frame; the program goes on when it is left (q, c, Ctrl-D).
    #[arg(long)]
    pub(crate) pdb: bool,
    /// Open an interactive console in that frame; Ctrl-D leaves it.
    #[arg(long)]
    pub(crate) console: bool,
    /// Open pdb when a line is reached: FILE is a path or its end.
    #[arg(long, value_name = "FILE:LINE")]
    pub(crate) breakpoint: Option<String>,
}

/// How what is executed is shown.
#[derive(Debug, Args)]
pub(crate) struct LookArguments {
    /// Show the native frames around the Python ones, too.
    #[arg(long)]
    pub(crate) native: bool,
    /// Write one JSON object; with --exec, --file and --eval too.
    #[arg(long)]
    pub(crate) json: bool,
}
