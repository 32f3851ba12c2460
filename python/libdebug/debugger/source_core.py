"""The engine's part in source lines, variables and mapped files."""

from libdebug._native import image_of, line_addresses, source_line, variable, variables

__all__ = ["image_of", "line_addresses", "source_line", "variable", "variables"]
