"""Every reason is said as its table says: status, type, field, and honestly when to come back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http.conftest import CHAT, CHAT_PATH, Service
from tidegate.core.capacity.health import EngineState
from tidegate.core.generation.call import Delta
from tidegate.core.reasons import Reason
from tidegate.http.refusals import WIRE, Refusal
from tidegate.ports.engine import (
    CallRejectedError,
    ContextExceededError,
    EngineBrokeError,
    EngineError,
    EngineUnavailableError,
)
from tidegate.testing.clock import until
from tidegate.testing.engine import Hold, saying


def test_every_reason_has_its_place_in_http_and_no_other_has() -> None:
    assert set(WIRE) == set(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_a_status_and_a_type_belong_together(reason: Reason) -> None:
    wire = WIRE[reason]

    assert wire.meaning.endswith(".")
    expected = {4: "invalid_request_error", 5: "server_error"}[wire.status // 100]
    expected = {429: "rate_limit_error", 503: "service_unavailable_error"}.get(wire.status, expected)
    # OpenAI's own type for it: clients tell by that word that waiting for seconds does not help.
    expected = {Reason.INSUFFICIENT_QUOTA: "insufficient_quota"}.get(reason, expected)
    if reason is not Reason.CLIENT_LEFT:
        assert wire.type == expected


@given(st.floats(0.001, 10_000))
def test_the_promise_to_come_back_is_never_too_early(wait_s: float) -> None:
    headers = Refusal(Reason.SERVER_IS_OVERLOADED, "Full.", retry_after_s=wait_s).headers()

    assert int(headers["retry-after"]) == math.ceil(wait_s)
    assert wait_s * 1000 <= int(headers["retry-after-ms"]) <= wait_s * 1000 + 1
    assert "x-should-retry" not in headers


@pytest.mark.parametrize("reason", list(Reason))
def test_clients_that_repeat_by_themselves_are_told_when_it_is_no_use(reason: Reason) -> None:
    headers = Refusal(reason, "No.").headers()

    assert headers.get("x-should-retry") == (
        "false" if WIRE[reason].status in {408, 409, 429} or WIRE[reason].status >= 500 else None
    )
    assert "retry-after" not in headers


def _assert_said(visit: Any, reason: Reason, param: str | None = None) -> None:
    error = visit.error
    assert (visit.status, error["code"], error["type"], error["param"]) == (
        WIRE[reason].status,
        reason.value,
        WIRE[reason].type,
        param,
    )


async def test_a_full_service_says_when_a_place_is_expected(service: Service) -> None:
    hold = Hold()
    service.engine.script = [hold, *saying("One")]
    running = [service.visit("POST", CHAT_PATH, CHAT).start() for _ in range(3)]
    await until(lambda: service.scheduler.waiting == 1)

    visit = await service.chat(stream=True)

    _assert_said(visit, Reason.SERVER_IS_OVERLOADED)
    retry_after_ms = int(visit.headers["retry-after-ms"])
    assert int(visit.headers["retry-after"]) == math.ceil(retry_after_ms / 1000) >= 1
    assert service.finished().reason is Reason.SERVER_IS_OVERLOADED
    hold.let.set()
    for one in running:
        assert (await one.finish()).status == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "reason", "param", "retry_after"),
    [
        (ContextExceededError(9000, 4096), Reason.CONTEXT_LENGTH_EXCEEDED, "messages", None),
        (
            CallRejectedError("no grammar for that", "response_format"),
            Reason.UNSUPPORTED_VALUE,
            "response_format",
            None,
        ),
        (CallRejectedError("no"), Reason.UNSUPPORTED_VALUE, "messages", None),
        (EngineUnavailableError("backoff", 7.2), Reason.ENGINE_UNAVAILABLE, None, "8"),
        (EngineError("odd"), Reason.ENGINE_FAILED, None, "2"),
        (EngineBrokeError("gone"), Reason.ENGINE_FAILED, None, "2"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_what_the_engine_cannot_do_is_refused_before_any_status_line(
    service: Service, error: Exception, reason: Reason, param: str | None, retry_after: str | None, *, stream: bool
) -> None:
    service.engine.script = [error]

    visit = await service.chat(stream=stream)

    _assert_said(visit, reason, param)
    assert visit.headers.get("retry-after") == retry_after
    assert "odd" not in visit.error["message"]
    assert "gone" not in visit.error["message"]
    assert "backoff" not in visit.error["message"]
    service.assert_all_free()


async def test_a_prompt_that_is_too_long_is_told_both_figures_and_its_field(service: Service) -> None:
    service.engine.script = [ContextExceededError(9000, 4096)]

    chat, text = await service.chat(), await service.text()

    assert "9000" in chat.error["message"]
    assert "4096" in chat.error["message"]
    assert (chat.error["param"], text.error["param"]) == ("messages", "prompt")


@pytest.mark.parametrize("state", [EngineState.LOADING, EngineState.STOPPED, EngineState.FAILED])
async def test_while_the_model_is_not_there_callers_are_told_when_to_come_back(
    service: Service, state: EngineState
) -> None:
    service.engine.state = state

    visit = await service.chat()

    _assert_said(visit, Reason.ENGINE_UNAVAILABLE)
    assert visit.headers["retry-after"] == "2"
    assert (await service.ask("GET", "/v1/models")).status == 200


@pytest.mark.parametrize("error", [EngineBrokeError("gone"), EngineError("odd")])
async def test_an_answer_that_breaks_off_ends_with_an_error_event(service: Service, error: Exception) -> None:
    service.engine.script = [Delta(content="Half"), error]

    visit = await service.chat(stream=True)

    *chunks, last = visit.events()
    assert (visit.status, visit.is_complete) == (200, True)
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["", "Half"]
    assert (last["error"]["code"], last["error"]["type"]) == ("engine_failed", "server_error")
    assert set(last["error"]) == {"message", "type", "param", "code", "retry_after_s"}
    assert last["error"]["retry_after_s"] == 2.0, "no header can say it any more"
    assert b"[DONE]" not in visit.body
    assert (service.finished().reason, service.finished().out_tok) == (Reason.ENGINE_FAILED, 1)
    service.assert_all_free()


async def test_a_stream_that_just_ends_is_an_error_too(service: Service) -> None:
    service.engine.script = [Delta(content="Half")]

    assert (await service.chat(stream=True)).events()[-1]["error"]["code"] == "engine_failed"
    _assert_said(await service.chat(), Reason.ENGINE_FAILED)


async def test_a_whole_answer_that_breaks_off_is_refused_and_may_be_asked_again(service: Service) -> None:
    service.engine.script = [Delta(content="Half"), EngineBrokeError("gone")]

    visit = await service.chat()

    _assert_said(visit, Reason.ENGINE_FAILED)
    assert visit.headers["retry-after"] == "2"


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/", "/v1/chat", "/v1/chat/completions/", "/healthz/x", "//", "/é"]
)
async def test_where_nothing_is_nothing_is_found(service: Service, path: str) -> None:
    for method in ("GET", "POST"):
        _assert_said(await service.ask(method, path), Reason.ROUTE_NOT_FOUND)


async def test_a_path_is_repeated_harmlessly_and_not_at_length(service: Service) -> None:
    visit = await service.ask("GET", "/" + "a" * 5000 + "\x00\x1b[31m")

    assert len(visit.body) < 600
    assert "\x1b" not in visit.error["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT_PATH, "POST"),
        ("HEAD", CHAT_PATH, "POST"),
        ("DELETE", "/v1/models", "GET"),
        ("PUT", "/healthz", "GET"),
        ("OPTIONS", "/v1/models", "GET"),
        ("BREW", "/", "GET"),
    ],
)
async def test_a_method_that_an_address_does_not_take_is_refused(
    service: Service, method: str, path: str, allowed: str
) -> None:
    visit = await service.ask(method, path)

    _assert_said(visit, Reason.METHOD_NOT_ALLOWED)
    assert visit.headers["allow"] == allowed


async def test_a_model_that_is_not_served_is_named_beside_those_that_are(service: Service) -> None:
    for visit in (await service.ask("GET", "/v1/models/gpt-9"), await service.chat(model="gpt-9")):
        _assert_said(visit, Reason.MODEL_NOT_FOUND, "model")
        assert "'gpt-9'" in visit.error["message"]
        assert "tide-1, deepseek-chat, lab/tide" in visit.error["message"]


@pytest.mark.parametrize(
    ("fields", "message", "param"),
    [
        ({"response_format": {"type": "json_object"}}, "failed to parse grammar", "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "t"}}]}, "invalid schema", "tools"),
        ({"chat_template_kwargs": {"a": 1}}, "unknown role", "chat_template_kwargs"),
        ({}, "unknown role", "messages"),
    ],
)
async def test_an_engine_that_names_no_field_is_helped_to_blame_one(
    service: Service, fields: dict[str, Any], message: str, param: str
) -> None:
    service.engine.script = [CallRejectedError(message)]

    _assert_said(await service.chat(**fields), Reason.UNSUPPORTED_VALUE, param)
    _assert_said(await service.text(), Reason.UNSUPPORTED_VALUE, "prompt")
