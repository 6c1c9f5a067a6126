"""How long a file may be: look for the second concept at 300 lines, give a written reason from 500."""

from __future__ import annotations

import re
from typing import Final

LOOK_AGAIN_LINES: Final = 300
REASON_LINES: Final = 500

_HEAD_LINES = 12
# Long enough to be a reason; in the comment form of Python, TypeScript or Svelte.
_REASON = re.compile(r"^\s*(?:#|//|<!--|\*)\s*long because: .{20,}", re.MULTILINE)


def verdict(text: str) -> str:
    """Answer `fine`, `look again` or `too long` for a file's text."""
    lines = text.splitlines()
    if len(lines) < LOOK_AGAIN_LINES:
        return "fine"
    if len(lines) < REASON_LINES or _REASON.search("\n".join(lines[:_HEAD_LINES])):
        return "look again"
    return "too long"
