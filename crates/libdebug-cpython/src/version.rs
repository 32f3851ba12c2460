//! Which CPython it is.

use std::fmt;

/// How far a release is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReleaseLevel {
    /// `a`.
    Alpha,
    /// `b`.
    Beta,
    /// `rc`.
    Candidate,
    /// A release.
    Final,
}

/// A version of CPython. Versions are in order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 3.
    pub major: u8,
    /// 13 of 3.13.2.
    pub minor: u8,
    /// 2 of 3.13.2.
    pub micro: u8,
    /// Whether it is a release.
    pub level: ReleaseLevel,
    /// Which of its level; 0 in a release.
    pub serial: u8,
}

impl Version {
    /// Reads `PY_VERSION_HEX`: major, minor, micro, one byte each, level and serial, four bits each.
    ///
    /// ```
    /// use libdebug_cpython::Version;
    /// let version = Version::from_hex(0x030d_02f0).unwrap();
    /// assert_eq!((version.major, version.minor, version.micro), (3, 13, 2));
    /// assert_eq!(version.to_string(), "3.13.2");
    /// assert!(Version::from_hex(0x0000_0001).is_none());
    /// ```
    #[must_use]
    pub fn from_hex(hex: u32) -> Option<Self> {
        let [major, minor, micro, release] = hex.to_be_bytes();
        let level = match release >> 4 {
            0xa => ReleaseLevel::Alpha,
            0xb => ReleaseLevel::Beta,
            0xc => ReleaseLevel::Candidate,
            0xf => ReleaseLevel::Final,
            _ => return None,
        };
        Some(Self { major, minor, micro, level, serial: release & 0xf })
    }

    /// Reads what a version text such as `3.13.0rc2+ (main, …)` begins with.
    ///
    /// ```
    /// use libdebug_cpython::{ReleaseLevel, Version};
    /// let version = Version::from_text("3.13.0rc2+ (main, Oct  1 2024)").unwrap();
    /// assert_eq!((version.minor, version.level, version.serial), (13, ReleaseLevel::Candidate, 2));
    /// assert!(Version::from_text("three").is_none());
    /// ```
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let (major, rest) = number(text)?;
        let (minor, rest) = number(rest.strip_prefix('.')?)?;
        let (micro, rest) = number(rest.strip_prefix('.')?)?;
        let levels = [("a", ReleaseLevel::Alpha), ("b", ReleaseLevel::Beta), ("rc", ReleaseLevel::Candidate)];
        let found =
            levels.iter().find_map(|(sign, level)| Some((*level, number(rest.strip_prefix(sign)?)?.0)));
        let (level, serial) = found.unwrap_or((ReleaseLevel::Final, 0));
        Some(Self { major, minor, micro, level, serial })
    }

    /// Major and minor number: what decides how an interpreter is built.
    #[must_use]
    pub const fn series(&self) -> (u8, u8) {
        (self.major, self.minor)
    }
}

/// A number and what is behind it.
fn number(text: &str) -> Option<(u8, &str)> {
    let end = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.micro)?;
        match self.level {
            ReleaseLevel::Alpha => write!(formatter, "a{}", self.serial),
            ReleaseLevel::Beta => write!(formatter, "b{}", self.serial),
            ReleaseLevel::Candidate => write!(formatter, "rc{}", self.serial),
            ReleaseLevel::Final => Ok(()),
        }
    }
}
