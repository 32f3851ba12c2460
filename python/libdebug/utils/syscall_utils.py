"""System calls by name and by number."""

from __future__ import annotations

from libdebug._native import syscall_name, syscall_number
from libdebug.utils.signal_utils import ALL, NAMES_OF_ALL

#: What C libraries make in the place of a call that has newer forms, or why they make none at all.
STAND_INS = {
    "nanosleep": "clock_nanosleep",
    "open": "openat",
    "creat": "openat",
    "fork": "clone",
    "vfork": "clone or clone3, as posix_spawn and system do",
    "clone": "clone3",
    "stat": "newfstatat or statx",
    "newstat": "newfstatat or statx",
    "lstat": "newfstatat or statx",
    "newlstat": "newfstatat or statx",
    "fstat": "newfstatat",
    "newfstat": "newfstatat",
    "access": "faccessat2",
    "poll": "ppoll",
    "select": "pselect6",
    "epoll_wait": "epoll_pwait",
    "epoll_create": "epoll_create1",
    "eventfd": "eventfd2",
    "signalfd": "signalfd4",
    "inotify_init": "inotify_init1",
    "accept": "accept4",
    "recv": "recvfrom",
    "send": "sendto",
    "pipe": "pipe2",
    "dup2": "dup3",
    "exit": "exit_group",
    "signal": "rt_sigaction",
    "pause": "ppoll",
    "getdents": "getdents64",
    "getrlimit": "prlimit64",
    "setrlimit": "prlimit64",
    "waitid": "wait4",
    "unlink": "unlinkat",
    "rmdir": "unlinkat",
    "mkdir": "mkdirat",
    "rename": "renameat or renameat2",
    "readlink": "readlinkat",
    "time": "none: it reads a page that the kernel maps (vdso(7))",
    "gettimeofday": "none: it reads a page that the kernel maps (vdso(7))",
    "clock_gettime": "none: it reads a page that the kernel maps (vdso(7))",
    "getcpu": "none: it reads a page that the kernel maps (vdso(7))",
}


def resolve_syscall(syscall: object) -> int:
    """Return the number of a system call given by number or name; -1 for all.

    Raises:
        ValueError: no system call has that name.
        TypeError: it is neither a number nor a name.

    Example:
        >>> resolve_syscall("openat"), resolve_syscall(1), resolve_syscall("*")
        (257, 1, -1)
    """
    if isinstance(syscall, str):
        return ALL if syscall in NAMES_OF_ALL else syscall_number(syscall)
    if not isinstance(syscall, int) or isinstance(syscall, bool):
        raise TypeError("syscall must be an int or a str")
    if not ALL <= syscall < 1 << 64:
        raise ValueError(f"Syscall {syscall} not found: numbers are positive, or -1 for all")
    return syscall


def name_of_syscall(number: int) -> str:
    """Return the name of a system call; its number in hexadecimal if it has none.

    Example:
        >>> name_of_syscall(0), name_of_syscall(0x1337), name_of_syscall(-1)
        ('read', '0x1337', 'all')
    """
    if number == ALL:
        return "all"
    return syscall_name(number) or hex(number)
