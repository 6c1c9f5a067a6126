"""Servers that speak for models, to which whole requests are passed on and whose answers come back as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

import msgspec

from tidegate.core.admission.claims import Place
from tidegate.core.capacity.pool import MemberReport
from tidegate.core.generation.call import Usage
from tidegate.ports.engine import EngineBrokeError, EngineError, EngineUnavailableError

Headers = tuple[tuple[bytes, bytes], ...]
"""Names in lower case, and values as they were written."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `target` is path and query as they were written; `headers` are the caller's, for the next hop.

    `model` is the one it asks for, empty where it names none. `is_stream`: its answer should come in pieces.
    `hides_usage`: the caller did not ask for the event with the usage. `tokens` is about what its prompt has.
    `is_answer`: what comes must be an answer of a model, and no page.
    """

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    model: str = ""
    is_stream: bool = False
    hides_usage: bool = False
    tokens: int = 0
    is_answer: bool = True


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How an answer begins. `attempts`: so many servers were asked; more than one may have worked on it."""

    status: int
    headers: Headers
    attempts: int = 1
    replica: str = ""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of an answer. The first with anything to pass on has its `head`; `is_last` ends it.

    `tokens` are about so many of the answer's, counted where the form of the answer
    tells, else by time. Without a head and data it only says that the engine is at work.
    """

    data: bytes = b""
    tokens: int = 0
    head: Head | None = None
    usage: Usage | None = None
    is_last: bool = False


class Pieces(Protocol):
    """An answer, piece by piece. `aclose` it in any case: that frees the server."""

    def __aiter__(self) -> AsyncIterator[Piece]:
        """Its pieces."""

    def __anext__(self) -> Awaitable[Piece]:
        """The next of them."""

    def aclose(self) -> Awaitable[None]:
        """Nobody wants more of it."""


class UpstreamBusyError(EngineUnavailableError):
    """Every server has as much to do as it can."""


class UnknownModelError(EngineError):
    """No server has a model of this name."""

    def __init__(self, model: str) -> None:
        """The name as it was asked for."""
        super().__init__(model[:100])


class UpstreamFailedError(EngineUnavailableError):
    """No server answered as servers do; `why` is for the operator."""


class UpstreamBrokeError(EngineBrokeError):
    """A server went away, fell silent or spoke nonsense in the middle of an answer."""


class Upstreams(Protocol):
    """Several servers as one."""

    def generate(self, ask: Ask, place: Place) -> Pieces:
        """Pass a request on to one of them, and its answer back.

        Raises UnknownModelError, UpstreamBusyError, UpstreamFailedError or, where none is known to
        answer, EngineUnavailableError before the first piece with a head,
        UpstreamBrokeError after it. `aclose` frees the server.
        """

    def places(self, model: str) -> int:
        """How many requests for a model may run at once, on all servers that are not broken."""

    def report(self) -> list[MemberReport]:
        """How each of them is, without asking it."""
