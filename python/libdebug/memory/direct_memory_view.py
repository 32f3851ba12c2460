"""Memory accessed through /proc/PID/mem."""

from libdebug.memory.abstract_memory_view import AbstractMemoryView


class DirectMemoryView(AbstractMemoryView):
    """The view in use while `fast_memory` is on: any number of bytes in one system call."""
