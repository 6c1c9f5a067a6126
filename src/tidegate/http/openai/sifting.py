"""Takes a request's body apart before anything in it is decoded.

A body that fits the model may be a hundred thousand empty lists, a field that
comes ten thousand times, or numbers of a thousand digits: each costs the event
loop tens of milliseconds, and so everybody else. So a body's own fields are
taken out unread first, which is cheap whatever they hold: what nobody knows is
left behind, of what comes twice the last is taken, and what may hold anything,
or needs no room, must be short. Only then is it decoded into types.
"""

from __future__ import annotations

import functools
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, Raw

from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.refusals import Refusal

T = TypeVar("T", bound=msgspec.Struct)


class Bound(msgspec.Struct, frozen=True):
    """What one field may be. `brackets` and `commas` bound how many things there are in it, texts counted along."""

    size_bytes: int
    brackets: int = 4096
    commas: int = 16384


A_FEW_WORDS: Final = Bound(4096)
"""For a field that is a number, a word or a few of them."""

BOUNDS: Final[dict[str, Bound | None]] = {
    # A prompt may fill the model, and what it may consist of is quick to read.
    "messages": None,
    "prompt": None,
    "suffix": None,
    "stop": Bound(1 << 18),
    "logit_bias": Bound(1 << 15),
    "tools": Bound(48 << 10, brackets=6144),
    "response_format": Bound(24 << 10, brackets=2048, commas=8192),
    "chat_template_kwargs": Bound(8 << 10),
}
"""And for others. Tools and schemas hold what was seen of them, and what else is asked of schemas, with room."""


def decode(body: bytes, kind: type[T]) -> T:
    """Decode a body into `kind`. Raises a Refusal that names the field at fault."""
    taken = bodies.decode(body, _taken_as(kind.__struct_encode_fields__))
    pieces: list[bytes] = []
    for name in taken.__struct_fields__:
        raw = getattr(taken, name)
        if raw is not UNSET:
            piece = bytes(raw)
            bound = BOUNDS.get(name, A_FEW_WORDS)
            if bound is not None:
                _check(name, piece, bound)
            pieces.append(b'"%b":%b' % (name.encode(), piece))
    return bodies.decode(b"{%b}" % b",".join(pieces), kind)


def _check(name: str, piece: bytes, bound: Bound) -> None:
    if len(piece) > bound.size_bytes:
        raise Refusal(Reason.INVALID_VALUE, f"{name}: longer than {bound.size_bytes} bytes.", param=name)
    if piece.count(b"[") + piece.count(b"{") > bound.brackets or piece.count(b",") > bound.commas:
        raise Refusal(Reason.INVALID_VALUE, f"{name}: there is too much in it.", param=name)


@functools.cache
def _taken_as(names: tuple[str, ...]) -> type[msgspec.Struct]:
    return msgspec.defstruct("Taken", [(name, Raw, UNSET) for name in names])
