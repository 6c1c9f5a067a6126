"""On real engines elsewhere: the same model is the same beside any load, and whoever is another is named."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.elsewhere import LlamaServer, llama_servers, named, scripted_servers
from tests.integration.meddling import meddling
from tests.integration.running import MODEL, Instance, until
from tests.integration.test_sameness import MINUTE_S, retouched

pytestmark = pytest.mark.integration

EVERY_S = 4
LOOKS = 12
PEOPLE = 3


def told(service: Instance, event: str) -> list[dict[str, Any]]:
    return [one for one in service.events() if one["event"] == event]


def name(url: str) -> str:
    return url.removeprefix("http://")


def figure(service: Instance, name: str) -> float:
    text = service.ask("/metrics", at=service.operator).body.decode()
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE))


def answering(service: Instance) -> dict[str, str]:
    return {one["replica"]: one["sameness"]["answering"] for one in service.vitals()["sameness"]}


@contextmanager
def people(service: Instance, count: int) -> Iterator[list[int]]:
    """So many who go on asking, each with other words, seed and warmth; the statuses that they got."""
    statuses: list[int] = []
    over = threading.Event()

    def go_on(number: int) -> None:
        for turn in itertools.count():
            if over.is_set():
                return
            words = f"Tell of ship {number} {turn}. " * (1 if turn % 2 else 20)
            asked = {
                "model": MODEL,
                "max_tokens": 12,
                "temperature": 1.0,
                "seed": turn,
                "messages": [{"role": "user", "content": words}],
            }
            statuses.append(service.ask("/v1/chat/completions", asked).status)

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in threads:
            thread.join(120)


def test_of_two_engines_the_one_that_gets_another_system_prompt_is_named_and_nobody_else_at_any_load(
    serve: Serve, models: Path, measured: Callable[[str], None]
) -> None:
    with llama_servers(models, 2) as (well, behind), meddling(behind.url) as odd:
        service = serve(named(well.url, odd.url, fingerprint_s=EVERY_S)).ready()
        until(lambda: len(told(service, "model:pinned")) == 2, MINUTE_S, "both are pinned")
        with people(service, PEOPLE) as statuses:
            same = 'tidegate_model_looks_total{verdict="same"}'
            until(lambda: figure(service, same) >= LOOKS, 200, "many looks beside others")
        assert told(service, "model:changed") == []
        assert figure(service, "tidegate_model_distance_nats") < 0.01
        measured(f"looks at two engines elsewhere: {figure(service, same):.0f} beside {PEOPLE} people, none but Same")
        assert {200} <= set(statuses) <= {200, 429, 503}, "some may have to wait too long, for nobody it fails"
        # Only those that were served: of refusals beyond a few a second there is no line of each.
        requests = [one for one in service.events() if one["kind"] == "request" and one["route"] == "chat"]
        served = [one for one in requests if one["status"] == 200]
        assert len(served) == statuses.count(200), "a look is no caller's request"

        odd.prompt = "Answer as a pirate."
        took_s = until(lambda: told(service, "model:changed"), MINUTE_S, "the swap is told")
        measured(
            f"looks at two engines elsewhere: a system prompt shows {took_s:.0f} s later, looked at every {EVERY_S} s"
        )
        (changed,) = told(service, "model:changed")
        assert (changed["replica"], changed["detail"], changed["level"]) == (name(odd.url), "template", "error")
        assert answering(service) == {name(well.url): "same", name(odd.url): "different"}
        labels = f'{{replica="{name(odd.url)}"}}'
        assert figure(service, f"tidegate_replica_model_different{labels}") == 1
        page = service.ask("/", at=service.operator).body.decode()
        assert f"{name(odd.url)}: answers are no longer those of the pinned model" in page
        verb = service.verb("models", "served")
        assert f"{name(odd.url)}: answers are no longer" in verb.stdout
        assert service.readiness() == 200

        odd.prompt = ""
        until(lambda: told(service, "model:restored"), MINUTE_S, "its end is told")
        assert figure(service, f"tidegate_replica_model_different{labels}") == 0
        assert service.stop() == 0, service.output


def test_an_engine_with_other_weights_is_told_at_a_swap_and_at_a_start_and_pinned_by_the_operators_word(
    serve: Serve, models: Path, tmp_path: Path
) -> None:
    retouched(models / f"{MODEL}.gguf", tmp_path / f"{MODEL}.gguf", 0.001)
    other = LlamaServer(tmp_path)
    try:
        with llama_servers(models, 1) as (well,), meddling(well.url) as swapped:
            until(other.is_up, 60, "the other one is up")
            service = serve(named(swapped.url, fingerprint_s=EVERY_S)).ready()
            until(lambda: told(service, "model:pinned"), MINUTE_S, "it is pinned")
            swapped.target = other.url
            until(lambda: told(service, "model:changed"), MINUTE_S, "the swap is told")
            (changed,) = told(service, "model:changed")
            assert (changed["replica"], changed["detail"]) == (name(swapped.url), "weights")
            swapped.target = well.url
            until(lambda: told(service, "model:restored"), MINUTE_S, "its end is told")

            (service.folder / "tidegate.toml").write_text(named(swapped.url, other.url, fingerprint_s=EVERY_S))
            assert service.verb("policy", "reload").returncode == 0
            until(lambda: len(told(service, "model:changed")) == 2, MINUTE_S, "the newcomer is told")
            assert told(service, "model:changed")[-1]["replica"] == name(other.url)
            assert len(told(service, "model:pinned")) == 1
            pinned = service.verb("models", "pin", "--engine", name(other.url))
            assert f"{MODEL} at {name(other.url)} is pinned" in pinned.stdout, pinned.stderr
            assert set(answering(service).values()) == {"same"}
    finally:
        other.kill()


def test_an_engine_that_tells_no_log_probabilities_is_said_once_to_be_beyond_looking_at(serve: Serve) -> None:
    with scripted_servers(1) as (mute,):
        service = serve(named(mute.url, fingerprint_s=0.2)).ready()
        until(lambda: len(mute.looks) > 6, MINUTE_S, "it was looked at twice")
        (line,) = told(service, "model:not_comparable")
        assert (line["replica"], line["detail"], line["level"]) == (name(mute.url), "no_logprobs", "warning")
        assert answering(service) == {name(mute.url): "not_comparable"}
        said = service.verb("models", "served").stdout
        assert f"{MODEL} at {name(mute.url)}: whether it is the pinned model cannot be looked at" in said
        assert figure(service, "tidegate_model_different") == 0
        refused = service.verb("models", "pin")
        assert "no log-probabilities" in refused.stderr
