"""A swapped model, template or system prompt shows within a minute, and costs no caller a place."""

from __future__ import annotations

import asyncio

import pytest

from tests.services.likelihoods import MemoryPins, SpeakingEngine
from tidegate.core.admission.claims import ASIDE
from tidegate.core.capacity.health import EngineState
from tidegate.core.events import Level, ModelChanged, ModelDetail, Tag
from tidegate.core.models.pin import PROMPTS, Pin
from tidegate.core.models.sameness import Answering, Look, LookOutcome
from tidegate.ports.engine import EngineBrokeError
from tidegate.services.looks import PinError, Target
from tidegate.services.pinning import PinBook
from tidegate.services.sameness import SamenessWatcher
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal

MINUTE_S = 60.0


class Bench:
    """A watcher over an engine, and everything that it tells."""

    def __init__(self, engine: SpeakingEngine | None = None, pins: MemoryPins | None = None, sha256: str = "") -> None:
        self.engine, self.pins = engine or SpeakingEngine(), pins or MemoryPins()
        self.clock, self.journal = HandClock(), RecordingJournal()
        self.looks: list[Look] = []
        self.is_crowded = False
        self.slept: list[float] = []
        self.watcher = SamenessWatcher(
            Target(engine=self.engine, sha256=sha256, is_crowded=lambda: self.is_crowded),
            30.0,
            book=PinBook(self.pins),
            journal=self.journal,
            clock=self.clock,
            looked=self.looks.append,
        )

    @property
    def told(self) -> list[tuple[Tag, ModelDetail]]:
        return [(event.event, event.detail) for event in self.journal.of(ModelChanged)]

    async def go_on(self, times: int) -> None:
        """Let the watcher run until it has slept so often; the clock goes on by as much."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.clock.advance(seconds)
            times_left.append(None)
            if len(times_left) >= times:
                raise _Over

        times_left: list[None] = []
        with pytest.raises(_Over):
            await self.watcher.look_now_and_then(sleep)


class _Over(Exception):  # noqa: N818 - no error: the test has seen enough
    pass


async def test_the_first_look_pins_the_model_and_the_next_ones_find_it_the_same() -> None:
    bench = Bench(sha256="f" * 64)
    await bench.go_on(3)

    assert [look.outcome for look in bench.looks] == [LookOutcome.PINNED, LookOutcome.SAME, LookOutcome.SAME]
    assert bench.told == [(Tag.MODEL_PINNED, ModelDetail.PINNED)]
    assert bench.pins.kept["tide-1"].sha256 == "f" * 64
    assert bench.slept == [30.0] * 3
    report = bench.watcher.report()
    assert report.sameness.answering is Answering.SAME
    assert (report.is_same_file, report.pinned_at_s) == (True, bench.clock.now - 90)


async def test_nobody_is_asked_in_a_callers_place() -> None:
    bench = Bench()
    await bench.go_on(2)

    assert set(bench.engine.places) == {ASIDE}
    assert not ASIDE.is_warm
    assert bench.engine.running == 0


async def test_what_a_look_took_is_told() -> None:
    bench = Bench()
    await bench.go_on(2)

    first, second = [(look.prompt_tokens, look.completion_tokens) for look in bench.looks]
    assert second == (30 * len(PROMPTS), len(PROMPTS))
    assert first == (2 * second[0], 2 * second[1]), "a pin is asked for twice"


@pytest.mark.parametrize("is_crowded", [False, True])
@pytest.mark.parametrize(
    ("chat", "text", "detail"), [(-2.0, -2.0, ModelDetail.WEIGHTS), (-2.0, -1.0, ModelDetail.TEMPLATE)]
)
async def test_a_swap_shows_within_a_minute_also_under_load(
    chat: float, text: float, detail: ModelDetail, *, is_crowded: bool
) -> None:
    bench = Bench()
    bench.is_crowded = is_crowded
    await bench.go_on(1)
    swapped_at = bench.clock.now - bench.slept[-1]
    bench.engine.chat, bench.engine.text = chat, text
    await bench.go_on(3)

    (pinned, changed) = bench.journal.of(ModelChanged)
    assert pinned.event is Tag.MODEL_PINNED
    assert (changed.event, changed.detail, changed.level) == (Tag.MODEL_CHANGED, detail, Level.ERROR)
    assert changed.distance == pytest.approx(0.5)
    assert changed.t - swapped_at < MINUTE_S - 5
    assert bench.watcher.report().sameness.answering is Answering.DIFFERENT


async def test_one_other_answer_is_no_alarm() -> None:
    bench = Bench()
    await bench.go_on(1)
    bench.engine.chat = -3.0
    await bench.watcher.look()
    bench.engine.chat = -1.0
    await bench.go_on(2)

    assert bench.told == [(Tag.MODEL_PINNED, ModelDetail.PINNED)]


async def test_the_pinned_model_that_comes_back_ends_the_alarm() -> None:
    bench = Bench()
    await bench.go_on(1)
    bench.engine.chat = -3.0
    await bench.go_on(3)
    bench.engine.chat = -1.0
    await bench.go_on(2)

    assert bench.told[1:] == [(Tag.MODEL_CHANGED, ModelDetail.TEMPLATE), (Tag.MODEL_RESTORED, ModelDetail.SAME)]


async def test_a_pin_outlives_the_process_and_shows_a_file_that_was_swapped_meanwhile() -> None:
    before = Bench(sha256="a" * 64)
    await before.go_on(1)
    swapped = SpeakingEngine()
    swapped.chat = swapped.text = -2.5
    bench = Bench(swapped, before.pins, sha256="b" * 64)
    await bench.go_on(3)

    assert bench.told == [(Tag.MODEL_CHANGED, ModelDetail.WEIGHTS)]
    assert bench.watcher.report().is_same_file is False


async def test_a_drift_is_counted_and_not_told() -> None:
    bench = Bench()
    await bench.go_on(1)
    bench.engine.chat = -1.14
    await bench.go_on(3)

    assert {look.outcome for look in bench.looks[1:]} == {LookOutcome.DRIFTED}
    assert bench.told == [(Tag.MODEL_PINNED, ModelDetail.PINNED)]


async def test_an_engine_without_log_probabilities_is_said_once_to_be_beyond_comparing() -> None:
    engine = SpeakingEngine()
    engine.chat = engine.text = None
    bench = Bench(engine)
    await bench.go_on(4)

    assert bench.told == [(Tag.MODEL_NOT_COMPARABLE, ModelDetail.NO_LOGPROBS)]
    assert bench.pins.kept == {}
    with pytest.raises(PinError, match="gives no log-probabilities"):
        await bench.watcher.pin()


async def test_an_engine_that_does_not_agree_with_itself_is_not_pinned() -> None:
    engine = SpeakingEngine()
    engine.wavers = 0.1
    bench = Bench(engine)
    await bench.go_on(2)

    assert bench.told == [(Tag.MODEL_NOT_COMPARABLE, ModelDetail.UNSTEADY)]
    assert bench.pins.kept == {}
    assert bench.watcher.report().is_same_file is None
    with pytest.raises(PinError, match="not answer the same twice"):
        await bench.watcher.pin()


async def test_an_engine_that_continues_no_plain_texts_is_judged_by_its_chats() -> None:
    engine = SpeakingEngine()
    engine.takes_texts = False
    bench = Bench(engine)
    await bench.go_on(1)
    engine.chat = -2.0
    await bench.go_on(3)

    assert bench.told[1:] == [(Tag.MODEL_CHANGED, ModelDetail.TEMPLATE)]


async def test_an_engine_that_is_not_ready_is_left_alone_and_asked_soon() -> None:
    bench = Bench()
    bench.engine.state = EngineState.LOADING
    await bench.go_on(2)

    assert bench.engine.calls == []
    assert bench.slept == [1.0, 1.0]
    with pytest.raises(PinError, match="not ready"):
        await bench.watcher.pin()


async def test_an_answer_that_breaks_is_no_verdict_and_is_asked_for_again_soon() -> None:
    bench = Bench()
    await bench.go_on(1)
    bench.engine.fault = EngineBrokeError("gone")
    await bench.go_on(2)

    assert [look.outcome for look in bench.looks[1:]] == [LookOutcome.UNANSWERED] * 2
    assert bench.slept[1:] == [5.0, 5.0]
    assert bench.watcher.report().unanswered == 2
    assert bench.watcher.report().sameness.answering is Answering.SAME
    with pytest.raises(PinError, match="did not answer"):
        await bench.watcher.pin()
    bench.engine.fault = None
    await bench.watcher.look()
    assert bench.watcher.report().unanswered == 0


async def test_an_engine_that_falls_silent_is_given_up_and_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.engine.is_silent = True
    monkeypatch.setattr("tidegate.services.reading.ROUND_WITHIN_S", 0.0)

    assert await bench.watcher.look() is False
    assert bench.engine.running == 0


async def test_what_was_changed_on_purpose_is_pinned_by_the_operators_word() -> None:
    bench = Bench()
    await bench.go_on(1)
    bench.engine.chat = bench.engine.text = -2.5
    await bench.go_on(3)
    pinned = await bench.watcher.pin()
    await bench.go_on(2)

    assert (pinned.model, pinned.pinned_at_s) == ("tide-1", bench.pins.kept["tide-1"].pinned_at_s)
    assert bench.told[-1] == (Tag.MODEL_PINNED, ModelDetail.PINNED)
    assert bench.watcher.report().sameness.answering is Answering.SAME
    assert bench.looks[-1].outcome is LookOutcome.SAME


async def test_a_pin_that_could_not_be_written_counts_and_is_written_when_there_is_room() -> None:
    bench = Bench()
    bench.pins.is_full = True
    await bench.go_on(2)
    assert bench.looks[-1].outcome is LookOutcome.SAME
    assert bench.pins.kept == {}

    bench.pins.is_full = False
    await bench.go_on(1)
    assert set(bench.pins.kept) == {"tide-1"}


async def test_a_pin_of_older_prompts_is_made_anew() -> None:
    bench = Bench()
    bench.pins.kept["tide-1"] = Pin(model="tide-1", pinned_at_s=1.0, readings=(), prompts_version=0)
    await bench.go_on(1)

    assert bench.told == [(Tag.MODEL_PINNED, ModelDetail.PINNED)]
    assert bench.pins.kept["tide-1"].is_usable


async def test_a_fault_of_our_own_is_no_engine_that_does_not_answer() -> None:
    bench = Bench()
    bench.engine.fault = ZeroDivisionError()
    with pytest.raises(ExceptionGroup):
        await bench.watcher.look()


async def test_a_look_that_takes_long_makes_the_next_one_no_later() -> None:
    bench = Bench()
    bench.engine.took_s, bench.engine.clock = 4.0, bench.clock
    await bench.go_on(2)
    first, second = bench.slept
    assert (first, second) == (30.0 - 2 * 3 * 4.0, 30.0 - 3 * 4.0)
    bench.engine.took_s = 19.0
    await bench.go_on(1)
    assert bench.slept[-1] == 1.0, "but there is a pause"


async def test_two_looks_never_ask_at_once() -> None:
    bench = Bench()
    await asyncio.gather(bench.watcher.look(), bench.watcher.pin(), bench.watcher.look())

    assert len(bench.looks) == 3, "FakeEngine refuses two calls in one place"
