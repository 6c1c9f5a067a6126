"""Answers of the web chat end in known ways: what they say is kept, and a line in the log says how."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
import pytest

from tests.admitting import claim_of
from tests.services.answering import ANA, FULL, Scene, fingerprint
from tidegate.core.admission.claims import Place
from tidegate.core.conversations import Author, Ending
from tidegate.core.events import RequestCrashed, RouteKind
from tidegate.core.generation.call import Call, ChatCall, Delta, Event, Finished, FinishReason, Progress
from tidegate.core.identifiers import ConversationId
from tidegate.core.reasons import Reason
from tidegate.http.refusals import WIRE
from tidegate.ports.conversations import ConversationFullError
from tidegate.ports.engine import ContextExceededError, EngineBrokeError, EngineUnavailableError
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.happenings import Ended
from tidegate.services.lane import OverloadedError
from tidegate.services.writing import STATUSES
from tidegate.testing.clock import until
from tidegate.testing.engine import CARD, FakeEngine, Hold, Step, saying

UNKNOWN = ConversationId.of(b"nowhere-")


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = await Scene().open()
    yield made
    await until(lambda: made.lifecycle.running == 0)
    await until(lambda: made.sleep.asked_s == [])
    made.assert_all_free()


async def test_an_answer_that_reached_its_limit_says_so(scene: Scene) -> None:
    scene.engine.script = [Delta(content="Half"), Finished(FinishReason.LENGTH)]
    answer = await scene.over(await scene.ask())

    assert answer is not None
    assert (answer.content, answer.ending) == ("Half", Ending.LENGTH)


async def test_an_answer_that_the_engine_gave_up_is_no_complete_one(scene: Scene) -> None:
    scene.engine.script = [Delta(content="Half"), Finished(FinishReason.INSUFFICIENT_SYSTEM_RESOURCE)]
    answer = await scene.over(await scene.ask())

    assert answer is not None
    assert (answer.content, answer.ending) == ("Half", Ending.FAILED)


async def test_a_stopped_answer_keeps_what_it_says_and_frees_the_engine(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [Delta(content="Half"), hold, *saying("whole")]
    watch = scene.watch()
    asked = await scene.ask()
    await hold.reached.wait()
    assert (scene.scheduler.running, scene.lifecycle.running) == (1, 1)

    await scene.replies.stop(ANA.owner, asked.conversation.id)

    assert (scene.scheduler.running, scene.engine.running) == (0, 0)
    answer = await scene.over(asked)
    assert answer is not None
    assert (answer.content, answer.ending) == ("Half", Ending.STOPPED)
    assert [one.failure for one in scene.unread(watch) if isinstance(one, Ended)] == [None]
    line = scene.line()
    assert (line.status, line.reason, line.abandoned) == (200, None, None)
    watch.close()


async def test_nobody_is_told_of_an_end_before_the_engine_has_let_go(scene: Scene) -> None:
    """Whoever hears of it may ask again at once, and finds the place free."""
    hold, letting_go, gone = Hold(), asyncio.Event(), asyncio.Event()

    class Slow(FakeEngine):
        async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
            try:
                async for event in super().generate(call, place):
                    yield event
            finally:
                letting_go.set()
                await gone.wait()

    scene.replies._desk = msgspec.structs.replace(scene.desk, engine=Slow([Delta(content="Half"), hold]))
    asked = await scene.ask()
    await hold.reached.wait()
    stopping = asyncio.create_task(scene.replies.stop(ANA.owner, asked.conversation.id))
    await letting_go.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not stopping.done()

    gone.set()

    await stopping
    assert scene.scheduler.running == 0


async def test_an_answer_stopped_before_its_first_word_leaves_nothing(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [hold, *saying("whole")]
    watch = scene.watch()
    asked = await scene.ask()
    await hold.reached.wait()

    await scene.replies.stop(ANA.owner, asked.conversation.id)

    assert await scene.over(asked) is None
    assert [(one.message, one.failure) for one in scene.unread(watch) if isinstance(one, Ended)] == [(None, None)]
    watch.close()


async def test_stopping_where_nothing_is_written_does_no_harm(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)

    await scene.replies.stop(ANA.owner, asked.conversation.id)


async def test_an_answer_can_be_stopped_while_it_waits_and_while_its_question_is_kept(scene: Scene) -> None:
    tickets = [scene.admission.take(claim_of(str(number))) for number in range(2)]
    asked = await scene.ask()
    await until(lambda: scene.scheduler.waiting == 1)
    await scene.replies.stop(ANA.owner, asked.conversation.id)
    assert scene.scheduler.waiting == 0

    scene.store.gate = asyncio.Event()
    keeping = asyncio.create_task(scene.replies.ask(ANA, asked.conversation.id, "And?"))
    await until(lambda: scene.replies.remembered > 0)
    stopping = asyncio.create_task(scene.replies.stop(ANA.owner, asked.conversation.id))
    await asyncio.sleep(0)
    scene.store.gate.set()
    await stopping
    assert (await keeping).message.content == "And?"
    assert (scene.engine.calls, scene.scheduler.waiting) == ([], 0)
    for ticket in tickets:
        scene.admission.leave(ticket)


async def test_an_engine_that_breaks_off_leaves_what_was_said_and_why(scene: Scene) -> None:
    scene.engine.script = [Delta(content="Half"), EngineBrokeError("gone")]
    watch = scene.watch()
    answer = await scene.over(await scene.ask())

    assert answer is not None
    assert (answer.content, answer.ending) == ("Half", Ending.FAILED)
    ended = next(one for one in scene.unread(watch) if isinstance(one, Ended))
    assert ended.failure is not None
    assert (ended.failure.reason, ended.failure.retry_after_s) == (Reason.ENGINE_FAILED, 2.0)
    assert ended.message == answer
    assert (scene.line().status, scene.line().reason) == (200, Reason.ENGINE_FAILED)
    watch.close()


@pytest.mark.parametrize(
    ("script", "reason", "retry_after_s"),
    [
        ([EngineUnavailableError("restarting", 3.0)], Reason.ENGINE_UNAVAILABLE, 3.0),
        ([EngineBrokeError("gone")], Reason.ENGINE_FAILED, 2.0),
        ([ContextExceededError(9000, 4096)], Reason.CONTEXT_LENGTH_EXCEEDED, None),
        ([Finished(FinishReason.STOP)], Reason.ENGINE_FAILED, 1.0),
        ([Progress(1, 2, 0), ZeroDivisionError()], Reason.INTERNAL_ERROR, None),
    ],
)
async def test_an_answer_without_a_word_is_not_kept_and_says_why(
    scene: Scene, script: list[Step], reason: Reason, retry_after_s: float | None
) -> None:
    scene.engine.script = script
    watch = scene.watch()
    asked = await scene.ask()

    assert await scene.over(asked) is None

    ended = next(one for one in scene.unread(watch) if isinstance(one, Ended))
    assert ended.message is None
    assert ended.failure is not None
    assert (ended.failure.reason, ended.failure.retry_after_s) == (reason, retry_after_s)
    assert len(ended.failure.sentence) > 20
    assert (scene.line().status, scene.line().reason) == (WIRE[reason].status, reason)
    assert len(scene.journal.of(RequestCrashed)) == (reason is Reason.INTERNAL_ERROR)
    watch.close()


async def test_an_answer_that_fails_before_the_engine_is_asked_gives_its_place_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tidegate.services.writing.windows", broken)
    asked = await scene.ask()
    await scene.ended(asked.conversation.id)

    assert (scene.scheduler.running, scene.admission.remembered) == (0, 0)
    assert scene.line().reason is Reason.INTERNAL_ERROR


async def test_a_place_is_kept_for_a_question_while_it_is_stored(scene: Scene) -> None:
    """Whoever comes meanwhile is behind it: what was kept is answered."""
    scene.store.gate = asyncio.Event()
    asking = asyncio.create_task(scene.ask())
    await until(lambda: scene.replies.remembered > 0)
    entered = scene.admission.take(claim_of("some"))
    waiting = [scene.admission.take(claim_of(f"w{number}")) for number in range(4)]
    with pytest.raises(OverloadedError):
        scene.admission.take(claim_of("late"))

    scene.store.gate.set()

    assert await scene.over(await asking) is not None
    for ticket in [entered, *waiting]:
        scene.admission.leave(ticket)


@pytest.mark.parametrize(
    ("error", "reason", "crashes"),
    [
        (FULL, Reason.STORAGE_FULL, 0),
        (ConversationFullError(), Reason.CONVERSATION_FULL, 0),
        (StorageUnavailableError("the disk is full"), Reason.STORAGE_UNAVAILABLE, 0),
        (LookupError("deleted by somebody"), Reason.INTERNAL_ERROR, 1),
    ],
)
async def test_an_answer_that_cannot_be_kept_ends_with_an_error_and_nothing_else_does(
    scene: Scene, error: Exception, reason: Reason, crashes: int
) -> None:
    hold = Hold()
    scene.engine.script = [Delta(content="Half"), hold, *saying("whole")]
    watch = scene.watch()
    asked = await scene.ask()
    await hold.reached.wait()
    scene.store.error = error
    hold.let.set()

    assert await scene.over(asked) is None

    ended = next(one for one in scene.unread(watch) if isinstance(one, Ended))
    assert ended.message is None
    assert ended.failure is not None
    assert ended.failure.reason is reason
    assert str(error) not in ended.failure.sentence or not str(error)
    assert len(scene.journal.of(RequestCrashed)) == crashes
    if crashes:
        assert scene.journal.of(RequestCrashed)[0].id == scene.line().id
    scene.store.error = None
    await scene.over(await scene.ask())
    watch.close()


async def test_the_end_of_the_service_cuts_an_answer_and_keeps_what_it_says(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [Delta(content="Half"), hold, *saying("whole")]
    asked = await scene.ask()
    await hold.reached.wait()

    scene.lifecycle.expired.set()

    answer = await scene.over(asked)
    assert answer is not None
    assert (answer.content, answer.ending) == ("Half", Ending.CUT)
    await asyncio.wait_for(scene.lifecycle.idle.wait(), 5)
    assert (scene.line().status, scene.line().reason) == (200, Reason.SERVER_IS_DRAINING)


async def test_an_answer_cut_before_its_first_word_says_why(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [hold, *saying("whole")]
    watch = scene.watch()
    asked = await scene.ask()
    await hold.reached.wait()
    scene.lifecycle.expired.set()
    await scene.over(asked)

    ended = next(one for one in scene.unread(watch) if isinstance(one, Ended))
    assert ended.failure is not None
    assert ended.failure.reason is Reason.SERVER_IS_DRAINING
    assert scene.line().status == 503
    watch.close()


async def test_a_stop_of_the_service_waits_for_an_answer_that_nobody_watches(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [hold, *saying("whole")]
    await scene.ask()
    assert not scene.lifecycle.idle.is_set()

    hold.let.set()

    await asyncio.wait_for(scene.lifecycle.idle.wait(), 5)
    assert scene.store.calls["add_message"] == 2


async def test_thinking_is_timed_from_the_first_thought_to_the_first_word(scene: Scene) -> None:
    hold, later = Hold(), Hold()
    scene.engine.script = [Delta(reasoning="Hm"), hold, Delta(content="Yes"), later, Finished(FinishReason.STOP)]
    asked = await scene.ask()
    await hold.reached.wait()
    scene.clock.advance(3.0)
    hold.let.set()
    await later.reached.wait()
    scene.clock.advance(4.0)
    later.let.set()

    answer = await scene.over(asked)
    assert answer is not None
    assert (answer.reasoning, answer.reasoning_s, answer.content) == ("Hm", 3.0, "Yes")


async def test_a_conversation_longer_than_the_model_holds_is_shortened_until_it_fits(scene: Scene) -> None:
    class Small(FakeEngine):
        async def generate(self, call, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - as its base
            self.script = saying("Yes") if len(call.messages) <= 3 else [ContextExceededError(9000, 4096)]
            async for event in super().generate(call, place):
                yield event

    small = Small()
    scene.engine = small
    scene.desk = msgspec.structs.replace(scene.desk, engine=small)
    scene.replies._desk = scene.desk
    asked = await scene.ask("word " * 50)
    for _ in range(7):
        await scene.ended(asked.conversation.id)
        last = (await scene.store.messages(ANA.owner, asked.conversation.id))[-1]
        await scene.replies.ask(ANA, asked.conversation.id, "word " * 50, last.id)
    await scene.ended(asked.conversation.id)

    messages = await scene.store.messages(ANA.owner, asked.conversation.id)
    assert [message.ending for message in messages if message.author is Author.ASSISTANT] == [Ending.COMPLETE] * 8
    sizes = [len(call.messages) for call in small.calls if isinstance(call, ChatCall)]
    assert sizes[-3:] == [15, 7, 3]


# ---------------------------------------------------------------- the log


async def test_every_answer_has_a_line_of_its_own_in_the_log(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [Delta(content="a"), hold, *saying("b", "c")]
    asked = await scene.ask()
    await hold.reached.wait()
    scene.clock.advance(2.0)
    hold.let.set()
    await scene.over(asked)

    line = scene.line()
    assert (line.route, line.status, line.reason, line.stream) == (RouteKind.CHAT, 200, None, True)
    assert (line.acct, line.sess) == (fingerprint(ANA.owner), fingerprint(ANA.session))
    assert (line.in_tok, line.cached_tok, line.out_tok) == (7, 2, 2)
    assert (line.total_s, line.service_s, line.queue_s, line.ttft_s) == (2.0, 2.0, 0.0, 0.0)
    assert (line.finish, line.abandoned) == (FinishReason.STOP, None)
    assert line.max_tok == CARD.context_tokens // 2
    other = await scene.ask()
    await scene.over(other)
    assert scene.line().id != line.id


async def test_tokens_are_counted_where_an_answer_was_stopped(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [Delta(content="a"), Delta(content="b"), hold]
    asked = await scene.ask()
    await hold.reached.wait()
    await scene.replies.stop(ANA.owner, asked.conversation.id)

    assert (scene.line().out_tok, scene.line().finish) == (2, None)


def test_the_log_calls_failures_what_the_api_calls_them() -> None:
    assert {reason: WIRE[reason].status for reason in STATUSES} == STATUSES
