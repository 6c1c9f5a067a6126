"""How this program was called, so that what it suggests can be pasted."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tidegate.config import Settings, load_settings


def command(settings: Settings, verb: str) -> str:
    """Write `verb` as this person would have to type it, for the same data directory."""
    program = Path(sys.argv[0]).absolute()
    shown = str(program)
    if program.name != "tidegate":  # Run as a module: then sys.argv names a file that nobody can call.
        shown = f"{sys.executable} -m tidegate"
    elif program.is_relative_to(Path.cwd()):
        shown = str(program.relative_to(Path.cwd()))
    is_usual = settings.data_dir == load_settings().data_dir
    return f"{shown} {verb}" + ("" if is_usual else f" --data {shlex.quote(str(settings.data_dir))}")
