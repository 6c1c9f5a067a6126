"""Several servers, looked after: probed, asked how much they do, exchanged while they work.

Which of them takes a call, and which is left alone, is decided by
`core.capacity.pool`; here that is carried out. A probe costs nothing while a
server is well: it is asked for its models. One that failed at a call must answer
one, with a single token, before it is trusted again.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Collection, Coroutine, Iterable
from typing import Final

import msgspec

from tidegate.adapters.engines import hearing, telemetry
from tidegate.adapters.engines.hearing import FailedError, HearingPlan
from tidegate.adapters.engines.kinds import MODELS_PATH, listed
from tidegate.adapters.engines.openai_calls import encode
from tidegate.adapters.engines.servers import Server, ServerPlan
from tidegate.adapters.engines.upstream import UnreachableError
from tidegate.core.capacity.pool import (
    Member,
    MemberReport,
    MemberState,
    Missing,
    Nowhere,
    Outcome,
    Pool,
    PoolPlan,
)
from tidegate.core.generation.call import ChatCall, Delta, Finished, Sampling, Turn
from tidegate.ports.engine import EngineError, ReplicaReport
from tidegate.ports.upstream import UpstreamBrokeError

_TICK_S: Final = 0.25
_PROBE_S: Final = 2.0
_TRIAL_S: Final = 10.0
_TRY_AGAIN_S: Final = 1.0
_LISTING_BYTES: Final = 4 << 20
_OK: Final = 200
_PROBE: Final = ChatCall(messages=[Turn(role="user", content="1")], sampling=Sampling(max_tokens=1))


class FleetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`first_s` and `silence_s` bound the wait (s) for an answer to begin and to go on; so many `attempts` at most."""

    pool: PoolPlan = PoolPlan()
    first_s: float = 30.0
    silence_s: float = 10.0
    attempts: int = 3
    ask_every_s: float = 5.0


class Fleet:
    """Servers behind one or more models. `on_change` hears of each that is in another state.

    `on_places` is called when more or fewer calls may run at once than before.
    """

    def __init__(
        self,
        plan: FleetPlan,
        servers: Iterable[ServerPlan],
        on_change: Callable[[ReplicaReport], None],
        on_places: Callable[[], None],
    ) -> None:
        """Nothing is asked before `start`."""
        self.plan = plan
        self._servers = {server.url: Server(server) for server in servers}
        self.pool = Pool(plan.pool, [server.plan.member() for server in self._servers.values()])
        self._on_change = on_change
        self._on_places = on_places
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: dict[str, MemberState] = {}
        self._places: dict[str, int] = {}
        self._freed = asyncio.Event()
        self._asked_at = 0.0

    async def start(self) -> None:
        """Begin to look after them; returns at once."""
        self._keep(self._look_after())

    async def stop(self) -> None:
        """Close all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for server in self._servers.values():
            await server.retire()

    def replan(self, servers: Iterable[ServerPlan]) -> None:
        """Go on with these: newcomers are probed first, those that are gone finish what they have begun."""
        wanted = {server.url: server for server in servers}
        for url, server in list(self._servers.items()):
            if wanted.get(url) != server.plan:
                del self._servers[url]
                self._keep(server.retire())
        for url, plan in wanted.items():
            self._servers.setdefault(url, Server(plan))
        self.pool.replan(plan.member() for plan in wanted.values())
        self._tell()

    # ------------------------------------------------------------ for calls

    async def pick(self, model: str, besides: Collection[str]) -> tuple[Server, Member] | Nowhere:
        """Choose a server, and wait while all that are well have as much to do as they can, at most `first_s`."""
        until = time.monotonic() + self.plan.first_s
        while True:
            now = time.monotonic()
            found = self.pool.pick(model, now, {*besides, *self._not_up(now)})
            if isinstance(found, Nowhere) and found.why is Missing.BROKEN:
                found = self.pool.pick(model, now, {*besides, *self._broken(now)})
            if isinstance(found, Member):
                self.pool.began(found.name, now)
                return self._servers[found.name], found
            if found.why is not Missing.BUSY or now >= until:
                return found
            self._freed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until - now):
                    await self._freed.wait()

    def _not_up(self, now: float) -> set[str]:
        """Whom to ask only when there is nobody better: not known to be well, or failed at its last call."""
        suspects = {name for name, server in self._servers.items() if server.is_suspect}
        return suspects | {one.name for one in self.pool.report(now) if one.state is not MemberState.UP}

    def _broken(self, now: float) -> set[str]:
        """Who is tried by probes alone: nobody's call is for finding out whether an engine is well."""
        return {one.name for one in self.pool.report(now) if one.state is MemberState.BROKEN}

    def spoke(self, server: Server, gap_s: float) -> None:
        """A piece came, so long after the one before it."""
        self.pool.spoke(server.plan.url, gap_s, time.monotonic())

    def ended(self, server: Server, outcome: Outcome, began_at: float, why: str = "", caller: str = "") -> None:
        """A call of a caller's that was begun is over."""
        if outcome is Outcome.GOOD:
            server.is_suspect = False
        elif outcome is Outcome.FAILED:
            server.is_suspect, server.why = True, why
        self.pool.ended(server.plan.url, outcome, time.monotonic(), began_at=began_at, caller=caller)
        self._freed.set()
        self._tell()

    def places(self, model: str) -> int:
        """How many calls for a model may run at once."""
        return self.pool.places(model, time.monotonic())

    def report(self, model: str = "") -> list[ReplicaReport]:
        """How each is, of those that serve the model or of all."""
        found = [self._report(one) for one in self.pool.report(time.monotonic())]
        return [one for one in found if not model or model in one.models]

    def _report(self, one: MemberReport) -> ReplicaReport:
        server = self._servers.get(one.name)
        return ReplicaReport(
            replica=ServerPlan(url=one.name, models=frozenset()).replica,
            models=tuple(sorted(server.plan.models)) if server else (),
            state=one.state,
            running=one.outstanding,
            places=one.limit,
            failures=one.failures,
            gap_s=round(one.mean_gap_s, 4),
            why=server.why if server else "",
            unreadable=server.unreadable if server else 0,
        )

    # ------------------------------------------------------------ for looks at single ones

    @property
    def servers(self) -> tuple[Server, ...]:
        """Those that are asked now."""
        return tuple(self._servers.values())

    def server(self, url: str) -> Server | None:
        """The one at this address."""
        return self._servers.get(url)

    def is_well(self, url: str) -> bool:
        """Whether nothing is known against it."""
        server = self._servers.get(url)
        return server is not None and not server.is_suspect and self._member(url).state is MemberState.UP

    def is_full(self, url: str) -> bool:
        """Whether as much runs on it as may."""
        return url in self._servers and (one := self._member(url)).outstanding >= one.limit

    def _member(self, url: str) -> MemberReport:
        return next(one for one in self.pool.report(time.monotonic()) if one.name == url)

    # ------------------------------------------------------------ looking after them

    async def _look_after(self) -> None:
        while True:
            now = time.monotonic()
            for name in self.pool.probe_due(now):
                self._keep(self._probe(name))
            if now - self._asked_at >= self.plan.ask_every_s:
                self._asked_at = now
                for server in self._servers.values():
                    if not server.is_asked:
                        self._keep(self._ask(server))
            for server in self._servers.values():
                if server.is_suspect and now - server.tried_at >= _TRY_AGAIN_S:
                    server.tried_at = math.inf
                    self._keep(self._try(server))
            self._tell()
            await asyncio.sleep(_TICK_S)

    async def _probe(self, name: str) -> None:
        is_well = False
        server = self._servers.get(name)
        try:
            if server is not None:
                is_well = await self._answers(server)
                if is_well and server.is_suspect:
                    is_well = await self._computes(server)
        finally:
            self.pool.probed(name, is_well=is_well, now=time.monotonic())
            self._tell()

    async def _try(self, server: Server) -> None:
        """Let one that failed at a call prove itself at another."""
        try:
            is_well = await self._computes(server)
            self.pool.probed(server.plan.url, is_well=is_well, now=time.monotonic())
        finally:
            server.tried_at = time.monotonic()
            self._tell()

    async def _answers(self, server: Server) -> bool:
        """Whether it says which models it has."""
        try:
            status, payload = await server.fetch(MODELS_PATH, _PROBE_S, _LISTING_BYTES)
            models = listed(payload)
        except (UnreachableError, UpstreamBrokeError, TimeoutError, ValueError) as error:
            server.why = error.kind if isinstance(error, UnreachableError) else type(error).__name__
            return False
        if status != _OK:
            server.why = f"status_{status}"
            return False
        if not server.plan.is_kind_certain and len(kinds := {model.kind for model in models}) == 1:
            server.kind = kinds.pop()
        return True

    async def _computes(self, server: Server) -> bool:
        """Whether it answers a call with a token."""
        path, body = encode(_PROBE, server.kind, min(server.plan.models))
        plan = HearingPlan(first_s=min(_TRIAL_S, self.plan.first_s), silence_s=self.plan.silence_s)
        try:
            async with contextlib.aclosing(hearing.answer(server, path, body, plan)) as events:
                async for event in events:
                    if isinstance(event, Delta | Finished):
                        server.is_suspect = False
                        return True
        except FailedError as error:
            server.why = error.why
        except EngineError:
            server.is_suspect = False
            return True  # It read the question, and does not want that one.
        return False

    async def _ask(self, server: Server) -> None:
        """Ask how much it does; without an answer nothing is known."""
        server.is_asked = True
        try:
            for path in telemetry.paths(server.kind):
                status, payload = await server.fetch(path, _PROBE_S, telemetry.MOST_BYTES)
                if status != _OK:
                    continue
                told = telemetry.read(server.kind, path, payload)
                if told is not None:
                    self.pool.told(server.plan.url, told, time.monotonic())
                    return
                server.unreadable += 1
        except ValueError:
            server.unreadable += 1
        except (UnreachableError, UpstreamBrokeError, TimeoutError):
            return  # Whether it is well is for the probes to say.
        finally:
            server.is_asked = False

    def _tell(self) -> None:
        now = time.monotonic()
        reports = self.pool.report(now)
        for one in reports:
            if self._told.get(one.name, MemberState.UNTRIED) is one.state:
                continue
            self._told[one.name] = one.state
            server = self._servers.get(one.name)
            if one.state is MemberState.BROKEN and server is not None:
                server.give_up()
            self._on_change(self._report(one))
        for name in self._told.keys() - {one.name for one in reports}:
            if self._told.pop(name) is not MemberState.DRAINING:
                self._on_change(self._report(_gone(name)))
        places = {model: self.pool.places(model, now) for model in self.pool.models}
        if places != self._places:
            self._places = places
            self._freed.set()
            self._on_places()

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _gone(name: str) -> MemberReport:
    """The last that is told of a server that is not one of them any more."""
    return MemberReport(name=name, state=MemberState.DRAINING, outstanding=0, limit=0, failures=0, mean_gap_s=0.0)
