"""What a conversation is called: what its owner calls it, and until then its first question."""

from __future__ import annotations

import unicodedata
from typing import Final

MOST_CHARACTERS: Final = 60

_OVERRIDES: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn around how the text beside them reads. The marks that right-to-left languages need do not."""

_BLANKS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols by their kind, but nothing is seen of them."""

_UNSEEN_KINDS: Final = frozenset({"Cc", "Cf", "Cn", "Mn", "Me", "Zl", "Zp", "Zs"})


def checked(title: str) -> str:
    """The title without space around it. Raises ValueError naming the field for what nobody could, or should, see."""
    for character in title:
        if _is_control(character):
            msg = f"title: it contains U+{ord(character):04X}, which changes how the text around it reads"
            raise ValueError(msg)
    if not _is_seen(title):
        msg = "title: nothing of it can be seen"
        raise ValueError(msg)
    return title.strip()


def title_of(question: str) -> str:
    """The question's first line that says something, cut at a word when it is long."""
    lines = (" ".join(line.split()) for line in question.splitlines())
    shown = ("".join(character for character in line if not _is_control(character)).strip() for line in lines)
    line = next(filter(_is_seen, shown), "…")
    if len(line) <= MOST_CHARACTERS:
        return line
    head, space, _ = line[:MOST_CHARACTERS].rpartition(" ")
    # Languages without spaces, and addresses, have no word to cut at.
    cut = head if space and _is_seen(head) else line[: MOST_CHARACTERS - 1]
    return f"{cut}…"


def _is_control(character: str) -> bool:
    return character in _OVERRIDES or unicodedata.category(character) in {"Cc", "Zl", "Zp"}


def _is_seen(text: str) -> bool:
    return any(character not in _BLANKS and unicodedata.category(character) not in _UNSEEN_KINDS for character in text)
