"""Answers of the web chat: begun in the background, kept before they are told of, ended in known ways."""

from __future__ import annotations

import asyncio
import cProfile
import pstats
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.admitting import claim_of
from tests.services.answering import ANA, BO, FULL, Scene
from tidegate.core.capacity.health import EngineState
from tidegate.core.conversations import Author, Ending
from tidegate.core.generation.call import ChatCall, Delta, Progress, Turn
from tidegate.core.generation.reply import Grew, Moved, ReplyState
from tidegate.core.identifiers import ConversationId, MessageId
from tidegate.ports.conversations import ConversationFullError, StorageFullError
from tidegate.ports.engine import EngineUnavailableError
from tidegate.services.happenings import Added, Began, Changed, Ended
from tidegate.services.lane import OverloadedError, TooManyInFlightError
from tidegate.services.questions import ConversationMissingError, MessageMissingError
from tidegate.services.replies import Asked, QuestionTooLongError, ReplyRunningError
from tidegate.testing.clock import until
from tidegate.testing.engine import CARD, FakeEngine, Hold, saying

UNKNOWN = ConversationId.of(b"nowhere-")


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = await Scene().open()
    yield made
    await until(lambda: made.lifecycle.running == 0)
    await until(lambda: made.sleep.asked_s == [])
    made.assert_all_free()


def texts(engine: FakeEngine) -> list[str | None]:
    """What the newest call gave the model."""
    call = engine.calls[-1]
    assert isinstance(call, ChatCall)
    return [turn.content for turn in call.messages]


# ---------------------------------------------------------------- asking


async def test_a_question_is_kept_and_its_answer_goes_on_in_the_background(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [hold, *saying("Be", "cause")]

    asked = await scene.ask("Why is the sky blue?\nReally.")

    assert asked.conversation.title == "Why is the sky blue?"
    assert (asked.reply.state, asked.reply.sequence, asked.reply.parent) == (ReplyState.WAITING, 0, asked.message.id)
    assert await scene.store.messages(ANA.owner, asked.conversation.id) == [asked.message]
    assert await scene.store.conversation(ANA.owner, asked.conversation.id) == asked.conversation
    hold.let.set()
    answer = await scene.over(asked)
    assert answer is not None
    assert (answer.content, answer.author, answer.parent) == ("Because", Author.ASSISTANT, asked.message.id)
    assert answer.ending is Ending.COMPLETE


async def test_what_happens_is_told_in_order_and_the_end_only_once_it_is_kept(scene: Scene) -> None:
    scene.engine.script = [Progress(3, 7, 0), Delta(reasoning="Hm"), *saying("Yes")]
    watch = scene.watch()
    asked = await scene.ask()
    answer = await scene.over(asked)

    told = scene.unread(watch)
    assert [type(one) for one in told] == [Changed, Added, Began, Moved, Moved, Grew, Moved, Grew, Ended, Changed]
    assert told[1] == Added(asked.conversation, asked.message)
    assert told[2] == Began(asked.reply)
    assert [one.state for one in told if isinstance(one, Moved)] == ["reading", "thinking", "writing"]
    assert told[-2] == Ended(id=asked.reply.id, conversation=asked.conversation.id, message=answer, failure=None)
    watch.close()


async def test_the_list_is_told_that_an_answer_moved_its_conversation_up(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [hold, *saying("Yes")]
    watch = scene.watch()
    asked = await scene.ask()
    await hold.reached.wait()
    await scene.replies.rename(ANA.owner, asked.conversation.id, "Renamed")
    scene.clock.advance(5.0)
    hold.let.set()
    await scene.over(asked)

    moved = scene.unread(watch)[-1]
    assert isinstance(moved, Changed)
    assert moved.conversation == await scene.store.conversation(ANA.owner, asked.conversation.id)
    assert moved.conversation.title == "Renamed"
    watch.close()


async def test_the_model_is_given_the_branch_that_the_question_stands_in(scene: Scene) -> None:
    first = await scene.ask("One")
    answer = await scene.over(first)
    assert answer is not None
    here = first.conversation.id
    await scene.replies.ask(ANA, here, "Another beginning")
    await scene.ended(here)
    await scene.replies.ask(ANA, here, "Two", answer.id)
    await scene.ended(here)

    assert texts(scene.engine) == ["One", "Hello there!", "Two"]
    call = scene.engine.calls[-1]
    assert call.sampling.max_tokens == CARD.context_tokens // 2


async def test_the_thinking_of_earlier_answers_is_not_sent_back(scene: Scene) -> None:
    scene.engine.script = [Delta(reasoning="secret"), *saying("Yes")]
    first = await scene.ask("One")
    await scene.over(first)
    await scene.replies.ask(ANA, first.conversation.id, "Two", first.reply.id)
    await scene.ended(first.conversation.id)

    call = scene.engine.calls[-1]
    assert isinstance(call, ChatCall)
    assert call.messages[1] == Turn(role="assistant", content="Yes")


async def test_a_question_can_be_answered_again_beside_its_first_answer(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)

    again = await scene.replies.answer(ANA, asked.conversation.id, asked.message.id)
    await scene.ended(asked.conversation.id)

    assert again.id != asked.reply.id
    messages = await scene.store.messages(ANA.owner, asked.conversation.id)
    assert [message.parent for message in messages] == [None, asked.message.id, asked.message.id]
    assert texts(scene.engine) == ["Why?"]


async def test_only_questions_of_the_same_conversation_are_answered(scene: Scene) -> None:
    asked, other = await scene.ask(), await scene.ask()
    await scene.over(asked)
    await scene.over(other)
    before = len(scene.engine.calls)

    for parent in (asked.reply.id, other.message.id, MessageId.of(b"nothing!")):
        with pytest.raises(MessageMissingError):
            await scene.replies.answer(ANA, asked.conversation.id, parent)
    for parent in (other.message.id, MessageId.of(b"nothing!")):
        with pytest.raises(MessageMissingError):
            await scene.replies.ask(ANA, asked.conversation.id, "And?", parent)
    with pytest.raises(MessageMissingError):
        await scene.replies.ask(ANA, None, "And?", other.message.id)
    assert (len(scene.engine.calls), scene.kept) == (before, 6)


@pytest.mark.parametrize("is_foreign", [True, False])
async def test_other_peoples_and_unknown_conversations_do_not_exist(scene: Scene, is_foreign: bool) -> None:
    asked = await scene.ask(asker=BO)
    await scene.over(asked, BO)
    kept = scene.kept
    where = asked.conversation.id if is_foreign else UNKNOWN

    for act in (
        lambda: scene.replies.ask(ANA, where, "And?"),
        lambda: scene.replies.answer(ANA, where, asked.message.id),
        lambda: scene.replies.stop(ANA.owner, where),
        lambda: scene.replies.rename(ANA.owner, where, "Mine"),
        lambda: scene.replies.delete(ANA.owner, where),
    ):
        with pytest.raises(ConversationMissingError):
            await act()
    assert scene.kept == kept
    assert await scene.store.conversation(BO.owner, asked.conversation.id) is not None


async def test_nobody_can_keep_others_from_asking_in_their_own_conversation(scene: Scene) -> None:
    asked = await scene.ask(asker=BO)
    await scene.over(asked, BO)
    scene.store.gate = asyncio.Event()
    trying = asyncio.create_task(scene.replies.ask(ANA, asked.conversation.id, "Mine?"))
    again = asyncio.create_task(scene.replies.ask(BO, asked.conversation.id, "And?"))
    scene.store.gate.set()

    assert (await again).message.content == "And?"
    with pytest.raises(ConversationMissingError):
        await trying
    await scene.ended(asked.conversation.id, BO)


@pytest.mark.slow
@pytest.mark.parametrize("author", [Author.USER, Author.ASSISTANT])
async def test_a_question_at_the_end_of_a_long_line_costs_in_proportion_to_its_length(
    scene: Scene, author: Author
) -> None:
    """Also where no question in it ever had an answer."""

    async def calls_for(length: int) -> int:
        asked = await scene.ask("One")
        await scene.over(asked)
        parent = asked.message.id
        for number in range(length):
            parent = await scene.say(asked.conversation.id, parent, author if number % 2 else Author.USER)
        profile = cProfile.Profile()
        profile.enable()
        await scene.replies.ask(ANA, asked.conversation.id, "And?", parent)
        await scene.ended(asked.conversation.id)
        profile.disable()
        return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined] # typeshed has it not

    short, long = await calls_for(200), await calls_for(2000)

    assert long < 12 * short
    call = scene.engine.calls[-1]
    assert isinstance(call, ChatCall)
    assert (call.messages[-1].content or "").endswith("And?")


# ---------------------------------------------------------------- refusing


async def test_an_engine_that_is_not_ready_is_said_before_anything_is_kept(scene: Scene) -> None:
    scene.engine.state = EngineState.LOADING

    with pytest.raises(EngineUnavailableError) as refused:
        await scene.ask()

    assert (refused.value.retry_after_s, scene.kept) == (2.0, 0)


async def test_a_full_queue_is_said_before_anything_is_kept(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [hold, *saying("One")]
    tickets = [scene.admission.take(claim_of(str(number))) for number in range(2)]
    tickets += [scene.admission.take(claim_of(f"w{number}")) for number in range(4)]
    assert scene.scheduler.waiting == 4

    with pytest.raises(OverloadedError):
        await scene.ask()

    assert scene.kept == 0
    for ticket in tickets:
        scene.admission.leave(ticket)


async def test_an_accounts_answers_and_requests_together_have_a_bound(scene: Scene) -> None:
    """Also while nobody watches, and also for questions that are being kept at this moment."""
    hold = Hold()
    scene.engine.script = [hold, *saying("One")]
    ticket = scene.admission.take(claim_of("ana"))
    running = [await scene.ask() for _ in range(2)]
    scene.store.gate = asyncio.Event()
    keeping = asyncio.create_task(scene.ask())
    await until(lambda: scene.store.calls["add_conversation"] == 3)

    with pytest.raises(TooManyInFlightError):
        await scene.ask()

    assert scene.store.calls["add_conversation"] == 3
    scene.store.gate.set()
    running += [await keeping, await scene.ask(asker=BO)]
    hold.let.set()
    scene.admission.leave(ticket)
    for asked in running[:3]:
        assert await scene.over(asked) is not None
    assert await scene.over(running[3], BO) is not None


@settings(max_examples=25, deadline=None)
@given(
    slots=st.integers(1, 3),
    max_waiting=st.integers(1, 6),
    max_per_owner=st.integers(1, 8),
    asks=st.lists(st.sampled_from("abc"), max_size=20),
    yields=st.lists(st.integers(0, 4), min_size=20, max_size=20),
)
async def test_of_questions_at_once_as_many_are_kept_as_there_is_room_for_and_each_of_those_is_answered(
    slots: int, max_waiting: int, max_per_owner: int, asks: list[str], yields: list[int]
) -> None:
    """Whoever is refused is refused before anything is kept, and nobody is kept and then refused."""
    scene = await Scene(slots, max_waiting, max_per_owner).open()
    crowd = {name: await scene.come(name) for name in "abc"}
    hold = Hold()
    scene.engine.script = [hold, *saying("Yes")]
    taken: Counter[str] = Counter()
    for name in asks:
        if taken.total() < slots + max_waiting and taken[name] < max_per_owner:
            taken[name] += 1

    async def ask(name: str, turns: int) -> Asked:
        asking = asyncio.create_task(scene.ask(asker=crowd[name]))
        for _ in range(turns):
            await asyncio.sleep(0)
        return await asking

    tries = [asyncio.create_task(ask(name, turns)) for name, turns in zip(asks, yields, strict=False)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    kept = [(name, one) for name, one in zip(asks, outcomes, strict=True) if isinstance(one, Asked)]
    assert Counter(name for name, _ in kept) == taken
    assert {type(one) for one in outcomes} <= {Asked, OverloadedError, TooManyInFlightError}
    assert scene.kept == 2 * len(kept)
    hold.let.set()
    for name, asked in kept:
        assert await scene.over(asked, crowd[name]) is not None
    await until(lambda: scene.lifecycle.running == 0)
    await until(lambda: scene.sleep.asked_s == [])
    scene.assert_all_free()


async def test_a_question_that_cannot_be_kept_gives_its_place_back(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [hold, *saying("One")]
    asked = await scene.ask()
    for refused, act in (
        (ReplyRunningError, lambda: scene.replies.ask(ANA, asked.conversation.id, "And?")),
        (ConversationMissingError, lambda: scene.replies.ask(ANA, UNKNOWN, "And?")),
        (MessageMissingError, lambda: scene.replies.ask(ANA, None, "And?", asked.message.id)),
        (QuestionTooLongError, lambda: scene.ask("é" * (CARD.context_tokens * 16 + 1))),
        (ConversationMissingError, lambda: scene.replies.answer(ANA, UNKNOWN, asked.message.id)),
    ):
        with pytest.raises(refused):
            await act()
        assert (scene.scheduler.running, scene.scheduler.waiting, scene.admission.remembered) == (1, 0, 1)
    scene.store.gate = asyncio.Event()
    asking = asyncio.create_task(scene.ask())
    await until(lambda: scene.scheduler.running == 2)

    asking.cancel()

    await asyncio.wait({asking})
    assert scene.scheduler.running == 1
    hold.let.set()
    scene.store.gate = None
    await scene.over(asked)
    await until(lambda: scene.admission.remembered == 0)


async def test_whoever_asks_is_told_of_the_question_before_the_call_is_answered(scene: Scene) -> None:
    watch = scene.watch()

    asked = await scene.ask()

    assert scene.unread(watch) == [
        Changed(asked.conversation),
        Added(asked.conversation, asked.message),
        Began(asked.reply),
    ]
    watch.close()
    await scene.over(asked)


async def test_one_answer_is_written_in_a_conversation_at_a_time(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [hold, *saying("One")]
    asked = await scene.ask()

    with pytest.raises(ReplyRunningError):
        await scene.replies.ask(ANA, asked.conversation.id, "And?", asked.message.id)
    with pytest.raises(ReplyRunningError):
        await scene.replies.answer(ANA, asked.conversation.id, asked.message.id)

    assert scene.kept == 2
    hold.let.set()
    await scene.over(asked)


async def test_of_two_questions_in_the_same_moment_one_is_kept(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)

    both = await asyncio.gather(
        *(scene.replies.ask(ANA, asked.conversation.id, "And?") for _ in range(2)), return_exceptions=True
    )

    assert [type(one).__name__ for one in both] == ["Asked", "ReplyRunningError"]
    await scene.ended(asked.conversation.id)


async def test_what_no_model_of_this_size_can_hold_is_not_even_kept(scene: Scene) -> None:
    with pytest.raises(QuestionTooLongError):
        await scene.ask("é" * (CARD.context_tokens * 16 + 1))

    assert scene.kept == 0
    await scene.over(await scene.ask("é" * (CARD.context_tokens * 16)))


async def test_a_question_that_there_is_no_room_for_leaves_nothing_behind(scene: Scene) -> None:
    scene.store.error = FULL

    with pytest.raises(StorageFullError):
        await scene.ask()

    assert await scene.store.conversations(ANA.owner) == []
    scene.store.error = None
    await scene.over(await scene.ask())


async def test_a_full_conversation_refuses_before_anything_is_kept_or_told(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)
    kept, calls = await scene.path_ids(asked), len(scene.engine.calls)
    watch = scene.watch()
    scene.store.error = ConversationFullError()

    with pytest.raises(ConversationFullError):
        await scene.replies.ask(ANA, asked.conversation.id, "And?", asked.message.id)

    assert (await scene.path_ids(asked), len(scene.engine.calls)) == (kept, calls)
    assert scene.unread(watch) == []
    watch.close()


# ---------------------------------------------------------------- changing and deleting
