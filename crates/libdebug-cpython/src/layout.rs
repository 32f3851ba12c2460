//! Where things lie in the structures of one build of CPython, in bytes from the start of each structure.

/// What a frame keeps of where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// `f_lasti`, in bytes (3.8, 3.9).
    LastInstruction,
    /// `f_lasti`, in code units of two bytes (3.10).
    LastUnit,
    /// A pointer into the code's instructions (3.11 on).
    Pointer,
}

/// How a code object tells the lines of its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineTable {
    /// `co_lnotab` (3.8, 3.9).
    Increments,
    /// `co_linetable` with an end and a line for each range (3.10).
    Ranges,
    /// The location table (3.11 on).
    Locations,
}

/// Which of a thread's frames belong to one call of the function that evaluates them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Evaluations {
    /// Each frame has one of its own (3.8 to 3.10).
    OneEach,
    /// A frame's flag says that it is the first of one, at this offset (3.11).
    FirstHasFlag(u64),
    /// A frame that is no Python function's ends each, with an owner of at least this number (3.12 on).
    Shim(u8),
}

/// Where a thread state leads to its innermost frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameRoot {
    /// The thread state has the frame; each evaluation's own structure on the C stack, if any, begins at the second
    /// offset, and leads to the one before by the third.
    Direct { frame: u64, c_frame: Option<(u64, u64)> },
    /// By a structure on the C stack: the thread state's pointer to it, and in it the frame and the structure before.
    ByCFrame { c_frame: u64, frame: u64, previous: u64 },
}

/// Where the lock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gil {
    /// In the runtime (3.8 to 3.11).
    InRuntime(u64),
    /// The interpreter state has a pointer to it (3.12 on).
    ByInterpreter(u64),
}

/// The runtime's own state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runtime {
    pub(crate) initialized: u64,
    pub(crate) finalizing: u64,
    pub(crate) interpreters: u64,
    pub(crate) main_thread: u64,
}

/// An interpreter's state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InterpreterState {
    pub(crate) next: u64,
    pub(crate) threads: u64,
    pub(crate) id: u64,
    pub(crate) modules: u64,
}

/// The lock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GilState {
    pub(crate) place: Gil,
    pub(crate) holder: u64,
    pub(crate) locked: u64,
    /// Whether there is a lock at all, in builds that can do without.
    pub(crate) enabled: Option<u64>,
}

/// A thread's state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ThreadState {
    pub(crate) next: u64,
    pub(crate) ident: u64,
    pub(crate) native_id: Option<u64>,
    pub(crate) root: FrameRoot,
    /// A frame in the thread state that ends the chain and belongs to no evaluation (3.15).
    pub(crate) base_frame: Option<u64>,
}

/// A frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameState {
    pub(crate) previous: u64,
    pub(crate) code: u64,
    pub(crate) position: u64,
    pub(crate) position_is: Position,
    /// Who owns it; none before 3.11.
    pub(crate) owner: Option<u64>,
    pub(crate) evaluations: Evaluations,
    /// Which copy of the code's instructions the position is in (free-threaded builds from 3.14 on).
    pub(crate) copy: Option<u64>,
}

/// A code object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code {
    pub(crate) file: u64,
    pub(crate) name: u64,
    pub(crate) first_line: u64,
    pub(crate) lines: u64,
    pub(crate) lines_are: LineTable,
    /// Its instructions, and the number of the first that is traced, where they are part of it (3.11 on).
    pub(crate) instructions: Option<(u64, u64)>,
    /// The copies of its instructions that threads have (free-threaded builds from 3.14 on).
    pub(crate) copies: Option<u64>,
}

/// A text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text {
    pub(crate) length: u64,
    pub(crate) state: u64,
    /// The bit at which the kind begins, within the state.
    pub(crate) kind_bit: u32,
    pub(crate) ascii_data: u64,
    pub(crate) compact_data: u64,
}

/// How instances keep their attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attributes {
    /// A dictionary, at the type's `tp_dictoffset` (to 3.10).
    Dictionary,
    /// Before the object, values and dictionary (3.11).
    ValuesBefore,
    /// Before the object, values with the lowest bit set or a dictionary (3.12).
    TaggedBefore,
    /// Behind the object, values; before it a dictionary, at this offset (3.13 on).
    Inline(i64),
}

/// Dictionaries and types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Objects {
    pub(crate) of_type: u64,
    /// `tp_flags`, `tp_basicsize`, `tp_dictoffset` of a type and the keys that its instances share.
    pub(crate) type_flags: u64,
    pub(crate) basic_size: u64,
    pub(crate) dictionary_offset: u64,
    pub(crate) shared_keys: u64,
    pub(crate) attributes: Attributes,
    /// `ma_keys` and `ma_values` of a dictionary.
    pub(crate) keys: u64,
    pub(crate) values: u64,
    /// Where in the values of a dictionary the first one is.
    pub(crate) first_value: u64,
    /// Keys have logarithms for sizes, and their kind (3.11 on).
    pub(crate) keys_are_compact: bool,
    /// Size and digits of an integer; whether the size is in a tag (3.12 on).
    pub(crate) integer_size: u64,
    pub(crate) integer_digits: u64,
    pub(crate) integer_is_tagged: bool,
    /// Size and content of `bytes`.
    pub(crate) bytes_size: u64,
    pub(crate) bytes_data: u64,
}

/// What PEP 768 lets others write, to have a thread run a file; offsets in a thread state where not said otherwise.
///
/// Source: `_Py_DebugOffsets.debugger_support`, 3.14 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteDebugging {
    /// The eval breaker, a word of bits.
    pub eval_breaker: u64,
    /// The structure that the next two are in.
    pub support: u64,
    /// In an *interpreter* state: the switch, 0 for off (`int`).
    pub enabled: u64,
    /// In the support structure: whether there is a request (`int`).
    pub pending_call: u64,
    /// In the support structure: the path of the file, ended by a zero byte.
    pub script_path: u64,
    /// How long that path may be, in bytes, with the zero byte.
    pub script_path_size: u64,
}

/// All that is read of an interpreter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) runtime: Runtime,
    pub(crate) interpreter: InterpreterState,
    pub(crate) gil: GilState,
    pub(crate) thread: ThreadState,
    pub(crate) frame: FrameState,
    pub(crate) code: Code,
    pub(crate) text: Text,
    pub(crate) objects: Objects,
    pub(crate) remote: Option<RemoteDebugging>,
}
