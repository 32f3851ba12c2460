//! What the code in the program is asked to do.

/// What runs in the program, and carries a request out.
const BOOT: &str = include_str!("../inside/boot.py");

/// What is to be done, and text.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Request {
    /// The code, for the thread that carries the request out.
    pub(crate) fn source(&self) -> String {
        format!("REQUEST = {}\n{BOOT}", self.pair())
    }

    /// The code for one that has the thread `ident` carry it out.
    pub(crate) fn relayed_source(&self, ident: u64) -> String {
        format!("REQUEST = ('relay', '{ident}')\nRELAYED = {}\n{BOOT}", self.pair())
    }

    fn pair(&self) -> String {
        format!("({}, {})", literal(&self.kind), literal(&self.text))
    }
}

/// Text as Python writes it.
pub(crate) fn literal(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '\'' | '\\' => format!("\\{letter}"),
        ' '..='~' => letter.to_string(),
        letter => format!("\\U{:08x}", u32::from(letter)),
    });
    format!("'{}'", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_as_python_reads_it() {
        assert_eq!(literal("a'b\\\n\u{e9}"), "'a\\'b\\\\\\U0000000a\\U000000e9'");
    }
}
