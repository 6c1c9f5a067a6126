"""The event stream of an account's open pages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.http.chatting import Page
from tests.http.conftest import Service
from tidegate.core.generation.call import Delta, Progress
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.http.chat import events
from tidegate.services.watching import MOST_STREAMS
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying


@pytest.fixture
async def ana(service: Service) -> Page:
    return await Page.of(service, "ana@example.org")


async def test_a_stream_says_hello_and_then_what_happens_in_the_account(service: Service, ana: Page) -> None:
    service.engine.script = [Progress(1, 2, 0), Delta(reasoning="Hm"), *saying("Yes")]
    watching = await ana.watch()
    asked = await ana.begin()
    here = asked["conversation"]["id"]
    await watching.seen_type("reply_ended")
    await ana.call("DELETE", f"/api/conversations/{here}")
    removed = await watching.seen_type("conversation_removed")

    assert watching.types == [
        "hello",
        "conversation_changed",
        "message_added",
        "reply_began",
        *("reply_moved", "reply_moved", "reply_grew", "reply_moved", "reply_grew"),
        "reply_ended",
        "conversation_changed",
        "conversation_removed",
    ]
    assert watching.events[2] == {"type": "message_added", **{k: asked[k] for k in ("conversation", "message")}}
    assert watching.events[3] == {"type": "reply_began", "reply": asked["reply"]}
    assert watching.events[4]["state"] == "reading"
    assert (watching.events[4]["read_tokens"], watching.events[4]["prompt_tokens"]) == (1, 2)
    assert [event["sequence"] for event in watching.events if event["type"] == "reply_grew"] == [1, 2]
    assert (watching.events[6]["reasoning"], watching.events[8]["content"]) == ("Hm", "Yes")
    ended = watching.events[-3]
    assert (ended["message"]["content"], ended["error"]) == ("Yes", None)
    assert removed == {"type": "conversation_removed", "id": here}
    await watching.leave()


async def test_a_failure_is_told_with_its_reason_and_when_to_try_again(service: Service, ana: Page) -> None:
    service.engine.script = [OSError("the pipe is gone")]
    watching = await ana.watch()
    await ana.begin()

    ended = await watching.seen_type("reply_ended")

    assert ended["message"] is None
    assert ended["error"]["code"] == Reason.INTERNAL_ERROR
    assert "pipe" not in ended["error"]["message"]
    await watching.leave()


async def test_it_is_a_stream_that_nothing_keeps_or_changes(ana: Page) -> None:
    watching = await ana.watch()

    assert watching.visit.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert watching.visit.headers["cache-control"] == "no-store, no-transform"
    await watching.leave()


async def test_an_answer_goes_on_when_the_page_is_closed_and_the_next_page_sees_the_rest(
    service: Service, ana: Page
) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="Half"), hold, *saying(" whole")]
    first = await ana.watch()
    asked = await ana.begin()
    await hold.reached.wait()
    await first.leave()
    second = await ana.watch()
    hold.let.set()

    ended = await second.seen_type("reply_ended")

    assert ended["message"]["content"] == "Half whole"
    assert (ended["id"], ended["message"]["ending"]) == (asked["reply"]["id"], "complete")
    await second.leave()


async def test_a_quiet_stream_sends_a_comment_now_and_then(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert events.QUIET_S == 15.0
    monkeypatch.setattr(events, "QUIET_S", 0.005)
    watching = await ana.watch()

    await until(lambda: watching.visit.body.count(b": still here\n\n") >= 2, 0.005)

    await ana.begin()
    await watching.seen_type("reply_ended")
    await watching.leave()


async def test_a_ninth_page_takes_the_place_of_the_oldest_which_learns_why(service: Service, ana: Page) -> None:
    first, *others = [await ana.watch() for _ in range(MOST_STREAMS)]

    ninth = await ana.watch()

    await first.ended()
    assert first.types == ["hello", "replaced"]
    assert not any(page.visit.is_complete for page in [*others, ninth])
    for page in [*others, ninth]:
        await page.leave()
    assert service.replies.remembered == 0


@pytest.mark.parametrize("ended_after_look", [1, 2])
async def test_a_session_that_ends_while_its_stream_is_opened_leaves_no_stream(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch, ended_after_look: int
) -> None:
    """It ends while the store's answer, that it is live, is on its way."""
    looks = 0
    find = service.accounts.live_session

    async def live_session(owner: UserId, digest: bytes, now: float) -> Any:
        nonlocal looks
        looks += 1
        found = await find(owner, digest, now)
        if looks == ended_after_look:
            await service.sessions.sign_out(ana.signed_in)
        return found

    monkeypatch.setattr(service.accounts, "live_session", live_session)

    visit = await ana.call("GET", "/api/events")

    if ended_after_look == 1:
        assert (visit.status, visit.error["code"]) == (401, Reason.NOT_SIGNED_IN)
    else:
        assert (visit.status, visit.body) == (200, events.HELLO)
    assert service.replies.remembered == 0


async def test_a_stream_whose_session_cannot_be_looked_up_is_not_left_open(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    find = service.accounts.live_session

    async def live_session(owner: UserId, digest: bytes, now: float) -> Any:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise OSError
        return await find(owner, digest, now)

    monkeypatch.setattr(service.accounts, "live_session", live_session)

    assert (await ana.call("GET", "/api/events")).status == 500
    assert service.replies.remembered == 0


async def test_whoever_asks_hears_of_the_question_on_the_stream_before_the_call_is_answered(
    service: Service, ana: Page
) -> None:
    hold = Hold()
    service.engine.script = [hold, *saying("Yes")]
    watching = await ana.watch()
    visit = ana.visit("POST", "/api/conversations", {"content": "Why?"})
    seen: list[list[str]] = []
    take = visit.send

    async def send(message: Any) -> None:
        (watch,) = service.replies._watchers._by_owner[ana.owner]
        if message["type"] == "http.response.start":
            seen.append(watching.types + [json.loads(told[6:])["type"] for told in watch._unread])
        await take(message)

    visit.send = send
    await visit.ask()

    assert seen == [["hello", "conversation_changed", "message_added", "reply_began"]]
    hold.let.set()
    await watching.seen_type("reply_ended")
    await watching.leave()


async def test_signing_out_ends_the_sessions_streams_at_once(service: Service, ana: Page) -> None:
    other = await Page.of(service, "ana@example.org")
    mine, theirs = await ana.watch(), await other.watch()

    await service.sessions.sign_out(ana.signed_in)

    assert await mine.ended() == events.HELLO
    assert not theirs.visit.is_complete
    await theirs.leave()


async def test_a_stream_does_not_outlive_its_session(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "QUIET_S", 0.005)
    watching = await ana.watch()

    service.clock.now = ana.signed_in.session.expires_at_s

    await watching.ended()


async def test_looking_at_the_streams_head_opens_no_stream(service: Service, ana: Page) -> None:
    visit = await ana.call("HEAD", "/api/events")

    assert (visit.status, visit.body) == (200, b"")
    assert visit.headers["content-type"].startswith("text/event-stream")
    assert service.replies.remembered == 0


async def test_a_stop_of_the_service_ends_quiet_streams_and_lets_the_others_see_the_end(
    service: Service, ana: Page
) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="Half"), hold, *saying(" whole")]
    bo = await Page.of(service, "bo@example.org")
    quiet, busy = await bo.watch(), await ana.watch()
    await ana.begin()
    await hold.reached.wait()

    service.lifecycle.is_draining = True

    assert await quiet.ended() == events.HELLO
    assert not busy.visit.is_complete
    hold.let.set()
    await busy.ended()
    ended = next(event for event in busy.events if event["type"] == "reply_ended")
    assert ended["message"]["content"] == "Half whole"
    await asyncio.wait_for(service.lifecycle.idle.wait(), 5)


async def test_at_the_end_of_the_time_for_stopping_answers_are_cut_and_streams_end_once_they_told_of_it(
    service: Service, ana: Page
) -> None:
    """No error is written into the stream: it knows only its own events."""
    hold = Hold()
    service.engine.script = [Delta(content="Half"), hold, *saying(" whole")]
    watching = await ana.watch()
    asked = await ana.begin()
    await hold.reached.wait()
    service.lifecycle.is_draining = True

    service.lifecycle.expired.set()

    await watching.ended()
    ended = next(event for event in watching.events if event["type"] == "reply_ended")
    assert (ended["message"]["content"], ended["message"]["ending"]) == ("Half", "cut")
    assert watching.types[-1] == "conversation_changed"
    await asyncio.wait_for(service.lifecycle.idle.wait(), 5)
    messages = await service.conversations.messages(ana.owner, asked["conversation"]["id"])
    assert (messages[-1].content, messages[-1].ending) == ("Half", "cut")


async def test_a_page_that_only_listens_is_no_answer_that_a_stop_waits_for(service: Service, ana: Page) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="Half"), hold, *saying(" whole")]
    watching = await ana.watch()
    assert (service.lifecycle.running, service.lifecycle.answering) == (1, 0)

    await ana.begin()
    await hold.reached.wait()
    assert (service.lifecycle.running, service.lifecycle.answering) == (2, 1)

    hold.let.set()
    service.lifecycle.is_draining = True
    await watching.ended()
    assert (service.lifecycle.running, service.lifecycle.answering) == (0, 0)
