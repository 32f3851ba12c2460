"""The debugger, and what is alive of it."""
