"""Pages that watch an account: told in order, let go when they fall behind, and missed when nobody is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.services.answering import ANA, BO, HandSleep, Scene
from tidegate.core.conversations import Ending
from tidegate.core.generation.call import Delta
from tidegate.core.identifiers import SessionId
from tidegate.core.reasons import Reason
from tidegate.services.absence import UNATTENDED_S, Absences
from tidegate.services.happenings import Changed, Ended, Superseded
from tidegate.services.replies import Asked
from tidegate.services.watching import MOST_STREAMS, MOST_UNREAD, MOST_UNREAD_BYTES, Watch, Watchers
from tidegate.services.writing import Asker
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = await Scene().open()
    yield made
    await until(lambda: made.lifecycle.running == 0)
    await until(lambda: made.sleep.asked_s == [])
    made.assert_all_free()


class Half:
    """An answer that has said something and is held there."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.hold = Hold()

    async def begin(self, asker: Asker = ANA, *, speaks: bool = True) -> Asked:
        self.scene.engine.script = [*([Delta(content="Half")] if speaks else []), self.hold, *saying("whole")]
        asked = await self.scene.ask(asker=asker)
        await self.hold.reached.wait()
        return asked


async def read(watch: Watch) -> list[bytes]:
    """Everything until the stream ends."""
    async with asyncio.timeout(5):
        return [told async for told in watch]


def is_over(watch: Watch) -> bool:
    return watch._is_over


# ---------------------------------------------------------------- telling


async def test_what_is_told_is_encoded_once_however_many_pages_there_are(scene: Scene) -> None:
    watches = [scene.watch() for _ in range(3)]
    await scene.over(await scene.ask())

    told = [scene.unread(watch) for watch in watches]
    assert told[0] == told[1] == told[2] == scene.told
    for watch in watches:
        watch.close()


async def test_without_a_page_nothing_is_encoded_at_all(scene: Scene) -> None:
    await scene.over(await scene.ask())

    assert scene.told == []


async def test_a_page_is_told_nothing_of_other_accounts(scene: Scene) -> None:
    watch = scene.watch(BO)
    await scene.over(await scene.ask())

    assert scene.unread(watch) == []
    watch.close()


async def test_a_page_waits_for_what_happens_next(scene: Scene) -> None:
    watch = scene.watch()
    waiting = asyncio.create_task(anext(aiter(watch)))
    await asyncio.sleep(0)
    assert not waiting.done()

    asked = await scene.ask()

    assert scene.told[int(await waiting)] == Changed(asked.conversation)
    watch.close()
    await scene.over(asked)


async def test_a_page_that_gives_up_waiting_for_a_moment_misses_nothing(scene: Scene) -> None:
    watch = scene.watch()
    waiting = asyncio.create_task(anext(aiter(watch)))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    await scene.over(await scene.ask())

    assert int(await anext(watch)) == 0
    watch.close()


async def test_one_page_too_many_takes_the_place_of_the_oldest_which_is_told_so(scene: Scene) -> None:
    """Lines that vanished without a word must not lock their owner out."""
    watches = [scene.watch() for _ in range(MOST_STREAMS)]
    other = scene.watch(BO)
    asked = await scene.ask()
    await scene.over(asked)

    watches.append(scene.watch())

    assert [scene.told[int(one)] for one in await read(watches[0])] == [Superseded()], "and nothing of what waited"
    assert [is_over(watch) for watch in [*watches[1:], other]] == [False] * (MOST_STREAMS + 1)
    watches.append(scene.watch())
    assert [is_over(watch) for watch in watches[:3]] == [True, True, False]
    for watch in [*watches, other]:
        watch.close()
    assert scene.replies.remembered == 0


async def test_a_page_that_falls_behind_is_let_go_and_the_others_are_not(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)
    slow, quick = scene.watch(), scene.watch()
    for number in range(MOST_UNREAD):
        await scene.replies.rename(ANA.owner, asked.conversation.id, str(number))
        await anext(quick)
    assert not is_over(slow)

    await scene.replies.rename(ANA.owner, asked.conversation.id, "one too many")

    assert await read(slow) == []
    assert len(scene.unread(quick)) == 1
    quick.close()


async def test_a_page_that_leaves_much_unread_is_let_go_however_few_the_pieces(scene: Scene) -> None:
    watchers = Watchers(lambda told: b"x" * (MOST_UNREAD_BYTES // 4), lambda owner: None)
    slow, quick = (watchers.open(ANA.owner, ANA.session) for _ in range(2))
    for _ in range(4):
        watchers.tell(ANA.owner, Superseded())
        await anext(quick)
    assert not is_over(slow)

    watchers.tell(ANA.owner, Superseded())

    assert await read(slow) == []
    assert not is_over(quick)
    quick.close()


async def test_a_page_that_has_read_everything_is_told_however_much_it_is(scene: Scene) -> None:
    """It would come back only to be let go again."""
    watchers = Watchers(lambda told: b"x" * (MOST_UNREAD_BYTES + 1), lambda owner: None)
    watch = watchers.open(ANA.owner, ANA.session)
    for _ in range(3):
        watchers.tell(ANA.owner, Superseded())
        assert len(await anext(watch)) == MOST_UNREAD_BYTES + 1
    watch.close()


async def test_the_pages_of_an_ended_session_end_at_once_and_only_those(scene: Scene) -> None:
    elsewhere = Asker(ANA.user, SessionId.of(b"elsewher"))
    ended, again, kept, other = scene.watch(elsewhere), scene.watch(elsewhere), scene.watch(), scene.watch(BO)
    await scene.over(await scene.ask())

    scene.replies.hang_up([elsewhere.session])

    assert await read(ended) == await read(again) == [], "an ended session is told nothing more, not even what waited"
    assert [is_over(watch) for watch in (kept, other)] == [False, False]
    asked = await scene.ask()
    assert scene.unread(kept)
    assert is_over(ended)
    await scene.over(asked)
    kept.close()
    other.close()


# ---------------------------------------------------------------- a stop of the service


async def test_a_stop_of_the_service_ends_pages_with_nothing_to_wait_for_at_once(scene: Scene) -> None:
    half = Half(scene)
    idle, busy = scene.watch(BO), scene.watch()
    asked = await half.begin()

    scene.lifecycle.is_draining = True

    assert await read(idle) == []
    assert not is_over(busy)
    half.hold.let.set()
    told = [scene.told[int(one)] for one in await read(busy)]
    assert any(isinstance(one, Ended) and one.message is not None for one in told), "ended before the end was told"
    await scene.over(asked)


async def test_a_page_opened_during_a_stop_ends_at_once(scene: Scene) -> None:
    scene.lifecycle.is_draining = True

    assert await read(scene.watch()) == []


async def test_a_question_that_could_not_be_kept_during_a_stop_holds_no_page_back(scene: Scene) -> None:
    watch = scene.watch()
    scene.store.gate = asyncio.Event()
    scene.store.error = ZeroDivisionError()
    asking = asyncio.create_task(scene.ask())
    await until(lambda: scene.store.calls["add_conversation"] == 1)
    scene.lifecycle.is_draining = True
    assert not is_over(watch)

    scene.store.gate.set()

    with pytest.raises(ZeroDivisionError):
        await asking
    assert await read(watch) == []


# ---------------------------------------------------------------- nobody there


async def test_an_answer_goes_on_for_a_while_after_the_last_page_was_closed(scene: Scene) -> None:
    half = Half(scene)
    first, second = scene.watch(), scene.watch()
    asked = await half.begin()
    first.close()
    assert scene.sleep.asked_s == []
    second.close()
    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S])

    scene.sleep.pass_by()

    answer = await scene.over(asked)
    assert answer is not None
    assert (answer.content, answer.ending) == ("Half", Ending.UNATTENDED)
    line = scene.line()
    assert (line.status, line.abandoned, line.reason) == (200, True, Reason.CLIENT_LEFT)


async def test_an_answer_that_nobody_ever_watched_is_waited_for_just_as_long(scene: Scene) -> None:
    half = Half(scene)
    asked = await half.begin(speaks=False)
    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S])

    scene.sleep.pass_by()

    assert await scene.over(asked) is None
    assert (scene.line().status, scene.line().abandoned) == (499, True)


async def test_a_page_that_is_opened_again_in_time_keeps_the_answer_going(scene: Scene) -> None:
    half = Half(scene)
    watch = scene.watch()
    asked = await half.begin()
    watch.close()
    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S])

    again = scene.watch()

    await until(lambda: scene.sleep.asked_s == [])
    half.hold.let.set()
    answer = await scene.over(asked)
    assert answer is not None
    assert answer.ending is Ending.COMPLETE
    again.close()


async def test_the_pages_of_others_keep_no_answer_going(scene: Scene) -> None:
    half = Half(scene)
    other = scene.watch(BO)
    asked = await half.begin()
    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S])
    scene.sleep.pass_by()

    answer = await scene.over(asked)
    assert answer is not None
    assert answer.ending is Ending.UNATTENDED
    other.close()


async def test_asking_without_a_page_keeps_no_other_answer_going(scene: Scene) -> None:
    """Each answer that nobody watches has its own time, from its own beginning."""
    half = Half(scene)
    first = await half.begin()
    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S])
    timer = next(iter(scene.sleep._sleepers))
    half.hold = Hold()
    second = await half.begin()
    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S] * 2)

    assert not timer.done()
    timer.set_result(None)

    answer = await scene.over(first)
    assert answer is not None
    assert answer.ending is Ending.UNATTENDED
    assert scene.replies.running(ANA.owner, second.conversation.id) is not None
    half.hold.let.set()
    answer = await scene.over(second)
    assert answer is not None
    assert answer.ending is Ending.COMPLETE


async def test_the_time_of_every_answer_begins_when_the_last_page_leaves(scene: Scene) -> None:
    half = Half(scene)
    watch = scene.watch()
    asked = [await half.begin()]
    half.hold = Hold()
    asked.append(await half.begin())

    watch.close()

    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S] * 2)
    scene.sleep.pass_by()
    for one in asked:
        answer = await scene.over(one)
        assert answer is not None
        assert answer.ending is Ending.UNATTENDED


async def test_a_question_that_is_being_kept_when_the_time_is_over_is_answered(scene: Scene) -> None:
    half = Half(scene)
    first = await half.begin()
    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S])
    scene.store.gate = asyncio.Event()
    keeping = asyncio.create_task(scene.ask())
    await until(lambda: scene.store.calls["add_conversation"] == 2)
    scene.sleep.pass_by()
    await until(lambda: scene.sleep.asked_s == [])
    hold = Hold()
    scene.engine.script = [hold, *saying("whole")]
    scene.store.gate.set()
    await until(hold.reached.is_set)
    hold.let.set()

    answer = await scene.over(await keeping)
    assert answer is not None
    assert answer.ending is Ending.COMPLETE
    await scene.over(first)


async def test_hanging_up_the_last_page_starts_the_time_like_closing_it(scene: Scene) -> None:
    half = Half(scene)
    scene.watch()
    asked = await half.begin()

    scene.replies.hang_up([ANA.session])

    await until(lambda: scene.sleep.asked_s == [UNATTENDED_S])
    half.hold.let.set()
    await scene.over(asked)


async def test_closing_a_page_starts_no_time_where_nothing_is_written(scene: Scene) -> None:
    scene.watch().close()

    assert scene.replies.remembered == 0


async def test_closing_a_page_twice_counts_once(scene: Scene) -> None:
    half = Half(scene)
    first, second = scene.watch(), scene.watch()
    asked = await half.begin()
    first.close()
    first.close()

    assert not scene.sleep.asked_s
    half.hold.let.set()
    await scene.over(asked)
    second.close()


async def test_an_answer_is_forgotten_once_nobody_came_back_to_it() -> None:
    sleep, over = HandSleep(), list[str]()
    absences = Absences(over.append, sleep)
    absences.begin("answer")
    await until(lambda: sleep.asked_s == [UNATTENDED_S])

    sleep.pass_by()

    await until(lambda: over == ["answer"])
    assert absences.remembered == 0
