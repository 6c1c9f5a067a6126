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
from collections.abc import Callable, Mapping
from typing import Final, Self

import msgspec

from tidegate.adapters.engines.upstream import Opened, UnreachableError, Upstream
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.pool import Member, MemberReport, Missing, Nowhere, Outcome, Pool
from tidegate.core.generation.metering import EVENT_LIMIT_BYTES, WHOLE_LIMIT_BYTES, Meter, NotAStreamError
from tidegate.ports.engine import EngineError, EngineUnavailableError
from tidegate.ports.upstream import (
    Ask,
    Head,
    Piece,
    Pieces,
    UnknownModelError,
    UpstreamBrokeError,
    UpstreamBusyError,
    UpstreamFailedError,
)

_REST_S: Final = 0.1
_BUSY: Final = 429
_ELSEWHERE: Final = frozenset({_BUSY, 502, 503, 504})
_SERVER_ERROR: Final = 500
_OK: Final = 200


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
    """An answer of which something is there, from whom, and after how many attempts. `data` was not looked at yet."""

    member: str
    began_at: float
    attempts: int
    opened: Opened
    meter: Meter
    data: bytes | None
    is_told: bool = False

    def head(self) -> Head | None:
        """How it begins, once."""
        if self.is_told:
            return None
        self.is_told = True
        opened = self.opened
        return Head(status=opened.status, headers=opened.headers, attempts=self.attempts, replica=self.member)


class _Passed:
    """One answer on its way. An iterator of its own: a generator is registered with the loop, which takes longer."""

    def __init__(self, engines: PassingEngines, ask: Ask, caller: str) -> None:
        """Nothing was asked."""
        self._engines = engines
        self.ask = ask
        self.caller = caller
        self.begun: _Begun | None = None
        self.spoke_at = 0.0
        self.is_over = False

    def __aiter__(self) -> Self:
        """Its pieces."""
        return self

    async def __anext__(self) -> Piece:
        """The next piece; see the port for what it raises."""
        if self.is_over:
            raise StopAsyncIteration
        try:
            return await self._engines.next(self)
        except NotAStreamError as error:
            self._engines.let_go(self, Outcome.FAILED)
            raise UpstreamBrokeError(str(error)) from error
        except BaseException as error:
            self._engines.let_go(self, Outcome.FAILED if isinstance(error, UpstreamBrokeError) else Outcome.LEFT)
            raise

    async def aclose(self) -> None:
        """Free the server."""
        self._engines.let_go(self, Outcome.LEFT)


class PassingEngines:
    """Upstreams, as the port has them."""

    def __init__(
        self, pool: Pool, upstreams: Mapping[str, Upstream], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`upstreams` by the names of the pool's members; who entered them closes them."""
        self._pool = pool
        self._upstreams = upstreams
        self._clock = clock
        self._waiting: dict[str, set[Opened]] = {name: set() for name in upstreams}
        self._freed = asyncio.Event()

    def places(self, model: str) -> int:
        """How many requests for a model may run at once."""
        return self._pool.places(model, self._clock())

    def report(self) -> list[MemberReport]:
        """How each server is."""
        return self._pool.report(self._clock())

    def generate(self, ask: Ask, place: Place) -> Pieces:
        """Pass a request on; see the port. Which of its places an upstream uses is its own affair."""
        return _Passed(self, ask, place.group)

    async def next(self, passed: _Passed) -> Piece:
        """The next piece of an answer that has not ended; asks for it first."""
        begun = passed.begun
        if begun is None:
            begun = passed.begun = await self._begun(passed.ask, passed.caller)
            passed.spoke_at = self._clock()
        opened, meter = begun.opened, begun.meter
        while True:
            data, begun.data = begun.data, None
            metered = meter.feed(await opened.read() if data is None else data)
            if metered.pieces:
                now = self._clock()
                self._pool.spoke(begun.member, (now - passed.spoke_at) / metered.pieces, now)
                passed.spoke_at = now
            is_over = opened.is_complete
            if meter.is_done and not is_over:
                # Callers leave at this mark, and would seem to have left in the middle.
                begun.data = await _rest(opened)
                is_over = not begun.data
            if is_over:
                rest = meter.close()
                self.let_go(passed, Outcome.FAILED if opened.status >= _SERVER_ERROR else Outcome.GOOD)
                return Piece(
                    data=metered.data + rest.data,
                    tokens=metered.pieces + rest.pieces,
                    head=begun.head(),
                    usage=rest.usage or metered.usage,
                    is_last=True,
                )
            if metered.data or metered.usage:
                return Piece(data=metered.data, tokens=metered.pieces, head=begun.head(), usage=metered.usage)

    def let_go(self, passed: _Passed, outcome: Outcome) -> None:
        """An answer is over, or nobody wants it. Only the first word on it counts."""
        if passed.is_over:
            return
        passed.is_over = True
        begun = passed.begun
        if begun is not None:
            begun.opened.close()
            self._ended(begun.member, outcome, begun.began_at, passed.caller)

    async def _begun(self, ask: Ask, caller: str) -> _Begun:
        """Ask one after the other until one answers. Raises UpstreamBusyError or UpstreamFailedError."""
        tried: list[str] = []
        attempts, was_repeated, why = 0, False, "none_left"
        while True:
            member = await self._pick(ask, tried)
            if isinstance(member, Nowhere):
                raise _nowhere(ask, member, why, attempts)
            tried.append(member.name)
            attempts += 1
            began_at = self._clock()
            self._pool.began(member.name, began_at)
            outcome, is_certain = Outcome.LEFT, False
            begun: _Begun | None = None
            try:
                begun = await self._begin(member, ask, began_at, attempts)
                self._may_go_elsewhere(begun.opened.status, ask, tried)
            except _NotTakenError as error:
                why, outcome, is_certain = error.why, error.outcome, error.is_certain
                if begun is not None:
                    begun.opened.close()
                    begun = None
                if error.may_be_asked_again and not was_repeated:
                    was_repeated = True
                    tried.pop()
            else:
                return begun
            finally:
                if begun is None:
                    # What was not even connected to is away, whatever was heard of it a moment ago.
                    since = None if is_certain else began_at
                    self._ended(member.name, outcome, since, caller)

    async def _pick(self, ask: Ask, tried: list[str]) -> Member | Nowhere:
        """Choose a server, and wait while all that are left have as much to do as they can: who failed has no place."""
        now = self._clock()
        found = self._pool.pick(ask.model, now, tried)
        if isinstance(found, Member):
            return found
        until = now + min((one.plan.first_s for one in self._upstreams.values()), default=0.0)
        while isinstance(found, Nowhere) and found.why is Missing.BUSY and now < until:
            self._freed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until - now):
                    await self._freed.wait()
            now = self._clock()
            found = self._pool.pick(ask.model, now, tried)
        return found

    def _ended(self, name: str, outcome: Outcome, began_at: float | None, caller: str) -> None:
        self._pool.ended(name, outcome, self._clock(), began_at=began_at, caller=caller)
        self._freed.set()

    async def _begin(self, member: Member, ask: Ask, began_at: float, attempts: int) -> _Begun:
        upstream = self._upstreams[member.name]
        within_s = upstream.plan.first_s if ask.is_stream else upstream.plan.whole_s
        waiting = self._waiting[member.name]
        opened = upstream.ask(ask.method, ask.target, ask.headers, ask.body)
        waiting.add(opened)
        try:
            await opened.head(within_s)
            # What was compressed against our wish is for the caller to read, and nothing here.
            meter = Meter("" if opened.is_encoded else opened.media_type.lower(), hides_usage=ask.hides_usage)
            data = await self._first(opened, meter, ask, began_at + within_s)
        except BaseException as error:
            opened.close()
            not_taken = _not_taken(error)
            if not_taken is None:
                raise
            raise not_taken from error
        finally:
            waiting.discard(opened)
        return _Begun(member.name, began_at, attempts, opened, meter, data)

    async def _first(self, opened: Opened, meter: Meter, ask: Ask, give_up_at: float) -> bytes:
        """Read until there is something of an answer that is one. Raises NotAStreamError or UpstreamBrokeError."""
        pieces: list[bytes] = []
        size_bytes = 0
        while not opened.is_complete:
            data = await opened.read(self._within_s(opened, meter, give_up_at))
            if not data:
                break
            pieces.append(data)
            size_bytes += len(data)
            # In one piece it is all there, or nothing of it.
            if opened.is_encoded or (b"\n" in data if meter.is_stream else size_bytes > WHOLE_LIMIT_BYTES):
                break
            if meter.is_stream and size_bytes > EVENT_LIMIT_BYTES:
                msg = "an event without an end"
                raise NotAStreamError(msg)
        kept = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if ask.is_answer and opened.status == _OK and not opened.is_encoded:
            _check(kept, opened.media_type.lower(), is_stream=meter.is_stream)
        return kept

    def _within_s(self, opened: Opened, meter: Meter, give_up_at: float) -> float:
        """How long to wait for more of a beginning; a stream may be silent up to its first event."""
        left_s = max(0.0, give_up_at - self._clock())
        return left_s if meter.is_stream else min(left_s, opened.silence_s)

    def _may_go_elsewhere(self, status: int, ask: Ask, tried: list[str]) -> None:
        """Have another asked, if this one cannot and there is one. Raises _NotTakenError."""
        if status not in _ELSEWHERE:
            return
        other = self._pool.pick(ask.model, self._clock(), tried)
        if isinstance(other, Member) or other.why is Missing.BUSY:
            why = f"status_{status}"
            raise _NotTakenError(why, Outcome.LEFT if status == _BUSY else Outcome.FAILED)

    def let_go_of_the_dead(self) -> None:
        """Have those ask elsewhere who wait for a first word from a server that answers nobody."""
        for name, waiting in self._waiting.items():
            if self._pool.is_dead(name):
                for opened in waiting:
                    opened.give_up()
                waiting.clear()


async def _rest(opened: Opened) -> bytes:
    """What comes behind the mark at the end of a stream; mostly nothing, and it is not waited for."""
    try:
        return await opened.read(_REST_S)
    except UpstreamBrokeError:
        return b""


def _not_taken(error: BaseException) -> _NotTakenError | None:
    """What an error says of the server that was asked; None for what is no word on it, such as a caller that left."""
    match error:
        case UnreachableError():
            outcome = Outcome.LEFT if error.was_stale else Outcome.FAILED
            return _NotTakenError(
                error.kind, outcome, is_certain=not error.was_sent, may_be_asked_again=error.was_stale
            )
        case UpstreamBrokeError() | NotAStreamError():
            return _NotTakenError(type(error).__name__, Outcome.FAILED)
        case TimeoutError():
            return _NotTakenError("silent", Outcome.LEFT)
        case _:
            return None


def _nowhere(ask: Ask, nowhere: Nowhere, why: str, attempts: int) -> EngineError:
    if nowhere.why is Missing.MODEL:
        return UnknownModelError(ask.model)
    if nowhere.why is Missing.BUSY:
        return UpstreamBusyError("busy", nowhere.retry_after_s)
    if not attempts:
        return EngineUnavailableError("no server answers", nowhere.retry_after_s)
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
