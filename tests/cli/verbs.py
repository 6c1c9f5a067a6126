"""How a verb is run here, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Said(NamedTuple):
    """How a verb ended."""

    code: int
    out: str
    err: str


Verb = Callable[..., Said]


def sentence(said: Said, code: int) -> str:
    assert (said.code, said.out) == (code, ""), said
    assert len(said.err.strip().splitlines()) == 1, said.err
    return said.err
