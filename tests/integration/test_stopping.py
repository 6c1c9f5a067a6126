"""The end of the service: running answers complete, new requests are sent away, and nothing is left over."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.integration.conftest import Serve
from tests.integration.restarting import is_gone
from tests.integration.running import END_OF_TURN, MODEL, STOP_S, Instance, until
from tests.integration.speaking import Call

pytestmark = pytest.mark.integration

AFTER_DRAIN_S = 20.0
"""So long everything else may take (docs/operate.md, at `TimeoutStopSec`)."""
HELLO = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}


def _story(instance: Instance, max_tokens: int) -> Call:
    question = {"role": "user", "content": "Tell a long story."}
    call = instance.call({"messages": [question], "max_tokens": max_tokens, "stream": True, "logit_bias": END_OF_TURN})
    call.wait_for_text()
    return call


def _wait_for_end(instance: Instance) -> int:
    return int(instance.process.wait(timeout=STOP_S))


@pytest.mark.parametrize("way", ["SIGTERM", "Ctrl-C"])
def test_running_answers_complete_while_new_requests_are_sent_away_with_a_time_to_come_back(
    serve: Serve, way: str
) -> None:
    instance = serve("[engine]\nslots = 2").ready()
    engine = instance.engine()
    call = _story(instance, 100)
    engine.suspend()  # However quick it is: while others are sent away the answer goes on.
    if way == "SIGTERM":
        instance.process.terminate()
    else:
        # A terminal signals everybody in the group, the engine too.
        os.killpg(instance.process.pid, signal.SIGINT)
    until(lambda: instance.readiness() == 503, STOP_S, "unready")
    refused = instance.ask("/v1/chat/completions", HELLO)
    assert (refused.status, refused.error["code"]) == (503, "server_is_draining")
    assert int(refused.headers["retry-after"]) >= 1
    assert instance.ask("/healthz").status == 200
    engine.resume()
    *_, finish, done = call.events()
    call.leave()
    assert finish["choices"][0]["finish_reason"] == "length", "to its last token"
    assert done == "[DONE]"
    assert _wait_for_end(instance) == 0, instance.output
    assert not psutil.pid_exists(engine.pid)
    assert [event["event"] for event in instance.events() if event["kind"] == "service"] == [
        "service:starting",
        "service:ready",
        "service:draining",
        "service:stopped",
    ]


def test_an_answer_that_outlasts_the_drain_limit_ends_with_a_clean_error(serve: Serve) -> None:
    instance = serve("[server]\ndrain_s = 1\n[engine]\nslots = 2").ready()
    call, whole = _story(instance, 3000), instance.call({**HELLO, "max_tokens": 3000, "logit_bias": END_OF_TURN})
    until(lambda: instance.vitals()["running"] == 2, STOP_S, "both run")
    began = time.monotonic()
    instance.process.terminate()
    *_, last = call.events()
    call.leave()
    assert last["error"]["code"] == "server_is_draining"
    answer = whole.answer()
    assert (answer.status, answer.error["code"]) == (503, "server_is_draining")
    assert _wait_for_end(instance) == 0, instance.output
    assert time.monotonic() - began < 1 + AFTER_DRAIN_S


def test_a_second_signal_hurries(serve: Serve) -> None:
    instance = serve("[server]\ndrain_s = 60\n[engine]\nslots = 1").ready()
    call = _story(instance, 3000)
    waiter = instance.call(HELLO)
    until(lambda: instance.vitals()["waiting"] == 1, STOP_S, "one waits")
    instance.process.terminate()
    until(lambda: instance.readiness() == 503, STOP_S, "draining")
    began = time.monotonic()
    instance.process.terminate()
    *_, last = call.events()
    assert last["error"]["code"] == "server_is_draining"
    assert waiter.answer().status == 503
    call.leave()
    assert _wait_for_end(instance) == 0, instance.output
    assert time.monotonic() - began < AFTER_DRAIN_S


def test_the_engine_does_not_outlive_a_service_that_was_killed(serve: Serve) -> None:
    instance = serve("[engine]\nslots = 1").ready()
    engine = instance.engine()
    call = _story(instance, 3000)
    instance.process.kill()
    _wait_for_end(instance)
    until(lambda: is_gone(engine), STOP_S, "the engine is gone")
    call.leave()


def test_a_service_that_was_killed_starts_again_on_the_same_data(serve: Serve) -> None:
    first = serve("[engine]\nslots = 1").ready()
    first.process.kill()
    _wait_for_end(first)
    second = serve("[engine]\nslots = 1", data=first.data).ready()
    assert second.ask("/v1/chat/completions", HELLO).status == 200


def test_a_service_can_be_stopped_before_it_is_ready(serve: Serve) -> None:
    instance = serve("[engine]\nslots = 1")
    until(lambda: "service:starting" in instance.output, 30, "it has begun")
    until(lambda: instance.process.children() or instance.process.poll() is not None, 30, "the engine has begun")
    engine = instance.engine()
    assert instance.stop() == 0, instance.output
    assert not psutil.pid_exists(engine.pid)
