"""A script that uses the whole of the package: it is checked by mypy in its strict mode, and never run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from libdebug import (
    Breakpoint,
    Debugger,
    SignalCatcher,
    SyscallHandler,
    ThreadContext,
    debugger,
    libcontext,
)
from libdebug.architectures.stack_unwinding_provider import stack_unwinding_provider
from libdebug.debugger.internal_debugger_holder import _cleanup_internal_debugger
from libdebug.liblog import liblog
from libdebug.memory.chunked_memory_view import ChunkedMemoryView
from libdebug.memory.direct_memory_view import DirectMemoryView
from libdebug.utils.debugging_utils import resolve_address_in_maps
from libdebug.utils.elf_utils import resolve_argv_path
from libdebug.utils.oop.aliased_class import AliasedClass
from libdebug.utils.platform_utils import get_platform_gp_register_size

if TYPE_CHECKING:
    from libdebug.commlink.pipe_manager import PipeManager
    from libdebug.data.argument_list import ArgumentList
    from libdebug.data.env_dict import EnvDict
    from libdebug.data.gdb_resume_event import GdbResumeEvent
    from libdebug.data.memory_map import MemoryMap
    from libdebug.data.memory_map_list import MemoryMapList
    from libdebug.data.registers import Registers
    from libdebug.data.symbol import Symbol
    from libdebug.data.symbol_list import SymbolList
    from libdebug.memory.abstract_memory_view import AbstractMemoryView
    from libdebug.snapshots.memory.memory_map_diff import MemoryMapDiff
    from libdebug.snapshots.process.process_snapshot import ProcessSnapshot
    from libdebug.snapshots.process.process_snapshot_diff import ProcessSnapshotDiff
    from libdebug.snapshots.registers.register_diff import RegisterDiff
    from libdebug.snapshots.thread.lw_thread_snapshot import LightweightThreadSnapshot
    from libdebug.snapshots.thread.thread_snapshot import ThreadSnapshot


def make() -> Debugger:
    by_name: Debugger = debugger("program")
    print(by_name)
    return debugger(
        ["program", "argument"],
        path="/bin/true",
        aslr=False,
        env={"NAME": "value"},
        escape_antidebug=True,
        continue_to_binary_entrypoint=False,
        auto_interrupt_on_command=True,
        fast_memory=False,
        kill_on_exit=False,
        follow_children=False,
        syscall_filter="seccomp",
    )


def live(d: Debugger) -> None:
    pipe: PipeManager | None = d.run()
    pipe = d.r(timeout=1.5, redirect_pipes=False)
    pipe = d.run(tty=True)
    assert pipe is not None
    d.attach(d.pid)
    d.cont()
    d.c()
    d.wait(timeout=2)
    d.w()
    d.interrupt()
    d.int()
    d.step()
    d.si()
    d.step_until("main", 10, "binary")
    d.su(0x1000, max_steps=1, file="absolute")
    d.finish("step-mode")
    d.fin()
    d.next()
    d.ni()
    event: GdbResumeEvent = d.gdb(migrate_breakpoints=True, open_in_new_process=False, blocking=False)
    event.join()
    d.wait_for_gdb()
    child: Debugger | None = d.wait_child(timeout=1)
    children: list[Debugger] = d.children
    d.detach()
    d.kill()
    d.terminate()
    _cleanup_internal_debugger()
    print(child, children, pipe)


def settings(d: Debugger) -> None:
    arguments: ArgumentList = d.argv
    d.argv = ["program"]
    d.argv = "program"
    environment: EnvDict | None = d.env
    d.env = {"NAME": "value"}
    d.env = None
    path: str | None = d.path
    d.path = "/bin/true"
    d.arch = d.arch.upper()
    d.aslr = not d.aslr
    d.kill_on_exit = not d.kill_on_exit
    d.fast_memory = not d.fast_memory
    d.follow_children = not d.follow_children
    d.inherit_handlers = not d.inherit_handlers
    d.signals_to_block = ["SIGINT", 15]
    d.pprint_syscalls = True
    d.pprint_syscalls_decoded = True
    d.syscalls_to_pprint = ["read", 1]
    d.syscalls_to_not_pprint = None
    with d.pprint_syscalls_context(value=True):
        d.cont()
    d.on_exec = None
    d.on_exec = lambda thread: print(thread.pid)
    arguments.set_callbacks(before_callback=print, after_callback=None)
    arguments.prevent_empty = not arguments.prevent_empty
    if environment is not None:
        environment.set_callback(lambda: None)
    print(arguments, environment, path)


def state(d: Debugger) -> None:
    numbers: list[int] = [d.process_id, d.pid, d.thread_id, d.tid, d.signal_number, d.saved_ip]
    flags: list[bool] = [d.running, d.dead, d.zombie, d.is_in_gdb]
    code: int | None = d.exit_code
    name: str | None = d.exit_signal
    signal: str | None = d.signal
    d.signal = "SIGINT"
    d.signal = 2
    d.instruction_pointer += 1
    d.syscall_number += 1
    d.syscall_return += 1
    d.syscall_arg0 += 1
    d.syscall_arg1 += 1
    d.syscall_arg2 += 1
    d.syscall_arg3 += 1
    d.syscall_arg4 += 1
    d.syscall_arg5 += 1
    threads: list[ThreadContext] = d.threads
    registers: Registers = d.regs
    names: list[str] = registers.filter(registers.rax)
    raw: bytes = registers.raw("st0")
    float_value: float = registers.st0
    calls: list[str] | None = d.syscalls_to_pprint
    blocked: list[str] = d.signals_to_block
    print(numbers, flags, code, name, signal, threads, names, raw, float_value, calls, blocked)
    print(d.siginfo, d.frames, d.backtrace(), d.backtrace(as_symbols=True))


def on_breakpoint(thread: ThreadContext, bp: Breakpoint) -> None:
    numbers: list[int] = [bp.address, bp.hit_count, bp.length]
    flags: list[bool] = [
        bp.hardware,
        bp.enabled,
        bp.is_enabled(),
        bp.hit_on(thread),
        bp.hit_on(thread.debugger),
    ]
    texts: list[str] = [bp.symbol, bp.condition]
    values: list[int | None] = [bp.old_value, bp.new_value, bp.thread_id]
    bp.enabled = False
    bp.enable()
    bp.disable()
    bp.callback = on_breakpoint
    bp.callback = True
    bp.callback = None
    print(numbers, flags, texts, values)


def on_syscall(thread: ThreadContext, handler: SyscallHandler) -> None:
    numbers: list[int] = [handler.syscall_number, handler.hit_count]
    sides: list[bool] = [handler.hit_on(thread), handler.hit_on_enter(thread), handler.hit_on_exit(thread)]
    handler.on_enter_user = on_syscall
    handler.on_exit_user = True
    handler.recursive = not handler.recursive
    handler.enabled = handler.is_enabled()
    handler.enable()
    handler.disable()
    print(numbers, sides, handler.thread_id)
    print(handler.on_enter_user, handler.on_exit_user)
    print([getattr(handler, side) for side in ("on_enter_pprint", "on_exit_pprint")])


def on_signal(thread: ThreadContext, catcher: SignalCatcher) -> None:
    numbers: list[int] = [catcher.signal_number, catcher.hit_count]
    catcher.callback = on_signal
    catcher.recursive = not catcher.recursive
    catcher.enabled = catcher.is_enabled()
    catcher.enable()
    catcher.disable()
    print(numbers, catcher.hit_on(thread), catcher.thread_id)


def events(d: Debugger, thread: ThreadContext) -> None:
    points: list[Breakpoint] = [
        d.breakpoint("main", hardware=True, condition="x", length=1, callback=on_breakpoint, file="binary"),
        d.bp(0x1000, callback=True),
        d.watchpoint("variable", "rw", 8, on_breakpoint, "binary"),
        d.wp(0x1000),
        thread.breakpoint("main"),
        thread.watchpoint("variable"),
    ]
    handlers: list[SyscallHandler] = [
        d.handle_syscall("read", on_enter=on_syscall, on_exit=True, recursive=True),
        d.hijack_syscall("read", "write", recursive=False, syscall_arg0=1),
        d.answer_syscall("getppid", 1),
        thread.handle_syscall(0),
        thread.hijack_syscall("read", 1),
        thread.answer_syscall("getppid", 1),
    ]
    catchers: list[SignalCatcher] = [
        d.catch_signal("SIGINT", callback=on_signal, recursive=False),
        d.hijack_signal("SIGINT", 15, recursive=True),
        thread.catch_signal(2),
        thread.hijack_signal("SIGINT", "SIGTERM"),
    ]
    by_number: dict[int, SyscallHandler] = d.handled_syscalls
    by_signal: dict[int, SignalCatcher] = d.caught_signals
    by_address: dict[int, Breakpoint] = d.breakpoints
    print(points, handlers, catchers, by_number, by_signal, by_address)


def thread_state(thread: ThreadContext) -> None:
    owner: Debugger = thread.debugger
    numbers: list[int] = [thread.process_id, thread.pid, thread.thread_id, thread.tid, thread.signal_number]
    numbers += [thread.saved_ip, thread.syscall_number, thread.syscall_return, thread.syscall_arg0]
    flags: list[bool] = [thread.running, thread.dead, thread.zombie, thread.parked]
    thread.signal = "SIGINT"
    thread.step()
    thread.si()
    thread.step_until("main")
    thread.su("main", 1, "binary")
    thread.finish()
    thread.fin()
    thread.next()
    thread.ni()
    thread.cont()
    thread.interrupt()
    result: int = thread.call("strlen", 0x1000)
    answer: int = thread.invoke_syscall("getpid")
    view: AbstractMemoryView = thread.mem
    print(thread.count_instructions(), owner.count_instructions(), owner.trace_syscalls())
    print(owner, numbers, flags, result, answer, view, thread.memory, thread.regs.rip, thread.siginfo)
    print(thread.exit_code, thread.exit_signal, thread.variables(), thread.frames, thread.backtrace())
    print(thread.disasm(), thread.instruction_pointer)
    thread.set_as_dead()
    thread.notify_snapshot_taken()


def memory(d: Debugger) -> None:
    view: AbstractMemoryView = d.memory
    assert isinstance(d.mem, (DirectMemoryView, ChunkedMemoryView))
    data: bytes = view[0x1000]
    data += view[0x1000, 8] + view["main", 8, "binary"] + view[0x1000:0x1010]
    view[0x1000] = data
    view["main+4", 2] = b"\x90\x90"
    data = view.read(0x1000, 8)
    view.write(0x1000, data)
    view.read_into(0x1000, bytearray(8))
    many: list[bytes] = view.read_many([(0x1000, 8)])
    found: list[int] = view.find(b"needle", file="heap", start=0x1000, end=0x2000)
    pointers: list[tuple[int, int]] = view.find_pointers("stack", "heap", step=8)
    chain: list[int | str] = view.telescope(0x1000, max_depth=5, min_str_len=-1, max_str_len=16)
    address: int = view.resolve_address(0x10, "binary", skip_absolute_address_validation=True)
    address = view.resolve_symbol("main", "binary")
    address = d.resolve_symbol("main", file="binary") + d.resolve_position("main")
    print(many, found, pointers, chain, address, view.maps)
    view.insert(0, 1)


def maps_and_symbols(d: Debugger) -> None:
    maps: MemoryMapList = d.maps
    one: MemoryMap = maps.filter("binary")[0]
    numbers: list[int] = [one.start, one.end, one.size, one.offset, one.base]
    texts: list[str] = [one.permissions, one.backing_file, resolve_address_in_maps(one.start, maps)]
    symbols: SymbolList = d.symbols
    symbol: Symbol = symbols["main"][0]
    few: SymbolList = symbols.filter("main")[1:]
    flags: list[bool] = [symbol.is_external, symbol.is_named("main")]
    print(numbers, texts, few, flags, symbol.start, symbol.end, symbol.name, symbol.linkage_name)
    print(symbol.backing_file, symbol.reference_file, symbol.reference_build_id, one.parse("…"))
    print(d.attach_python(1).version >= (3, 11), None if d.python is None else d.python.stack()[0])
    print(d.source_line(0x1000), d.line_addresses("file.c", 1), d.variable("name"), d.variables(), d.image())
    print(d.call("main"), d.invoke_syscall("getpid"), d.disasm("main", 3, "binary"))
    print(stack_unwinding_provider("amd64").get_return_address(d.threads[0], maps))


def streams(pipe: PipeManager) -> None:
    pipe.timeout_default = 10
    pipe.prompt_default = "> "
    data: bytes = pipe.recv(10, timeout=1) + pipe.recverr() + pipe.recvn(4) + pipe.recverrn(4)
    data += pipe.recvuntil(b":", occurences=1, drop=True, timeout=None, optional=True)
    data += (
        pipe.recverruntil(b":", occurrences=2) + pipe.recvline(numlines=2, drop=False) + pipe.recverrline()
    )
    data += pipe.recvall() + pipe.recverrall() + pipe.clean() + pipe.cleanerr()
    sent: int = pipe.send(data) + pipe.sendline(data)
    pair: tuple[bytes, int] = pipe.sendafter(b":", data)
    pair = pipe.sendlineafter(b":", data, drop=True)
    pair = pipe.sendaftererr(b":", data)
    pair = pipe.sendlineaftererr(b":", data)
    ready: list[bool] = [pipe.can_recv(), pipe.can_recverr(timeout=1)]
    pipe.unrecv(data)
    pipe.unrecverr(data)
    pipe.interactive(prompt="$ ", auto_quit=True)
    pipe.close_stdin()
    pipe.close()
    print(sent, pair, ready)


def snapshots(d: Debugger, thread: ThreadContext) -> None:
    whole: ProcessSnapshot = d.create_snapshot("full", name="before")
    one: ThreadSnapshot = thread.create_snapshot("writable")
    loaded: ThreadSnapshot | ProcessSnapshot = d.load_snapshot("file.json")
    whole.save("file.ldsnap")
    few: list[LightweightThreadSnapshot] = whole.threads
    for kept in (whole, one, few[0], loaded):
        print(kept.name, kept.level, kept.arch, kept.snapshot_id, kept.aslr_enabled, kept.saved_ip)
        print(kept.maps.filter("binary")[0].content, kept.maps[0].is_same_identity(kept.maps[1]))
        print(kept.regs.filter(1), kept.registers.raw("rax"), kept.memory[0x1000, 8], kept.mem.find(b"x"))
        print(kept.backtrace(), kept.frames, kept.disasm(), kept.resolve_position("main"))
        kept.pprint_registers()
        kept.pprint_maps()
        kept.pprint_memory(0x1000, 0x1010)
    print(whole.process_id, whole.pid, one.thread_id, one.tid)
    changes: ProcessSnapshotDiff = whole.diff(loaded)
    print(changes.born_threads, changes.dead_threads, changes.threads_diff, changes.threads, changes.level)
    print(changes.snapshot1, changes.snapshot2, changes.regs.changed, changes.registers)
    changed: MemoryMapDiff = changes.maps.filter("stack")[0]
    print(changed.old_map_state, changed.new_map_state, changed.has_changed, changed.content_diff)
    rax: RegisterDiff = changes.regs.rax
    print(rax.old_value, rax.new_value, rax.has_changed)


def printing(owner: Debugger | ThreadContext, d: Debugger) -> None:
    owner.pprint_backtrace()
    owner.print_backtrace()
    owner.pprint_registers()
    owner.pprint_regs()
    owner.pprint_registers_all()
    owner.pprint_regs_all()
    owner.print_registers()
    owner.print_regs()
    owner.print_registers_all()
    owner.print_regs_all()
    owner.pprint_disasm("main", 4)
    d.pprint_maps()
    d.print_maps()
    d.pprint_memory("main", 0x1000, file="binary", override_word_size=4, integer_mode=True)


def context() -> None:
    libcontext.sym_lvl = 3
    libcontext.debugger_logger = libcontext.pipe_logger = libcontext.general_logger = "DEBUG"
    libcontext.terminal = ["tmux", "splitw"]
    libcontext.debuginfod_server = "https://example.org/"
    libcontext.update(sym_lvl=5)
    with libcontext.tmp(general_logger="SILENT"):
        level: str = libcontext.platform
    server: str | None = libcontext.chosen_debuginfod_server
    liblog.info("%s", level)
    liblog.warning("%s", server)
    liblog.error("text")
    liblog.debugger("text")
    liblog.pipe("text")
    liblog.set_level("general", liblog.level("general"))
    print(liblog.general_logger, liblog.debugger_logger, liblog.pipe_logger)
    path: str = resolve_argv_path("~/program")
    size: int = get_platform_gp_register_size("amd64")
    print(path, size, AliasedClass("D", (Debugger,), {}))
