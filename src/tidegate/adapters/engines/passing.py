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
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

import msgspec

from tidegate.adapters.engines.upstream import Opened, UnreachableError, Upstream
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.pool import Member, MemberReport, Missing, Nowhere, Outcome, Pool
from tidegate.core.generation.metering import WHOLE_LIMIT_BYTES, Meter, NotAStreamError
from tidegate.ports.upstream import Ask, Head, Piece, UpstreamBrokeError, UpstreamBusyError, UpstreamFailedError

_PROBE_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.5
_BUSY: Final = 429
_ELSEWHERE: Final = frozenset({_BUSY, 502, 503, 504})
_SERVER_ERROR: Final = 500
_OK: Final = 200


class _NotTakenError(Exception):
    """This server does not answer; another may. `outcome` is what that says of it."""

    def __init__(self, why: str, outcome: Outcome, *, is_certain: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.outcome = outcome
        self.is_certain = is_certain


class _Begun(msgspec.Struct):
    """An answer of which something is there, from whom, and after how many attempts."""

    member: str
    began_at: float
    attempts: int
    opened: Opened
    meter: Meter
    data: bytes


class PassingEngines:
    """Upstreams."""

    def __init__(
        self, pool: Pool, upstreams: Mapping[str, Upstream], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`upstreams` by the names of the pool's members; who entered them closes them."""
        self._pool = pool
        self._upstreams = upstreams
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
        begun = await self._begun(ask)
        opened, outcome = begun.opened, Outcome.LEFT
        head: Head | None = Head(
            status=opened.status, headers=opened.headers, attempts=begun.attempts, replica=begun.member
        )
        meter, data, spoke_at = begun.meter, begun.data, self._clock()
        try:
            while data:
                metered = meter.feed(data)
                if metered.pieces:
                    now = self._clock()
                    self._pool.spoke(begun.member, (now - spoke_at) / metered.pieces, now)
                    spoke_at = now
                if metered.data or metered.usage:
                    yield Piece(data=metered.data, tokens=metered.pieces, head=head, usage=metered.usage)
                    head = None
                data = b"" if opened.is_complete else await opened.read()
            rest = meter.close()
            outcome = Outcome.FAILED if opened.status >= _SERVER_ERROR else Outcome.GOOD
            yield Piece(data=rest.data, tokens=rest.pieces, head=head, usage=rest.usage, is_last=True)
        except NotAStreamError as error:
            outcome = Outcome.FAILED
            raise UpstreamBrokeError(str(error)) from error
        except UpstreamBrokeError:
            outcome = Outcome.FAILED
            raise
        finally:
            opened.close()
            self._pool.ended(begun.member, outcome, self._clock(), began_at=begun.began_at)

    async def _begun(self, ask: Ask) -> _Begun:
        """Ask one after the other until one answers. Raises UpstreamBusyError or UpstreamFailedError."""
        tried: list[str] = []
        why = "none_left"
        while True:
            member = self._pool.pick(ask.model, self._clock(), tried)
            if isinstance(member, Nowhere):
                raise _nowhere(member, why)
            tried.append(member.name)
            began_at = self._clock()
            self._pool.began(member.name, began_at)
            outcome, is_certain = Outcome.LEFT, False
            begun: _Begun | None = None
            try:
                begun = await self._begin(member, ask, began_at, len(tried))
                self._may_go_elsewhere(begun, ask)
            except _NotTakenError as error:
                why, outcome, is_certain = error.why, error.outcome, error.is_certain
                if begun is not None:
                    begun.opened.close()
                    begun = None
            else:
                return begun
            finally:
                if begun is None:
                    # What was not even connected to is away, whatever was heard of it a moment ago.
                    since = None if is_certain else began_at
                    self._pool.ended(member.name, outcome, self._clock(), began_at=since)

    async def _begin(self, member: Member, ask: Ask, began_at: float, attempts: int) -> _Begun:
        upstream = self._upstreams[member.name]
        within_s = upstream.plan.first_s if ask.is_stream else upstream.plan.whole_s
        try:
            opened = await upstream.open(ask.method, ask.target, ask.headers, ask.body, within_s)
        except UnreachableError as error:
            raise _NotTakenError(error.kind, Outcome.FAILED, is_certain=not error.was_sent) from error
        try:
            meter = Meter(opened.media_type, hides_usage=ask.hides_usage)
            data = await self._first(opened, meter, ask, began_at + within_s)
        except (UpstreamBrokeError, NotAStreamError) as error:
            opened.close()
            raise _NotTakenError(type(error).__name__, Outcome.FAILED) from error
        except BaseException:
            opened.close()
            raise
        return _Begun(member.name, began_at, attempts, opened, meter, data)

    async def _first(self, opened: Opened, meter: Meter, ask: Ask, give_up_at: float) -> bytes:
        """Read until there is something of an answer that is one. Raises NotAStreamError or UpstreamBrokeError."""
        kept = b""
        while not opened.is_complete:
            data = await opened.read(max(0.0, give_up_at - self._clock()) if meter.is_stream else None)
            if not data:
                break
            kept = kept + data if kept else data
            # In one piece it is all there, or nothing of it.
            if b"\n" in kept if meter.is_stream else len(kept) > WHOLE_LIMIT_BYTES:
                break
        if ask.is_answer and opened.status == _OK:
            _check(kept, opened.media_type, is_stream=meter.is_stream)
        return kept

    def _may_go_elsewhere(self, begun: _Begun, ask: Ask) -> None:
        """Have another asked, if this one cannot and there is one. Raises _NotTakenError."""
        status = begun.opened.status
        if status not in _ELSEWHERE:
            return
        other = self._pool.pick(ask.model, self._clock(), [begun.member])
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
        is_answer = not start or start.startswith((b"data", b"event", b"id", b"retry", b":", b"{"))
    elif media_type.startswith("application/json"):
        is_answer = len(data) > WHOLE_LIMIT_BYTES or _is_json(data)
    else:
        is_answer = bool(media_type) and not media_type.startswith("text/")
    if not is_answer:
        msg = "no answer of a model"
        raise NotAStreamError(msg)


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
