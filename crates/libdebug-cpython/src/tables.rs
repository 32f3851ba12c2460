//! The structures of CPython 3.8 to 3.12 on 64-bit Linux, which do not tell of themselves.
//!
//! Facts of each series' headers; within a series they are the same in all its releases. The tests look into an
//! interpreter of each series that they find, static and shared, stripped and not.

use crate::layout::{
    Attributes, Code, Evaluations, FrameRoot, FrameState, Gil, GilState, InterpreterState, Layout, LineTable,
    Objects, Position, Runtime, Text, ThreadState,
};

/// The layout of a series; `None` for one without a table.
pub(crate) const fn layout(series: (u8, u8)) -> Option<Layout> {
    Some(match series {
        (3, 8) => V3_8,
        (3, 9) => V3_9,
        (3, 10) => V3_10,
        (3, 11) => V3_11,
        (3, 12) => V3_12,
        _ => return None,
    })
}

const OLD_CODE: Code = Code {
    file: 104,
    name: 112,
    first_line: 40,
    lines: 120,
    lines_are: LineTable::Increments,
    instructions: None,
    copies: None,
};

/// Texts before 3.12, with `wstr`.
const OLD_TEXT: Text = Text { length: 16, state: 32, kind_bit: 2, ascii_data: 48, compact_data: 72 };

const OLD_OBJECTS: Objects = Objects {
    of_type: 8,
    type_flags: 168,
    basic_size: 32,
    dictionary_offset: 288,
    shared_keys: 872,
    attributes: Attributes::Dictionary,
    keys: 32,
    values: 40,
    first_value: 0,
    keys_are_compact: false,
    integer_size: 16,
    integer_digits: 24,
    integer_is_tagged: false,
    bytes_size: 16,
    bytes_data: 32,
};

const V3_8: Layout = Layout {
    runtime: Runtime { initialized: 12, finalizing: 16, interpreters: 32, main_thread: 72 },
    interpreter: InterpreterState { next: 0, threads: 8, id: 16, modules: 56 },
    gil: GilState { place: Gil::InRuntime(1152), holder: 8, locked: 16, enabled: None },
    thread: ThreadState {
        next: 8,
        ident: 176,
        native_id: None,
        root: FrameRoot::Direct { frame: 24, c_frame: None },
        base_frame: None,
    },
    frame: FrameState {
        previous: 24,
        code: 32,
        position: 104,
        position_is: Position::LastInstruction,
        owner: None,
        evaluations: Evaluations::OneEach,
        copy: None,
    },
    code: OLD_CODE,
    text: OLD_TEXT,
    objects: OLD_OBJECTS,
    remote: None,
};

const V3_9: Layout = Layout {
    interpreter: InterpreterState { next: 0, threads: 8, id: 24, modules: 856 },
    gil: GilState { place: Gil::InRuntime(352), holder: 8, locked: 16, enabled: None },
    objects: Objects { shared_keys: 864, ..OLD_OBJECTS },
    ..V3_8
};

const V3_10: Layout = Layout {
    thread: ThreadState { root: FrameRoot::Direct { frame: 24, c_frame: Some((48, 8)) }, ..V3_9.thread },
    frame: FrameState { position: 96, position_is: Position::LastUnit, ..V3_9.frame },
    code: Code { lines_are: LineTable::Ranges, ..OLD_CODE },
    objects: OLD_OBJECTS,
    ..V3_9
};

const V3_11: Layout = Layout {
    runtime: Runtime { initialized: 16, finalizing: 24, interpreters: 40, main_thread: 80 },
    interpreter: InterpreterState { next: 0, threads: 16, id: 48, modules: 888 },
    gil: GilState { place: Gil::InRuntime(360), holder: 8, locked: 16, enabled: None },
    thread: ThreadState {
        next: 8,
        ident: 152,
        native_id: Some(160),
        root: FrameRoot::ByCFrame { c_frame: 56, frame: 8, previous: 16 },
        base_frame: None,
    },
    frame: FrameState {
        previous: 48,
        code: 32,
        position: 56,
        position_is: Position::Pointer,
        owner: Some(69),
        evaluations: Evaluations::FirstHasFlag(68),
        copy: None,
    },
    code: Code {
        file: 112,
        name: 128,
        first_line: 72,
        lines: 136,
        lines_are: LineTable::Locations,
        instructions: Some((184, 168)),
        copies: None,
    },
    text: OLD_TEXT,
    objects: Objects { attributes: Attributes::ValuesBefore, keys_are_compact: true, ..OLD_OBJECTS },
    remote: None,
};

const V3_12: Layout = Layout {
    runtime: Runtime { initialized: 16, finalizing: 24, interpreters: 40, main_thread: 64 },
    interpreter: InterpreterState { next: 0, threads: 72, id: 8, modules: 944 },
    gil: GilState { place: Gil::ByInterpreter(384), holder: 8, locked: 16, enabled: None },
    thread: ThreadState {
        ident: 136,
        native_id: Some(144),
        root: FrameRoot::ByCFrame { c_frame: 56, frame: 0, previous: 8 },
        ..V3_11.thread
    },
    frame: FrameState {
        previous: 8,
        code: 0,
        position: 56,
        position_is: Position::Pointer,
        owner: Some(70),
        evaluations: Evaluations::Shim(3),
        copy: None,
    },
    code: Code { first_line: 68, instructions: Some((192, 176)), ..V3_11.code },
    text: Text { ascii_data: 40, compact_data: 56, ..OLD_TEXT },
    objects: Objects {
        shared_keys: 880,
        attributes: Attributes::TaggedBefore,
        integer_is_tagged: true,
        ..V3_11.objects
    },
    remote: None,
};
