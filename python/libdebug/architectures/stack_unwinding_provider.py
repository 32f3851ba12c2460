"""Unwinders by instruction set, under the name that libdebug has for them."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all the rest
if TYPE_CHECKING:
    from collections.abc import Iterable

    from libdebug.data.memory_map import MemoryMap
    from libdebug.state.thread_context import ThreadContext

_ARCHITECTURES = ("amd64", "i386", "aarch64")


class StackUnwinder:
    """Tells who has called whom."""

    __slots__ = ()

    def get_return_address(self, target: ThreadContext, vmaps: Iterable[MemoryMap]) -> int:
        """Return the address that the current function of a thread returns to.

        Args:
            target: the thread.
            vmaps: the maps that the address must be in.

        Raises:
            ValueError: nothing tells, or the address is in none of the maps.
        """
        address = target.saved_ip
        if not any(vmap.start <= address < vmap.end for vmap in vmaps):
            raise ValueError(
                "Failed to get the return address. Check stack frame registers (e.g., base pointer)."
            )
        return address


def stack_unwinding_provider(architecture: str) -> StackUnwinder:
    """Return the unwinder of an instruction set: `amd64`, `i386` or `aarch64`.

    Raises:
        NotImplementedError: there is no such instruction set here.

    Example:
        >>> stack_unwinding_provider("amd64").get_return_address.__name__
        'get_return_address'
    """
    if architecture not in _ARCHITECTURES:
        raise NotImplementedError(f"Architecture {architecture} not available.")
    return StackUnwinder()
