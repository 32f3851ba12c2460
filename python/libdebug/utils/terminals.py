"""Which terminal a program was started in, and how another one is opened there."""

from __future__ import annotations

import os
from pathlib import Path

#: By the name of the terminal's process: what opens a tab or window and executes what follows.
COMMANDS: dict[str, list[str]] = {
    "alacritty": ["alacritty", "-e"],
    "foot": ["foot", "-e"],
    "ghostty": ["ghostty", "-e"],
    "gnome-terminal-": ["gnome-terminal", "--tab", "--"],
    "kgx": ["kgx", "--tab", "-e"],
    "kitty": ["kitty", "-e"],
    "konsole": ["konsole", "--new-tab", "-e"],
    "lxterminal": ["lxterminal", "-e"],
    "mate-terminal": ["mate-terminal", "--tab", "-x"],
    "ptyxis-agent": ["ptyxis", "--tab", "-x"],
    "qterminal": ["qterminal", "-e"],
    "terminator": ["terminator", "--new-tab", "-x"],
    "tilix": ["tilix", "--action=app-new-session", "-x"],
    "tmux: server": ["tmux", "split-window", "-h"],
    "urxvt": ["urxvt", "-e"],
    "wezterm-gui": ["wezterm", "cli", "spawn", "--"],
    "xfce4-terminal": ["xfce4-terminal", "--tab", "-x"],
    "xterm": ["xterm", "-e"],
}


def detect_terminal(pid: int | None = None) -> list[str] | None:
    """Return the command that opens a terminal like the one a process was started in; None for none known."""
    at = os.getpid() if pid is None else pid
    while at > 1:
        found = _status(at)
        if found is None:
            return None
        name, at = found
        if name in COMMANDS:
            return COMMANDS[name]
    return None


def _status(pid: int) -> tuple[str, int] | None:
    """Return the name of a process, of 15 characters at most, and its parent."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name can hold spaces and parentheses of its own.
    name, _, rest = text.partition(b"(")[2].rpartition(b")")
    return name.decode(errors="replace"), int(rest.split()[1])
