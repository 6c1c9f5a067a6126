"""What a conversation is called until its owner calls it something else."""

from __future__ import annotations

from typing import Final

MOST_CHARACTERS: Final = 60


def title_of(question: str) -> str:
    """The question's first line that says something, cut at a word when it is long."""
    lines = (" ".join(line.split()) for line in question.splitlines())
    line = next(filter(None, lines), "…")
    if len(line) <= MOST_CHARACTERS:
        return line
    head, space, _ = line[:MOST_CHARACTERS].rpartition(" ")
    # Languages without spaces, and addresses, have no word to cut at.
    return f"{head if space else line[: MOST_CHARACTERS - 1]}…"
