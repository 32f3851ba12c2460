"""What a debugger runs: path, arguments, environment."""

from __future__ import annotations

import errno
import os

from libdebug.data.argument_list import ArgumentList
from libdebug.data.env_dict import EnvDict
from libdebug.liblog import liblog
from libdebug.utils.elf_utils import resolve_argv_path
from libdebug.utils.platform_utils import host_platform

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Callable

_HEADER = 64
#: By class, 32 or 64 bits: where e_shoff is and how wide, and where e_shentsize and e_shnum are.
_SECTION_TABLE = {1: (0x20, 4, 0x2E, 0x30), 2: (0x28, 8, 0x3A, 0x3C)}
_MACHINES = {3: "i386", 62: "amd64", 183: "aarch64"}
_ARCH_NAMES = {
    **dict.fromkeys(("amd64", "x86_64", "x64"), "amd64"),
    **dict.fromkeys(("i386", "x86", "i686"), "i386"),
    **dict.fromkeys(("aarch64", "arm64"), "aarch64"),
}


class Program:
    """Path, arguments and environment of the program, which hold still while it is being debugged."""

    def __init__(
        self,
        argv: str | os.PathLike[str] | list[str] | None,
        path: str | os.PathLike[str] | None,
        env: dict[str, str] | None,
        is_debugging: Callable[[], bool],
    ) -> None:
        """Take what the user gave.

        Raises:
            TypeError: something is of a wrong type.
            FileNotFoundError: there is no such program.
        """
        self._is_debugging = is_debugging
        self.arch = host_platform()
        self.path: str | None = None
        #: What is wrong with the file, as far as it was looked at.
        self.damage: str | None = None
        #: The path that was run last, unless another was chosen since.
        self.ran_path: str | None = None
        self._explicit_path = path is not None
        self.argv = self._watched(_arguments(argv) if argv is not None else ArgumentList())
        self.env = self._watched_env(env)
        if path is not None:
            self._take_path(_path(path))
        elif self.argv:
            self._take_path(self.argv[0])

    def copy(self, is_debugging: Callable[[], bool]) -> Program:
        """Return the same for another debugger, without a look at the file."""
        copy = Program(None, None, None, is_debugging)
        copy.arch, copy.path, copy._explicit_path = self.arch, self.path, self._explicit_path
        copy.ran_path = self.ran_path
        copy.argv = copy._watched(ArgumentList(self.argv))
        copy.env = copy._watched_env(self.env)
        return copy

    def set_argv(self, value: str | list[str]) -> None:
        """Replace the arguments; the program follows the first one, unless a path was given."""
        self._check_idle("argv")
        new = _arguments(value)
        if not self._explicit_path and not new:
            raise ValueError(
                "Argument list must maintain at least one element. Set a path to run without arguments."
            )
        if not self._explicit_path and list(new[:1]) != list(self.argv[:1]):
            self._take_path(new[0])
        self.argv = self._watched(new)

    def set_env(self, value: dict[str, str] | None) -> None:
        """Replace the environment; None stands for that of the interpreter."""
        self._check_idle("env")
        self.env = self._watched_env(value)

    def set_path(self, value: str) -> None:
        """Replace the program; the arguments may be anything from then on."""
        self._check_idle("path")
        if not isinstance(value, (str, os.PathLike)):
            raise TypeError("path must be a string")
        self._take_path(_path(value))
        self._explicit_path = True
        self.argv.prevent_empty = False

    def set_arch(self, value: str) -> None:
        """Say which instruction set the program has, by any of its names."""
        if value not in _ARCH_NAMES:
            raise ValueError(f"Architecture {value} not supported.")
        self.arch = _ARCH_NAMES[value]

    def _take_path(self, path: str) -> None:
        resolved = resolve_argv_path(path)
        self.arch, self.damage = _machine(resolved)
        if self.damage is not None:
            liblog.error("Failed to get the architecture of the binary: %s", self.damage)
        self.path = resolved
        self.ran_path = None

    def _watched(self, argv: ArgumentList) -> ArgumentList:
        if argv and not self._explicit_path:
            argv.prevent_empty = True
        before: list[str] = []

        def refuse(old: list[str]) -> None:
            self._check_idle("argv")
            before[:] = old

        def follow(new: list[str]) -> None:
            if not self._explicit_path and new[:1] != before[:1]:
                try:
                    self._take_path(new[0])
                except Exception:
                    list.__setitem__(argv, slice(None), before)
                    raise

        argv.set_callbacks(refuse, follow)
        return argv

    def _watched_env(self, env: dict[str, str] | None) -> EnvDict | None:
        if env is None:
            return None
        if not isinstance(env, dict):
            raise TypeError("env must be a dictionary or None")
        watched = EnvDict(env)
        watched.set_callback(lambda: self._check_idle("env"))
        return watched

    def _check_idle(self, what: str) -> None:
        if self._is_debugging():
            raise RuntimeError(f"Cannot change {what} while the process is running. Please kill it first.")


def _path(value: str | os.PathLike[str]) -> str:
    """Return a path as text: a `Path` is never a word to be looked for in PATH."""
    path = os.fspath(value)
    return path if isinstance(value, str) or "/" in path else f"./{path}"


def _arguments(value: object) -> ArgumentList:
    """Return a copy of what a user gave as the arguments."""
    if isinstance(value, str):
        return ArgumentList([value])
    if isinstance(value, os.PathLike):
        return ArgumentList([_path(value)])
    if isinstance(value, list):
        return ArgumentList(value)
    raise TypeError("argv must be a string or a list of strings")


def _machine(path: str) -> tuple[str, str | None]:
    """Return a file's instruction set, and None; else the host's, and what is wrong with the file.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if "/" not in path:
        # A name that PATH does not have: a file of that name that happens to lie here is not meant.
        hint = f": is ./{path} meant?" if os.path.exists(path) else ""  # noqa: PTH110
        raise FileNotFoundError(errno.ENOENT, f"No such program in PATH{hint}", path)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib takes longer to import than the package
            header = file.read(_HEADER)
            size = file.seek(0, 2)
    except FileNotFoundError:
        program, _, rest = path.partition(" ")
        if rest and os.path.isfile(program):  # noqa: PTH113
            text = f"No such file: arguments go into a list, {[program, *rest.split()]}"
            raise FileNotFoundError(errno.ENOENT, text, path) from None
        raise
    except OSError as error:
        return host_platform(), str(error)
    if header[:2] == b"#!":
        # What it is of is its interpreter's, which nobody has asked for.
        return host_platform(), None
    damage = _damage(header, size)
    if damage is not None:
        return host_platform(), f"{path}: {damage}"
    return _MACHINES[int.from_bytes(header[18:20], "little")], None


def _damage(header: bytes, size: int) -> str | None:
    """Return what is wrong with the header of an ELF file (elf(5)), also where the kernel does not mind."""
    if header[:4] != b"\x7fELF" or int.from_bytes(header[18:20], "little") not in _MACHINES:
        return "no ELF file of a known kind"
    if header[4] not in _SECTION_TABLE or header[5] != 1:
        return "its class or byte order is none that there is"
    place, width, entry, count = _SECTION_TABLE[header[4]]
    table = int.from_bytes(header[place : place + width], "little")
    entries = int.from_bytes(header[entry : entry + 2], "little") * int.from_bytes(
        header[count : count + 2], "little"
    )
    return "its table of sections lies outside of the file" if table + entries > size else None
