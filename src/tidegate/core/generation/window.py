"""What of a conversation the model is given: the newest turns that it has room for.

A conversation grows without end and a model's context does not, so the oldest
turns are left out. How many tokens a text has, only the engine can tell; the
budget is in bytes, and is halved when the engine finds it too long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from tidegate.core.conversations import Author, Message
from tidegate.core.generation.call import Turn
from tidegate.core.identifiers import MessageId

LONGEST_TOKEN_BYTES: Final = 32
"""Far above the mean of any text; only runs of blanks have longer tokens."""

MOST_HALVINGS: Final = 3

_TOKEN_BYTES = 3  # A common text has three to four bytes a token; a dense one is what halving is for.
_ROLES = {Author.USER: "user", Author.ASSISTANT: "assistant"}


def answer_tokens(context_tokens: int) -> int:
    """The most tokens that an answer in the web chat may have: half of what the model holds."""
    return context_tokens // 2


def path(messages: Iterable[Message], leaf: MessageId) -> list[Message]:
    """The messages from the root of the tree to `leaf`. Raises LookupError when `leaf` is not among them."""
    by_id: Mapping[MessageId, Message] = {message.id: message for message in messages}
    found: list[Message] = []
    at: MessageId | None = leaf
    while at is not None:
        message = by_id[at]
        found.append(message)
        at = message.parent
    return found[::-1]


def turns(messages: Sequence[Message]) -> list[Turn]:
    """What was said, without the thinking."""
    return [
        Turn(role=role, content=message.content)
        for message in messages
        if message.content and (role := _ROLES.get(message.author)) is not None
    ]


def windows(said: Sequence[Turn], context_tokens: int) -> Iterator[list[Turn]]:
    """What to give a model: first what probably leaves room for the longest answer, then ever less, four in all.

    The last turn is in each of them. Many models' templates demand that the two
    take turns. An answer that never came, or never got beyond thinking, leaves
    two questions in a row: as many of them as there is room for become one.
    """
    room_bytes = (context_tokens - answer_tokens(context_tokens)) * _TOKEN_BYTES
    # From what there is, not from what there could be: halving must leave something out.
    budget = min(room_bytes, sum(map(_size_bytes, said)))
    for _ in range(1 + MOST_HALVINGS):
        window = newest(said, budget)
        yield _joined(window)
        if len(window) == 1:
            return
        budget //= 2


def most_bytes(said: Sequence[Turn], context_tokens: int) -> int:
    """What the largest of the `windows` may have; the last turn is in it, however large."""
    room_bytes = (context_tokens - answer_tokens(context_tokens)) * _TOKEN_BYTES
    return max(_size_bytes(said[-1]), min(room_bytes, sum(map(_size_bytes, said))))


def newest(said: Sequence[Turn], budget: int) -> list[Turn]:
    """As many of the last turns as `budget` bytes hold: always the last one, and none of the model's first."""
    start, left = len(said) - 1, budget - _size_bytes(said[-1])
    while start > 0 and _size_bytes(said[start - 1]) <= left:
        start -= 1
        left -= _size_bytes(said[start])
    while start < len(said) - 1 and said[start].role == _ROLES[Author.ASSISTANT]:
        start += 1
    return list(said[start:])


def _joined(window: Sequence[Turn]) -> list[Turn]:
    return [
        Turn(role=role, content="\n\n".join(turn.content or "" for turn in turns_of_one))
        for role, turns_of_one in groupby(window, key=lambda turn: turn.role)
    ]


def _size_bytes(turn: Turn) -> int:
    return len((turn.content or "").encode())
