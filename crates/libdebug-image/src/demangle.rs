//! Names as people write them: C++ by the Itanium ABI, Rust by its legacy and its v0 scheme.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions};

/// A readable name is cut short nowhere, but one longer than this is none: few bytes can expand to any number.
const LONGEST: usize = 64 << 10;
/// How deep a mangled name may be nested.
const DEEPEST: u32 = 96;

/// How much of a readable name is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spelling {
    /// All of it: `shape::area(int, double)`.
    Full,
    /// Without the parameters and the return type: `shape::area`. Rust's names have neither.
    Bare,
}

/// The readable name of a mangled one; `None` when it is not mangled.
///
/// A name can be both: a Rust name of the legacy scheme is one of C++, and is taken as Rust's when it ends with the hash
/// that rustc appends. The hash is left out.
///
/// ```
/// use libdebug_image::{Spelling, demangle};
///
/// assert_eq!(demangle("_ZN5shape4areaEid", Spelling::Full).as_deref(), Some("shape::area(int, double)"));
/// assert_eq!(demangle("_ZN5shape4areaEid", Spelling::Bare).as_deref(), Some("shape::area"));
/// assert_eq!(demangle("_ZN4core3fmt5write17h01234567890abcdeE", Spelling::Full).as_deref(), Some("core::fmt::write"));
/// assert_eq!(demangle("main", Spelling::Full), None);
/// ```
#[must_use]
pub fn demangle(name: &str, spelling: Spelling) -> Option<String> {
    if !is_mangled(name) {
        return None;
    }
    if is_rust(name) { rust(name).or_else(|| cpp(name, spelling)) } else { cpp(name, spelling) }
}

/// Whether a name begins as mangled ones do. That it can be demangled is not said.
pub(crate) fn is_mangled(name: &str) -> bool {
    name.starts_with("_Z") || name.starts_with("_R")
}

/// `_R…`, or the segment `17h` with sixteen hexadecimal digits at the end.
fn is_rust(name: &str) -> bool {
    name.starts_with("_R") || legacy_hash(name).is_some()
}

fn legacy_hash(name: &str) -> Option<&str> {
    let path = name.split_once(".llvm.").map_or(name, |(path, _)| path).strip_suffix('E')?;
    let hash = path.get(path.len().checked_sub(19)?..)?.strip_prefix("17h")?;
    hash.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(hash)
}

fn rust(name: &str) -> Option<String> {
    let parsed = rustc_demangle::try_demangle(name).ok()?;
    let mut text = Bounded::default();
    write!(text, "{parsed:#}").ok()?;
    Some(text.0)
}

fn cpp(name: &str, spelling: Spelling) -> Option<String> {
    let limit = ParseOptions::default().recursion_limit(DEEPEST);
    let parsed = cpp_demangle::Symbol::new_with_options(name, &limit).ok()?;
    let options = DemangleOptions::new().recursion_limit(DEEPEST);
    let options = match spelling {
        Spelling::Full => options,
        Spelling::Bare => options.no_params().no_return_type(),
    };
    let mut text = Bounded::default();
    parsed.structured_demangle(&mut text, &options).ok()?;
    Some(text.0)
}

/// Text that refuses to grow beyond a length.
#[derive(Default)]
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.0.len() + part.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

/// A name with the differences taken out that spellings have which mean the same: blanks, and `> >` for `>>`.
pub(crate) fn normal(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name.chars().peekable();
    while let Some(letter) = rest.next() {
        let between_words = || {
            let word =
                |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
            word(text.chars().next_back()) && word(rest.clone().find(|next| *next != ' '))
        };
        if letter != ' ' || between_words() && !text.ends_with(' ') {
            text.push(letter);
        }
    }
    text
}

/// What mangled forms of that readable name have in them, as its length and itself: `4area` for `shape::area(int)`.
/// `None` where nothing is sure to be there.
pub(crate) fn sure_part(readable: &str) -> Option<String> {
    let path = readable.split('(').find(|part| !part.is_empty())?;
    let part = path.rsplit("::").find_map(plain_identifier)?;
    Some(format!("{}{part}", part.len()))
}

/// An identifier that no abbreviation stands for, and that no mangling writes in another way.
fn plain_identifier(part: &str) -> Option<&str> {
    const ABBREVIATED: [&str; 9] = [
        "std",
        "allocator",
        "basic_string",
        "string",
        "basic_istream",
        "basic_ostream",
        "basic_iostream",
        "istream",
        "ostream",
    ];
    let part = part.trim_start_matches('~');
    let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let named =
        part.bytes().next().is_some_and(|byte| !byte.is_ascii_digit()) && !part.starts_with("operator");
    (plain && named && !ABBREVIATED.contains(&part)).then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_told_apart() {
        let table = [
            ("_ZN4core3fmt5write17h01234567890abcdeE", Some("core::fmt::write")),
            ("_ZN4core3fmt5write17h01234567890abcdeE.llvm.123", Some("core::fmt::write")),
            ("_ZN4core3fmt5writeE", Some("core::fmt::write")),
            ("_ZN5shape5scaleILi3EEEvv", Some("void shape::scale<3>()")),
            ("_RNvCs15kBYyAo9fc_7mycrate7example", Some("mycrate::example")),
            ("_Z", None),
            ("_R", None),
            ("main", None),
        ];
        for (name, expected) in table {
            assert_eq!(demangle(name, Spelling::Full).as_deref(), expected, "{name}");
        }
        assert_eq!(demangle("_ZN5shape5scaleILi3EEEvv", Spelling::Bare).as_deref(), Some("shape::scale<3>"));
    }

    #[test]
    fn a_name_that_grows_without_bound_is_none() {
        // Each S-numbered type holds the one before it twice.
        let mut name = String::from("_Z1fSt4pairIiiE");
        for depth in 0..40 {
            let seq = if depth == 0 { "S_".to_owned() } else { format!("S{}_", base36(depth * 2)) };
            name.push_str(&format!("St4pairI{seq}{seq}E"));
        }
        assert!(demangle(&name, Spelling::Full).is_none_or(|text| text.len() <= LONGEST));
        assert_eq!(demangle(&format!("_Z1f{}i", "P".repeat(100_000)), Spelling::Full), None);
    }

    fn base36(number: usize) -> String {
        let digits: Vec<char> = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".chars().collect();
        if number < 36 {
            digits[number].to_string()
        } else {
            format!("{}{}", base36(number / 36), digits[number % 36])
        }
    }

    #[test]
    fn blanks_that_mean_nothing_are_left_out() {
        assert_eq!(normal("f(int, char const *)"), normal("f(int,char const*)"));
        assert_eq!(normal("f(unsigned  int)"), "f(unsigned int)");
        assert_eq!(normal("v<v<int> >"), "v<v<int>>");
    }

    #[test]
    fn a_sure_part_is_one_that_manglings_do_not_change() {
        let table = [
            ("shape::area(int)", Some("4area")),
            ("shape::~shape()", Some("5shape")),
            ("std::allocator", None),
            ("shape::operator+(shape const&)", Some("5shape")),
            ("core::fmt::{closure#0}", Some("3fmt")),
            ("(anonymous namespace)::hidden()", Some("6hidden")),
        ];
        for (name, expected) in table {
            assert_eq!(sure_part(name).as_deref(), expected, "{name}");
        }
    }
}
