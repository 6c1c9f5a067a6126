"""Reads requests from JSON lines: the plain form that anybody can write, and the event log of a service.

Both have `t`, `in_tok`, `out_tok` and perhaps `cached_tok`; the plain form may name a `client`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from tidegate.lab.traces.rows import Elapsed, Moment, Tokens, TraceRow
from tidegate.lab.traces.sources import TraceError, objects

_Name = Annotated[str, Meta(max_length=200)]


class _Line(msgspec.Struct, frozen=True, gc=False):
    t: Moment
    in_tok: Tokens
    out_tok: Tokens
    cached_tok: Tokens = 0
    client: _Name = ""


class _Event(msgspec.Struct, frozen=True, gc=False):
    t: Moment
    kind: str
    route: str | None = None
    in_tok: Tokens | None = None
    out_tok: Tokens | None = None
    cached_tok: Tokens | None = None
    acct: _Name | None = None
    key: _Name | None = None
    sess: _Name | None = None


def plain_rows(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[TraceRow]:
    """Each request of the plain form. Raises TraceError."""
    elapsed = Elapsed()
    for where, said in objects(path, lines, msgspec.json.Decoder(_Line)):
        yield TraceRow(
            at_s=elapsed.at_s(said.t, f"{where}: t"),
            prompt_tokens=said.in_tok,
            answer_tokens=said.out_tok,
            cached_tokens=_cached(said.cached_tok, said.in_tok, where),
            client=said.client,
        )


def event_rows(path: Path, lines: Iterator[tuple[int, str]], left_out: Counter[str]) -> Iterator[TraceRow]:
    """Each request to the model whose tokens the log knows, by who asked: account, key or session.

    What else there is, is counted by why in `left_out`. Raises TraceError.
    """
    elapsed = Elapsed()
    for where, said in objects(path, lines, msgspec.json.Decoder(_Event)):
        if said.kind != "request" or said.route != "chat":
            left_out["not a request to the model"] += 1
        elif said.in_tok is None or said.out_tok is None:
            left_out["in_tok or out_tok is not known"] += 1
        else:
            yield TraceRow(
                at_s=elapsed.at_s(said.t, f"{where}: t"),
                prompt_tokens=said.in_tok,
                answer_tokens=said.out_tok,
                cached_tokens=_cached(said.cached_tok or 0, said.in_tok, where),
                client=said.acct or said.key or said.sess or "",
            )


def _cached(cached: int, prompt: int, where: str) -> int:
    if cached > prompt:
        msg = f"{where}: cached_tok: expected at most in_tok ({prompt}), not {cached}"
        raise TraceError(msg)
    return cached
