"""The web chat's calls: everybody sees and changes what is their own, and hears a reason for every refusal."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from tests.http.chatting import Page, chat_lines, json_of, refused
from tests.http.conftest import MAX_BODY_BYTES, Service
from tidegate.core.capacity.health import EngineState
from tidegate.core.conversations import Message
from tidegate.core.generation.call import Delta
from tidegate.core.identifiers import ConversationId, MessageId, UserId
from tidegate.core.reasons import Reason
from tidegate.http.chat import routes as chat
from tidegate.http.chat.reading import MAX_BODY_BYTES as MAX_CALL_BYTES
from tidegate.http.streams import PIECE_BYTES, WHOLE_BYTES
from tidegate.ports.conversations import StorageFullError, UnreadableContentError
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying

UNKNOWN = "cnv_" + "ab" * 12


@pytest.fixture
async def ana(service: Service) -> Page:
    return await Page.of(service, "ana@example.org")


@pytest.fixture
async def bo(service: Service) -> Page:
    return await Page.of(service, "bo@example.org")


# ---------------------------------------------------------------- who


@pytest.mark.parametrize("route", chat.TABLE, ids=lambda route: f"{route.method} {route.path}")
async def test_every_call_needs_a_session_and_those_that_change_something_our_own_page(
    service: Service, ana: Page, route: Any
) -> None:
    path = route.path.replace("{conversation}", UNKNOWN)

    assert (await refused(ana, route.method, path, cookie=""))[:2] == (401, Reason.NOT_SIGNED_IN)
    if route.method != "GET":
        assert (await refused(ana, route.method, path, sec_fetch_site="cross-site"))[1] == Reason.CROSS_SITE_REQUEST
        assert (await refused(ana, route.method, path, x_csrf_token="x"))[1] == Reason.INVALID_CSRF_TOKEN
    assert service.conversations.calls.total() == 0


async def test_an_api_key_opens_no_call_of_the_web_chat(service: Service) -> None:
    visit = await service.ask("GET", "/api/session")

    assert (visit.status, visit.error["code"]) == (401, Reason.NOT_SIGNED_IN)


async def test_the_page_is_told_who_is_signed_in_and_how_the_service_is(service: Service, ana: Page) -> None:
    told = json_of(await ana.call("GET", "/api/session"))

    assert told == {
        "email": "ana@example.org",
        "role": "user",
        "csrf_token": ana.headers["x-csrf-token"],
        "is_protected": True,
        "model": {"id": "tide-1", "context_tokens": 4096},
        "status": "none",
        "status_description": "All systems operational",
    }
    service.engine.state = EngineState.FAILED
    assert json_of(await ana.call("GET", "/api/session"))["status"] == "critical"


# ---------------------------------------------------------------- asking and reading


async def test_a_question_is_answered_in_the_background_and_can_be_read_afterwards(service: Service, ana: Page) -> None:
    hold = Hold()
    service.engine.script = [Delta(reasoning="Hm"), Delta(content="Be"), hold, *saying("cause")]
    visit = await ana.call("POST", "/api/conversations", {"content": "Why is the sky blue?"})
    asked = json_of(visit)
    path = f"/api/conversations/{asked['conversation']['id']}"
    assert (visit.status, asked["conversation"]["title"]) == (201, "Why is the sky blue?")
    assert (asked["message"]["content"], asked["message"]["author"]) == ("Why is the sky blue?", "user")
    assert (asked["reply"]["state"], asked["reply"]["sequence"]) == ("waiting", 0)

    await hold.reached.wait()
    half = json_of(await ana.call("GET", path))
    assert half["messages"] == [asked["message"]]
    assert half["reply"] == {
        **asked["reply"],
        "state": "writing",
        "sequence": 2,
        "content": "Be",
        "reasoning": "Hm",
        "reasoning_s": 0.0,
    }

    hold.let.set()
    await ana.answered()
    whole = json_of(await ana.call("GET", path))
    assert whole["reply"] is None
    assert whole["messages"][1] == {
        "id": asked["reply"]["id"],
        "parent": asked["message"]["id"],
        "author": "assistant",
        "content": "Because",
        "reasoning": "Hm",
        "reasoning_s": 0.0,
        "ending": "complete",
        "created_at_s": service.clock(),
    }
    assert len(chat_lines(service)) == 1


async def test_the_next_question_stands_after_the_answer(service: Service, ana: Page) -> None:
    asked = await ana.talk()
    path = f"/api/conversations/{asked['conversation']['id']}/messages"

    visit = await ana.call("POST", path, {"content": "And?", "parent": asked["reply"]["id"]})

    assert (visit.status, visit.json()["message"]["parent"]) == (201, asked["reply"]["id"])
    await ana.answered()
    root = json_of(await ana.call("POST", path, {"content": "Other words"}))
    assert root["message"]["parent"] is None
    await ana.answered()


async def test_another_answer_can_be_had(service: Service, ana: Page) -> None:
    asked = await ana.talk()

    visit = await ana.call(
        "POST", f"/api/conversations/{asked['conversation']['id']}/replies", {"parent": asked["message"]["id"]}
    )

    assert (visit.status, json_of(visit)["parent"]) == (202, asked["message"]["id"])
    await ana.answered()


async def test_an_answer_is_stopped_and_stopping_again_does_no_harm(service: Service, ana: Page) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="Half"), hold, *saying("whole")]
    asked = await ana.begin()
    await hold.reached.wait()
    path = f"/api/conversations/{asked['conversation']['id']}"

    stopped = [await ana.call("DELETE", f"{path}/reply") for _ in range(2)]

    assert [(visit.status, visit.body) for visit in stopped] == [(204, b"")] * 2
    kept = json_of(await ana.call("GET", path))
    assert (kept["messages"][1]["content"], kept["messages"][1]["ending"]) == ("Half", "stopped")


async def test_an_answer_that_ends_while_it_is_read_is_read_once(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither missing, because it ended between two looks, nor there twice."""
    hold = Hold()
    service.engine.script = [Delta(content="Half"), hold, *saying("whole")]
    asked = await ana.begin()
    await hold.reached.wait()
    here = ConversationId(asked["conversation"]["id"])
    read = service.conversations.messages

    async def ending_after(owner: UserId, conversation: ConversationId) -> list[Message]:
        found = await read(owner, conversation)
        hold.let.set()
        await until(lambda: service.replies.running(owner, here) is None)
        return found

    monkeypatch.setattr(service.conversations, "messages", ending_after)
    tree = json_of(await ana.call("GET", f"/api/conversations/{here}"))

    assert tree["reply"] is None
    assert [message["id"] for message in tree["messages"]] == [asked["message"]["id"], asked["reply"]["id"]]


async def test_an_answer_that_is_kept_but_not_yet_told_of_is_read_once(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, let = asyncio.Event(), asyncio.Event()
    add = service.conversations.add_message

    async def slowly(owner: UserId, message: Message) -> None:
        await add(owner, message)
        if message.parent is not None:
            kept.set()
            await let.wait()

    monkeypatch.setattr(service.conversations, "add_message", slowly)
    asked = await ana.begin()
    await kept.wait()

    tree = json_of(await ana.call("GET", f"/api/conversations/{asked['conversation']['id']}"))

    assert tree["reply"] is None
    assert [message["id"] for message in tree["messages"]] == [asked["message"]["id"], asked["reply"]["id"]]
    let.set()
    await ana.answered()


# ---------------------------------------------------------------- the list


async def test_conversations_are_listed_newest_first_in_pages(service: Service, ana: Page, bo: Page) -> None:
    for title in ("one", "two", "three"):
        await ana.talk(title)
        service.clock.advance(10.0)
    await bo.talk("strange")

    first = json_of(await ana.call("GET", "/api/conversations?limit=2"))
    before = first["data"][-1]["updated_at_s"]
    second = json_of(await ana.call("GET", f"/api/conversations?limit=2&before={before}"))
    exact = json_of(await ana.call("GET", "/api/conversations?limit=3"))

    assert ([one["title"] for one in first["data"]], first["has_more"]) == (["three", "two"], True)
    assert ([one["title"] for one in second["data"]], second["has_more"]) == (["one"], False)
    assert (len(exact["data"]), exact["has_more"]) == (3, False)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("before=yesterday", "before"),
        ("before=nan", "before"),
        ("before=-1", "before"),
    ],
)
async def test_a_list_that_cannot_be_is_refused_by_the_fields_name(ana: Page, query: str, param: str) -> None:
    assert await refused(ana, "GET", f"/api/conversations?{query}") == (400, Reason.INVALID_VALUE, param)


async def test_a_conversation_is_renamed_and_deleted(service: Service, ana: Page) -> None:
    asked = await ana.talk()
    path = f"/api/conversations/{asked['conversation']['id']}"

    renamed = json_of(await ana.call("PATCH", path, {"title": "  Sky "}))
    assert renamed == {**asked["conversation"], "title": "Sky"}
    deleted = await ana.call("DELETE", path)

    assert (deleted.status, deleted.body, deleted.headers["cache-control"]) == (204, b"", "no-store")
    assert (await refused(ana, "GET", path))[:2] == (404, Reason.CONVERSATION_NOT_FOUND)


# ---------------------------------------------------------------- what is not one's own, or not at all


@pytest.mark.parametrize("named", ["foreign", "unknown", "malformed", "a message's"])
async def test_what_is_not_ones_own_does_not_exist(service: Service, ana: Page, bo: Page, named: str) -> None:
    asked = await bo.talk()
    here = {
        "foreign": asked["conversation"]["id"],
        "unknown": UNKNOWN,
        "malformed": "cnv_XYZ",
        "a message's": asked["message"]["id"],
    }[named]
    path, parent = f"/api/conversations/{here}", asked["message"]["id"]

    for method, where, body in (
        ("GET", path, b""),
        ("PATCH", path, {"title": "Mine"}),
        ("DELETE", path, b""),
        ("POST", f"{path}/messages", {"content": "And?", "parent": parent}),
        ("POST", f"{path}/replies", {"parent": parent}),
        ("DELETE", f"{path}/reply", b""),
    ):
        visit = await ana.call(method, where, body)
        assert (visit.status, visit.error["code"]) == (404, Reason.CONVERSATION_NOT_FOUND), (method, where)
        assert visit.error["message"] == "There is no such conversation."
    tree = json_of(await bo.call("GET", f"/api/conversations/{asked['conversation']['id']}"))
    assert tree["conversation"]["title"] == "Why?"
    assert len(tree["messages"]) == 2


@pytest.mark.parametrize("named", ["an answer's", "unknown", "malformed"])
async def test_only_a_question_that_is_there_is_answered(service: Service, ana: Page, named: str) -> None:
    asked = await ana.talk()
    path = f"/api/conversations/{asked['conversation']['id']}"
    parent = {"an answer's": asked["reply"]["id"], "unknown": "msg_" + "ab" * 12, "malformed": "msg_1"}[named]

    expected = (404, Reason.MESSAGE_NOT_FOUND, "parent")
    assert await refused(ana, "POST", f"{path}/replies", {"parent": parent}) == expected
    if named != "an answer's":
        assert await refused(ana, "POST", f"{path}/messages", {"content": "x", "parent": parent}) == expected


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, Reason.MISSING_FIELD, "content"),
        ({"content": ""}, Reason.INVALID_VALUE, "content"),
        ({"content": " \n "}, Reason.INVALID_VALUE, "content"),
        ({"content": 7}, Reason.INVALID_VALUE, "content"),
        ({"content": "x" * 100_001}, Reason.INVALID_VALUE, "content"),
        (b"{", Reason.INVALID_JSON, None),
        (b'{"content": "\\ud800"}', Reason.INVALID_JSON, None),
    ],
)
async def test_a_body_that_is_not_as_described_is_refused_by_the_fields_name(
    service: Service, ana: Page, body: Any, code: Reason, param: str | None
) -> None:
    assert await refused(ana, "POST", "/api/conversations", body) == (400, code, param)
    assert service.conversations.calls["add_conversation"] == 0


@pytest.mark.parametrize("title", ["", "  ", "x" * 201, "a\x00b", "a\x9bb", "\u202etxt.exe", "a\u2067", "\u200b"])
async def test_a_title_is_a_short_text(ana: Page, title: str) -> None:
    asked = await ana.talk()
    path = f"/api/conversations/{asked['conversation']['id']}"

    assert await refused(ana, "PATCH", path, {"title": title}) == (400, Reason.INVALID_VALUE, "title")


async def test_a_bodys_bound_is_the_chats_own(ana: Page) -> None:
    assert MAX_CALL_BYTES < MAX_BODY_BYTES

    body = b'{"content": "' + b"x" * MAX_CALL_BYTES + b'"}'

    assert (await refused(ana, "POST", "/api/conversations", body))[:2] == (413, Reason.BODY_TOO_LARGE)


# ---------------------------------------------------------------- what cannot be done now


async def test_a_question_while_the_model_starts_is_refused_and_not_kept(service: Service, ana: Page) -> None:
    service.engine.state = EngineState.LOADING

    visit = await ana.call("POST", "/api/conversations", {"content": "Why?"})

    assert (visit.status, visit.error["code"]) == (503, Reason.ENGINE_UNAVAILABLE)
    assert visit.headers["retry-after"] == "2"
    assert service.conversations.calls["add_conversation"] == 0


async def test_one_answer_at_a_time_is_written_in_a_conversation(service: Service, ana: Page) -> None:
    hold = Hold()
    service.engine.script = [hold, *saying("One")]
    asked = await ana.begin()
    path = f"/api/conversations/{asked['conversation']['id']}"

    assert (await refused(ana, "POST", f"{path}/messages", {"content": "And?"}))[:2] == (409, Reason.REPLY_IS_RUNNING)
    hold.let.set()
    await ana.answered()


async def test_chat_and_api_share_the_accounts_bound(service: Service, ana: Page) -> None:
    plan = msgspec.structs.replace(service.scheduler.plan, max_per_owner=1)
    service.scheduler.replan(plan, service.clock())
    hold = Hold()
    service.engine.script = [hold, *saying("One")]
    await ana.begin()
    await hold.reached.wait()

    by_key = await service.chat()
    by_page = await ana.call("POST", "/api/conversations", {"content": "And?"})

    for visit in (by_key, by_page):
        assert (visit.status, visit.error["code"]) == (429, Reason.CONCURRENCY_LIMIT_EXCEEDED)
        assert visit.error["type"] == "rate_limit_error"
        assert int(visit.headers["retry-after"]) >= 1
    hold.let.set()
    await ana.answered()


async def test_a_question_no_model_can_hold_is_refused(service: Service, ana: Page) -> None:
    content = "漢" * 50_000

    assert await refused(ana, "POST", "/api/conversations", {"content": content}) == (
        400,
        Reason.CONTEXT_LENGTH_EXCEEDED,
        "content",
    )


async def test_a_full_account_is_told_so(service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(owner: UserId, message: Message) -> None:
        raise StorageFullError

    monkeypatch.setattr(service.conversations, "add_message", full)

    assert (await refused(ana, "POST", "/api/conversations", {"content": "x"}))[:2] == (403, Reason.STORAGE_FULL)


@pytest.mark.parametrize("asked_for", ["", "/messages"])
async def test_content_whose_key_is_gone_is_said_to_be_unreadable(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch, asked_for: str
) -> None:
    async def unreadable(owner: UserId, conversation: ConversationId) -> None:
        raise UnreadableContentError

    monkeypatch.setattr(service.conversations, "conversation", unreadable)
    method, body = ("POST", {"content": "x"}) if asked_for else ("GET", b"")

    assert (await refused(ana, method, f"/api/conversations/{UNKNOWN}{asked_for}", body))[:2] == (
        410,
        Reason.CONTENT_UNREADABLE,
    )


async def test_a_defect_of_ours_is_not_called_a_missing_conversation(
    service: Service, ana: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(owner: UserId, conversation: ConversationId) -> None:
        raise KeyError

    monkeypatch.setattr(service.conversations, "conversation", broken)

    assert (await refused(ana, "GET", f"/api/conversations/{UNKNOWN}"))[:2] == (500, Reason.INTERNAL_ERROR)


def test_ids_of_messages_and_conversations_are_not_taken_for_each_other() -> None:
    with pytest.raises(ValueError):
        MessageId(UNKNOWN)


async def test_what_the_calls_answer_is_kept_nowhere_and_taken_for_nothing_else(ana: Page) -> None:
    asked = await ana.talk()
    here = f"/api/conversations/{asked['conversation']['id']}"
    for method, path, body in (
        ("GET", "/api/session", b""),
        ("GET", "/api/conversations", b""),
        ("GET", here, b""),
        ("GET", "/api/search?q=why", b""),
        ("PATCH", here, {"title": "Sky"}),
        ("DELETE", f"{here}/reply", b""),
        ("HEAD", "/api/events", b""),
        ("DELETE", here, b""),
    ):
        visit = await ana.call(method, path, body)
        assert visit.status in {200, 204}
        assert visit.headers["cache-control"].startswith("no-store")
        assert visit.headers["x-content-type-options"] == "nosniff"


async def test_a_long_conversation_is_answered_in_pieces(service: Service, ana: Page) -> None:
    """Whole, it would lie in the server's memory for as long as its reader likes."""
    service.engine.script = saying("x" * 2 * WHOLE_BYTES)
    asked = await ana.talk()

    visit = await ana.call("GET", f"/api/conversations/{asked['conversation']['id']}")

    assert max(map(len, visit.sent)) == PIECE_BYTES
    assert int(visit.headers["content-length"]) == len(visit.body)
    assert len(visit.json()["messages"][1]["content"]) == 2 * WHOLE_BYTES
