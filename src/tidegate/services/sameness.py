"""Looks now and then whether answers are still those of the pinned model, and tells when they are not.

It asks beside everybody: in a place that nobody is admitted to, so it waits for
no caller and no caller waits for a place because of it; what it costs is the
tokens of its prompts, which are counted. It tells and stops nothing: whether to
go on serving is a person's decision.

An engine that is not ready, or does not answer in time, is the concern of its
own health; here that look has not taken place.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, assert_never

import msgspec

from tidegate.core.capacity.health import EngineState
from tidegate.core.events import Level, ModelChanged, ModelDetail, Tag
from tidegate.core.models.pin import (
    Different,
    Drifted,
    NotComparable,
    NotComparableReason,
    Part,
    Pin,
    Same,
    Verdict,
    compare,
)
from tidegate.core.models.sameness import Look, LookOutcome, Sameness, SamenessWatch, Step
from tidegate.ports.engine import Engine
from tidegate.ports.journal import Journal
from tidegate.services.reading import ROUND_WITHIN_S, Asked, UnansweredError, ask

_AGAIN_S = 5.0
_READY_S = 1.0
_UNDER_LOAD = 1.5


class Pins(Protocol):
    """Where pins are kept."""

    def find(self, model: str) -> Pin | None:
        """A model's pin, if there is one."""

    def keep(self, pin: Pin) -> None:
        """Put a pin in the place of the model's last one. Raises OSError."""


class PinError(Exception):
    """The model that answers now cannot be pinned; the message says why and what to do."""


class SamenessPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How often to look. `sha256` is of the file that is served, where there is one."""

    every_s: float = 30.0
    sha256: str = ""


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """What was pinned."""

    model: str
    pinned_at_s: float


class SamenessReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands, and how many looks since were not answered.

    `is_same_file`: the file is the one that was pinned; None where there is no file or no pin.
    """

    model: str
    sameness: Sameness
    pinned_at_s: float | None
    is_same_file: bool | None
    unanswered: int = 0


class SamenessWatcher:
    """Watches one engine. `clock` tells Unix seconds."""

    def __init__(
        self,
        engine: Engine,
        plan: SamenessPlan,
        *,
        pins: Pins,
        journal: Journal,
        clock: Callable[[], float],
        looked: Callable[[Look], None],
        is_crowded: Callable[[], bool],
    ) -> None:
        """`looked` hears of every look. While it `is_crowded`, looks are further apart."""
        self._engine = engine
        self._plan = plan
        self._pins = pins
        self._journal = journal
        self._clock = clock
        self._looked = looked
        self._is_crowded = is_crowded
        self._watch = SamenessWatch()
        self._pin: Pin | None = None
        self._is_kept = True
        self._unanswered = 0
        self._one_at_a_time = asyncio.Lock()

    def report(self) -> SamenessReport:
        """Where it stands, without asking anybody."""
        pin = self._pin
        are_files = pin is not None and bool(pin.sha256 and self._plan.sha256)
        return SamenessReport(
            model=self._engine.card.id,
            sameness=self._watch.now,
            pinned_at_s=pin.pinned_at_s if pin is not None else None,
            is_same_file=pin.sha256 == self._plan.sha256 if pin is not None and are_files else None,
            unanswered=self._unanswered,
        )

    async def look_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look for ever, until cancelled."""
        while True:
            await sleep(self._pause_s(has_looked=await self.look()))

    def _pause_s(self, *, has_looked: bool) -> float:
        if self._engine.report().state is not EngineState.READY:
            return _READY_S
        if self._watch.is_suspecting or not has_looked:
            return min(_AGAIN_S, self._plan.every_s)
        return self._plan.every_s * (_UNDER_LOAD if self._is_crowded() else 1.0)

    async def look(self) -> bool:
        """Look once; False when the engine did not answer. The first look at a model without a pin makes it."""
        if self._engine.report().state is not EngineState.READY:
            return False
        async with self._one_at_a_time:
            self._pin = self._pin or await self._found()
            asked = Asked()
            try:
                if self._pin is None:
                    outcome = self._first(await self._steady(asked))
                else:
                    await ask(self._engine, asked)
                    outcome = self._judge(compare(self._pin.readings, asked.readings))
            except UnansweredError:
                outcome = LookOutcome.UNANSWERED
            if not self._is_kept:
                await self._keep()
        self._tell(asked, outcome)
        return outcome is not LookOutcome.UNANSWERED

    async def pin(self) -> Pinned:
        """Pin what answers now, whatever was pinned before. Raises PinError, and then the old pin stays."""
        if self._engine.report().state is not EngineState.READY:
            msg = "the engine is not ready: try again when it is"
            raise PinError(msg)
        async with self._one_at_a_time:
            asked = Asked()
            try:
                made = await self._steady(asked)
            except UnansweredError:
                msg = f"the engine did not answer within {ROUND_WITHIN_S:.0f} s: try again"
                raise PinError(msg) from None
            if isinstance(made, NotComparable):
                raise PinError(_SENTENCES[made.reason])
            self._take(made)
            await self._keep()
        self._tell(asked, LookOutcome.PINNED)
        return Pinned(model=made.model, pinned_at_s=made.pinned_at_s)

    # ------------------------------------------------------------ pins

    async def _found(self) -> Pin | None:
        found = await asyncio.to_thread(self._pins.find, self._engine.card.id)
        return found if found is not None and found.is_usable else None

    async def _steady(self, asked: Asked) -> Pin | NotComparable:
        """Ask twice: what does not agree with itself can be compared with nothing."""
        await ask(self._engine, asked)
        first = asked.readings
        await ask(self._engine, asked)
        match compare(first, asked.readings):
            case Same():
                return Pin(
                    model=self._engine.card.id,
                    pinned_at_s=self._clock(),
                    readings=tuple(first),
                    sha256=self._plan.sha256,
                )
            case NotComparable() as verdict:
                return verdict
            case _:
                return NotComparable(NotComparableReason.UNSTEADY)

    def _first(self, made: Pin | NotComparable) -> LookOutcome:
        if isinstance(made, NotComparable):
            return self._judge(made)
        self._take(made)
        return LookOutcome.PINNED

    def _take(self, pin: Pin) -> None:
        self._pin, self._is_kept = pin, False
        self._watch.pinned(pin.pinned_at_s)
        self._record(Tag.MODEL_PINNED, ModelDetail.PINNED)

    async def _keep(self) -> None:
        assert self._pin is not None, "there is a pin to keep"
        # On a full disk it counts all the same, for as long as the process lives.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._pins.keep, self._pin)
            self._is_kept = True

    # ------------------------------------------------------------ telling

    def _judge(self, verdict: Verdict) -> LookOutcome:
        step = self._watch.judged(verdict, self._clock())
        match step:
            case Step.CHANGED:
                part = self._watch.now.part
                detail = ModelDetail.WEIGHTS if part is Part.WEIGHTS else ModelDetail.TEMPLATE
                self._record(Tag.MODEL_CHANGED, detail, Level.ERROR)
            case Step.RESTORED:
                self._record(Tag.MODEL_RESTORED, ModelDetail.SAME)
            case Step.NOT_COMPARABLE:
                assert isinstance(verdict, NotComparable), "only that is told as such"
                self._record(Tag.MODEL_NOT_COMPARABLE, ModelDetail(verdict.reason), Level.WARNING)
            case None:
                pass
            case _ as never:
                assert_never(never)
        match verdict:
            case Same():
                return LookOutcome.SAME
            case Drifted():
                return LookOutcome.DRIFTED
            case Different():
                return LookOutcome.DIFFERENT
            case NotComparable():
                return LookOutcome.NOT_COMPARABLE
            case _ as no_verdict:
                assert_never(no_verdict)

    def _tell(self, asked: Asked, outcome: LookOutcome) -> None:
        self._unanswered = self._unanswered + 1 if outcome is LookOutcome.UNANSWERED else 0
        self._looked(
            Look(
                outcome=outcome,
                sameness=self._watch.now,
                prompt_tokens=asked.prompt_tokens,
                completion_tokens=asked.completion_tokens,
            )
        )

    def _record(self, tag: Tag, detail: ModelDetail, level: Level = Level.INFO) -> None:
        now = self._watch.now
        distance = None if now.distance is None else round(now.distance, 4)
        self._journal.record(ModelChanged(t=self._clock(), level=level, event=tag, detail=detail, distance=distance))


_SENTENCES: Final = {
    NotComparableReason.NO_LOGPROBS: "the engine gives no log-probabilities: there is nothing to compare answers by",
    NotComparableReason.UNSTEADY: "the engine did not answer the same twice: there is nothing steady to pin",
}
