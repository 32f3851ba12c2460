//! Core files: what is written is read, and damage is answered.
#![allow(clippy::unwrap_used)]

use libdebug_image::{CoreFile, CoreMapping, CoreProcess, CoreSegment, CoreThread, ImageError};

fn core(segments: usize) -> CoreFile {
    let segment = |number: usize| CoreSegment {
        address: 0x1000 * number as u64,
        size: 0x1000,
        file_size: if number.is_multiple_of(2) { 0x1000 } else { 0 },
        readable: true,
        writable: number.is_multiple_of(3),
        ..CoreSegment::default()
    };
    let thread = |tid: i32| CoreThread {
        tid,
        signal: 11,
        general: std::array::from_fn(|index| index as u64 * 3),
        floating: vec![1; 512],
        extended: vec![2; 832],
    };
    CoreFile {
        process: CoreProcess { pid: 7, parent: 1, name: "program".into(), arguments: "program -x".into() },
        threads: vec![thread(7), thread(9)],
        auxiliary: vec![3; 32],
        files: vec![CoreMapping { start: 0x1000, end: 0x3000, offset: 0x2000, path: "/bin/a b".into() }],
        segments: (1..=segments).map(segment).collect(),
        private: vec![5; 7],
    }
}

#[test]
fn what_is_written_is_read() {
    // More than 16 bits can count is told by a section header.
    for segments in [0, 3, 70_000] {
        let written = core(segments);
        let (mut head, places) = written.head();
        // What the head promises is there.
        head.resize(head.len() + 0x1000 * (segments + 1), 0);
        let mut read = CoreFile::parse(&head).unwrap();
        for (segment, place) in read.segments.iter_mut().zip(&places) {
            assert!(place.is_none_or(|place| place == segment.file_offset && place % 0x1000 == 0));
            segment.file_offset = 0;
        }
        assert_eq!(read, written);
    }
}

#[test]
fn content_that_was_cut_off_is_not_promised() {
    let (head, places) = core(3).head();
    let read = CoreFile::parse(&head).unwrap();
    assert_eq!(places.iter().flatten().count(), 1);
    assert!(read.segments.iter().all(|segment| segment.file_size == 0), "nothing is behind the head");
}

#[test]
fn damage_is_answered() {
    let (head, _) = core(3).head();
    for place in 0..head.len() {
        for value in [0, 0x55, 0xff] {
            let mut bad = head.clone();
            bad[place] = value;
            let _ = CoreFile::parse(&bad);
        }
        if place < 64 + 4 * 56 {
            assert!(CoreFile::parse(&head[..place]).is_err(), "cut after {place} bytes");
        }
    }
    assert_eq!(CoreFile::parse(b"nothing"), Err(ImageError::NotElf));
    let mut executable = head.clone();
    executable[16] = 2;
    assert!(matches!(CoreFile::parse(&executable), Err(ImageError::Damaged(_))));
    assert!(CoreFile::is_core(&head) && !CoreFile::is_core(&executable));
}
