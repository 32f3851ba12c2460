"""A programmatic debugger for Linux programs."""
