"""The public names of libdebug, as data: what a script may say to it, and how each call looks.

Signatures are without annotations. A property is `property`, or `property, settable`; what only has to be
there is `attribute`. `walk_api` compares the package with this, and `docs/api.md` shows both.
"""

from __future__ import annotations

from importlib.util import find_spec

_POSITION = "(position, hardware=False, condition='x', length=1, callback=None, file='hybrid')"
_WATCH = "(position, condition='w', length=1, callback=None, file='hybrid')"
_UNTIL = "(position, max_steps=-1, file='hybrid')"
_FINISH = "(heuristic='backtrace')"
_MEMORY = "(start, end, file='hybrid', override_word_size=None, integer_mode=False)"
_SNAPSHOT = "(level='base', name=None)"
_RW, _R = "property, settable", "property"

# Snapshots are a package of their own.
_HAS_SNAPSHOTS = find_spec("libdebug.snapshots") is not None
_CREATE_SNAPSHOT = {"create_snapshot": _SNAPSHOT} if _HAS_SNAPSHOTS else {}
_LOAD_SNAPSHOT = {"load_snapshot": "(file_path)"} if _HAS_SNAPSHOTS else {}

#: What a debugger has of its main thread, too.
_OF_A_THREAD = {
    **dict.fromkeys(("instruction_pointer", "syscall_number", "syscall_return", "signal"), _RW),
    **{f"syscall_arg{index}": _RW for index in range(6)},
    **dict.fromkeys(
        ("dead", "zombie", "running", "exit_code", "exit_signal", "signal_number", "saved_ip"), _R
    ),
    **dict.fromkeys(("process_id", "pid", "thread_id", "tid", "memory", "mem"), _R),
    **dict.fromkeys(("step", "si", "next", "ni"), "()"),
    **dict.fromkeys(("step_until", "su"), _UNTIL),
    **dict.fromkeys(("finish", "fin"), _FINISH),
    "backtrace": "(as_symbols=False)",
    **dict.fromkeys(("pprint_backtrace", "pprint_registers", "pprint_regs"), "()"),
    **dict.fromkeys(("pprint_registers_all", "pprint_regs_all"), "()"),
    **_CREATE_SNAPSHOT,
}

_DEBUGGER = {
    **_OF_A_THREAD,
    **dict.fromkeys(("run", "r"), "(timeout=-1, redirect_pipes=True)"),
    "attach": "(pid)",
    **dict.fromkeys(("detach", "kill", "terminate", "cont", "c", "wait", "w", "interrupt", "int"), "()"),
    "gdb": "(migrate_breakpoints=True, open_in_new_process=True, blocking=True)",
    "wait_for_gdb": "()",
    **_LOAD_SNAPSHOT,
    **dict.fromkeys(("breakpoint", "bp"), _POSITION),
    **dict.fromkeys(("watchpoint", "wp"), _WATCH),
    "catch_signal": "(signal, callback=None, recursive=False)",
    "hijack_signal": "(original_signal, new_signal, recursive=False)",
    "handle_syscall": "(syscall, on_enter=None, on_exit=None, recursive=False)",
    "hijack_syscall": "(original_syscall, new_syscall, recursive=False, **kwargs)",
    **dict.fromkeys(("argv", "env", "path", "arch", "kill_on_exit", "fast_memory"), _RW),
    **dict.fromkeys(("threads", "breakpoints", "children", "handled_syscalls", "caught_signals"), _R),
    **dict.fromkeys(("maps", "symbols", "regs", "is_in_gdb"), _R),
    **dict.fromkeys(("signals_to_block", "pprint_syscalls"), _RW),
    **dict.fromkeys(("syscalls_to_pprint", "syscalls_to_not_pprint"), _RW),
    "pprint_syscalls_context": "(value)",
    "resolve_symbol": "(symbol, file='binary')",
    **dict.fromkeys(("pprint_maps", "print_maps"), "()"),
    "pprint_memory": _MEMORY,
}

_THREAD = {
    **_OF_A_THREAD,
    "regs": "attribute",
    "debugger": _R,
    **dict.fromkeys(("set_as_dead", "notify_snapshot_taken"), "()"),
}

_SWITCH = {"enabled": _RW, "enable": "()", "disable": "()", "hit_count": _R, "hit_on": "(thread_context)"}

_BREAKPOINT = {
    **_SWITCH,
    **dict.fromkeys(("address", "symbol", "hardware", "condition", "length"), _R),
    "callback": _RW,
}

_SYSCALL_HANDLER = {
    **_SWITCH,
    "syscall_number": _R,
    **dict.fromkeys(("on_enter_user", "on_exit_user", "recursive"), _RW),
    **dict.fromkeys(("on_enter_pprint", "on_exit_pprint"), _R),
    **dict.fromkeys(("hit_on_enter", "hit_on_exit"), "(thread_context)"),
}

_SIGNAL_CATCHER = {
    **_SWITCH,
    "signal_number": _R,
    **dict.fromkeys(("callback", "recursive"), _RW),
}

_MEMORY_VIEW = {
    "read": "(address, size)",
    "write": "(address, data)",
    "find": "(value, file='all', start=None, end=None)",
    "find_pointers": "(where='*', target='*', step=1)",
    "telescope": "(address, max_depth=10, min_str_len=3, max_str_len=256)",
    "maps": _R,
    "resolve_address": "(address, file, skip_absolute_address_validation=False)",
    "resolve_symbol": "(symbol, file)",
    "insert": "(index, value)",
}

_RECEIVE = "(numb=4096, timeout=2)"
_RECEIVE_UNTIL = "(delims, occurences=1, drop=False, timeout=2, optional=False)"
_RECEIVE_LINE = "(numlines=1, drop=True, timeout=2, optional=False)"
_SEND_AFTER = "(delims, data, occurences=1, drop=False, timeout=2, optional=False)"

_PIPE_MANAGER = {
    "timeout_default": "attribute",
    "prompt_default": "attribute",
    **dict.fromkeys(("recv", "recverr"), _RECEIVE),
    **dict.fromkeys(("recvuntil", "recverruntil"), _RECEIVE_UNTIL),
    **dict.fromkeys(("recvline", "recverrline"), _RECEIVE_LINE),
    **dict.fromkeys(("send", "sendline"), "(data)"),
    **dict.fromkeys(("sendafter", "sendaftererr", "sendlineafter", "sendlineaftererr"), _SEND_AFTER),
    "close": "()",
    "interactive": "(prompt='$ ', auto_quit=False)",
}

_MAP = {
    **dict.fromkeys(("start", "end", "permissions", "size", "offset", "backing_file"), "attribute"),
    "base": _R,
    "parse": "(vmap)",
}

_SYMBOL = dict.fromkeys(
    ("start", "end", "name", "backing_file", "reference_file", "reference_build_id", "is_external"),
    "attribute",
)

_LIBCONTEXT = {
    **dict.fromkeys(("sym_lvl", "debugger_logger", "pipe_logger", "general_logger"), _RW),
    **dict.fromkeys(("terminal", "debuginfod_server"), _RW),
    "platform": _R,
    **dict.fromkeys(("update", "tmp"), "(**kwargs)"),
}

_LOG = "(message, *args, **kwargs)"
_LIBLOG = {
    **dict.fromkeys(("general_logger", "debugger_logger", "pipe_logger"), "attribute"),
    **dict.fromkeys(("info", "warning", "error", "debugger", "pipe"), _LOG),
}


def _registers() -> list[str]:
    """Return the registers of amd64 that every CPU has: those of eight, of four, of two and of one byte."""
    old = [f"{letter}x" for letter in "abcd"]
    index = ["si", "di", "bp", "sp"]
    new = [f"r{number}" for number in range(8, 16)]
    wide = [f"{size}{name}" for size in "re" for name in old + index]
    low = (
        [f"{letter}l" for letter in "abcd"]
        + [f"{name}l" for name in index]
        + [f"{letter}h" for letter in "abcd"]
    )
    parts = [f"{name}{size}" for name in new for size in ("", "d", "w", "b")]
    special = ["rip", "eflags", "cs", "ss", "ds", "es", "fs", "gs", "fs_base", "gs_base"]
    vectors = [f"xmm{number}" for number in range(16)]
    floats = [f"{kind}{number}" for kind in ("mm", "st") for number in range(8)]
    return wide + old + index + low + parts + special + vectors + floats


#: What `regs` has of amd64.
REGISTERS = _registers()

#: Module -> name -> signature of a function, or the members of a class.
UPSTREAM: dict[str, dict[str, str | dict[str, str]]] = {
    "libdebug.libdebug": {
        "debugger": (
            "(argv=None, *, path=None, aslr=True, env=None, escape_antidebug=False, "
            "continue_to_binary_entrypoint=True, auto_interrupt_on_command=False, fast_memory=True, "
            "kill_on_exit=True, follow_children=True)"
        ),
    },
    "libdebug.debugger.debugger": {"Debugger": _DEBUGGER},
    "libdebug.state.thread_context": {"ThreadContext": _THREAD},
    "libdebug.data.breakpoint": {"Breakpoint": _BREAKPOINT},
    "libdebug.data.syscall_handler": {"SyscallHandler": _SYSCALL_HANDLER},
    "libdebug.data.signal_catcher": {"SignalCatcher": _SIGNAL_CATCHER},
    "libdebug.data.registers": {"Registers": {"filter": "(value)", **dict.fromkeys(REGISTERS, _RW)}},
    "libdebug.memory.abstract_memory_view": {"AbstractMemoryView": _MEMORY_VIEW},
    "libdebug.memory.direct_memory_view": {"DirectMemoryView": _MEMORY_VIEW},
    "libdebug.memory.chunked_memory_view": {"ChunkedMemoryView": _MEMORY_VIEW},
    "libdebug.data.memory_map": {"MemoryMap": _MAP},
    "libdebug.data.memory_map_list": {"MemoryMapList": {"filter": "(value)"}},
    "libdebug.data.symbol": {"Symbol": _SYMBOL},
    "libdebug.data.symbol_list": {"SymbolList": {"filter": "(value)"}},
    "libdebug.data.argument_list": {
        "ArgumentList": {
            "set_callbacks": "(before_callback=None, after_callback=None)",
            "prevent_empty": _RW,
            **dict.fromkeys(
                ("append", "extend", "insert", "remove", "pop", "clear", "reverse", "sort"), "attribute"
            ),
        }
    },
    "libdebug.data.env_dict": {"EnvDict": {"set_callback": "(callback)"}},
    "libdebug.data.gdb_resume_event": {"GdbResumeEvent": {"join": "()"}},
    "libdebug.commlink.pipe_manager": {"PipeManager": _PIPE_MANAGER},
    "libdebug.utils.libcontext": {"LibContext": _LIBCONTEXT, "libcontext": "attribute"},
    "libdebug.liblog": {"LibLog": _LIBLOG, "liblog": "attribute"},
    "libdebug.utils.elf_utils": {"resolve_argv_path": "(argv_path)"},
    "libdebug.utils.platform_utils": {"get_platform_gp_register_size": "(arch)"},
    "libdebug.utils.debugging_utils": {"resolve_address_in_maps": "(address, maps)"},
    "libdebug.utils.oop.aliased_class": {"AliasedClass": {}},
    "libdebug.architectures.stack_unwinding_provider": {"stack_unwinding_provider": "(architecture)"},
    "libdebug.debugger.internal_debugger_holder": {"_cleanup_internal_debugger": "()"},
}

_PRINTED = dict.fromkeys(("pprint_backtrace", "pprint_maps"), "()")
_PRINTED |= dict.fromkeys(
    ("pprint_registers", "pprint_regs", "pprint_registers_all", "pprint_regs_all"), "()"
)
_KEPT = {
    **dict.fromkeys(("name", "level", "arch", "snapshot_id", "aslr_enabled"), "attribute"),
    **dict.fromkeys(("maps", "regs", "registers", "memory", "mem"), "attribute"),
    **_PRINTED,
    "pprint_memory": _MEMORY,
    "save": "(file_path)",
    "backtrace": "attribute",
    "diff": "(other)",
}
_DIFF = {
    **dict.fromkeys(("snapshot1", "snapshot2", "level", "regs", "registers", "maps"), "attribute"),
    **_PRINTED,
    "pprint_memory": _MEMORY,
}
_BORN = dict.fromkeys(("born_threads", "dead_threads", "threads_diff", "threads"), "attribute")

_SNAPSHOTS: dict[str, dict[str, str | dict[str, str]]] = {
    "libdebug.snapshots.thread.thread_snapshot": {
        "ThreadSnapshot": {**_KEPT, "thread_id": "attribute", "tid": "attribute"}
    },
    "libdebug.snapshots.process.process_snapshot": {
        "ProcessSnapshot": {**_KEPT, **dict.fromkeys(("process_id", "pid", "threads"), "attribute")}
    },
    "libdebug.snapshots.thread.lw_thread_snapshot": {
        "LightweightThreadSnapshot": dict.fromkeys(("tid", "regs", "level", "arch", "maps"), "attribute")
    },
    "libdebug.snapshots.memory.memory_map_snapshot": {
        "MemoryMapSnapshot": {**_MAP, "content": "attribute", "is_same_identity": "(other)"}
    },
    "libdebug.snapshots.memory.memory_map_snapshot_list": {"MemoryMapSnapshotList": {"filter": "(value)"}},
    "libdebug.snapshots.memory.memory_map_diff_list": {"MemoryMapDiffList": {"filter": "(value)"}},
    "libdebug.snapshots.memory.memory_map_diff": {
        "MemoryMapDiff": dict.fromkeys(
            ("old_map_state", "new_map_state", "has_changed", "content_diff"), "attribute"
        )
    },
    "libdebug.snapshots.memory.snapshot_memory_view": {"SnapshotMemoryView": _MEMORY_VIEW},
    "libdebug.snapshots.registers.snapshot_registers": {"SnapshotRegisters": {"filter": "(value)"}},
    "libdebug.snapshots.registers.register_diff": {
        "RegisterDiff": dict.fromkeys(("old_value", "new_value", "has_changed"), "attribute")
    },
    "libdebug.snapshots.registers.register_diff_accessor": {"RegisterDiffAccessor": {}},
    "libdebug.snapshots.thread.thread_snapshot_diff": {"ThreadSnapshotDiff": _DIFF},
    "libdebug.snapshots.thread.lw_thread_snapshot_diff": {"LightweightThreadSnapshotDiff": _DIFF},
    "libdebug.snapshots.process.process_snapshot_diff": {"ProcessSnapshotDiff": {**_DIFF, **_BORN}},
}
if _HAS_SNAPSHOTS:
    UPSTREAM.update(_SNAPSHOTS)

#: The names that the package itself has.
NAMES = (
    "Breakpoint",
    "Debugger",
    "SignalCatcher",
    "SyscallHandler",
    "ThreadContext",
    "debugger",
    "libcontext",
)

#: Pairs of a name and a second one for the same.
ALIASES = {
    "Debugger": {
        "run": "r",
        "cont": "c",
        "interrupt": "int",
        "wait": "w",
        "breakpoint": "bp",
        "watchpoint": "wp",
        "step": "si",
        "step_until": "su",
        "finish": "fin",
        "next": "ni",
        "pprint_registers": "pprint_regs",
        "pprint_registers_all": "pprint_regs_all",
        "memory": "mem",
        "process_id": "pid",
        "thread_id": "tid",
    },
    "ThreadContext": {
        "step": "si",
        "step_until": "su",
        "finish": "fin",
        "next": "ni",
        "pprint_registers": "pprint_regs",
        "pprint_registers_all": "pprint_regs_all",
        "memory": "mem",
        "process_id": "pid",
        "thread_id": "tid",
    },
}

#: Classes that only this package has, and shows to scripts.
NEW_CLASSES: dict[str, list[str]] = {
    "libdebug.data.frame": ["FrameRegisters", "Frame"],
    "libdebug.data.image": ["Section", "Segment", "Mitigations", "Image"],
    "libdebug.data.instruction": ["Instruction"],
    "libdebug.data.instruction_trace": ["InstructionTrace"],
    "libdebug.data.signal_info": ["SignalInfo"],
    "libdebug.data.source_line": ["InlinedCall", "SourceLine"],
    "libdebug.data.variable": ["Enumerator", "Variable"],
    "libdebug.python": ["PythonFrame", "PythonProgram", "PythonThread", "PythonValue", "PythonVersion"],
}

_OURS_UNTIL = "(delims, occurences=1, drop=False, timeout=..., optional=False, *, occurrences=None)"
_OURS_LINE = "(numlines=1, drop=True, timeout=..., optional=False)"
_OURS_AFTER = "(delims, data, occurences=1, drop=False, timeout=..., optional=False, *, occurrences=None)"

#: What takes more than upstream's does: "Class.name" -> our call, which takes all of that.
WIDER: dict[str, str] = {
    **dict.fromkeys(("Debugger.run", "Debugger.r"), "(timeout=-1, redirect_pipes=True, *, tty=False)"),
    **dict.fromkeys(("Debugger.wait", "Debugger.w"), "(*, timeout=None)"),
    # A default that is looked up at the call is one that can be changed.
    **dict.fromkeys(("PipeManager.recv", "PipeManager.recverr"), "(numb=4096, timeout=...)"),
    **dict.fromkeys(("PipeManager.recvuntil", "PipeManager.recverruntil"), _OURS_UNTIL),
    **dict.fromkeys(("PipeManager.recvline", "PipeManager.recverrline"), _OURS_LINE),
    **dict.fromkeys(("PipeManager.sendafter", "PipeManager.sendaftererr"), _OURS_AFTER),
    **dict.fromkeys(("PipeManager.sendlineafter", "PipeManager.sendlineaftererr"), _OURS_AFTER),
    **dict.fromkeys(("PipeManager.send", "PipeManager.sendline"), "(data, timeout=None)"),
    "PipeManager.interactive": "(prompt=None, auto_quit=False)",
    "libdebug.debugger": (
        "(argv=None, *, path=None, aslr=True, env=None, escape_antidebug=False, "
        "continue_to_binary_entrypoint=True, auto_interrupt_on_command=False, fast_memory=True, "
        "kill_on_exit=True, follow_children=True, syscall_filter='auto')"
    ),
}

_OWN_HANDLERS = (
    "breakpoint watchpoint catch_signal hijack_signal handle_syscall hijack_syscall cont interrupt parked"
)
_DOCUMENTED = "print_backtrace print_registers print_regs print_registers_all print_regs_all"
_LOOKING = (
    "count_instructions trace_instructions disasm pprint_disasm frames siginfo variables call "
    "invoke_syscall answer_syscall"
)
_OF_SNAPSHOTS = f"{_DOCUMENTED} disasm frames pprint_disasm resolve_position saved_ip"
_LIST = "append clear copy count extend index insert pop remove reverse sort"

#: What only this package has: class -> names.
NEW: dict[str, str] = {
    "Debugger": (
        f"{_DOCUMENTED} {_LOOKING} aslr attach_python follow_children inherit_handlers image line_addresses "
        "on_exec python "
        "resolve_position pprint_syscalls_decoded source_line trace_syscalls variable wait_child"
    ),
    "ThreadContext": f"{_DOCUMENTED} {_LOOKING} {_OWN_HANDLERS}",
    "Breakpoint": "is_enabled new_value old_value thread_id",
    "SyscallHandler": "is_enabled thread_id",
    "SignalCatcher": "is_enabled thread_id",
    "Registers": "raw",
    **dict.fromkeys(("AbstractMemoryView", "DirectMemoryView", "ChunkedMemoryView"), "read_into read_many"),
    **dict.fromkeys(("ThreadSnapshot", "ProcessSnapshot"), _OF_SNAPSHOTS),
    "LightweightThreadSnapshot": (
        f"{_OF_SNAPSHOTS} aslr_enabled backtrace diff mem memory name registers save snapshot_id thread_id "
        "pprint_backtrace pprint_maps pprint_memory pprint_registers pprint_registers_all pprint_regs "
        "pprint_regs_all"
    ),
    "SnapshotMemoryView": "read_into read_many",
    "SnapshotRegisters": "raw",
    "RegisterDiffAccessor": "changed",
    "Symbol": "is_named linkage_name",
    "SymbolList": _LIST,
    "EnvDict": "clear pop popitem setdefault update",
    "PipeManager": (
        "can_recv can_recverr clean cleanerr close_stdin recvall recverrall recvn recverrn unrecv unrecverr"
    ),
    "LibContext": "chosen_debuginfod_server",
    "LibLog": "level set_level",
}
