"""Symbols: by name, by address, as a list; lines, variables, and what files say of themselves."""

from __future__ import annotations

import pickle
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cpp import build_cpp, line_of
from face import at, debugging, running
from libdebug import debugger, libcontext
from libdebug.data.symbol import Symbol, demangle
from libdebug.data.symbol_list import SymbolList
from libdebug.utils.debugging_utils import resolve_address_in_maps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from libdebug import Debugger


@contextmanager
def shapes(directory: Path, *flags: str, **settings: Any) -> Iterator[Debugger]:
    """Give a debugger of a program of C++ that stands at its entry point."""
    d = debugger(build_cpp(directory, *flags), **settings)
    try:
        d.run(redirect_pipes=False)
        yield d
    finally:
        d.terminate()


def test_a_list_of_symbols_is_a_list_that_can_be_searched() -> None:
    with running("basic") as d:
        symbols = d.symbols
        assert isinstance(symbols, SymbolList)
        assert isinstance(symbols, list)
        assert isinstance(symbols[0], Symbol)
        assert isinstance(symbols[1:3], SymbolList)
        [function] = symbols["counter_function"]
        assert symbols["counter_function"] == [function]
        start = d.maps.filter("binary")[0].start
        assert start + function.start == d.resolve_symbol("counter_function")
        assert function.end - function.start > 8
        assert function.backing_file == function.reference_file == d.path
        assert not function.is_external
        with pytest.raises(KeyError, match=r"Symbol 'no_such' not found\."):
            symbols["no_such"]


def test_filters_by_name_and_by_address() -> None:
    with running("basic") as d:
        found = d.symbols.filter("counter")
        assert found[0].name == "counter"
        assert {"counter", "counter_function"} <= {symbol.name for symbol in found}
        address = d.resolve_symbol("counter_function")
        assert [symbol.name for symbol in d.symbols.filter(address + 4)] == ["counter_function"]
        assert d.symbols.filter(address) == d.symbols["counter_function"]
        assert "counter" in [symbol.name for symbol in d.symbols.filter(d.resolve_symbol("counter"))]
        assert d.symbols.filter("no_such_symbol") == []
        assert d.symbols.filter(d.regs.rsp) == []
        for unmapped in (0x10, -1, 1 << 70):
            with pytest.raises(ValueError, match="mapped"):
                d.symbols.filter(unmapped)
        with pytest.raises(TypeError):
            d.symbols.filter(1.5)  # type: ignore[arg-type]


def test_symbols_are_values() -> None:
    with running("basic") as d:
        [symbol] = d.symbols["counter_function"]
        [again] = d.symbols["counter_function"]
        assert symbol == again
        assert len({symbol, again}) == 1
        made = Symbol(
            symbol.start,
            symbol.end,
            symbol.name,
            symbol.backing_file,
            symbol.reference_file,
            symbol.reference_build_id,
            symbol.is_external,
        )
        assert made == symbol
        assert hash(made) == hash(symbol)
        assert made != Symbol(symbol.start, symbol.end, "another", symbol.backing_file)
        assert symbol != "counter_function"
        assert pickle.loads(pickle.dumps(symbol)) == symbol
        assert "name=counter_function" in repr(symbol)


def test_a_list_behaves_as_one_before_it_was_looked_at() -> None:
    with running("basic") as d:
        plain = list(d.symbols)
        assert plain
        assert d.symbols == plain
        assert plain == d.symbols
        assert len(d.symbols) == len(plain)
        assert [*d.symbols] == plain
        none: list[Symbol] = []
        assert d.symbols + none == plain
        assert none + d.symbols == plain
        assert d.symbols.copy() == plain
        assert plain[5] in d.symbols
        assert sorted(d.symbols, key=id)
        assert tuple(d.symbols) == tuple(plain)
        changed = d.symbols
        changed.append(Symbol(1, 2, "mine", "/nowhere"))
        assert len(changed) == len(plain) + 1
        assert changed["mine"] == changed[-1:]
        assert pickle.loads(pickle.dumps(d.symbols)) == plain


def test_a_list_of_ones_own_finds_by_address_as_well() -> None:
    with running("basic") as d:
        own = SymbolList(list(d.symbols), d.maps)
        address = d.resolve_symbol("counter_function")
        assert own.filter(address) == d.symbols.filter(address)
        with pytest.raises(ValueError, match="not mapped"):
            own.filter(0x10)
        with pytest.raises(KeyError):
            own["no_such"]


def test_no_symbol_is_listed_twice() -> None:
    for name in ("basic", "basic-static", "basic-stripped"):
        with running(name) as d:
            seen = [(symbol.name, symbol.start, symbol.backing_file) for symbol in d.symbols]
            assert len(seen) == len(set(seen)), name


def test_a_static_program_without_debug_information_has_its_symbols(tmp_path: Path) -> None:
    with shapes(tmp_path, "-static", "-Wl,--strip-debug") as d:
        assert len(d.symbols["main"]) == 1
        assert d.symbols["shape::area"]


def test_a_rebuilt_program_has_its_new_addresses(tmp_path: Path) -> None:
    first = "int main(void) { return 0; } int late(void) { return 1; }"
    second = "int early(void) { return 5; } int more(int n) { return n * 3; } " + first
    d = debugger(build_cpp(tmp_path, "-no-pie", source=first))
    try:
        d.run(redirect_pipes=False)
        [before], address = d.symbols["late"], d.resolve_symbol("late")
        d.kill()
        build_cpp(tmp_path, "-no-pie", source=second)
        d.run(redirect_pipes=False)
        [after] = d.symbols["late"]
        assert after.start != before.start
        assert d.resolve_symbol("late") != address
        at(d, "main")
    finally:
        d.terminate()


def test_names_of_cpp_are_readable_and_both_are_found(tmp_path: Path) -> None:
    with shapes(tmp_path, "-g") as d:
        area = d.resolve_symbol("_ZN5shape4areaEid")
        for name in ("shape::area", "shape::area(int, double)", "shape::area(int,double)"):
            assert d.resolve_symbol(name) == area
        [symbol] = d.symbols["shape::area(int, double)"]
        assert symbol.name == "shape::area(int, double)"
        assert symbol.linkage_name == "_ZN5shape4areaEid"
        assert d.symbols["_ZN5shape4areaEid"] == d.symbols["shape::area"] == [symbol]
        assert d.symbols.filter("shape::ar") == [symbol]
        assert symbol.is_named("shape::area")
        assert demangle("_ZN5shape4areaEid") == "shape::area(int, double)"
        assert demangle("main") is None
        at(d, "shape::area")
        assert d.regs.rip == area
        with pytest.raises(ValueError, match="thread-local"):
            d.resolve_symbol("mine")


def test_stubs_and_slots_have_names(tmp_path: Path) -> None:
    with shapes(tmp_path) as d:
        at(d, "puts@plt")
        assert d.symbols.filter(d.regs.rip)[0].name == "puts@plt"
        slot = d.resolve_symbol("puts@got")
        [symbol] = d.symbols["puts@got"]
        assert slot == d.maps.filter("binary")[0].start + symbol.start


def test_an_address_is_told_from_maps_alone(tmp_path: Path) -> None:
    with shapes(tmp_path) as d:
        maps, area = d.maps, d.resolve_symbol("shape::area")
        d.kill()
        assert resolve_address_in_maps(area + 0x1C, maps) == "shape::area(int, double)+1c"
        assert resolve_address_in_maps(0x10, maps) == "0x10"


def test_symbols_can_be_disabled() -> None:
    with running("basic") as d, libcontext.tmp(sym_lvl=0):
        for act in (lambda: d.symbols, lambda: d.resolve_symbol("main"), lambda: d.breakpoint("main")):
            with pytest.raises(Exception, match=r"^Symbol resolution is disabled\.") as caught:
                act()
            assert type(caught.value) is Exception
        assert d.breakpoint(d.regs.rip)
    with running("basic") as d:
        assert d.resolve_symbol("main")


def test_levels_decide_how_far_to_look(tmp_path: Path) -> None:
    program = Path(build_cpp(tmp_path, "-g"))
    debug = tmp_path / ".debug" / "shapes.debug"
    debug.parent.mkdir()
    subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
    subprocess.run(["strip", program], check=True)
    subprocess.run(["objcopy", f"--add-gnu-debuglink={debug}", program], check=True)
    line = line_of("return width")
    d = debugger(str(program))
    try:
        d.run(redirect_pipes=False)
        with libcontext.tmp(sym_lvl=2), pytest.raises(ValueError, match="not found"):
            d.resolve_symbol("shape::area")
        with libcontext.tmp(sym_lvl=3):
            [symbol] = d.symbols["shape::area"]
            assert symbol.is_external
            assert symbol.reference_file == str(debug)
            assert symbol.backing_file == str(program)
            with pytest.raises(ValueError, match="no mapped file has debug information"):
                d.line_addresses("shapes.cc", line)
        with libcontext.tmp(sym_lvl=4):
            assert len(d.line_addresses("shapes.cc", line)) == 1
    finally:
        d.terminate()


def test_a_program_stops_at_a_line_and_shows_its_variables(tmp_path: Path) -> None:
    with shapes(tmp_path, "-g", "-O0") as d:
        line = line_of("return width")
        bp = d.breakpoint(f"shapes.cc:{line}")
        d.cont()
        d.wait()
        assert bp.hit_on(d)
        place = d.source_line(d.regs.rip)
        assert place is not None
        assert (Path(place.file).name, place.line, place.function) == (
            "shapes.cc",
            line,
            "shape::area(int, double)",
        )
        found = d.variables()
        values = {name: variable.value for name, variable in found.items()}
        label = values["local"].pop("label")
        assert d.memory[label, 6] == b"local\0"
        assert values == {
            "width": 6,
            "height": 2.5,
            "local": {"x": 6, "y": 7},
            "text": b"abc\0",
            "several": [1, 2, 3],
            "yes": True,
        }
        assert d.threads[0].variables().keys() == found.keys()
        assert (found["width"].kind, found["width"].type) == ("argument", "int")
        assert (found["several"].kind, found["several"].type) == ("local", "int[3]")
        assert found["text"].text == b"abc"
        assert repr(found["width"]) == "<int width = 6>"
        address = found["width"].address
        assert address is not None
        d.memory[address, 4] = (11).to_bytes(4, "little")
        assert d.variables()["width"].value == 11


def test_global_variables_have_types(tmp_path: Path) -> None:
    with shapes(tmp_path, "-g") as d:
        paint, origin = d.variable("paint"), d.variable("origin")
        assert (paint.value, paint.value.name, paint.type) == (2, "GREEN", "enum color")
        assert repr(paint) == "<enum color paint = <GREEN: 2>>"
        assert origin.value["x"] == 3
        assert origin.address == d.resolve_symbol("origin")
        with pytest.raises(ValueError, match=r"no variable .nothing. is known"):
            d.variable("nothing")


def test_a_line_has_a_place_in_each_function_with_its_code(tmp_path: Path) -> None:
    with shapes(tmp_path, "-g", "-O0") as d:
        addresses = d.line_addresses("shapes.cc", line_of("return n / 2"))
        places = [d.source_line(address) for address in addresses]
        assert len(addresses) == 2
        for place in places:
            assert place is not None
            assert place.function == "shape::half(int)"
            assert [call.function for call in place.inlined] == ["shape::half(int)"]
        for missing in ("nowhere.cc", "hapes.cc"):
            with pytest.raises(ValueError, match="no code of line 3"):
                d.line_addresses(missing, 3)


def test_files_say_what_they_are(tmp_path: Path) -> None:
    with shapes(tmp_path, "-pie", "-Wl,-z,now", "-fstack-protector-all") as d:
        image = d.image()
        assert image.path == d.path
        assert image.entry == d.regs.rip
        assert image.mitigations == (True, "full", True, True, *image.mitigations[4:6], False)
        text = image.section(".text")
        assert text.permissions == "r-x"
        assert text.address <= d.resolve_symbol("main") < text.address + text.size
        with pytest.raises(KeyError):
            image.section(".nothing")
        [code] = [segment for segment in image.segments if "x" in segment.permissions]
        assert code.address <= text.address < code.address + code.size
        assert d.image("libc").mitigations.stripped
        with pytest.raises(ValueError, match="no memory map"):
            d.image("no such file")


def test_the_second_run_reads_no_file_again() -> None:
    with debugging("basic") as d:
        d.run(redirect_pipes=False)
        first = d.symbols["counter_function"]
        d.run(redirect_pipes=False)
        assert d.symbols["counter_function"] == first
