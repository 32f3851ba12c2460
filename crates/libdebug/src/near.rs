//! The name that was meant by a misspelt one.

/// Longer names are not compared: nobody types them.
const LONGEST: usize = 64;

/// The known name that differs least from `name`, if that is little: a letter or two, or two exchanged ones.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + name.len() / 5;
    let close = |other: &&str| other.len().abs_diff(name.len()) <= limit && other.len() <= LONGEST;
    let near =
        known.into_iter().filter(close).map(|other| (distance(name.as_bytes(), other.as_bytes()), other));
    near.filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// What an error's text ends with, that names what was probably meant.
pub(crate) fn hint(near: Option<&str>) -> String {
    near.map_or(String::new(), |name| format!(". Did you mean {name:?}?"))
}

/// How many letters have to be changed, put in, left out, or exchanged with their neighbours, upper and lower case
/// being the same (the distance of Damerau and Levenshtein, each letter being touched once).
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, candidate) in other.iter().enumerate() {
            let same = letter.eq_ignore_ascii_case(candidate);
            let mut cost = (last[j] + usize::from(!same)).min(last[j + 1] + 1).min(row[j] + 1);
            let exchanged = i > 0 && j > 0 && one[i - 1] == *candidate && *letter == other[j - 1];
            if exchanged {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_finger_count_once() {
        for (one, other, expected) in
            [("", "", 0), ("", "ab", 2), ("mian", "main", 1), ("opennat", "openat", 1), ("READ", "read", 0)]
        {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
        }
    }

    #[test]
    fn only_near_names_are_named() {
        let known = ["main", "counter_function", "message"];
        assert_eq!(nearest("mian", known), Some("main"));
        assert_eq!(nearest("counter_funktion", known), Some("counter_function"));
        assert_eq!(nearest("win", known), None);
        assert_eq!(hint(nearest("mesage", known)), ". Did you mean \"message\"?");
    }
}
