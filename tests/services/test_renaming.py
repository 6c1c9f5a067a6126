"""Renaming and deleting, told to every page in the order in which it was kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.services.answering import ANA, BO, Scene
from tidegate.core.generation.call import Delta
from tidegate.core.identifiers import ConversationId
from tidegate.services.happenings import Changed, Ended, Removed
from tidegate.services.questions import ConversationMissingError
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying

UNKNOWN = ConversationId.of(b"nowhere-")


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = await Scene().open()
    yield made
    await until(lambda: made.lifecycle.running == 0)
    await until(lambda: made.sleep.asked_s == [])
    made.assert_all_free()


async def test_renaming_is_told_to_every_page(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)
    here, there, strange = scene.watch(), scene.watch(), scene.watch(BO)

    renamed = await scene.replies.rename(ANA.owner, asked.conversation.id, "Sky")

    assert renamed.title == "Sky"
    assert scene.unread(here) == scene.unread(there) == [Changed(renamed)]
    assert scene.unread(strange) == []
    for watch in (here, there, strange):
        watch.close()


async def test_deleting_ends_the_answer_and_keeps_nothing_of_it(scene: Scene) -> None:
    hold = Hold()
    scene.engine.script = [Delta(content="Half"), hold, *saying("whole")]
    watch = scene.watch()
    asked = await scene.ask()
    await hold.reached.wait()

    await scene.replies.delete(ANA.owner, asked.conversation.id)

    assert (scene.engine.running, scene.store.calls["add_message"]) == (0, 1)
    assert await scene.store.conversation(ANA.owner, asked.conversation.id) is None
    ended, removed = scene.unread(watch)[-2:]
    assert isinstance(ended, Ended)
    assert (ended.message, ended.failure) == (None, None)
    assert removed == Removed(asked.conversation.id)
    watch.close()


async def test_nobody_is_told_of_a_new_title_after_the_conversation_was_removed(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)
    watch = scene.watch()
    found = scene.store.found_gate = asyncio.Event()
    renaming = asyncio.create_task(scene.replies.rename(ANA.owner, asked.conversation.id, "Late"))
    await until(lambda: scene.store.calls["rename_conversation"] == 1)
    deleting = asyncio.create_task(scene.replies.delete(ANA.owner, asked.conversation.id))
    for _ in range(20):
        await asyncio.sleep(0)
    with pytest.raises(ConversationMissingError):
        await scene.replies.rename(ANA.owner, asked.conversation.id, "Later")

    found.set()

    await asyncio.wait({renaming, deleting})
    assert deleting.exception() is None
    assert isinstance(scene.unread(watch)[-1], Removed)
    assert sum(isinstance(one, Removed) for one in scene.unread(watch)) == 1
    watch.close()


async def test_of_two_renamings_at_once_the_one_that_was_kept_last_is_told_last(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)
    watch = scene.watch()
    found = scene.store.found_gate = asyncio.Event()
    renaming = [
        asyncio.create_task(scene.replies.rename(ANA.owner, asked.conversation.id, title)) for title in ("One", "Two")
    ]
    for _ in range(20):
        await asyncio.sleep(0)

    found.set()

    await asyncio.gather(*renaming)
    kept = await scene.store.conversation(ANA.owner, asked.conversation.id)
    assert [one.conversation.title for one in scene.unread(watch) if isinstance(one, Changed)] == ["One", "Two"]
    assert kept is not None
    assert kept.title == "Two"
    watch.close()


async def test_nothing_can_be_asked_where_is_being_deleted(scene: Scene) -> None:
    asked = await scene.ask()
    await scene.over(asked)
    let = scene.store.deletion_gate = asyncio.Event()
    deleting = asyncio.create_task(scene.replies.delete(ANA.owner, asked.conversation.id))
    await until(lambda: scene.replies.remembered > 0)

    with pytest.raises(ConversationMissingError):
        await scene.replies.ask(ANA, asked.conversation.id, "And?")
    with pytest.raises(ConversationMissingError):
        await scene.replies.delete(ANA.owner, asked.conversation.id)

    let.set()
    await deleting
