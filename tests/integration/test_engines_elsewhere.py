"""Engines that run elsewhere: several real ones and several bad ones, and nobody who waits beyond the bound."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.adapters.engines.serving import How, ScriptedServer
from tests.integration.conftest import Serve
from tests.integration.elsewhere import llama_servers, named, scripted_servers
from tests.integration.running import END_OF_TURN, MODEL, Instance, environment, until
from tests.integration.speaking import Answer

pytestmark = pytest.mark.integration

FIRST_TOKEN_S, STALL_S, PROBE_AFTER_S = 4.0, 3.0, 1.0
BOUND_S = 3 * FIRST_TOKEN_S + STALL_S + 20.0
"""Three engines asked in vain, the last silent in the middle, and the wait for a place: admission.patience_whole_s."""


class Asked(NamedTuple):
    """One question, known by its mark, and what came of it."""

    mark: str
    answer: Answer
    took_s: float

    @property
    def attempts(self) -> int:
        return int(self.answer.headers.get("x-tidegate-attempts", "1"))


def ask(service: Instance, mark: str) -> Asked:
    question = {"model": MODEL, "max_tokens": 4, "messages": [{"role": "user", "content": mark}]}
    began = time.monotonic()
    answer = service.ask("/v1/chat/completions", question)
    return Asked(mark, answer, time.monotonic() - began)


def states(service: Instance) -> dict[str, str]:
    return {f"http://{one['replica']}": one["state"] for one in service.vitals()["replicas"]}


def saw(server: ScriptedServer, mark: str) -> bool:
    return any(call["messages"][-1]["content"] == mark for call in list(server.calls))


def test_beside_a_killed_a_frozen_a_slow_a_babbling_and_a_cutting_engine_everybody_is_answered_or_told_in_time(
    serve: Serve, models: Path
) -> None:
    with llama_servers(models, 3) as (well, killed, frozen), scripted_servers(3) as (slow, babbling, cutting):
        urls = [one.url for one in (well, killed, frozen, slow, babbling, cutting)]
        service = serve(named(*urls, first_token_s=FIRST_TOKEN_S, stall_s=STALL_S, probe_after_s=PROBE_AFTER_S)).ready()
        until(lambda: set(states(service).values()) == {"up"}, 20, "all of them answer")
        asked: list[Asked] = []
        marks, is_over = itertools.count(), threading.Event()

        def keep_asking() -> None:
            while not is_over.is_set():
                asked.append(ask(service, f"question {next(marks)}"))

        people = [threading.Thread(target=keep_asking) for _ in range(4)]
        for person in people:
            person.start()
        try:
            until(lambda: len(asked) >= 4, 60, "some were answered while all was well")
            slow.how, babbling.how, cutting.how = How.SLOW, How.GARBAGE, How.CUT_AFTER
            killed.kill()
            frozen.process.send_signal(signal.SIGSTOP)
            # However fast they are until then: most of them ask when it has happened.
            until_now = len(asked)
            until(lambda: len(asked) >= until_now + 36, 240, "everybody is answered or told")
        finally:
            is_over.set()
            for person in people:
                person.join(240)

        assert max(one.took_s for one in asked) < BOUND_S
        since = asked[until_now:]
        answered = [one for one in since if one.answer.status == 200]
        assert len(answered) >= len(since) * 3 / 4, [one.answer.status for one in since]
        for one in asked:
            if one.answer.status != 200:
                assert one.answer.error["code"] in {"engine_failed", "engine_unavailable", "server_is_overloaded"}
                assert {"x-request-id", "retry-after"} <= one.answer.headers.keys()
            seen = sum(saw(server, one.mark) for server in (slow, babbling, cutting))
            assert seen <= one.attempts, f"{one.mark}: {seen} engines were asked, {one.attempts} are said to have been"
        assert any(one.attempts > 1 for one in asked)

        gone, here = {killed.url, frozen.url}, {well.url, slow.url}
        until(
            lambda: gone <= {url for url, state in states(service).items() if state == "broken"},
            30,
            "both are left alone",
        )
        until(lambda: here <= {url for url, state in states(service).items() if state == "up"}, 30, "the others answer")
        frozen.process.send_signal(signal.SIGCONT)
        until(lambda: states(service)[frozen.url] == "up", 40, "the frozen one is trusted again")
        lines = [event for event in service.events() if event["kind"] == "engine"]
        assert {"failed", "ready"} <= {line["state"] for line in lines if f"http://{line['replica']}" == frozen.url}
        assert service.stop() == 0, service.output


def test_a_caller_who_leaves_frees_an_engine_elsewhere(serve: Serve, models: Path) -> None:
    with llama_servers(models, 1) as (engine,):
        service = serve(named(engine.url)).ready()
        story = {"messages": [{"role": "user", "content": "Count to a thousand."}], "max_tokens": 900}
        call = service.call({**story, "stream": True, "logit_bias": END_OF_TURN})
        call.wait_for_text()
        assert not engine.is_idle()
        call.leave()
        assert until(engine.is_idle, 5, "the engine is free") < 2.0


def test_without_the_embedded_engine_no_model_is_pulled(serve: Serve, tmp_path: Path) -> None:
    with scripted_servers(1) as (engine,):
        service = serve(named(engine.url), env=environment(tmp_path)).ready()
        assert ask(service, "hello").answer.json["choices"][0]["message"]["content"] == "Hello there"
        assert list(tmp_path.iterdir()) == []
        assert not service.process.children(), "no engine of its own runs"


def test_nonsense_from_the_only_engine_is_a_clean_502_and_what_it_said_is_nowhere(serve: Serve) -> None:
    with scripted_servers(1) as (engine,):
        service = serve(named(engine.url)).ready()
        for how in (How.GARBAGE, How.PAGE, How.WRONG_CHUNK, How.FAILING, How.ERROR_IN_STREAM):
            engine.hows = [how]
            answer = ask(service, how).answer
            assert (answer.status, answer.error["code"]) == (502, "engine_failed"), how
            assert answer.headers["x-request-id"].startswith("req_")
            assert b"secret" not in answer.body
            assert "secret words" not in service.output
            assert ask(service, "and then").answer.status == 200


def test_engines_are_exchanged_while_the_service_runs(serve: Serve) -> None:
    with scripted_servers(2) as (old, new):
        service = serve(named(old.url)).ready()
        old.how = How.STALLED
        old.words = ("a", "b")
        call = service.call({"messages": [{"role": "user", "content": "running"}], "stream": True})
        call.wait_for_text()

        (service.folder / "tidegate.toml").write_text(named(new.url))
        reloaded = service.verb("policy", "reload")
        assert reloaded.returncode == 0, reloaded.stderr
        until(lambda: states(service).get(new.url) == "up", 20, "the new one answers")
        assert states(service)[old.url] == "draining"
        assert ask(service, "to the new one").answer.status == 200
        assert (saw(old, "to the new one"), saw(new, "to the new one")) == (False, True)

        old.hold.set()
        assert list(call.events())[-1] == "[DONE]", "what ran was let run"
        until(lambda: list(states(service)) == [new.url], 20, "the old one is gone")

        (service.folder / "tidegate.toml").write_text(named(new.url).replace(MODEL, "another"))
        refused = service.verb("policy", "reload")
        assert refused.returncode != 0
        assert "restart it to serve other models" in refused.stdout + refused.stderr
        assert ask(service, "still there").answer.status == 200
