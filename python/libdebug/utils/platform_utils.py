"""Facts about instruction sets, by the names that the package has for them."""

from __future__ import annotations

import os

_NAMES = {
    "x86_64": "amd64",
    "i386": "i386",
    "i486": "i386",
    "i586": "i386",
    "i686": "i386",
    "aarch64": "aarch64",
}
_REGISTER_SIZES = {"amd64": 8, "aarch64": 8, "i386": 4}


def host_platform() -> str:
    """Return this machine's instruction set: `amd64`, `i386`, `aarch64`, or the kernel's name of another.

    Example:
        >>> host_platform() in ("amd64", "i386", "aarch64")
        True
    """
    machine = os.uname().machine
    return _NAMES.get(machine, machine)


def get_platform_gp_register_size(arch: str) -> int:
    """Return the size of a general register, in bytes.

    Args:
        arch: `amd64`, `aarch64` or `i386`.

    Raises:
        ValueError: the instruction set is another.

    Example:
        >>> get_platform_gp_register_size("amd64")
        8
    """
    if arch not in _REGISTER_SIZES:
        raise ValueError(f"Architecture {arch} not supported: it is none of {', '.join(_REGISTER_SIZES)}")
    return _REGISTER_SIZES[arch]
