use super::*;
use crate::host::RustHost;
use crate::space::kept::{Kept, kept, map};

fn found(space: &Kept, pattern: &[u8], within: &SearchIn) -> Vec<u64> {
    find(space, pattern, within, &Patience::of(&RustHost)).unwrap()
}

/// A page of dots with something at an offset.
fn page(offset: usize, content: &[u8]) -> Vec<u8> {
    let mut page = vec![b'.'; 4096];
    page[offset..offset + content.len()].copy_from_slice(content);
    page
}

fn in_file(name: &str, start: Option<u64>, end: Option<u64>) -> SearchIn {
    SearchIn { maps: MapChoice::parse(name), start, end }
}

#[test]
fn hits_overlap() {
    let space = kept(&[(0x1000, "", page(10, b"aaaa"))]);
    assert_eq!(found(&space, b"aa", &SearchIn::everywhere()), [0x100a, 0x100b, 0x100c]);
    assert_eq!(found(&space, b"a", &SearchIn::everywhere()).len(), 4);
}

#[test]
fn a_hit_may_lie_across_maps_that_adjoin_and_only_across_those() {
    let parts = [
        (0x1000, "/bin/program", page(4093, b"nee")),
        (0x2000, "/lib/one", page(0, b"dle")),
        (0x4000, "/lib/two", page(4093, b"nee")),
        (0x6000, "/bin/program", page(0, b"dle")),
    ];
    let space = kept(&parts);
    assert_eq!(found(&space, b"needle", &SearchIn::everywhere()), [0x1ffd]);
    assert!(found(&space, b"needle", &in_file("binary", None, None)).is_empty(), "half of it is elsewhere");
    assert!(found(&space, b"needle", &in_file("lib", None, None)).is_empty());
}

#[test]
fn a_hit_may_lie_anywhere_in_much_memory() {
    let mut bytes = vec![0; 1 << 20];
    let places: Vec<usize> =
        (1..4).flat_map(|chunk| (0..6).map(move |back| chunk * (256 << 10) - back * 7)).collect();
    for place in &places {
        bytes[*place..place + 6].copy_from_slice(b"needle");
    }
    let mut expected: Vec<u64> = places.iter().map(|place| 0x10000 + *place as u64).collect();
    expected.sort_unstable();
    let space = kept(&[(0x10000, "", bytes.clone())]);
    assert_eq!(found(&space, b"needle", &SearchIn::everywhere()), expected);
    bytes[1000] = 1;
    let long = bytes[1000..600_000].to_vec();
    let space = kept(&[(0x10000, "", bytes)]);
    assert_eq!(
        found(&space, &long, &SearchIn::everywhere()),
        [0x10000 + 1000],
        "longer than what is read at once"
    );
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let mut space = kept(&[
        (0x1000, "", page(0, b"needle")),
        (0x2000, "", page(0, b"")),
        (0x3000, "", page(4, b"needle")),
    ]);
    space.content[1].1 = None;
    space.maps = [map(0x1000, 0x4000, "")].into();
    assert_eq!(found(&space, b"needle", &SearchIn::everywhere()), [0x1000, 0x3004]);
}

#[test]
fn memory_that_was_never_touched_holds_zeros_only() {
    let mut bytes = vec![0; 1 << 20];
    bytes[0x40000..0x40006].copy_from_slice(b"needle");
    let mut space = kept(&[(0x100000, "", bytes)]);
    space.populated = Some(0x140000..0x141000);
    assert_eq!(found(&space, b"needle", &SearchIn::everywhere()), [0x140000]);
    assert_eq!(found(&space, b"\0\0\0\0need", &SearchIn::everywhere()), [0x140000 - 4], "half in the hole");
    assert_eq!(found(&space, b"\0", &SearchIn::everywhere()).len(), (1 << 20) - 6);
}

#[test]
fn bounds_are_of_the_file_and_the_end_of_a_map_is_one() {
    let space = kept(&[
        (0x10000, "/bin/program", page(0x10, b"needle")),
        (0x11000, "/bin/program", page(4090, b"needle")),
        (0x20000, "/lib/one", page(0, b"needle")),
    ]);
    let both = [0x10010, 0x11ffa];
    assert_eq!(found(&space, b"needle", &in_file("binary", None, None)), both);
    assert_eq!(found(&space, b"needle", &in_file("program", Some(0x10), Some(0x2000))), both, "relative");
    assert_eq!(found(&space, b"needle", &in_file("program", Some(0x10010), Some(0x12000))), both);
    assert_eq!(found(&space, b"needle", &in_file("program", Some(0x11), Some(0x1fff))), [0u64; 0]);
    assert_eq!(found(&space, b"needle", &in_file("all", Some(0x10011), Some(0x20006))), [0x11ffa, 0x20000]);
    let outside = find(&space, b"x", &in_file("one", Some(0x5000), None), &Patience::of(&RustHost));
    assert!(matches!(outside, Err(Error::NotMapped { address: 0x5000, .. })));
    let backwards = find(&space, b"x", &in_file("all", Some(2), Some(1)), &Patience::of(&RustHost));
    assert!(matches!(backwards, Err(Error::BadSearch(_))));
}

#[test]
fn a_search_for_nothing_or_nowhere_is_refused() {
    let space = kept(&[(0x1000, "", page(0, b""))]);
    let patience = Patience::of(&RustHost);
    assert!(matches!(find(&space, b"", &SearchIn::everywhere(), &patience), Err(Error::BadSearch(_))));
    let nowhere = find(&space, b"x", &in_file("no such file", None, None), &patience);
    assert_eq!(nowhere.unwrap_err().to_string(), "No memory map found for the specified backing file.");
}

fn words(values: &[u64]) -> Vec<u8> {
    let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    bytes.resize(4096, 0);
    bytes
}

#[test]
fn pointers_are_told_with_where_they_lie() {
    let mut odd = words(&[0]);
    odd[13..21].copy_from_slice(&0x2008u64.to_le_bytes());
    let space = kept(&[
        (0x1000, "/a", words(&[0x2000, 7, 0x3000, 0x1fff])),
        (0x2000, "/b", words(&[0x1000])),
        (0x8000, "/c", odd),
    ]);
    let pointers =
        |from, to, step| find_pointers(&space, &from, &to, step, &Patience::of(&RustHost)).unwrap();
    let file = MapChoice::parse;
    assert_eq!(pointers(file("/a"), file("/b"), 8), [(0x1000, 0x2000)]);
    assert_eq!(pointers(MapChoice::At(0x1234), MapChoice::All, 8), [(0x1000, 0x2000), (0x1018, 0x1fff)]);
    assert_eq!(pointers(file("/c"), file("/b"), 8), []);
    assert_eq!(pointers(file("/c"), file("/b"), 1), [(0x800d, 0x2008)]);
    assert_eq!(pointers(file("/c"), file("/b"), 13), [(0x800d, 0x2008)]);
    let refused = |from, to, step| {
        find_pointers(&space, &from, &to, step, &Patience::of(&RustHost)).unwrap_err().to_string()
    };
    assert_eq!(refused(MapChoice::All, file("/x"), 1), "No memory map found for the specified target.");
    assert_eq!(
        refused(MapChoice::At(1), MapChoice::All, 1),
        "No memory map found for the specified where parameter."
    );
    assert_eq!(refused(MapChoice::All, MapChoice::All, 0), "The step must be greater than 0.");
}

#[test]
fn pointers_across_pieces_are_found_once() {
    let mut bytes = vec![0; 1 << 20];
    let target = 0x100000u64.to_le_bytes();
    bytes[(256 << 10) - 3..][..8].copy_from_slice(&target);
    bytes[(1 << 20) - 8..].copy_from_slice(&target);
    let space = kept(&[(0x100000, "", bytes)]);
    let found = find_pointers(&space, &MapChoice::All, &MapChoice::All, 1, &Patience::of(&RustHost)).unwrap();
    let places = found.iter().filter(|(_, to)| *to == 0x100000).map(|(from, _)| from - 0x100000);
    assert_eq!(places.collect::<Vec<_>>(), [(256 << 10) - 3, (1 << 20) - 8]);
}

#[test]
fn chains_end_at_a_text_a_loop_or_the_depth() {
    let text = u64::from_le_bytes(*b"a string");
    let space = kept(&[(0x1000, "", words(&[0x1008, 0x1010, text, 0x1018]))]);
    let chain = telescope(&space, 0x1000, 10, 100, &Patience::of(&RustHost)).unwrap();
    assert_eq!((chain.chain, chain.has_loop), (vec![0x1000, 0x1008, 0x1010, text], false));
    assert_eq!(&chain.tail[..9], b"a string\x18");
    let short = telescope(&space, 0x1000, 1, 100, &Patience::of(&RustHost)).unwrap();
    assert_eq!((short.chain, short.tail), (vec![0x1000, 0x1008], vec![]));
    let loops = telescope(&space, 0x1018, 4, 100, &Patience::of(&RustHost)).unwrap();
    assert_eq!((loops.chain, loops.has_loop, loops.tail), (vec![0x1018; 5], true, vec![]));
    let nowhere = telescope(&space, 0x9000, 4, 100, &Patience::of(&RustHost)).unwrap();
    assert_eq!((nowhere.chain, nowhere.tail), (vec![0x9000], vec![]));
}

/// A host that wants an end, always.
struct Impatient;

impl crate::host::Host for Impatient {
    fn check(&self) -> std::result::Result<(), crate::error::BoxError> {
        Err("enough".into())
    }
}

/// Zeros without an end.
struct Endless;

impl AddressSpace for Endless {
    fn maps(&self) -> Result<std::sync::Arc<[Map]>> {
        Ok([map(0x1000, 1 << 46, "")].into())
    }

    fn read(&self, _: u64, buffer: &mut [u8]) -> Result<usize> {
        buffer.fill(0);
        Ok(buffer.len())
    }

    fn image(&self, _: &str) -> Option<std::sync::Arc<libdebug_image::Image>> {
        None
    }

    fn program(&self) -> Result<String> {
        Ok(String::new())
    }
}

#[test]
fn the_host_can_end_a_search() {
    let patience = Patience::of(&Impatient);
    let bytes = find(&Endless, b"needle", &SearchIn::everywhere(), &patience);
    assert!(matches!(bytes, Err(Error::Interrupted(_))));
    let pointers = find_pointers(&Endless, &MapChoice::All, &MapChoice::All, 8, &patience);
    assert!(matches!(pointers, Err(Error::Interrupted(_))));
    assert!(matches!(telescope(&Endless, 0x1000, usize::MAX, 8, &patience), Err(Error::Interrupted(_))));
}
