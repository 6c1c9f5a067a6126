"""With the gate around it an application hears and says what it would without, but for who must wait or go."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from tests.http.asgi import Visit
from tests.http.wrapped import (
    CHAT,
    EVENTS,
    HEADERS,
    Application,
    asking,
    body,
    judging,
    start,
    streaming,
    when_let,
    wrapped,
)
from tidegate import TidegateMiddleware
from tidegate.app.wrapping_plan import WrappingPlan, WrappingSettings


class OfferedError(Exception):
    """What an application raises."""


async def test_an_answer_goes_on_byte_for_byte_with_the_applications_headers() -> None:
    middle, app = wrapped()
    sent = b' {"model":"m","stream":true,\n"messages":[]} '

    visit = await asking(middle, data=[sent[:7], sent[7:]]).ask()

    assert app.bodies == [sent]
    assert (visit.status, visit.body) == (200, b"".join(EVENTS))
    assert visit.set_cookies == ["a=1", "b=2"]
    assert visit.headers["access-control-allow-origin"] == "https://a.example"
    assert visit.headers["x-request-id"].startswith("req_")
    assert set(visit.headers) == {name.decode() for name, _ in HEADERS}


async def test_the_handler_is_called_with_the_requests_own_scope() -> None:
    middle, app = wrapped()
    visit = asking(middle, path=CHAT + "?a=b")
    state = {"pool": object()}
    more: dict[str, Any] = {"state": state, "extensions": {"tls": {}, "http.response.pathsend": {}}}
    visit._scope.update(more)

    await visit.ask()

    (scope,) = app.scopes
    assert scope["state"] is state
    assert set(state) == {"pool"}
    assert scope["extensions"] == {"tls": {}}
    assert {name: scope[name] for name in visit._scope if name != "extensions"} == {
        name: value for name, value in visit._scope.items() if name != "extensions"
    }


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_what_asks_no_model_is_handed_on_untouched(method: str) -> None:
    middle, app = wrapped()
    visit = asking(middle, path="/elsewhere", method=method)

    await visit.ask()

    assert app.scopes[0] is visit._scope
    assert visit.headers["x-request-id"] == "of-the-application"


async def test_whoever_comes_when_all_places_are_taken_waits_for_one() -> None:
    middle, app = wrapped(when_let, slots=1)
    first = asking(middle, "ana").start()
    await app.came(1)
    second = asking(middle, "ben").start()
    elsewhere = asyncio.create_task(asking(middle, path="/elsewhere", method="GET").ask())
    await app.came(2)

    assert app.keys == ["ana", "ana"]
    assert app.scopes[1]["path"] == "/elsewhere"
    app.let.set()
    await asyncio.gather(first.finish(), second.finish(), elsewhere)

    assert app.keys[2] == "ben"
    assert [first.status, second.status] == [200, 200]


async def test_whoever_would_wait_too_long_is_told_so_and_the_handler_is_not_called() -> None:
    middle, app = wrapped(when_let, slots=1, max_waiting=1)
    visits = [asking(middle, f"key-{number}").start() for number in range(3)]
    await app.came(1)
    refused = await visits[2].finish()

    assert refused.status == 503
    assert refused.error["code"] == "server_is_overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    app.let.set()
    assert [(await visit.finish()).status for visit in visits[:2]] == [200, 200]
    assert len(app.scopes) == 2


async def test_one_caller_has_only_so_many_in_at_once() -> None:
    middle, app = wrapped(when_let, slots=8, max_per_caller=2)
    visits = [asking(middle, "ana").start() for _ in range(3)]
    await app.came(2)
    refused = await visits[2].finish()

    assert (refused.status, refused.error["code"]) == (429, "concurrency_limit_exceeded")
    other = asking(middle, "ben").start()
    await app.came(3)
    app.let.set()
    assert [(await visit.finish()).status for visit in (*visits[:2], other)] == [200, 200, 200]


async def test_a_caller_who_leaves_ends_the_handler_and_frees_its_place() -> None:
    middle, app = wrapped(when_let, slots=1)
    first = asking(middle, "ana").start()
    await app.came(1)
    second = asking(middle, "ben").start()
    first.leave()
    await first.finish()
    await app.came(2)

    assert app.left == [CHAT]
    assert not first.status
    app.let.set()
    assert (await second.finish()).status == 200


@pytest.mark.parametrize("said", [[], [start()], [start(), body(b"{", more=True)]], ids=["at once", "head", "half"])
async def test_what_the_handler_raises_is_raised_as_if_nothing_stood_around_it(said: list[Any]) -> None:
    error = OfferedError("mine")

    async def failing(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        if len(app.scopes) > 1:
            await streaming(app, scope, receive, send)
            return
        for message in said:
            await send(message)
        raise error

    middle, _ = wrapped(failing, slots=1)
    visit = asking(middle, "ana")

    with pytest.raises(OfferedError) as raised:
        await visit.ask()

    assert raised.value is error
    assert visit.status == (200 if len(said) == 2 else 0)
    assert (await asking(middle, "ana").ask()).status == 200


async def test_what_is_raised_elsewhere_is_raised() -> None:
    async def failing(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        raise OfferedError

    middle, _ = wrapped(failing)
    with pytest.raises(OfferedError):
        await asking(middle, path="/elsewhere").ask()


async def test_work_after_the_answer_is_finished_and_holds_no_place() -> None:
    done = []

    async def answering_first(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        await streaming(app, scope, receive, send)
        if len(app.scopes) == 1:
            await app.let.wait()
            done.append(scope["path"])
            raise OfferedError

    middle, app = wrapped(answering_first, slots=1)
    first = asking(middle, "ana").start()
    await app.came(1)
    assert (await asking(middle, "ben").ask()).status == 200
    assert first.is_complete
    assert not done
    app.let.set()

    with pytest.raises(OfferedError):
        await first.finish()
    assert done == [CHAT]


async def test_a_handler_that_says_nothing_is_answered_for() -> None:
    async def silent(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        return

    middle, _ = wrapped(silent)
    visit = await asking(middle).ask()

    assert (visit.status, visit.error["code"]) == (502, "engine_failed")


async def test_a_stream_that_is_none_ends_with_an_error_in_it_and_frees_its_place() -> None:
    async def endless(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, HEADERS))
        await send(body(EVENTS[0], more=True))
        while len(app.scopes) == 1:
            await send(body(b"data: " + b"x" * 65536, more=True))
        await send(body())

    middle, app = wrapped(endless, slots=1)
    visit = await asking(middle, is_stream=True).ask()

    first, error = visit.events()
    assert (visit.status, first["choices"][0]["delta"]) == (200, {"content": "a"})
    assert error["error"]["code"] == "engine_failed"
    assert visit.is_complete
    assert (await asking(middle, "ben").ask()).status == 200
    assert len(app.scopes) == 2


async def test_messages_of_other_kinds_are_no_part_of_an_answer() -> None:
    async def saying_more(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send({"type": "http.response.trailers", "headers": []})
        await send(body(b"{}"))
        await send(body(b"more"))

    middle, _ = wrapped(saying_more)
    visit = await asking(middle).ask()

    assert (visit.status, visit.body) == (200, b"{}")


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("/v1/chat/completions", ""),
        ("/v1/chat/completions\n", ""),
        ("/app/v1/chat/completions", "/app"),
        ("/app/v1/chat/completions", "/app/"),
        ("/completions", ""),
    ],
)
async def test_no_way_to_write_an_address_leads_around_the_gate(path: str, root: str) -> None:
    """The handler is called with a path that was decoded: what stands in the first line does not count."""
    middle, app = wrapped(when_let, slots=1)
    first = asking(middle, "ana").start()
    await app.came(1)
    visit = asking(middle, "ben", path)
    visit._scope |= {"raw_path": b"/v1/ch%61t/completions", "root_path": root}
    visit.start()
    asking(middle, "cyd", "/other").start()
    await app.came(2)

    assert app.scopes[1]["path"] == "/other"
    app.let.set()
    assert (await first.finish()).status == (await visit.finish()).status == 200


async def test_paths_of_ones_own_may_have_placeholders() -> None:
    middle, app = wrapped(when_let, slots=1, paths=["/ask/{name}", "/tell"])
    first = asking(middle, "ana", "/tell").start()
    await app.came(1)
    second = asking(middle, "ben", "/ask/something").start()
    usual = asking(middle, "cyd", CHAT).start()
    await app.came(2)

    assert app.scopes[1]["path"] == CHAT
    app.let.set()
    assert [(await visit.finish()).status for visit in (first, second, usual)] == [200, 200, 200]


async def test_a_key_that_the_application_turned_down_reaches_it_no_more() -> None:
    middle, app = wrapped(judging)

    assert [(await asking(middle, key).ask()).status for key in ("bad", "bad", "good", "good")] == [401, 401, 200, 200]

    assert app.keys == ["bad", "good", "good"]


async def test_whoever_shows_no_key_is_let_through_until_the_application_wants_one() -> None:
    middle, app = wrapped(judging)

    refused = [await asking(middle, None).ask() for _ in range(2)]

    assert [visit.status for visit in refused] == [401, 401]
    assert refused[1].error["code"] == "invalid_api_key"
    assert len(app.scopes) == 1


async def test_whoever_shows_no_key_is_served_where_none_is_wanted() -> None:
    middle, app = wrapped(when_let)
    app.let.set()

    assert [(await asking(middle, None).ask()).status for _ in range(2)] == [200, 200]


async def test_a_handler_that_goes_on_when_its_caller_has_left_sends_to_nobody() -> None:
    async def stubborn(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app.let.wait()
        except asyncio.CancelledError:
            assert (await receive())["type"] == "http.disconnect"
            await streaming(app, scope, receive, send)

    middle, app = wrapped(stubborn)
    visit = asking(middle).start()
    await app.came(1)
    visit.leave()
    await visit.finish()

    assert not visit.status


async def test_addresses_have_budgets_and_an_accepted_key_is_not_counted_for_its_address() -> None:
    middle, app = wrapped(judging, gate={"address_rate": 0.001, "address_burst": 3})
    assert (await asking(middle, "good").ask()).status == 200

    strangers = [await asking(middle, None, "/elsewhere", method="GET").ask() for _ in range(4)]

    assert [visit.status for visit in strangers] == [401, 401, 401, 429]
    assert strangers[3].error["code"] == "slow_down"
    assert (await asking(middle, "good").ask()).status == 200
    assert (await asking(middle, "good", "/elsewhere", method="GET").ask()).status == 200
    assert (await asking(middle, "good", client=("198.51.100.9", 1)).ask()).status == 200
    spared = [await asking(middle, None, "/healthz", method="GET").ask() for _ in range(5)]
    assert {visit.status for visit in spared} == {401}
    assert len(app.scopes) == 12


async def test_an_answer_elsewhere_proves_no_key() -> None:
    """Whoever reads an open page with a key of their own making is nobody yet."""
    middle, _ = wrapped(gate={"address_rate": 0.001, "address_burst": 3})

    visits = [await asking(middle, f"made-up-{number}", "/open", method="GET").ask() for number in range(4)]
    again = await asking(middle, "made-up-0", "/open", method="GET").ask()

    assert [visit.status for visit in (*visits, again)] == [200, 200, 200, 429, 429]


@pytest.mark.parametrize(("data", "status"), [(b"{nope", 400), (b'{"a":"' + b"x" * 2000 + b'"}', 413)])
async def test_a_body_that_no_handler_should_see_is_refused(data: bytes, status: int) -> None:
    middle, app = wrapped(max_body_bytes=1024)

    visit = await asking(middle, data=data, origin="https://b.example").ask()

    assert visit.status == status
    assert visit.error["type"] == "invalid_request_error"
    assert visit.headers["access-control-allow-origin"] == "*"
    assert app.scopes == []


async def test_a_trusted_proxy_says_who_calls_and_nobody_else_does() -> None:
    middle, app = wrapped(trusted_proxies=["10.0.0.0/8"])
    for client in (("10.0.0.1", 5), ("203.0.113.7", 5)):
        await asking(middle, client=client, x_forwarded_for="198.51.100.9").ask()

    assert [scope["client"] for scope in app.scopes] == [("198.51.100.9", 0), ("203.0.113.7", 5)]


@pytest.mark.parametrize(("version", "is_closing"), [("1.1", True), ("2", False), ("3", False)])
async def test_connections_that_carry_other_requests_are_not_told_to_close(version: str, is_closing: bool) -> None:
    middle, _ = wrapped(gate={"deny": ["203.0.113.0/24"]})
    visit = asking(middle, content_length="99999999")
    visit._scope["http_version"] = version

    assert (await visit.ask()).status == 403
    assert ("connection" in visit.headers) is is_closing


async def test_whoever_is_told_of_a_wait_gets_the_answer_in_the_same_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidegate.http.proxy.passing.QUIET_S", 0.01)

    async def first_when_let(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
        await (when_let if len(app.scopes) == 1 else streaming)(app, scope, receive, send)

    middle, app = wrapped(first_when_let, slots=1)
    first = asking(middle, "ana").start()
    await app.came(1)
    second, is_told = asking(middle, "ben", is_stream=True), asyncio.Event()
    second.send = _telling(second, is_told)
    second.start()
    await is_told.wait()
    app.let.set()
    await first.finish()
    await second.finish()

    waited, _, answer = second.body.partition(b"\n\n")
    assert waited.startswith(b": waiting position=")
    assert answer.endswith(b"".join(EVENTS))


def _telling(visit: Visit, is_told: asyncio.Event) -> Send:
    async def send(message: Message) -> None:
        await visit._take(message)
        if visit.sent:
            is_told.set()

    return send


async def test_what_is_no_request_is_passed_on() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    told = ({"type": "websocket"}, object(), object())
    await TidegateMiddleware(app)(*told)  # type: ignore[arg-type] # nobody calls them

    assert seen == [told]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"slots": 0}, r"slots"),
        ({"slot": 3}, r"slot\b"),
        ({"paths": []}, r"paths"),
        ({"paths": ["chat"]}, r"paths"),
        ({"gate": {"address_rates": 1.0}}, r"address_rates"),
        ({"gate": {"connections": 500}}, r"gate.connections: .*server"),
        ({"gate": {"deny": ["nowhere"]}}, r"gate.deny"),
        ({"trusted_proxies": ["0.0.0.0/0"]}, r"trusted_proxies"),
        ({"admission": {"patience_s": -1.0}}, r"patience_s"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_when_it_is_made(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^TidegateMiddleware: .*{sentence}"):
        TidegateMiddleware(Application(), **settings)


def test_editors_and_type_checkers_know_the_same_settings_as_it_takes() -> None:
    assert WrappingSettings.__annotations__.keys() == set(WrappingPlan.__struct_fields__)
