"""The engines of a service: the embedded one, those that run elsewhere, and the lines before them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from hashlib import blake2s

import msgspec

from tidegate.adapters.engines.fleet import Fleet, FleetPlan
from tidegate.adapters.engines.kinds import RESIDENT
from tidegate.adapters.engines.pooled import PooledEngine, card_of
from tidegate.adapters.engines.servers import Server
from tidegate.adapters.engines.single import SingleEngine
from tidegate.app.survey import Lineup
from tidegate.config import Settings
from tidegate.core.admission.cost import CostPlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.capacity.health import EngineState
from tidegate.core.capacity.pool import MemberState, PoolPlan
from tidegate.core.events import EngineChanged, Level
from tidegate.ports.engine import Engine, ModelCard, ReplicaReport
from tidegate.ports.journal import Journal
from tidegate.services.admission import Admission
from tidegate.services.looks import Target

_ELSEWHERE = CostPlan(prefill_tok_s=2000.0, decode_tok_s=300.0)
"""What is believed of an engine elsewhere before anything was measured: that it has a GPU."""

_BATCH_TOKENS = 512
"""Prompt tokens that such engines read at a time, at least: vLLM and SGLang read some thousand, llama.cpp 512."""

_PLACES_A_READER = 4
"""Such engines read several prompts at once, and one of several that does not answer must not hold up all."""

STATES = {
    MemberState.UP: EngineState.READY,
    MemberState.UNTRIED: EngineState.LOADING,
    MemberState.BROKEN: EngineState.FAILED,
    MemberState.DRAINING: EngineState.STOPPED,
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One model's engine, and how the plan of all lines fits it."""

    engine: Engine
    fit: Callable[[AdmissionPlan], AdmissionPlan] = lambda plan: plan


def fitted(plan: AdmissionPlan, places: int) -> AdmissionPlan:
    """The plan for engines elsewhere that have so many places."""
    return msgspec.structs.replace(
        plan,
        slots=places,
        readers=max(2, places // _PLACES_A_READER),
        batch_tokens=_BATCH_TOKENS,
        cost=_ELSEWHERE,
    )


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """The engines that run elsewhere: looked after together, one for each model. `ready` is set when one answers."""

    fleet: Fleet
    engines: tuple[PooledEngine, ...]
    ready: asyncio.Event
    admissions: list[tuple[PooledEngine, Admission]]

    def lines(self) -> tuple[Line, ...]:
        """One for each model, as long as the fleet's places for it."""
        return tuple(Line(engine=engine, fit=self._fit(engine)) for engine in self.engines)

    def _fit(self, engine: PooledEngine) -> Callable[[AdmissionPlan], AdmissionPlan]:
        return lambda plan: fitted(plan, self.places(engine))

    def places(self, engine: PooledEngine) -> int:
        """How many answers of a model at once; at least one, so that callers hear what is wrong from the engine."""
        return max(1, self.fleet.places(engine.card.id))

    def follow(self) -> None:
        """Let as many start as there are places now."""
        for engine, admission in self.admissions:
            slots = self.places(engine)
            if slots != admission.scheduler.plan.slots:
                admission.carry_out(admission.scheduler.resize(slots, time.monotonic()))

    def looked_at(self) -> Iterator[Target]:
        """Each model of each server, as what is to be looked at by itself."""
        cards = {engine.card.id: engine.card for engine in self.engines}
        for server in self.fleet.servers:
            for model in sorted(server.plan.models):
                yield _target(self.fleet, server, cards[model])


def _target(fleet: Fleet, server: Server, card: ModelCard) -> Target:
    url = server.plan.url

    def uses() -> int | None:
        here = fleet.server(url) or server
        if here.kind in RESIDENT and len(here.plan.models) == 1:
            return None
        return here.answers.get(card.id, 0)

    return Target(
        engine=SingleEngine(card, fleet, url),
        server=url,
        replica=server.plan.replica,
        is_crowded=lambda: fleet.is_full(url),
        uses=uses,
    )


def open_elsewhere(
    settings: Settings, lineup: Lineup, salt_key: bytes, journal: Journal, lost: Callable[[ReplicaReport], None]
) -> Elsewhere:
    """Make what looks after the engines that were found. `lost` hears of each that no longer answers."""
    given = settings.engine
    ready = asyncio.Event()

    def changed(report: ReplicaReport) -> None:
        is_up = report.state is MemberState.UP
        journal.record(
            EngineChanged(
                t=time.time(),
                level=Level.ERROR if report.state is MemberState.BROKEN else Level.INFO,
                state=STATES[report.state],
                healthy=is_up,
                restarts=report.failures,
                replica=report.replica,
                running=report.running,
            )
        )
        if is_up:
            ready.set()
        elif report.state is MemberState.BROKEN:
            lost(report)

    plan = FleetPlan(
        pool=PoolPlan(gap_s=settings.admission.gap_s, probe_after_s=given.probe_after_s, probes_busy=True),
        first_s=given.first_token_s,
        silence_s=given.stall_s,
        ask_every_s=given.probe_after_s,
    )

    def follow() -> None:
        found.follow()

    fleet = Fleet(plan, lineup.servers, changed, follow)

    def salt(owner: str) -> str:
        return blake2s(owner.encode(), key=salt_key[:32], person=b"cache").hexdigest()

    engines = tuple(PooledEngine(card_of(name, tokens), fleet, salt) for name, tokens in lineup.context_tokens.items())
    found = Elsewhere(fleet=fleet, engines=engines, ready=ready, admissions=[])
    return found
