"""How this program was called, so that what it suggests can be pasted."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from tidegate.config import Settings, load_data_dir


def command(settings: Settings, verb: str) -> str:
    """Write `verb` as this person would have to type it, for the same data directory."""
    is_usual = settings.data_dir == load_data_dir()
    return f"{program()} {verb}" + ("" if is_usual else f" --data {shlex.quote(str(settings.data_dir))}")


def program() -> str:
    """Write this program's name as this person would have to type it."""
    called = Path(sys.argv[0]).absolute()
    if called.name != "tidegate":  # Run as a module: then sys.argv names a file that nobody can call.
        return f"{sys.executable} -m tidegate"
    return str(called.relative_to(Path.cwd()) if called.is_relative_to(Path.cwd()) else called)


def typed_here(sentence: str) -> str:
    """Write the verbs that a sentence from elsewhere suggests as this person would have to type them."""
    return sentence.replace("tidegate models ", f"{program()} models ")
