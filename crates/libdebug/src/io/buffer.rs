//! Bytes that have arrived and were not handed out yet.

/// A queue of bytes, taken from the front in pieces.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    /// Counts the changes of the front: positions found under another number are void.
    front: u64,
}

impl Buffer {
    pub(super) fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes the first `count` bytes, or all when there are fewer.
    pub(super) fn take(&mut self, count: usize) -> Vec<u8> {
        let end = self.start + count.min(self.len());
        let taken = self.bytes[self.start..end].to_vec();
        self.start = end;
        self.front += 1;
        // Moving the rest forward at every take would cost the square of what is pending.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        taken
    }

    /// Puts `bytes` back before everything else.
    pub(super) fn unread(&mut self, bytes: &[u8]) {
        self.bytes.splice(..self.start, bytes.iter().copied());
        self.start = 0;
        self.front += 1;
    }
}

/// A search for several occurrences of a delimiter in a buffer that grows meanwhile.
#[derive(Debug)]
pub(super) struct Search<'a> {
    delimiter: &'a [u8],
    wanted: usize,
    found: Vec<usize>,
    /// Where no further occurrence begins before.
    from: usize,
    front: u64,
}

impl<'a> Search<'a> {
    /// Occurrences do not overlap.
    pub(super) fn new(delimiter: &'a [u8], wanted: usize) -> Self {
        Self { delimiter, wanted, found: Vec::new(), from: 0, front: 0 }
    }

    /// The end of the last wanted occurrence, once it has arrived. Looks only at what is new since the last
    /// call, unless somebody else took from the buffer.
    pub(super) fn end(&mut self, buffer: &Buffer) -> Option<usize> {
        if self.front != buffer.front {
            (self.found, self.from, self.front) = (Vec::new(), 0, buffer.front);
        }
        while self.found.len() < self.wanted {
            let rest = &buffer.pending()[self.from..];
            let Some(position) = find(rest, self.delimiter) else {
                self.from += rest.len().saturating_sub(self.delimiter.len() - 1);
                return None;
            };
            self.found.push(self.from + position);
            self.from += position + self.delimiter.len();
        }
        Some(self.from)
    }

    /// `bytes` without the occurrences that were found in them.
    pub(super) fn without_delimiters(&self, bytes: &[u8]) -> Vec<u8> {
        let starts = std::iter::once(0).chain(self.found.iter().map(|at| at + self.delimiter.len()));
        starts.zip(&self.found).flat_map(|(start, end)| &bytes[start..*end]).copied().collect()
    }
}

fn find(bytes: &[u8], delimiter: &[u8]) -> Option<usize> {
    match delimiter {
        [byte] => bytes.iter().position(|candidate| candidate == byte),
        _ => bytes.windows(delimiter.len()).position(|window| window == delimiter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_found_across_pieces_and_only_once() {
        let mut buffer = Buffer::default();
        let mut search = Search::new(b"--", 2);
        for piece in [&b"a-"[..], b"-b", b"---", b"c"] {
            assert_eq!(search.end(&buffer), None);
            buffer.push(piece);
            if piece == b"---" {
                break;
            }
        }
        assert_eq!(search.end(&buffer), Some(6));
        assert_eq!(search.without_delimiters(&buffer.take(6)), b"ab");
        assert_eq!(buffer.pending(), b"-");
    }

    #[test]
    fn a_search_starts_again_when_another_took_from_the_front() {
        let mut buffer = Buffer::default();
        buffer.push(b"xxxx\n");
        let mut search = Search::new(b"\n", 2);
        assert_eq!(search.end(&buffer), None);
        assert_eq!(buffer.take(5), b"xxxx\n");
        buffer.push(b"a\nb\n");
        assert_eq!(search.end(&buffer), Some(4));
    }

    #[test]
    fn bytes_put_back_come_first() {
        let mut buffer = Buffer::default();
        buffer.push(b"0123456789");
        assert_eq!(buffer.take(3), b"012");
        buffer.unread(b"ab");
        assert_eq!(buffer.take(4), b"ab34");
        assert_eq!(buffer.take(100), b"56789");
        assert_eq!(buffer.len(), 0);
    }

    #[test]
    fn many_small_takes_from_much_do_not_move_everything_each_time() {
        let mut buffer = Buffer::default();
        buffer.push(&vec![7; 4 << 20]);
        let started = std::time::Instant::now();
        while buffer.len() > 0 {
            buffer.take(16);
        }
        // 262144 moves of megabytes would take minutes.
        assert!(started.elapsed().as_secs() < 10);
    }
}
