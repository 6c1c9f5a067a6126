"""The engine dies, falls silent or never speaks: callers hear it cleanly, and the service mends itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import openai
import psutil
import pytest

from tests.integration.conftest import Serve
from tests.integration.running import END_OF_TURN, MODEL, Instance, environment, free_ports, until
from tidegate.adapters.engines.child import EnginePlan
from tidegate.adapters.engines.embedded import EmbeddedEngine
from tidegate.adapters.engines.process import EngineProcess
from tidegate.core.capacity.health import EngineState, HealthPlan
from tidegate.ports.engine import EngineReport, ModelCard

pytestmark = pytest.mark.integration

STORY = {"messages": [{"role": "user", "content": "Tell a long story."}], "max_tokens": 1500, "logit_bias": END_OF_TURN}
MENDED_WITHIN_S = 20.0


@pytest.mark.timed
def test_killing_the_engine_ends_calls_with_clean_errors_and_is_mended_in_seconds(
    serve: Serve, measured: Callable[[str], None]
) -> None:
    instance = serve("[engine]\nslots = 2").ready()
    engine = instance.engine()
    whole = instance.call({**STORY, "stream": False})
    with openai.OpenAI(base_url=f"{instance.public}/v1", api_key=instance.key, max_retries=0) as client:
        stream = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Tell a story."}],
            max_tokens=1500,
            logit_bias=END_OF_TURN,
            stream=True,
        )
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        until(lambda: instance.vitals()["running"] == 2, 10, "both run")
        engine.kill()
        with pytest.raises(openai.APIError) as caught:
            list(stream)
        assert caught.value.code == "engine_failed"
    answer = whole.answer()
    assert answer.status == 502
    assert answer.error["code"] == "engine_failed"
    until(lambda: instance.readiness() == 503, 2, "unready")
    refused = instance.ask("/v1/chat/completions", {"model": MODEL, **STORY})
    assert (refused.status, refused.error["code"]) == (503, "engine_unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert instance.ask("/healthz").status == 200
    assert instance.ask("/v1/models").status == 200, "what is known is still told"
    seconds = until(lambda: instance.is_mended(engine), MENDED_WITHIN_S, "ready again")
    measured(f"engine killed: ready again after {seconds:.1f} s")
    again = instance.ask("/v1/chat/completions", {"model": MODEL, **STORY, "max_tokens": 3})
    assert again.status == 200
    assert instance.vitals()["engine"]["restarts"] == 1


def test_an_engine_that_stops_in_the_middle_is_found_by_its_silence_and_replaced(serve: Serve) -> None:
    instance = serve("[engine]\nslots = 2\nstall_s = 2").ready()
    engine = instance.engine()
    call = instance.call({**STORY, "stream": True})
    call.wait_for_text()
    began = time.monotonic()
    engine.suspend()
    *_, last = call.events()
    silent_s = time.monotonic() - began
    call.leave()
    assert last["error"]["code"] == "engine_failed"
    assert 1.5 < silent_s < 6, "after stall_s of silence, neither at once nor much later"
    # It was killed before its callers heard of it; the kernel takes a moment to have it gone.
    until(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE, 5.0, "the frozen one is gone")
    until(lambda: instance.is_mended(engine), MENDED_WITHIN_S, "ready again")


def test_an_idle_engine_that_stops_is_found_by_a_probe_before_anybody_asks(serve: Serve) -> None:
    instance = serve("[engine]\nslots = 1\nstall_s = 2\nprobe_after_s = 1").ready()
    engine = instance.engine()
    engine.suspend()
    until(lambda: instance.readiness() == 503, 8, "unready without a single request")
    until(lambda: instance.is_mended(engine), MENDED_WITHIN_S, "ready again")


_MUTE = """
import http.server, json, os, socketserver, sys
plan = json.loads(sys.stdin.readline())

class Mute(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status":"ok"}')
    def do_POST(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.wfile.flush()
        sys.stdin.read()
    def address_string(self):
        return "engine"
    def log_message(self, *_):
        pass

class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

if os.path.exists(plan["socket_path"]):
    os.unlink(plan["socket_path"])
with Server(plan["socket_path"], Mute) as server:
    server.serve_forever()
"""


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


async def test_an_engine_that_is_healthy_by_its_own_word_but_gives_no_token_is_condemned(tmp_path: Path) -> None:
    socket_path = tmp_path / "engine.sock"
    plan = EnginePlan(model_path="none", socket_path=str(socket_path))
    process = EngineProcess(plan, os.environ, command=(sys.executable, "-c", _MUTE))
    states: list[tuple[EngineState, str]] = []
    failed = asyncio.Event()

    def changed(report: EngineReport, load_s: float | None) -> None:
        states.append((report.state, report.why))
        if report.state is EngineState.FAILED:
            failed.set()

    card = ModelCard(id="mute", owned_by="tests", created_s=0, context_tokens=256, fingerprint="fp_0")
    # Enough for a busy machine to start it: it is to be condemned for what it does when it runs.
    engine = EmbeddedEngine(card, process, str(socket_path), HealthPlan(load_timeout_s=4.0), changed)
    await engine.start()
    try:
        await asyncio.to_thread(until, lambda: _listens(socket_path), 10, "it listens")
        first = engine.pid
        reader, writer = await asyncio.open_unix_connection(str(socket_path))
        writer.write(b"GET /health HTTP/1.0\r\n\r\n")
        assert b"200" in await reader.readline(), "by its own word it is well"
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        await asyncio.wait_for(failed.wait(), 20)
    finally:
        await engine.stop()
    assert (EngineState.FAILED, "load_timeout") in states
    assert not any(state is EngineState.READY for state, _ in states)
    assert first is not None
    assert not psutil.pid_exists(first)


def test_a_model_that_is_none_is_reported_and_tried_again_ever_more_slowly(serve: Serve, tmp_path: Path) -> None:
    model = tmp_path / "broken.gguf"
    model.write_bytes(b"GGUF" + bytes(range(1, 251)) * 40)
    ports = free_ports(3)
    # A cache of its own: a local model is noted in the cache, and this one will be gone.
    own = environment(tmp_path / "models")
    instance = serve("[engine]\nslots = 1", ports=ports, arguments=("--model", str(model)), env=own)

    def has_failed(times: int) -> bool:
        assert instance.process.poll() is None, instance.output
        return "The model could not be loaded" in instance.output and len(_failures(instance)) >= times

    until(lambda: has_failed(3), 40, "three failures")
    assert instance.ask("/healthz").status == 200
    assert instance.readiness() == 503
    (listed,) = instance.ask("/v1/models").json["data"]
    assert instance.ask("/v1/chat/completions", {"model": listed["id"], **STORY}).status == 503
    first, second, third = _failures(instance)[:3]
    # The backoff doubles from half a second; loading itself comes on top.
    assert second - first >= 0.5
    assert third - second >= 1.0
    assert instance.stop() == 0


def _failures(instance: Instance) -> list[float]:
    found = [event["t"] for event in instance.events() if event["kind"] == "engine" and event["state"] == "failed"]
    return [float(moment) for moment in found]
