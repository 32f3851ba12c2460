"""Memory accessed word by word."""

from libdebug.memory.abstract_memory_view import AbstractMemoryView


class ChunkedMemoryView(AbstractMemoryView):
    """The view in use while `fast_memory` is off: one ptrace request for each word."""
