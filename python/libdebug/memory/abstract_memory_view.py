"""What all views of a process's memory have in common."""

from __future__ import annotations

from _collections_abc import MutableSequence  # what collections.abc re-exports, and is loaded already

from libdebug._native import MemoryCore

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from typing import Any, NoReturn


class AbstractMemoryView(MemoryCore):
    """The memory of a process, indexed by address, symbol, range, and file.

    | key | what it names |
    |---|---|
    | `memory[address]`, `memory["symbol+1f"]` | one byte |
    | `memory[address, size]`, `memory["symbol", size]` | `size` bytes |
    | `memory[start:end]`, `memory["symbol":"symbol+8"]` | the bytes from `start` to before `end` |
    | `memory[key, "file"]`, `memory[address, size, "file"]` | the same, relative to a file |

    The file is `hybrid` (the default: a mapped address stands for itself, another one is relative to the
    program; symbols of the program come first), `absolute`, `binary` or the program's name, or a part of the
    path of a mapped file. Reads show the program's own bytes, never a breakpoint.
    """

    def __delitem__(self, key: Any, /) -> NoReturn:
        """Refuse: memory cannot be deleted."""
        raise NotImplementedError("Memory cannot be deleted.")

    def __len__(self) -> int:
        """Refuse: an address space has no length."""
        raise NotImplementedError("Memory has no length.")

    def __bool__(self) -> bool:
        """Return True: without this, Python would ask for the length."""
        return True

    def insert(self, index: int, value: int) -> NoReturn:
        """Refuse: there is no room between two bytes."""
        raise NotImplementedError("Memory cannot be inserted.")


# Registered, not inherited: the mixins of a sequence, such as iteration up to the length, mean nothing here.
MutableSequence.register(AbstractMemoryView)
