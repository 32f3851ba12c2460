"""All symbols of a process, as the engine lists them, and where it looks for them."""

from libdebug._native import SymbolTable, set_symbol_level, set_symbol_servers, symbol_in_maps, symbol_table

__all__ = ["SymbolTable", "set_symbol_level", "set_symbol_servers", "symbol_in_maps", "symbol_table"]
