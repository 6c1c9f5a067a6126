"""Several servers as one: requests are passed on as they are, and answers back.

Until something of an answer was passed on, another server is asked when one does
not answer, or says itself that it cannot (502, 503, 504, or 429 where another is
free). Who is told of a second attempt knows that the first server may have worked
on the request, too. Later nothing can be repeated: then the answer breaks.

What is waited for is bounded: the head of an answer by `first_s`, or `whole_s`
where it comes in one piece, and each piece after it by `silence_s`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

import msgspec

from tidegate.adapters.engines.upstream import Opened, UnreachableError, Upstream
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.pool import Member, MemberReport, Missing, Nowhere, Outcome, Pool
from tidegate.core.generation.metering import WHOLE_LIMIT_BYTES, Meter, NotAStreamError
from tidegate.ports.upstream import Ask, Head, Piece, UpstreamBrokeError, UpstreamBusyError, UpstreamFailedError

_TICK_S: Final = 0.5
_PROBE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.5
_BUSY: Final = 429
_ELSEWHERE: Final = frozenset({_BUSY, 502, 503, 504})
_SERVER_ERROR: Final = 500
_OK: Final = 200

Guess = Callable[[Ask, float], int]
"""About how many tokens of an answer that comes in one piece are there so many seconds after it was asked for."""


class _NotTakenError(Exception):
    """This server does not answer; another may. `outcome` is what that says of it."""

    def __init__(
        self, why: str, outcome: Outcome, *, is_certain: bool = False, may_be_asked_again: bool = False
    ) -> None:
        super().__init__(why)
        self.why = why
        self.outcome = outcome
        self.is_certain = is_certain
        self.may_be_asked_again = may_be_asked_again


class _Begun(msgspec.Struct):
    """An answer of which something is there."""

    opened: Opened
    meter: Meter
    data: bytes


class PassingEngines:
    """Upstreams. `guess` tells how far an answer is that says nothing before its end."""

    def __init__(
        self,
        pool: Pool,
        upstreams: Mapping[str, Upstream],
        guess: Guess,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`upstreams` by the names of the pool's members; who entered them closes them."""
        self._pool = pool
        self._upstreams = upstreams
        self._guess = guess
        self._clock = clock

    def places(self, model: str) -> int:
        """How many requests for a model may run at once."""
        return self._pool.places(model, self._clock())

    def report(self) -> list[MemberReport]:
        """How each server is."""
        return self._pool.report(self._clock())

    async def generate(self, ask: Ask, place: Place) -> AsyncGenerator[Piece, None]:
        """Pass a request on; see the port. Which of its places an upstream uses is its own affair."""
        del place
        tried: list[str] = []
        attempts, was_repeated, why = 0, False, "none_left"
        while True:
            member = self._pool.pick(ask.model, self._clock(), tried)
            if isinstance(member, Nowhere):
                raise _nowhere(member, why)
            tried.append(member.name)
            attempts += 1
            try:
                async with contextlib.aclosing(self._ask(member, ask, attempts, tried)) as pieces:
                    async for piece in pieces:
                        yield piece
            except _NotTakenError as error:
                why = error.why
                if error.may_be_asked_again and not was_repeated:
                    was_repeated = True
                    tried.pop()
            else:
                return

    async def _ask(self, member: Member, ask: Ask, attempts: int, tried: list[str]) -> AsyncGenerator[Piece, None]:
        """One attempt, from the request to the last piece. Raises _NotTakenError while another may be made."""
        began_at = self._clock()
        self._pool.began(member.name, began_at)
        outcome, is_certain = Outcome.LEFT, False
        begun: _Begun | None = None
        try:
            async with contextlib.aclosing(self._until_begun(member, ask, began_at)) as waits:
                async for told in waits:
                    if isinstance(told, Piece):
                        yield told
                    else:
                        begun = told
            assert begun is not None, "it begins or raises"
            status = begun.opened.status
            self._may_go_elsewhere(status, ask, tried)
            head = Head(status=status, headers=begun.opened.headers, attempts=attempts, replica=member.name)
            async with contextlib.aclosing(self._passed(member, begun, head)) as pieces:
                async for piece in pieces:
                    yield piece
            outcome = Outcome.FAILED if status >= _SERVER_ERROR else Outcome.GOOD
        except _NotTakenError as error:
            outcome, is_certain = error.outcome, error.is_certain
            raise
        except UpstreamBrokeError:
            outcome = Outcome.FAILED
            raise
        finally:
            if begun is not None:
                begun.opened.close()
            # What was not even connected to is away, whatever was heard of it a moment ago.
            self._pool.ended(member.name, outcome, self._clock(), began_at=None if is_certain else began_at)

    async def _until_begun(self, member: Member, ask: Ask, began_at: float) -> AsyncGenerator[Piece | _Begun, None]:
        """Wait for the first thing to pass on; of an answer in one piece tell meanwhile how far it should be."""
        if ask.is_stream:
            yield await self._begin(member, ask)
            return
        beginning = asyncio.ensure_future(self._begin(member, ask))
        told, is_handed_over = 0, False
        try:
            while not beginning.done():
                await asyncio.wait({beginning}, timeout=_TICK_S)
                tokens = self._guess(ask, self._clock() - began_at) - told
                if beginning.done():
                    break
                if self._pool.is_dead(member.name):
                    # Nobody need wait for as long as an answer may take.
                    why = "silent"
                    raise _NotTakenError(why, Outcome.LEFT)
                if tokens > 0:
                    told += tokens
                    yield Piece(tokens=tokens)
            is_handed_over = True
            yield beginning.result()
        finally:
            if not is_handed_over:
                beginning.cancel()
                (begun,) = await asyncio.gather(beginning, return_exceptions=True)
                if isinstance(begun, _Begun):
                    # It came in the very moment in which nobody waited for it any more.
                    begun.opened.close()

    async def _begin(self, member: Member, ask: Ask) -> _Begun:
        upstream = self._upstreams[member.name]
        within_s = upstream.plan.first_s if ask.is_stream else upstream.plan.whole_s
        give_up_at = self._clock() + within_s
        try:
            opened = await upstream.open(ask.method, ask.target, ask.headers, ask.body, within_s)
        except UnreachableError as error:
            outcome = Outcome.LEFT if error.was_stale else Outcome.FAILED
            raise _NotTakenError(
                error.kind, outcome, is_certain=not error.was_sent, may_be_asked_again=error.was_stale
            ) from error
        try:
            return await self._first(opened, ask, give_up_at)
        except (UpstreamBrokeError, NotAStreamError, TimeoutError) as error:
            opened.close()
            raise _NotTakenError(type(error).__name__, Outcome.FAILED) from error
        except BaseException:
            opened.close()
            raise

    async def _first(self, opened: Opened, ask: Ask, give_up_at: float) -> _Begun:
        """Read until there is something of an answer that is one. Raises NotAStreamError."""
        # What was compressed against our wish is for the caller to read, and nothing here.
        media_type = "" if opened.is_encoded else opened.media_type.lower()
        meter = Meter(media_type, hides_usage=ask.hides_usage)
        pieces: list[bytes] = []
        size_bytes = 0
        while data := await opened.read(self._within_s(opened, meter, give_up_at)):
            pieces.append(data)
            size_bytes += len(data)
            if opened.is_encoded or (b"\n" in data if meter.is_stream else size_bytes > WHOLE_LIMIT_BYTES):
                break
            if opened.is_complete:
                break  # In one piece it is all there, or nothing of it.
        kept = b"".join(pieces)
        if ask.is_answer and opened.status == _OK and not opened.is_encoded:
            _check(kept, media_type, is_stream=meter.is_stream)
        return _Begun(opened, meter, kept)

    def _within_s(self, opened: Opened, meter: Meter, give_up_at: float) -> float:
        """How long to wait for more of a beginning; a stream may be silent up to its first event."""
        left_s = max(0.0, give_up_at - self._clock())
        return left_s if meter.is_stream else min(left_s, opened.silence_s)

    async def _passed(self, member: Member, begun: _Begun, head: Head) -> AsyncGenerator[Piece, None]:
        """The pieces of an answer, the first with its head. Raises UpstreamBrokeError."""
        meter, opened = begun.meter, begun.opened
        data, spoke_at = begun.data, self._clock()
        told_head: Head | None = head
        try:
            while data:
                metered = meter.feed(data)
                now = self._clock()
                if metered.pieces:
                    self._pool.spoke(member.name, (now - spoke_at) / metered.pieces, now)
                    spoke_at = now
                if metered.data or metered.usage:
                    yield Piece(data=metered.data, tokens=metered.pieces, head=told_head, usage=metered.usage)
                    told_head = None
                data = b"" if opened.is_complete else await opened.read()
            rest = meter.close()
        except NotAStreamError as error:
            raise UpstreamBrokeError(str(error)) from error
        yield Piece(data=rest.data, tokens=rest.pieces, head=told_head, usage=rest.usage, is_last=True)

    def _may_go_elsewhere(self, status: int, ask: Ask, tried: list[str]) -> None:
        """Have another asked, if this one cannot and there is one. Raises _NotTakenError."""
        if status not in _ELSEWHERE:
            return
        other = self._pool.pick(ask.model, self._clock(), tried)
        if isinstance(other, Member):
            why = f"status_{status}"
            raise _NotTakenError(why, Outcome.LEFT if status == _BUSY else Outcome.FAILED)

    async def look_after(self) -> None:
        """Probe servers that are untried, silent or resting, for ever."""
        while True:
            due = self._pool.probe_due(self._clock())
            await asyncio.gather(*(self._probe(name) for name in due))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _probe(self, name: str) -> None:
        is_well = False
        try:
            opened = await self._upstreams[name].open("GET", "/v1/models", (), b"", _PROBE_S)
            is_well = opened.status < _SERVER_ERROR
            opened.close()
        except UnreachableError:
            is_well = False
        finally:
            self._pool.probed(name, is_well=is_well, now=self._clock())


def _nowhere(nowhere: Nowhere, why: str) -> UpstreamBusyError | UpstreamFailedError:
    if nowhere.why is Missing.BUSY:
        return UpstreamBusyError("busy", nowhere.retry_after_s)
    return UpstreamFailedError(why, nowhere.retry_after_s)


def _check(data: bytes, media_type: str, *, is_stream: bool) -> None:
    """Raise NotAStreamError for what is no answer of a model: neither events nor lines nor JSON, but some page."""
    if is_stream:
        start = data.lstrip(b"\xef\xbb\xbf\r\n \t")[:8]
        is_answer = bool(data) and (not start or start.startswith((b"data", b"event", b"id", b"retry", b":", b"{")))
    elif media_type.startswith("application/json"):
        is_answer = len(data) > WHOLE_LIMIT_BYTES or _is_json(data)
    else:
        # Sounds are answered with sounds or with plain text; a page is what stands before a server that is down.
        is_answer = bool(media_type) and not media_type.startswith(("text/html", "application/xhtml"))
    if not is_answer:
        msg = "no answer of a model"
        raise NotAStreamError(msg)


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
