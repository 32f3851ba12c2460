//! `_Py_DebugOffsets`, with which CPython tells its structures since 3.13: where everything is, in bytes.
//!
//! It stands at the start of `_PyRuntime`: eight characters to know it by, the version, whether the build is
//! free-threaded, then offsets, in an order that each series fixes. Source: `pycore_debug_offsets.h`.

use crate::layout::{
    Attributes, Code, Evaluations, FrameRoot, FrameState, Gil, GilState, InterpreterState, Layout, LineTable,
    Objects, Position, RemoteDebugging, Runtime, Text, ThreadState,
};
use crate::version::Version;

/// More than any series' structure has, in bytes.
pub(crate) const MOST: usize = 1024;

const COOKIE: &[u8; 8] = b"xdebugpy";
/// Cookie, version, and whether it is free-threaded.
pub(crate) const HEAD: usize = 24;

type Group = (&'static str, &'static str);

const RUNTIME: Group = ("runtime", "size finalizing interpreters");
const INTERPRETER_3_14: Group = (
    "interpreter",
    "size id next threads main_thread gc modules sysdict builtins gil_pointer gil enabled locked holder generation \
     tlbc_generation",
);
const FRAME_3_14: Group =
    ("frame", "size previous executable instruction locals owner stack_pointer tlbc_index");
const CODE_3_14: Group =
    ("code", "size filename name qualname lines first_line argcount names kinds instructions tlbc");
const OBJECT: Group = ("object", "size type");
const TUPLE: Group = ("tuple", "size items length");
const LIST: Group = ("list", "size items length");
const SET: Group = ("set", "size used table mask");
const DICTIONARY: Group = ("dictionary", "size keys values");
const FLOAT: Group = ("float", "size value");
const INTEGER: Group = ("integer", "size tag digits");
const BYTES: Group = ("bytes", "size length data");
const GENERATOR: Group = ("generator", "size name frame state");
const LIST_NODE: Group = ("list_node", "next previous");
const REMOTE: Group = ("remote", "eval_breaker support enabled pending_call script_path script_path_size");

const V3_13: &[Group] = &[
    RUNTIME,
    ("interpreter", "size id next threads gc modules sysdict builtins gil_pointer gil enabled locked holder"),
    ("thread", "size previous next interpreter frame ident native_id stack_chunk status"),
    ("frame", "size previous executable instruction locals owner"),
    ("code", "size filename name qualname lines first_line argcount names kinds instructions"),
    OBJECT,
    ("type", "size name repr flags"),
    TUPLE,
    LIST,
    DICTIONARY,
    FLOAT,
    INTEGER,
    BYTES,
    ("text", "size state length ascii_size"),
    ("gc", "size collecting"),
];

const V3_14: &[Group] = &[
    RUNTIME,
    INTERPRETER_3_14,
    ("thread", "size previous next interpreter frame ident native_id stack_chunk status"),
    FRAME_3_14,
    CODE_3_14,
    OBJECT,
    ("type", "size name repr flags"),
    TUPLE,
    LIST,
    SET,
    DICTIONARY,
    FLOAT,
    INTEGER,
    BYTES,
    ("text", "size state length ascii_size"),
    ("gc", "size collecting"),
    GENERATOR,
    LIST_NODE,
    REMOTE,
];

const V3_15: &[Group] = &[
    RUNTIME,
    INTERPRETER_3_14,
    (
        "thread",
        "size previous next interpreter frame base_frame profiled profiled_number ident native_id stack_chunk status \
         holds_gil gil_requested exception exception_state",
    ),
    ("exception_item", "value"),
    FRAME_3_14,
    CODE_3_14,
    OBJECT,
    ("type", "size name repr flags basic_size dictionary_offset"),
    ("heap_type", "size shared_keys"),
    TUPLE,
    LIST,
    SET,
    DICTIONARY,
    FLOAT,
    INTEGER,
    BYTES,
    ("text", "size state length ascii_size compact_size"),
    ("gc", "size collecting frame statistics_size statistics"),
    GENERATOR,
    LIST_NODE,
    REMOTE,
];

/// The offsets of one interpreter.
pub(crate) struct DebugOffsets<'a> {
    bytes: &'a [u8],
    groups: &'static [Group],
}

/// The version that the bytes at the start of `_PyRuntime` tell; `None` before 3.13, where no offsets are.
pub(crate) fn version(bytes: &[u8]) -> Option<Version> {
    let hex = bytes.strip_prefix(COOKIE)?.get(..4)?;
    Version::from_hex(u32::from_le_bytes(hex.try_into().ok()?))
}

/// Whether the build can do without a global lock, as the bytes at the start of `_PyRuntime` tell it; not before 3.13.
pub(crate) fn is_free_threaded(bytes: &[u8]) -> bool {
    bytes.starts_with(COOKIE) && bytes.get(16..HEAD).is_some_and(|word| word.iter().any(|&byte| byte != 0))
}

impl<'a> DebugOffsets<'a> {
    /// Takes the bytes at the start of `_PyRuntime`; `None` for a series whose order is not known.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let groups = match version(bytes)?.series() {
            (3, 13) => V3_13,
            (3, 14) => V3_14,
            (3, 15) => V3_15,
            _ => return None,
        };
        Some(Self { bytes, groups })
    }

    fn is_free_threaded(&self) -> bool {
        is_free_threaded(self.bytes)
    }

    /// One offset; `None` for one that the series does not tell.
    fn get(&self, group: &str, field: &str) -> Option<u64> {
        let place = self.groups.iter().position(|(name, _)| *name == group)?;
        let before: usize = self.groups[..place].iter().map(|(_, fields)| fields.split(' ').count()).sum();
        let within = self.groups[place].1.split(' ').position(|name| name == field)?;
        let at = HEAD + 8 * (before + within);
        Some(u64::from_le_bytes(self.bytes.get(at..at + 8)?.try_into().ok()?))
    }

    /// All that is read of an interpreter; `None` when the offsets contradict each other.
    pub(crate) fn layout(&self) -> Option<Layout> {
        let get = |group, field| self.get(group, field);
        let header = get("object", "size")?;
        // What every build has behind an object's head.
        let is_sound = get("object", "type")? + 8 == header
            && get("bytes", "length")? == header
            && get("text", "length")? == header
            && get("integer", "tag")? == header;
        if !is_sound {
            return None;
        }
        let (finalizing, interpreters) = (get("runtime", "finalizing")?, get("runtime", "interpreters")?);
        Some(Layout {
            // `initialized` is the `int` before the word `_finalizing`; behind the list of interpreters are the main
            // one and the next number, then `main_thread`.
            runtime: Runtime {
                initialized: finalizing.checked_sub(8)?,
                finalizing,
                interpreters,
                main_thread: interpreters + 24,
            },
            interpreter: InterpreterState {
                next: get("interpreter", "next")?,
                threads: get("interpreter", "threads")?,
                id: get("interpreter", "id")?,
                modules: get("interpreter", "modules")?,
            },
            gil: self.gil()?,
            thread: ThreadState {
                next: get("thread", "next")?,
                ident: get("thread", "ident")?,
                native_id: Some(get("thread", "native_id")?),
                root: FrameRoot::Direct { frame: get("thread", "frame")?, c_frame: None },
                base_frame: get("thread", "base_frame"),
            },
            frame: self.frame()?,
            code: self.code()?,
            text: self.text()?,
            objects: self.objects(header)?,
            remote: self.remote(),
        })
    }

    fn gil(&self) -> Option<GilState> {
        let (enabled, own) = (self.get("interpreter", "enabled")?, self.get("interpreter", "gil")?);
        Some(GilState {
            place: Gil::ByInterpreter(self.get("interpreter", "gil_pointer")?),
            // Told from the start of the interpreter state, as if the lock were its own; `enabled` is not.
            holder: self.get("interpreter", "holder")?.checked_sub(own)?,
            locked: self.get("interpreter", "locked")?.checked_sub(own)?,
            enabled: self.is_free_threaded().then_some(enabled),
        })
    }

    fn frame(&self) -> Option<FrameState> {
        Some(FrameState {
            previous: self.get("frame", "previous")?,
            code: self.get("frame", "executable")?,
            position: self.get("frame", "instruction")?,
            position_is: Position::Pointer,
            owner: Some(self.get("frame", "owner")?),
            // FRAME_OWNED_BY_CSTACK of 3.13, FRAME_OWNED_BY_INTERPRETER since.
            evaluations: Evaluations::Shim(3),
            copy: self.get("frame", "tlbc_index").filter(|_| self.is_free_threaded()),
        })
    }

    fn code(&self) -> Option<Code> {
        let instructions = self.get("code", "instructions")?;
        let copies = self.get("code", "tlbc").filter(|_| self.is_free_threaded());
        // `_co_firsttraceable` is before `co_extra`, the last field before the copies or the instructions.
        let first_traced = copies.unwrap_or(instructions).checked_sub(16)?;
        Some(Code {
            file: self.get("code", "filename")?,
            name: self.get("code", "qualname")?,
            first_line: self.get("code", "first_line")?,
            lines: self.get("code", "lines")?,
            lines_are: LineTable::Locations,
            instructions: Some((instructions, first_traced)),
            copies,
        })
    }

    fn text(&self) -> Option<Text> {
        let ascii_data = self.get("text", "ascii_size")?;
        Some(Text {
            length: self.get("text", "length")?,
            state: self.get("text", "state")?,
            // `interned` has two bits, and a byte of its own in free-threaded builds.
            kind_bit: if self.is_free_threaded() { 8 } else { 2 },
            ascii_data,
            compact_data: self.get("text", "compact_size").unwrap_or(ascii_data + 16),
        })
    }

    fn objects(&self, header: u64) -> Option<Objects> {
        // Behind the type itself: its five tables of methods (440 bytes), name, slots and qualified name.
        let shared_keys = || Some(self.get("type", "size")? + 464);
        let managed = if self.is_free_threaded() { -8 } else { -24 };
        Some(Objects {
            of_type: self.get("object", "type")?,
            type_flags: self.get("type", "flags")?,
            basic_size: self.get("type", "basic_size").unwrap_or(header + 16),
            dictionary_offset: self.get("type", "dictionary_offset").unwrap_or(header + 272),
            shared_keys: self.get("heap_type", "shared_keys").or_else(shared_keys)?,
            attributes: Attributes::Inline(managed),
            keys: self.get("dictionary", "keys")?,
            values: self.get("dictionary", "values")?,
            first_value: 8,
            keys_are_compact: true,
            integer_size: self.get("integer", "tag")?,
            integer_digits: self.get("integer", "digits")?,
            integer_is_tagged: true,
            bytes_size: self.get("bytes", "length")?,
            bytes_data: self.get("bytes", "data")?,
        })
    }

    fn remote(&self) -> Option<RemoteDebugging> {
        let get = |field| self.get("remote", field);
        Some(RemoteDebugging {
            eval_breaker: get("eval_breaker")?,
            support: get("support")?,
            enabled: get("enabled")?,
            pending_call: get("pending_call")?,
            script_path: get("script_path")?,
            script_path_size: get("script_path_size")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an interpreter of that series has at the start of its runtime, if each offset is its own place.
    fn numbered(minor: u8, free_threaded: u64) -> Vec<u8> {
        let mut bytes = COOKIE.to_vec();
        bytes.extend(u64::from(u32::from_be_bytes([3, minor, 1, 0xf0])).to_le_bytes());
        bytes.extend(free_threaded.to_le_bytes());
        (0..125_u64).for_each(|place| bytes.extend((place * 8).to_le_bytes()));
        bytes
    }

    #[test]
    fn offsets_are_found_by_their_names() {
        for (minor, locals, script_path_size) in [(13, 29, None), (14, 32, Some(91)), (15, 40, Some(107))] {
            let bytes = numbered(minor, 0);
            let offsets = DebugOffsets::new(&bytes).unwrap();
            assert_eq!(offsets.get("runtime", "size"), Some(0));
            assert_eq!(offsets.get("frame", "locals"), Some(locals * 8), "3.{minor}");
            assert_eq!(
                offsets.get("remote", "script_path_size"),
                script_path_size.map(|place: u64| place * 8)
            );
            assert_eq!(offsets.get("frame", "nothing"), None);
        }
    }

    #[test]
    fn the_whole_structure_is_described() {
        let size = |groups: &[Group]| {
            HEAD + groups.iter().map(|(_, fields)| 8 * fields.split(' ').count()).sum::<usize>()
        };
        assert_eq!([V3_13, V3_14, V3_15].map(size), [584, 760, 888]);
    }

    #[test]
    fn what_contradicts_itself_is_no_layout() {
        assert!(DebugOffsets::new(&numbered(13, 0)).unwrap().layout().is_none());
        assert!(DebugOffsets::new(&numbered(16, 0)).is_none());
        assert!(DebugOffsets::new(b"xdebugpy").is_none());
        assert!(DebugOffsets::new(b"another cookie, another structure").is_none());
        let short = &numbered(14, 0)[..200];
        assert!(DebugOffsets::new(short).unwrap().layout().is_none());
    }

    #[test]
    fn free_threaded_builds_say_so() {
        assert!(is_free_threaded(&numbered(13, 1)));
        assert!(!is_free_threaded(&numbered(13, 0)));
        assert_eq!(version(&numbered(14, 1)).map(|version| version.series()), Some((3, 14)));
        assert_eq!(version(&[1; 32]), None);
    }
}
