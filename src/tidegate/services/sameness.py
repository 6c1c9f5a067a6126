"""Looks now and then whether answers are still those of the pinned model, and tells when they are not.

It asks beside everybody: the embedded engine in a place that nobody is admitted
to, a server elsewhere past the pool, when it has a place free where that can be
waited for. What it costs is the tokens of its prompts, which are counted. It
tells and stops nothing: whether to go on serving is a person's decision.

An engine that is not ready, or does not answer in time, is the concern of its
own health; here that look has not taken place.

Each server has a pin of its own for each model, for what rounds otherwise
answers a little otherwise. One that has none yet must be like one of the others'
pins to be given one; the first of a model is taken as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, assert_never

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
    likest,
)
from tidegate.core.models.sameness import Answering, Look, LookOutcome, SamenessWatch, Step
from tidegate.ports.journal import Journal
from tidegate.services.looks import PinError, Pinned, SamenessReport, Target
from tidegate.services.pinning import PinBook
from tidegate.services.reading import ROUND_WITHIN_S, Asked, UnansweredError, ask

_AGAIN_S = 5.0
_READY_S = 1.0
_LONGER_CROWDED = 1 / 3
_LONGER_MUTE = 10.0


class SamenessWatcher:
    """Watches one engine. `clock` tells Unix seconds."""

    def __init__(
        self,
        target: Target,
        every_s: float,
        *,
        book: PinBook,
        journal: Journal,
        clock: Callable[[], float],
        looked: Callable[[Look], None],
        turn: asyncio.Lock | None = None,
    ) -> None:
        """`looked` hears of every look. Whoever has the `turn` asks: one at a time of those that share it."""
        self._target = target
        self._engine = target.engine
        self._every_s = every_s
        self._book = book
        self._journal = journal
        self._clock = clock
        self._looked = looked
        self._watch = SamenessWatch()
        self._pin: Pin | None = None
        self._unanswered = 0
        self._uses_seen = 0
        self._turn = turn or asyncio.Lock()

    def report(self) -> SamenessReport:
        """Where it stands, without asking anybody."""
        pin, sha256 = self._pin, self._target.sha256
        return SamenessReport(
            model=self._engine.card.id,
            replica=self._target.replica,
            sameness=self._watch.now,
            pinned_at_s=pin.pinned_at_s if pin is not None else None,
            is_same_file=pin.sha256 == sha256 if pin is not None and pin.sha256 and sha256 else None,
            unanswered=self._unanswered,
            on_use=self._target.uses() is not None,
        )

    async def look_now_and_then(self, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Look for ever, until cancelled."""
        while True:
            if not self._is_wanted():
                await sleep(_READY_S)
                continue
            began_at = self._clock()
            pause_s = self._pause_s(has_looked=await self.look())
            took_s = min(max(0.0, self._clock() - began_at), pause_s - _READY_S)
            await sleep(pause_s - max(0.0, took_s))
            await self._wait_for_quiet(sleep)

    def _is_wanted(self) -> bool:
        uses = self._target.uses()
        return uses is None or uses != self._uses_seen or self._watch.is_suspecting

    def _pause_s(self, *, has_looked: bool) -> float:
        if self._engine.report().state is not EngineState.READY:
            return _READY_S
        if self._watch.is_suspecting or not has_looked:
            return min(_AGAIN_S, self._every_s)
        is_mute = self._watch.now.why is NotComparableReason.NO_LOGPROBS and self._pin is None
        return self._every_s * (_LONGER_MUTE if is_mute else 1.0)

    async def _wait_for_quiet(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Wait for a free place, but not for long: under load it must show within a minute, too."""
        left_s = self._every_s * _LONGER_CROWDED
        while left_s > 0 and not self._watch.is_suspecting and self._target.is_crowded():
            await sleep(min(_READY_S, left_s))
            left_s -= _READY_S

    async def look(self) -> bool:
        """Look once; False when the engine did not answer. The first look at a model without a pin makes it."""
        if self._engine.report().state is not EngineState.READY:
            return False
        uses = self._target.uses()
        asked = Asked()
        async with self._turn:
            try:
                outcome = await self._look(asked)
            except UnansweredError:
                outcome = LookOutcome.UNANSWERED
            await self._book.write()
        if outcome is not LookOutcome.UNANSWERED:
            self._uses_seen = uses or 0
        self._tell(asked, outcome)
        return outcome is not LookOutcome.UNANSWERED

    async def _look(self, asked: Asked) -> LookOutcome:
        pins = await self._book.of(self._engine.card.id)
        self._pin = pins.get(self._target.server)
        if self._pin is None:
            return await self._first(asked)
        await self._ask(asked)
        return self._judge(compare(self._pin.readings, asked.readings))

    async def pin(self) -> Pinned:
        """Pin what answers now, whatever was pinned before. Raises PinError, and then the old pin stays."""
        if self._engine.report().state is not EngineState.READY:
            msg = "the engine is not ready: try again when it is"
            raise PinError(msg)
        if self._target.uses() == 0 and self._watch.now.answering is Answering.UNKNOWN:
            msg = "nobody has used it yet: it is pinned when somebody does"
            raise PinError(msg)
        asked = Asked()
        async with self._turn:
            try:
                made = await self._steady(asked)
            except UnansweredError:
                msg = f"the engine did not answer within {ROUND_WITHIN_S:.0f} s: try again"
                raise PinError(msg) from None
            if isinstance(made, NotComparable):
                raise PinError(_SENTENCES[made.reason])
            await self._book.of(made.model)
            self._take(made)
            await self._book.write()
        self._tell(asked, LookOutcome.PINNED)
        return Pinned(model=made.model, replica=self._target.replica, pinned_at_s=made.pinned_at_s)

    # ------------------------------------------------------------ pins

    async def _first(self, asked: Asked) -> LookOutcome:
        """Give it a pin, unless others have one and it is like none of them."""
        made = await self._steady(asked)
        if isinstance(made, NotComparable):
            return self._judge(made)
        pins = await self._book.of(made.model)
        # From here on nothing is waited for: of two that are first at once one is compared with the other.
        others = self._others(pins)
        if others:
            outcome = self._judge(likest([pin.readings for pin in others], made.readings))
            if outcome in {LookOutcome.DIFFERENT, LookOutcome.NOT_COMPARABLE}:
                return outcome
        self._take(made)
        return LookOutcome.PINNED

    def _others(self, pins: Mapping[str, Pin]) -> list[Pin]:
        """Whom it must be like: what the embedded engine answers binds nobody else."""
        return [pin for server, pin in pins.items() if server and self._target.server]

    async def _steady(self, asked: Asked) -> Pin | NotComparable:
        """Ask twice: what does not agree with itself can be compared with nothing."""
        await self._ask(asked)
        first = asked.readings
        await self._ask(asked)
        match compare(first, asked.readings):
            case Same():
                return Pin(
                    model=self._engine.card.id,
                    pinned_at_s=self._clock(),
                    readings=tuple(first),
                    sha256=self._target.sha256,
                    server=self._target.server,
                )
            case NotComparable() as verdict:
                return verdict
            case _:
                return NotComparable(NotComparableReason.UNSTEADY)

    async def _ask(self, asked: Asked) -> None:
        """Where callers fill a server, what it is asked waits in its own line: there it waits once for all prompts."""
        await ask(self._engine, asked, at_once=bool(self._target.server) and self._target.is_crowded())

    def _take(self, pin: Pin) -> None:
        self._pin = pin
        self._book.take(pin)
        self._watch.pinned(pin.pinned_at_s)
        self._record(Tag.MODEL_PINNED, ModelDetail.PINNED)

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
                model=self._engine.card.id,
                replica=self._target.replica,
                outcome=outcome,
                sameness=self._watch.now,
                prompt_tokens=asked.prompt_tokens,
                completion_tokens=asked.completion_tokens,
            )
        )

    def _record(self, tag: Tag, detail: ModelDetail, level: Level = Level.INFO) -> None:
        now = self._watch.now
        distance = None if now.distance is None else round(now.distance, 4)
        self._journal.record(
            ModelChanged(
                t=self._clock(),
                level=level,
                event=tag,
                detail=detail,
                distance=distance,
                replica=self._target.replica,
            )
        )


_SENTENCES: Final = {
    NotComparableReason.NO_LOGPROBS: "the engine gives no log-probabilities: there is nothing to compare answers by",
    NotComparableReason.UNSTEADY: "the engine did not answer the same twice: there is nothing steady to pin",
}
