"""Several models, each with its own engine and line; a call that more than one engine may have worked on says so."""

from __future__ import annotations

import json

import pytest

from tests.admitting import an_admission
from tests.http.asgi import Visit
from tests.http.conftest import CHAT, CHAT_PATH, Service
from tidegate.core.capacity.health import EngineState
from tidegate.core.generation.call import Progress, Taken
from tidegate.core.identifiers import Replica
from tidegate.http.applications import build_applications
from tidegate.ports.engine import EngineBrokeError, ModelCard
from tidegate.services.models import Served
from tidegate.testing.engine import FakeEngine, saying

FIRST, SECOND = Replica("127.0.0.1:8001"), Replica("engine.example:8002")
SMALL = ModelCard(id="tide-0", owned_by="tidegate", created_s=1_780_000_001, context_tokens=64, fingerprint="fp_1")


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_call_that_two_engines_may_have_worked_on_says_so_and_the_log_names_who_answered(
    service: Service, is_stream: bool
) -> None:
    service.engine.script = [Taken(FIRST, 1), Taken(SECOND, 2), *saying("Hello")]

    visit = await service.chat(stream=is_stream)

    assert (visit.status, visit.headers["x-tidegate-attempts"]) == (200, "2")
    assert b"asked again" not in visit.body, "the header has said it"
    finished = service.finished()
    assert (finished.replica, finished.attempts) == (SECOND, 2)


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_call_that_one_engine_took_says_nothing(service: Service, is_stream: bool) -> None:
    service.engine.script = [Taken(FIRST, 1), *saying("Hello")]
    visit = await service.chat(stream=is_stream)
    assert "x-tidegate-attempts" not in visit.headers
    assert (service.finished().replica, service.finished().attempts) == (FIRST, None)


@pytest.mark.parametrize("is_stream", [True, False])
async def test_a_refusal_after_two_attempts_says_so_too(service: Service, is_stream: bool) -> None:
    service.engine.script = [Taken(FIRST, 1), Taken(SECOND, 2), EngineBrokeError("nonsense")]
    visit = await service.chat(stream=is_stream)
    assert (visit.status, visit.json()["error"]["code"]) == (502, "engine_failed")
    assert visit.headers["x-tidegate-attempts"] == "2"
    assert visit.headers["x-request-id"].startswith("req_")


async def test_a_stream_that_is_open_already_says_it_in_a_comment(service: Service) -> None:
    service.engine.script = [Taken(FIRST, 1), Progress(1, 9, 0), Taken(SECOND, 2), *saying("Hello")]
    visit = await service.chat(stream=True)
    assert visit.status == 200
    assert "x-tidegate-attempts" not in visit.headers
    assert visit.body.count(b": asked again attempts=2\n\n") == 1
    assert visit.body.index(b"asked again") < visit.body.index(b"Hello")


# ---------------------------------------------------------------- several models


class TwoModels(Service):
    """A small model beside the first."""

    def __init__(self) -> None:
        super().__init__()
        self.small = FakeEngine(saying("Small"), SMALL)
        self.small_admission = an_admission(self.clock, 1, 1)
        self.apps = build_applications(
            desk=self.desk,
            aliases=("deepseek-chat",),
            clerk=self.clerk,
            keyring=self.keyring,
            sessions=self.sessions,
            setup=self.setup,
            replies=self.replies,
            assets={},
            status_url=None,
            local_status_url="",
            max_body_bytes=4 << 20,
            exposition=lambda: b"",
            later=self._run_later,
            joining=self.joining,
            others=(Served(engine=self.small, admission=self.small_admission),),
        )


@pytest.fixture
async def two() -> Service:
    return await TwoModels().open()


async def _get(app: object, path: str) -> Visit:
    return await Visit(app, "GET", path, headers={"host": "127.0.0.1"}).ask()  # type: ignore[arg-type]  # ASGI


async def test_each_model_is_answered_by_its_own_engine_under_its_own_name(two: TwoModels) -> None:
    listed = (await two.ask("GET", "/v1/models")).json()["data"]
    assert [(one["id"], one["context_length"]) for one in listed] == [
        *(("tide-1", 4096), ("deepseek-chat", 4096), ("tide-0", 64))
    ]
    small, first = await two.chat(model="tide-0"), await two.chat(model="deepseek-chat")
    assert small.json()["choices"][0]["message"]["content"] == "Small"
    assert (small.json()["model"], small.json()["system_fingerprint"]) == ("tide-0", "fp_1")
    assert (first.json()["model"], first.json()["system_fingerprint"]) == ("deepseek-chat", "fp_0123456789")
    assert (len(two.small.calls), len(two.engine.calls)) == (1, 1)
    unknown = await two.chat(model="tide-9")
    assert unknown.status == 404
    assert "tide-1, deepseek-chat, tide-0" in unknown.json()["error"]["message"]
    assert (await two.ask("GET", "/v1/models/tide-0")).json()["context_length"] == 64


async def test_what_fits_one_model_may_be_too_long_for_another(two: TwoModels) -> None:
    long = [{"role": "user", "content": "x" * 100_000}]
    assert (await two.chat(messages=long)).status == 200
    refused = await two.chat(messages=long, model="tide-0")
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert "64 tokens" in refused.json()["error"]["message"]
    assert not two.small.calls


async def test_the_service_is_ready_while_one_of_its_models_is(two: TwoModels) -> None:
    two.engine.state = EngineState.FAILED
    assert (await _get(two.apps.public, "/readyz")).status == 200
    two.small.state = EngineState.LOADING
    body = await _get(two.apps.public, "/readyz")
    assert (body.status, body.json()["engine"]) == (503, "loading")


async def test_the_operator_sees_each_model(two: TwoModels) -> None:
    body = (await _get(two.apps.operator, "/api/vitals")).json()
    assert [(one["id"], one["slots"]) for one in body["models"]] == [("tide-1", 2), ("tide-0", 1)]
    assert body["slots"] == 3


async def test_a_model_without_room_refuses_and_the_other_goes_on(two: TwoModels) -> None:
    two.small.state = EngineState.FAILED
    assert (await two.ask("POST", CHAT_PATH, json.dumps({**CHAT, "model": "tide-0"}).encode())).status == 503
    assert (await two.chat()).status == 200
