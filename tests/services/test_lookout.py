"""One of several servers that has another model, template or system prompt shows within a minute, by its name."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest

from tests.services.likelihoods import MemoryPins, RoomyEngine, SpeakingEngine
from tidegate.core.capacity.health import EngineState
from tidegate.core.events import Level, ModelChanged, ModelDetail, Tag
from tidegate.core.identifiers import Replica
from tidegate.core.models.pin import PROMPTS
from tidegate.core.models.sameness import Answering, Look, LookOutcome
from tidegate.ports.engine import EngineBrokeError
from tidegate.services.lookout import Lookout
from tidegate.services.looks import PinError, Pinned, SamenessReport, Target
from tidegate.services.pinning import PinBook
from tidegate.testing.clock import HandClock, until
from tidegate.testing.engine import CARD
from tidegate.testing.journal import RecordingJournal

MINUTE_S = 60.0
LOOKS = 300


class Server:
    """One server with one model, and what is known of it beside its answers."""

    def __init__(self, number: int, model: str = CARD.id, at: int | None = None) -> None:
        self.engine = RoomyEngine(msgspec.structs.replace(CARD, id=model))
        self.replica = Replica(f"10.0.0.{at or number}:8000")
        self.uses: int | None = None
        self.is_full = False

    @property
    def target(self) -> Target:
        return Target(
            engine=self.engine,
            server=f"http://{self.replica}",
            replica=self.replica,
            is_crowded=lambda: self.is_full,
            uses=lambda: self.uses,
        )


class Bench:
    """A lookout over some servers, on a clock of its own: all that happens between two sleeps takes no time."""

    def __init__(
        self, *servers: Server, pins: MemoryPins | None = None, embedded: SpeakingEngine | None = None
    ) -> None:
        self.servers, self.pins = list(servers), pins or MemoryPins()
        self.clock, self.journal = HandClock(), RecordingJournal()
        self.looks: list[Look] = []
        here = [Target(engine=embedded, is_crowded=lambda: False)] if embedded else []
        self.lookout = Lookout(
            lambda: [*here, *(server.target for server in self.servers)],
            30.0,
            book=PinBook(self.pins),
            journal=self.journal,
            clock=self.clock,
            looked=self.looks.append,
        )
        self._embedded = len(here)
        self._asleep: list[tuple[float, int, asyncio.Future[None]]] = []
        self._sleeps = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Bench]:
        task = asyncio.create_task(self.lookout.look_now_and_then(self._sleep))
        await self._settle()
        try:
            yield self
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def _sleep(self, seconds: float) -> None:
        self._sleeps += 1
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._asleep, (self.clock.now + seconds, self._sleeps, woken))
        await woken

    async def _settle(self) -> None:
        """Wait until everybody sleeps: who follows the servers, and who watches each."""
        everybody = 1 + self._embedded + len(self.servers)
        await until(lambda: sum(not woken.done() for *_, woken in self._asleep) == everybody)

    async def go_on(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self._asleep and self._asleep[0][0] <= end:
            at, _, woken = heapq.heappop(self._asleep)
            if woken.done():
                continue
            self.clock.advance(at - self.clock.now)
            woken.set_result(None)
            await asyncio.sleep(0)
            await self._settle()
        self.clock.advance(end - self.clock.now)

    def told(self, tag: Tag) -> list[ModelChanged]:
        return [event for event in self.journal.of(ModelChanged) if event.event is tag]

    def report(self, server: Server) -> SamenessReport:
        return next(
            one for one in self.lookout.reports() if (one.replica, one.model) == (server.replica, server.engine.card.id)
        )


def several(count: int) -> list[Server]:
    return [Server(number) for number in range(1, count + 1)]


def names(told: Sequence[ModelChanged | Pinned]) -> list[Replica | None]:
    return [one.replica for one in told]


# ---------------------------------------------------------------- the minute


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize(("text", "detail"), [(-2.0, ModelDetail.WEIGHTS), (-1.0, ModelDetail.TEMPLATE)])
@pytest.mark.parametrize("after_s", [0.5, 7.0, 29.5])
async def test_the_one_that_is_another_shows_within_a_minute_by_its_name_and_so_does_its_end(
    text: float, detail: ModelDetail, after_s: float, *, is_full: bool
) -> None:
    servers = several(3)
    odd = servers[1]
    async with Bench(*servers).running() as bench:
        odd.is_full = is_full
        await bench.go_on(90 + after_s)
        odd.engine.chat, odd.engine.text = -2.0, text
        swapped_at = bench.clock.now
        await bench.go_on(MINUTE_S - 5)

        (changed,) = bench.told(Tag.MODEL_CHANGED)
        assert (changed.replica, changed.detail, changed.level) == (odd.replica, detail, Level.ERROR)
        assert changed.t - swapped_at < MINUTE_S - 5
        answering = [bench.report(server).sameness.answering for server in servers]
        assert answering == [Answering.SAME, Answering.DIFFERENT, Answering.SAME]

        odd.engine.chat = odd.engine.text = -1.0
        await bench.go_on(MINUTE_S)
        assert names(bench.told(Tag.MODEL_RESTORED)) == [odd.replica]
        assert len(bench.told(Tag.MODEL_PINNED)) == 3, "what is right again has the pin that it had"


async def test_over_many_looks_the_same_model_that_rounds_otherwise_is_never_another() -> None:
    """Each a little other than the next, and in time than itself: as much as rounding may do."""
    servers = several(3)
    for number, server in enumerate(servers):
        server.engine.chat = -1.0 - 0.02 * number
    async with Bench(*servers).running() as bench:
        for number in range(LOOKS // 3):
            for server in servers:
                assert server.engine.chat is not None
                server.engine.chat += 0.02 if number % 2 else -0.02
            await bench.go_on(30)

        assert len(bench.looks) >= LOOKS
        assert {event.event for event in bench.journal.of(ModelChanged)} == {Tag.MODEL_PINNED}


# ---------------------------------------------------------------- whose pin


async def test_one_that_never_was_like_the_others_is_told_and_gets_no_pin_before_the_operator_says_so() -> None:
    first, odd, third = servers = several(3)
    odd.engine.chat = -3.0
    async with Bench(first).running() as bench:
        bench.servers = servers
        await bench.go_on(MINUTE_S)

        assert names(bench.told(Tag.MODEL_CHANGED)) == [odd.replica]
        assert set(bench.pins.kept) == {first.target.server, third.target.server}
        assert bench.report(odd).pinned_at_s is None
        pinned = await bench.lookout.pin(odd.replica)
        assert names(pinned.pinned) == [odd.replica]
        await bench.go_on(MINUTE_S)
        assert {bench.report(one).sameness.answering for one in servers} == {Answering.SAME}
        assert len(bench.told(Tag.MODEL_CHANGED)) == 1

        odd.engine.chat = -1.0
        await bench.go_on(MINUTE_S)
        assert names(bench.told(Tag.MODEL_CHANGED)) == [odd.replica] * 2, "its own pin is what it is held to"


async def test_one_that_is_put_right_at_last_is_told_to_be_and_gets_its_pin() -> None:
    first, odd = servers = several(2)
    odd.engine.chat = -3.0
    async with Bench(first).running() as bench:
        bench.servers = servers
        await bench.go_on(MINUTE_S)
        odd.engine.chat = -1.0
        await bench.go_on(MINUTE_S)

        assert names(bench.told(Tag.MODEL_RESTORED)) == [odd.replica]
        assert bench.told(Tag.MODEL_PINNED)[-1].replica == odd.replica


async def test_of_servers_that_begin_together_one_is_the_measure_of_the_others() -> None:
    """Also when all are asked at once: which of them is right nobody can know, that they differ is told."""
    servers = several(2)
    servers[1].engine.chat = -3.0
    async with Bench(*servers).running() as bench:
        await bench.go_on(MINUTE_S)
        assert names(bench.told(Tag.MODEL_PINNED)) == [servers[0].replica]
        assert names(bench.told(Tag.MODEL_CHANGED)) == [servers[1].replica]


async def test_pins_outlive_the_process_and_a_server_that_was_swapped_meanwhile_is_told() -> None:
    pins = MemoryPins()
    async with Bench(*several(2), pins=pins).running() as bench:
        await bench.go_on(1)
    servers = several(2)
    servers[1].engine.chat = -3.0
    async with Bench(*servers, pins=pins).running() as bench:
        await bench.go_on(MINUTE_S)
        assert names(bench.told(Tag.MODEL_CHANGED)) == [servers[1].replica]
        assert bench.told(Tag.MODEL_PINNED) == []


async def test_the_embedded_engine_and_those_elsewhere_are_no_measure_of_each_other() -> None:
    """They are other quantisations as a rule, though they may have one name."""
    embedded, server = SpeakingEngine(), Server(1)
    server.engine.chat = -3.0
    async with Bench(server, embedded=embedded).running() as bench:
        await bench.go_on(MINUTE_S)
        assert set(names(bench.told(Tag.MODEL_PINNED))) == {None, server.replica}
        assert bench.told(Tag.MODEL_CHANGED) == []


async def test_a_server_that_continues_no_plain_texts_is_held_to_what_it_answers() -> None:
    first, chatty = servers = several(2)
    chatty.engine.takes_texts = False
    async with Bench(first).running() as bench:
        bench.servers = servers
        await bench.go_on(MINUTE_S)
        assert len(bench.told(Tag.MODEL_PINNED)) == 2
        chatty.engine.chat = -3.0
        await bench.go_on(MINUTE_S)
        assert names(bench.told(Tag.MODEL_CHANGED)) == [chatty.replica]


# ---------------------------------------------------------------- whom to leave alone


async def test_one_without_log_probabilities_is_said_once_to_be_beyond_looking_at_and_seldom_asked() -> None:
    mute, well = servers = several(2)
    mute.engine.chat = mute.engine.text = None
    async with Bench(*servers).running() as bench:
        await bench.go_on(10 * MINUTE_S)

        (told,) = bench.told(Tag.MODEL_NOT_COMPARABLE)
        assert (told.replica, told.detail, told.level) == (mute.replica, ModelDetail.NO_LOGPROBS, Level.WARNING)
        assert bench.told(Tag.MODEL_CHANGED) == []
        assert len(mute.engine.calls) <= 3 * 2 * len(PROMPTS)
        assert bench.report(well).sameness.answering is Answering.SAME


async def test_a_server_that_may_load_its_model_to_answer_is_looked_at_only_while_it_is_used() -> None:
    server = Server(1)
    server.uses = 0
    async with Bench(server).running() as bench:
        await bench.go_on(10 * MINUTE_S)
        assert server.engine.calls == []
        assert bench.report(server).on_use
        with pytest.raises(PinError, match="nobody has used it yet"):
            await bench.lookout.pin()

        server.uses = 1
        await bench.go_on(1)
        assert bench.report(server).sameness.answering is Answering.SAME
        asked = len(server.engine.calls)
        await bench.go_on(10 * MINUTE_S)
        assert len(server.engine.calls) == asked, "nobody has used it since"

        server.uses, server.engine.chat = 2, -3.0
        await bench.go_on(MINUTE_S)
        assert names(bench.told(Tag.MODEL_CHANGED)) == [server.replica], "one use is enough to be sure of it"


async def test_a_server_that_is_not_well_is_left_alone_and_one_that_breaks_off_is_no_other_model() -> None:
    away, breaking, well = servers = several(3)
    away.engine.state = EngineState.FAILED
    async with Bench(*servers).running() as bench:
        breaking.engine.fault = EngineBrokeError("gone")
        await bench.go_on(5 * MINUTE_S)

        assert away.engine.calls == []
        assert bench.report(breaking).unanswered > 10
        assert bench.told(Tag.MODEL_CHANGED) == []
        told = await bench.lookout.pin()
        assert names(told.pinned) == [well.replica]
        whys = {one.replica: one.why for one in told.not_pinned}
        assert "not ready" in whys[away.replica]


async def test_a_full_server_is_asked_when_it_has_a_place_and_soon_in_any_case() -> None:
    server = Server(1)
    async with Bench(server).running() as bench:
        assert server.engine.asked_at_once == 1, "in a quiet lane one prompt at a time"
        server.is_full = True
        seen = len(bench.looks)
        await bench.go_on(33)
        assert len(bench.looks) == seen
        server.is_full = False
        await bench.go_on(1)
        assert len(bench.looks) == seen + 1, "there was a place"
        server.is_full = True
        await bench.go_on(41)
        assert len(bench.looks) == seen + 2
        assert server.engine.asked_at_once == len(PROMPTS), "where it has to wait in line, it waits once"


async def test_of_one_server_one_model_is_asked_at_a_time() -> None:
    models = [Server(number, f"tide-{number}", at=9) for number in range(4)]
    most = 0
    async with Bench(*models).running() as bench:

        async def count() -> None:
            nonlocal most
            while True:
                most = max(most, sum(server.engine.running > 0 for server in models))
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        await bench.go_on(MINUTE_S)
        counting.cancel()
    assert most == 1
    assert len(bench.looks) >= 2 * len(models)


# ---------------------------------------------------------------- coming and going


async def test_servers_come_and_go_while_others_are_looked_at() -> None:
    first, second = servers = several(2)
    async with Bench(first).running() as bench:
        bench.servers = servers
        await bench.go_on(1)
        assert bench.report(second).sameness.answering is Answering.SAME
        bench.servers = [second]
        await bench.go_on(1)
        asked = len(first.engine.calls)
        await bench.go_on(2 * MINUTE_S)
        assert len(first.engine.calls) == asked
        assert [one.replica for one in bench.lookout.reports()] == [second.replica]
        with pytest.raises(PinError, match=r"no engine 10\.0\.0\.1:8000; there is: 10\.0\.0\.2:8000"):
            await bench.lookout.pin(first.replica)


async def test_one_that_is_left_out_and_back_before_anybody_noticed_is_looked_at_again() -> None:
    (server,) = servers = several(1)
    async with Bench(*servers).running() as bench:
        bench.servers = []
        assert bench.lookout.reports() == []
        bench.servers = servers
        assert [one.replica for one in bench.lookout.reports()] == [server.replica]
        asked = len(server.engine.calls)
        await bench.go_on(MINUTE_S)
        assert len(server.engine.calls) > asked
        server.engine.chat = -3.0
        await bench.go_on(MINUTE_S)
        assert names(bench.told(Tag.MODEL_CHANGED)) == [server.replica]


async def test_what_is_left_out_while_it_is_looked_at_has_no_figures_any_more() -> None:
    server = Server(1)
    bench = Bench(server)
    watcher = bench.lookout._watchers[server.target.key]
    bench.servers = []
    await watcher.look()
    assert bench.looks == []


async def test_without_engines_elsewhere_that_is_said() -> None:
    with pytest.raises(PinError, match="there is: the embedded one alone"):
        await Bench(embedded=SpeakingEngine()).lookout.pin("10.0.0.1:8000")


async def test_all_of_them_are_pinned_at_once_and_every_look_names_whom_it_was_at() -> None:
    servers = several(2)
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(Bench(*servers).running())
        for server in servers:
            server.engine.chat = -3.0
        told = await bench.lookout.pin()
        assert sorted(map(str, names(told.pinned))) == [str(server.replica) for server in servers]
        await bench.go_on(2 * MINUTE_S)
        assert bench.told(Tag.MODEL_CHANGED) == []
        assert {look.replica for look in bench.looks} == {server.replica for server in servers}
        assert bench.looks[-1].outcome is LookOutcome.SAME
