//! pdb and an interactive console in a live program: its words at this end.

use std::io;
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::execute::Executor;
use crate::inject::{Channel, Injection, Packet, literal};

/// What runs in the program, beside what takes the request.
const SESSION: &str = include_str!("inside/session.py");

/// What a session is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Talk {
    /// pdb, at once, in the frame that is being executed.
    Pdb,
    /// Statements of the user's, executed in that frame.
    Console,
    /// pdb, when a line is reached: the file's path or its end, and the number.
    Breakpoint(String, u32),
}

/// A line that a user has typed, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Without its end.
    Text(String),
    /// No more lines will come.
    End,
    /// Ctrl-C: what was typed is dropped.
    Interrupted,
}

/// Where a user reads and types.
pub trait Console {
    /// Shows output, as it comes.
    fn show(&mut self, text: &str);

    /// Reads a line. `choices` tells how a word can go on, until it is answered.
    fn line(&mut self, prompt: &str, choices: &Choices) -> Line;
}

/// Asks the program how a word can go on.
#[derive(Debug, Clone)]
pub struct Choices(Rc<Channel>);

impl Choices {
    /// All of the words that `text`, a name or an attribute of one, can become; none when the program has ended.
    pub fn of(&self, text: &str) -> Vec<String> {
        let asked = self.0.send(b't', text).and_then(|()| self.0.receive(None));
        match asked {
            Ok(Some(Packet::Choices(found))) => found.lines().map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}

impl Executor {
    /// Talks with pdb, or a console, in the program, until the user or the program ends that; the program goes on then.
    /// [`Executor::interrupt`] is the user's Ctrl-C while the program runs.
    ///
    /// # Errors
    /// As [`Executor::exec`]; [`Error::Raised`] when there can be no such session.
    pub fn talk(&self, talk: &Talk, console: &mut dyn Console) -> Result<()> {
        let (name, text) = match talk {
            Talk::Pdb => ("pdb", String::new()),
            Talk::Console => ("console", String::new()),
            Talk::Breakpoint(file, line) => ("break", format!("{file}:{line}")),
        };
        let source = format!("WANTED = ({}, {})\n{SESSION}", literal(name), literal(&text));
        self.request("session", &source, |injection| self.pump(injection, console))
    }

    fn pump(&self, injection: &Injection, console: &mut dyn Console) -> Result<()> {
        let mut raised = Ok(());
        loop {
            match injection.channel.receive(None) {
                Ok(Some(Packet::Ended(_)) | None) => return raised,
                Ok(Some(Packet::Output(text) | Packet::Error(text))) => console.show(&text),
                Ok(Some(Packet::Raised(text))) => raised = Err(Error::Raised(text)),
                Ok(Some(Packet::Prompt(prompt))) => answer(injection, console, &prompt)?,
                Ok(Some(_)) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if self.check().is_err() {
                        self.interrupt()?;
                    }
                }
                Err(error) => return Err(Error::Channel(error)),
            }
        }
    }
}

/// Asks the user for a line, and hands it over. A program that has ended meanwhile says so at the next look.
fn answer(injection: &Injection, console: &mut dyn Console, prompt: &str) -> Result<()> {
    let channel = &injection.channel;
    let choices = Choices(Rc::clone(channel));
    let sent = loop {
        match console.line(prompt, &choices) {
            Line::Text(line) => break channel.send(b'l', &line),
            Line::End => break channel.send(b'f', ""),
            Line::Interrupted => console.show("\n"),
        }
    };
    match sent {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Channel(error)),
        _ => Ok(()),
    }
}
