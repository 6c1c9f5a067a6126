"""An answer on its way to its caller: byte for byte, ended well or visibly not."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.http.proxying import BODY, CHAT, Gateway
from tidegate.core.events import RouteKind
from tidegate.core.generation.call import Usage
from tidegate.core.reasons import Reason
from tidegate.ports.upstream import (
    Head,
    Piece,
    UnknownModelError,
    UpstreamBrokeError,
    UpstreamBusyError,
    UpstreamFailedError,
)
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold
from tidegate.testing.upstream import PassedStep, passing

STREAM = {**BODY, "stream": True}
EVENTS = [b'data: {"a":1}\r\n\r\n', b": a comment\r\n\r\nevent: x\r\ndata: 2\r\n\r\n", b"data: [DONE]\r\n\r\n"]


async def test_a_stream_comes_byte_for_byte_and_says_that_it_is_one() -> None:
    gateway = Gateway()
    gateway.fake.script = passing(*EVENTS, headers=((b"X-Of-Server", b"1"), (b"content-length", b"99")))
    answered = await gateway.ask(STREAM)
    assert answered.body == b"".join(EVENTS)
    assert answered.sent == EVENTS, "nothing waits for anything"
    assert answered.headers["x-of-server"] == "1"
    assert "content-length" not in answered.headers, "an event may have been left out"
    assert answered.is_complete
    line = gateway.finished()
    assert (line.status, line.route, line.stream, line.out_tok) == (200, RouteKind.CHAT, True, 3)
    gateway.assert_all_free()


async def test_headers_that_are_ours_to_say_are_said_once_and_by_us() -> None:
    gateway = Gateway()
    theirs = ("X-Request-Id", "Date", "Server", "Access-Control-Allow-Origin", "x-tidegate-attempts", "Alt-Svc")
    headers = tuple((name.encode(), b"theirs") for name in theirs)
    kept = ((b"Set-Cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"content-length", b"2"))
    gateway.fake.script = passing(b"{}", kind=b"application/json", headers=(*headers, *kept), attempts=2)
    answered = await gateway.ask(headers={"origin": "https://page.example"})
    assert answered.headers["x-request-id"] == gateway.finished().id
    assert answered.headers["access-control-allow-origin"] == "*"
    assert answered.headers["x-tidegate-attempts"] == "2"
    assert answered.headers["content-length"] == "2"
    assert answered.set_cookies == ["a=1", "b=2"]
    assert "theirs" not in answered.headers.values()


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422, 429, 500, 503])
async def test_what_the_server_says_no_with_comes_as_it_is_and_is_counted_once(status: int) -> None:
    gateway = Gateway()
    said = b'{"error":{"message":"as the server says it"}}'
    gateway.fake.script = passing(said, status=status, kind=b"application/json", headers=((b"retry-after", b"7"),))
    answered = await gateway.ask()
    assert (answered.status, answered.body, answered.headers["retry-after"]) == (status, said, "7")
    assert len(gateway.journal.events) == 1
    assert gateway.finished().status == status
    gateway.assert_all_free()


async def test_an_answer_without_a_body_is_complete() -> None:
    gateway = Gateway()
    gateway.fake.script = [Piece(head=Head(status=204, headers=()), is_last=True)]
    answered = await gateway.ask()
    assert (answered.status, answered.body, answered.is_complete) == (204, b"", True)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (UpstreamFailedError("why", 3.0), 503, Reason.ENGINE_FAILED),
        (UnknownModelError("gpt-9"), 404, Reason.MODEL_NOT_FOUND),
        (UpstreamBusyError("why", 3.0), 503, Reason.SERVER_IS_OVERLOADED),
        (ZeroDivisionError(), 500, Reason.INTERNAL_ERROR),
    ],
)
async def test_before_anything_was_sent_a_failure_is_a_refusal(error: Exception, status: int, reason: Reason) -> None:
    for body in (BODY, STREAM):
        gateway = Gateway()
        gateway.fake.script = [error]
        answered = await gateway.ask(body)
        assert answered.error["code"] == reason
        assert answered.status in {status, 429, 502, 500}
        assert answered.headers["x-request-id"] == gateway.finished().id
        assert gateway.finished().reason is reason
        gateway.assert_all_free()


async def test_a_stream_that_breaks_ends_with_an_error_event() -> None:
    gateway = Gateway()
    gateway.fake.script = [*passing(EVENTS[0])[:-1], UpstreamBrokeError("cut")]
    answered = await gateway.ask(STREAM)
    assert answered.sent[0] == EVENTS[0]
    assert json.loads(answered.sent[1].removeprefix(b"data: "))["error"]["code"] == "engine_failed"
    assert answered.is_complete
    assert gateway.finished().reason is Reason.ENGINE_FAILED
    gateway.assert_all_free()


async def test_a_stream_of_anthropics_or_ollamas_ends_with_an_error_as_their_clients_know_it() -> None:
    gateway = Gateway()
    event = b'event: ping\ndata: {"type":"ping"}\n\n'
    gateway.fake.script = [*passing(event)[:-1], UpstreamBrokeError("cut")]
    answered = await gateway.ask(STREAM, "/v1/messages")
    name, data = answered.sent[1].decode().splitlines()[:2]
    error = json.loads(data.removeprefix("data: "))
    assert (name, error["type"], error["error"]["type"]) == ("event: error", "error", "api_error")
    assert error["error"]["message"]

    line = b'{"message":{"content":"a"},"done":false}\n'
    gateway.fake.script = [*passing(line, kind=b"application/x-ndjson")[:-1], UpstreamBrokeError("cut")]
    answered = await gateway.ask(BODY, "/api/chat")
    first, last = answered.body.splitlines(keepends=True)
    assert first == line
    assert last.endswith(b"\n")
    assert json.loads(last).keys() == {"error"}
    assert answered.is_complete
    gateway.assert_all_free()


async def test_a_wait_of_anthropics_that_comes_to_nothing_ends_with_an_error_as_their_clients_know_it() -> None:
    said = b'{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'
    answered = await _after_a_wait(passing(said, status=400, kind=b"application/json"), "/v1/messages")
    assert answered[1] == b"event: error\ndata: " + said + b"\n\n"
    answered = await _after_a_wait(passing(b"<html>", status=502, kind=b"text/html"), "/v1/messages")
    assert answered[1].startswith(b'event: error\ndata: {"type":"error","error":{"type":"')


@pytest.mark.parametrize("kind", [b"application/json", b"application/x-ndjson", b"audio/mpeg"])
async def test_half_of_an_answer_in_one_piece_is_never_made_to_look_whole(kind: bytes) -> None:
    gateway = Gateway()
    gateway.fake.script = [*passing(b'{"half":', kind=kind)[:-1], UpstreamBrokeError("cut")]
    answered = await gateway.ask()
    assert answered.body == b'{"half":'
    assert not answered.is_complete, "the server closes the connection"
    gateway.assert_all_free()


async def test_who_waits_is_told_so_and_what_the_server_says_then_comes_in_the_same_stream() -> None:
    no = b'{"error": {\r\n "message": "too long"\n}}'
    for script, last in (
        (passing(*EVENTS), b"".join(EVENTS)),
        (passing(no, status=400, kind=b"application/json"), b'data: {"error": {  "message": "too long" }}\n\n'),
        (passing(b'{"choices":[]}', kind=b"application/json"), b'data: {"choices":[]}\n\n'),
    ):
        answered = await _after_a_wait(script)
        assert answered[0].startswith(b": waiting position=1 eta_s=")
        assert b"".join(answered[1:]) == last


async def test_a_page_instead_of_an_answer_after_a_wait_is_told_as_an_error() -> None:
    answered = await _after_a_wait(passing(b"<html>\r\n\r\ndata: 1</html>", status=502, kind=b"text/html"))
    error = json.loads(answered[1].removeprefix(b"data: "))["error"]
    assert error["code"] == "engine_failed"
    assert "502" in error["message"]
    assert len(answered) == 2


async def _after_a_wait(script: list[PassedStep], path: str = CHAT) -> list[bytes]:
    gateway = Gateway(slots=1)
    hold = Hold()
    begun = passing(EVENTS[0], b"")
    gateway.fake.script = [begun[0], hold, *begun[1:]]
    first = gateway.visit(STREAM, key="sk-first").start()
    await hold.reached.wait()
    gateway.fake.script = script
    second = gateway.visit(STREAM, path, key="sk-second").start()
    await until(lambda: gateway.admission.scheduler.waiting == 1)
    async with asyncio.timeout(10):
        while not second.sent:
            gateway.clock.advance(0.5)
            await asyncio.sleep(0.05)
    hold.let.set()
    await first.finish()
    await second.finish()
    assert second.status == 200
    assert second.is_complete
    gateway.assert_all_free()
    return second.sent


async def test_whose_client_knows_no_comments_is_not_told_of_a_wait() -> None:
    gateway = Gateway(slots=1)
    hold = Hold()
    script = passing(EVENTS[0], b"")
    gateway.fake.script = [script[0], hold, *script[1:]]
    first = gateway.visit(STREAM, key="sk-first").start()
    await hold.reached.wait()
    lines = passing(b'{"done":true}\n', kind=b"application/x-ndjson")
    gateway.fake.script = lines
    second = gateway.visit({"model": "m"}, "/api/chat", key="sk-second").start()
    third = gateway.visit(STREAM, key="sk-third").start()
    async with asyncio.timeout(20):
        while not third.sent:
            gateway.clock.advance(0.5)
            await asyncio.sleep(0.05)
    assert second.status == 0, "a refusal could still be one"
    hold.let.set()
    for visit in (first, second, third):
        await visit.finish()
    assert second.body == b'{"done":true}\n'
    gateway.assert_all_free()


@pytest.mark.parametrize("is_begun", [True, False])
async def test_a_caller_that_leaves_frees_the_server_and_the_place(*, is_begun: bool) -> None:
    gateway = Gateway()
    hold = Hold()
    script = passing(*EVENTS)
    gateway.fake.script = [script[0], hold, *script[1:]] if is_begun else [hold, *script]
    visit = gateway.visit(STREAM).start()
    await hold.reached.wait()
    assert gateway.fake.running == 1
    visit.leave()
    await visit.finish()
    assert gateway.finished().status == 499
    gateway.assert_all_free()


async def test_a_caller_that_leaves_in_the_moment_of_the_end_leaves_nothing_behind() -> None:
    for turns in range(12):
        gateway = Gateway()
        hold = Hold()
        gateway.fake.script = [*passing(*EVENTS)[:-1], hold, Piece(is_last=True)]
        visit = gateway.visit(STREAM).start()
        await hold.reached.wait()
        hold.let.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        visit.leave()
        await visit.finish()
        assert gateway.finished().status in {200, 499}
        gateway.assert_all_free()


async def test_a_stop_ends_what_still_runs_with_a_word() -> None:
    gateway = Gateway()
    hold = Hold()
    gateway.fake.script = [passing(EVENTS[0])[0], hold, *passing(*EVENTS)[1:]]
    visit = gateway.visit(STREAM).start()
    await hold.reached.wait()
    gateway.lifecycle.is_draining = True
    assert (await gateway.ask()).error["code"] == "server_is_draining"
    gateway.lifecycle.expire()
    await visit.finish()
    assert b"server_is_draining" in visit.sent[-1]
    gateway.assert_all_free()


async def test_what_is_only_read_asks_no_place_and_is_bounded_by_itself() -> None:
    gateway = Gateway(slots=1)
    hold = Hold()
    gateway.fake.script = [hold, *passing(b"{}", kind=b"application/json")]
    visits = [gateway.visit(b"", "/v1/models", method="GET").start() for _ in range(128)]
    await until(lambda: gateway.fake.running == 128)
    assert gateway.admission.scheduler.running == 0
    refused = await gateway.ask(b"", "/v1/models", method="GET")
    assert (refused.status, refused.error["code"]) == (503, "server_is_overloaded")
    elsewhere = gateway.visit(b"", "/v1/models", method="GET")
    elsewhere._scope["client"] = ("198.51.100.7", 40000)
    visits.append(elsewhere.start())
    await until(lambda: gateway.fake.running == 129)
    hold.let.set()
    for visit in visits:
        assert (await visit.finish()).body == b"{}"
    assert (await gateway.ask(b"", "/v1/models", method="GET")).status == 200
    gateway.assert_all_free()


async def test_the_servers_figures_stand_in_the_log() -> None:
    gateway = Gateway()
    script = passing(*EVENTS)
    gateway.fake.script = [*script[:-1], Piece(usage=Usage(prompt_tokens=11, completion_tokens=6)), script[-1]]
    await gateway.ask(STREAM, CHAT)
    line = gateway.finished()
    assert (line.in_tok, line.out_tok) == (11, 6)


async def test_a_body_of_what_only_reads_is_read_and_left_out() -> None:
    """What is not read would be in the way of what comes behind it on the same connection."""
    gateway = Gateway()
    gateway.fake.script = passing(b"{}", kind=b"application/json")
    answered = await gateway.ask(b"a body that nobody expects", "/v1/models", method="GET")
    assert answered.status == 200
    assert answered.unread() == 0
    assert gateway.fake.asks[-1].body == b""
