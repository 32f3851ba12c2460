//! Where a user types: a terminal with a line editor, or lines of a file or pipe.

use std::io::{BufRead, IsTerminal, Write};

use libdebug_cpython::{Choices, Console, Line};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

/// The two ways to read lines.
pub(crate) enum Prompt {
    Terminal(Box<Editor<Words, DefaultHistory>>),
    Lines,
}

impl Prompt {
    pub(crate) fn new() -> Self {
        let is_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
        match Editor::with_config(config) {
            Ok(editor) if is_terminal => Self::Terminal(Box::new(editor)),
            _ => Self::Lines,
        }
    }
}

impl Console for Prompt {
    fn show(&mut self, text: &str) {
        let mut stdout = std::io::stdout();
        // A closed stream is nothing that could be told.
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    fn line(&mut self, prompt: &str, choices: &Choices) -> Line {
        let Self::Terminal(editor) = self else {
            self.show(prompt);
            return read_line();
        };
        editor.set_helper(Some(Words(choices.clone())));
        let line = editor.readline(prompt);
        editor.set_helper(None);
        match line {
            Ok(line) => Line::Text(line),
            Err(ReadlineError::Interrupted) => Line::Interrupted,
            Err(_) => Line::End,
        }
    }
}

fn read_line() -> Line {
    let mut line = String::new();
    match std::io::stdin().lock().read_line(&mut line) {
        Ok(0) | Err(_) => Line::End,
        Ok(_) => Line::Text(line.trim_end_matches('\n').to_owned()),
    }
}

/// Completes names and attributes, as the program knows them.
pub(crate) struct Words(Choices);

impl Completer for Words {
    type Candidate = String;

    fn complete(&self, line: &str, end: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
        let start = line[..end].char_indices().rev().take_while(|&(_, letter)| is_part(letter)).last();
        let start = start.map_or(end, |(index, _)| index);
        Ok((start, self.0.of(&line[start..end])))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}

impl Validator for Words {}

impl Helper for Words {}
