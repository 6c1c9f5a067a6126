"""What holds for every request: an id, a line in the log, and a decent end whatever happens."""

from __future__ import annotations

import msgspec
import pytest
from starlette.types import Message

from tests.http.asgi import Visit
from tests.http.conftest import CHAT, CHAT_PATH, Service, fingerprint
from tidegate.core.events import Level, RequestCrashed, RequestFinished
from tidegate.core.generation.call import Delta
from tidegate.core.identifiers import RequestId
from tidegate.core.reasons import Reason
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying

SECRET = "the prompt that must not be seen"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/healthz", 200),
        ("GET", "/v1/models", 200),
        ("POST", CHAT_PATH, 200),
        ("GET", "/nothing", 404),
        ("PATCH", "/v1/models", 405),
        ("OPTIONS", "/v1/models", 405),
    ],
)
async def test_every_answer_bears_the_id_that_its_line_in_the_log_bears(
    service: Service, method: str, path: str, status: int
) -> None:
    visit = await service.ask(method, path, CHAT)

    assert visit.status == status
    assert RequestId(visit.headers["x-request-id"]) == service.finished().id
    assert service.finished().status == status
    assert len(service.journal.of(RequestFinished)) == 1


async def test_refused_strangers_and_streams_have_an_id_too(service: Service) -> None:
    stranger = await service.ask("GET", "/v1/models", key="x")
    assert RequestId(stranger.headers["x-request-id"]) == service.finished().id
    stream = await service.chat(stream=True)
    assert RequestId(stream.headers["x-request-id"]) == service.finished().id


async def test_no_two_requests_share_an_id(service: Service) -> None:
    assert len({(await service.ask("GET", "/healthz")).headers["x-request-id"] for _ in range(20)}) == 20


async def test_a_defect_of_ours_is_answered_with_the_id_and_nothing_else(service: Service) -> None:
    service.engine.script = [ZeroDivisionError(SECRET)]

    visit = await service.chat()

    request_id = visit.headers["x-request-id"]
    assert (visit.status, visit.error["code"], visit.error["type"]) == (500, "internal_error", "server_error")
    assert request_id in visit.error["message"]
    assert visit.headers["x-should-retry"] == "false"
    for detail in (SECRET, "ZeroDivision", "Traceback", "engine.py", "tidegate."):
        assert detail not in visit.body.decode()
    (crash,) = service.journal.of(RequestCrashed)
    assert (crash.id, crash.level, crash.error) == (request_id, Level.ERROR, "ZeroDivisionError:0")
    assert crash.raised_at.startswith("tidegate.testing.engine:")
    assert SECRET not in msgspec.json.encode(service.journal.events, enc_hook=str).decode()
    assert (service.finished().status, service.finished().level) == (500, Level.ERROR)


async def test_a_defect_in_the_middle_of_a_stream_cuts_it_and_frees_everything(service: Service) -> None:
    service.engine.script = [Delta(content="Half"), ZeroDivisionError(SECRET)]

    visit = await service.chat(stream=True)

    assert not visit.is_complete, "a stream that was cut must not look finished"
    assert b"[DONE]" not in visit.body
    assert SECRET.encode() not in visit.body
    assert service.finished().reason is Reason.INTERNAL_ERROR
    service.assert_all_free()


async def test_a_store_that_fails_is_a_defect_of_ours_and_not_of_the_caller(service: Service) -> None:
    async def broken(*_: object) -> None:
        raise OSError(SECRET)

    service.accounts.live_key = broken  # type: ignore[method-assign,assignment]

    visit = await service.ask("GET", "/v1/models")

    assert (visit.status, visit.error["code"]) == (500, "internal_error")
    assert SECRET not in visit.body.decode()


@pytest.mark.parametrize(
    ("address", "source", "network"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1:2::9", "2001:db8:1::/48"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
    ],
)
async def test_a_source_and_its_network_are_written_down_as_fingerprints(
    service: Service, address: str, source: str, network: str
) -> None:
    """On a socket for both families, callers over IPv4 come as ::ffff:a.b.c.d and must not all be one network."""
    await service.ask("GET", "/healthz", client=(address, 1))

    assert (service.finished().src, service.finished().net) == (fingerprint(source), fingerprint(network))


@pytest.mark.parametrize("client", [None, ("", 0), ("testclient", 1), ("/run/control.sock", 0)])
async def test_a_caller_without_an_address_has_no_source(service: Service, client: tuple[str, int] | None) -> None:
    assert (await service.ask("GET", "/healthz", client=client)).status == 200
    assert (service.finished().src, service.finished().net) == (None, None)


@pytest.mark.parametrize(
    ("told", "kept"), [("0", 0), ("2", 2), ("99", 99), ("100", None), ("-1", None), ("²", None), ("x", None)]
)
async def test_how_often_a_client_has_tried_is_written_down_when_it_is_believable(
    service: Service, told: str, kept: int | None
) -> None:
    visit = await service.ask("GET", "/healthz", headers={"x-stainless-retry-count": told})

    assert visit.status == 200
    assert service.finished().retry == kept


# ---------------------------------------------------------------- browsers


async def test_browser_programs_of_any_origin_may_read_answers_and_their_ids(service: Service) -> None:
    for path, status in (("/v1/models", 200), ("/v1/nothing", 404)):
        visit = await service.ask("GET", path, headers={"origin": "https://app.example"})
        assert visit.status == status
        assert visit.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in visit.headers
        shown = visit.headers["access-control-expose-headers"]
        assert {"x-request-id", "retry-after", "retry-after-ms"} <= set(shown.split(", "))


async def test_browsers_may_ask_before_they_send_a_key(service: Service) -> None:
    visit = await service.ask(
        "OPTIONS",
        CHAT_PATH,
        headers={
            "origin": "https://app.example",
            "authorization": "",
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization, content-type, x-stainless-lang",
        },
    )

    assert visit.status == 200
    assert visit.headers["access-control-allow-origin"] == "*"
    assert "POST" in visit.headers["access-control-allow-methods"]
    for header in ("authorization", "content-type", "x-stainless-lang"):
        assert header in visit.headers["access-control-allow-headers"]


async def test_other_ports_are_not_for_browser_programs(service: Service) -> None:
    for app in (service.apps.operator, service.apps.control, service.apps.status):
        visit = await Visit(app, "GET", "/healthz", headers={"origin": "https://evil.example"}).ask()
        assert "access-control-allow-origin" not in visit.headers


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json", "/v1/models"])
async def test_head_answers_what_get_would(service: Service, path: str) -> None:
    got, head = await service.ask("GET", path), await service.ask("HEAD", path)

    for visit in (got, head):
        visit.headers.pop("x-request-id")
        visit.headers.pop("set-cookie", None)  # The seed of a stranger's form is another each time.
    assert (head.status, head.headers) == (got.status, got.headers)


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/account", "/chat", "/api/session", "/api/conversations", "/nothing"]
)
async def test_no_other_origin_is_let_in_where_cookies_count(service: Service, path: str) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for visit in (
        await service.ask("GET", path, headers={"origin": "https://evil.example"}),
        await service.ask("OPTIONS", path, headers=asked),
    ):
        assert not [name for name in visit.headers if name.startswith("access-control-")]


async def test_what_is_no_http_is_passed_by(service: Service) -> None:
    """Servers also send `lifespan` messages, which have no request id."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "lifespan.startup" if not said else "lifespan.shutdown"}

    async def send(message: Message) -> None:
        said.append(message)

    await service.apps.status({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)

    assert [message["type"] for message in said] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert service.journal.of(RequestFinished) == []


# ---------------------------------------------------------------- stopping


async def test_while_it_drains_new_ones_are_sent_away_and_running_ones_finish(service: Service) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="One"), hold, *saying("two")]
    running = service.visit("POST", CHAT_PATH, {**CHAT, "stream": True}).start()
    await hold.reached.wait()
    service.lifecycle.drain_s, service.lifecycle.is_draining = 30.0, True

    refused = await service.chat()

    assert (refused.status, refused.error["code"]) == (503, "server_is_draining")
    assert refused.error["type"] == "service_unavailable_error"
    assert refused.headers["retry-after"] == "30"
    assert refused.headers["connection"] == "close"
    assert (await service.ask("GET", "/nothing")).status == 503
    assert not service.lifecycle.idle.is_set()
    hold.let.set()
    await running.finish()
    assert running.events()[-1] == "[DONE]"
    assert service.lifecycle.idle.is_set()


async def test_a_balancer_sees_the_service_go_and_a_supervisor_sees_it_alive(service: Service) -> None:
    service.lifecycle.drain_s, service.lifecycle.is_draining = 30.0, True

    healthz, readyz = await service.ask("GET", "/healthz"), await service.ask("GET", "/readyz")

    assert (healthz.status, healthz.json()) == (200, {"status": "ok"})
    assert (readyz.status, readyz.json()) == (503, {"ready": False, "engine": "ready", "draining": True})
    assert int(readyz.headers["retry-after"]) >= 1


@pytest.mark.parametrize("stream", [False, True])
async def test_what_has_not_finished_by_the_limit_ends_with_a_clean_error(service: Service, *, stream: bool) -> None:
    hold = Hold()
    service.engine.script = [Delta(content="One"), hold, *saying("two")]
    visit = service.visit("POST", CHAT_PATH, {**CHAT, "stream": stream}).start()
    await hold.reached.wait()

    service.lifecycle.expired.set()
    await visit.finish()

    error = visit.events()[-1]["error"] if stream else visit.error
    assert (visit.status, error["code"]) == (200 if stream else 503, "server_is_draining")
    assert visit.is_complete
    assert service.finished().reason is Reason.SERVER_IS_DRAINING
    service.assert_all_free()


async def test_who_still_waits_at_the_limit_is_sent_away(service: Service) -> None:
    hold = Hold()
    service.engine.script = [hold, *saying("One")]
    visits = [service.visit("POST", CHAT_PATH, CHAT).start() for _ in range(3)]
    await until(lambda: service.scheduler.waiting == 1)

    service.lifecycle.expired.set()

    for visit in visits:
        await visit.finish()
        assert (visit.status, visit.error["code"], visit.headers["retry-after"]) == (503, "server_is_draining", "5")


async def test_acts_of_the_command_line_are_no_traffic(service: Service) -> None:
    await Visit(service.apps.control, "POST", "/acts", body=b'{"act": "list_users"}').ask()

    assert not service.journal.of(RequestFinished)
