"""A client that leaves frees the engine, whatever phase its request was in."""

from __future__ import annotations

import itertools
import random
import re
import statistics
from collections.abc import Callable

import pytest

from tests.integration.running import END_OF_TURN, Instance, until
from tests.integration.speaking import Call

pytestmark = [pytest.mark.integration, pytest.mark.timed]

FREED_WITHIN_S = 0.5
"""The aim is 0.3 s, and the figures are printed. On a machine that runs slowly for a while one batch of the engine
takes half of that, and a test is no measurement."""
TIMES = 5
_TOPICS = ("harbour", "tide", "moon", "ledger", "wall", "boat", "storm", "gate", "salt", "lamp", "rope", "map")
_numbers = itertools.count(random.SystemRandom().randrange(1_000_000))


def _talk(service: Instance, *, stream: bool, max_tokens: int = 1500) -> Call:
    """An answer that goes on for half a minute if nobody ends it."""
    question = {"role": "user", "content": f"Tell me a long story, number {next(_numbers)}."}
    body = {"messages": [question], "max_tokens": max_tokens, "stream": stream, "logit_bias": END_OF_TURN}
    return service.call(body)


def _long_prompt(words: int) -> list[dict[str, str]]:
    # New from its first word on, so that nothing of it is in the engine's cache.
    text = " ".join(f"{next(_numbers)} {random.choice(_TOPICS)}" for _ in range(words))
    return [{"role": "system", "content": text}, {"role": "user", "content": "Which words came most often?"}]


def _decoded(service: Instance) -> int:
    busy = [slot for slot in service.slots() if slot["is_processing"]]
    return sum(slot["next_token"][0]["n_decoded"] for slot in busy)


def _times_to_be_free(service: Instance, begin: Callable[[], Call]) -> list[float]:
    """Seconds from hanging up until neither the service nor the engine works any more, several times."""
    taken = []
    for _ in range(TIMES):
        until(service.is_idle, 30, "idle before the measurement")
        call = begin()
        assert not service.is_idle()
        call.leave()
        taken.append(until(service.is_idle, 20, "the engine is free"))
    return taken


def _judge(what: str, taken: list[float], measured: Callable[[str], None]) -> None:
    shown = ", ".join(f"{1000 * seconds:.0f}" for seconds in sorted(taken))
    figures = f"a caller leaves ({what}): freed after {shown} ms"
    measured(figures)
    assert statistics.median(taken) <= FREED_WITHIN_S, figures


def test_leaving_a_stream_frees_the_engine(service: Instance, measured: Callable[[str], None]) -> None:
    def begin() -> Call:
        call = _talk(service, stream=True)
        call.wait_for_text()
        return call

    _judge("streaming", _times_to_be_free(service, begin), measured)


def test_leaving_while_the_prompt_is_read_frees_the_engine(service: Instance, measured: Callable[[str], None]) -> None:
    def begin() -> Call:
        call = service.call({"messages": _long_prompt(400), "max_tokens": 5, "stream": True})
        until(lambda: any(slot.get("n_prompt_tokens_processed") for slot in service.slots()), 20, "the prompt is read")
        assert _decoded(service) == 0, "still before the first token"
        return call

    _judge("reading the prompt", _times_to_be_free(service, begin), measured)


def test_leaving_a_call_that_does_not_stream_frees_the_engine(
    service: Instance, measured: Callable[[str], None]
) -> None:
    def begin() -> Call:
        call = _talk(service, stream=False)
        until(lambda: _decoded(service) > 0, 20, "the answer has begun")
        return call

    _judge("not streaming", _times_to_be_free(service, begin), measured)


@pytest.mark.parametrize("stream", [True, False])
def test_leaving_the_queue_frees_the_place_in_it_and_never_troubles_the_engine(
    service: Instance, stream: bool, measured: Callable[[str], None]
) -> None:
    prompt_tokens_before = _gauge(service, "prompt_tokens_total")
    holders = [_talk(service, stream=True) for _ in range(service.vitals()["slots"])]
    for holder in holders:
        holder.wait_for_text()
    taken = []
    for _ in range(TIMES):
        waiter = service.call({"messages": _long_prompt(200), "max_tokens": 5, "stream": stream})
        until(lambda: service.vitals()["waiting"] == 1, 10, "it waits")
        assert _gauge(service, "requests_deferred") == 0, "all waiting is before the engine, none in it"
        waiter.leave()
        taken.append(until(lambda: service.vitals()["waiting"] == 0, 20, "the place is free"))
    assert service.vitals()["running"] == len(holders), "those who are served were not disturbed"
    for holder in holders:
        holder.leave()
    until(service.is_idle, 20, "idle")
    assert _gauge(service, "prompt_tokens_total") - prompt_tokens_before < 200, "no word of a waiter's prompt was read"
    _judge("waiting", taken, measured)


def test_who_waits_is_served_when_a_place_comes_free_by_leaving(service: Instance) -> None:
    holders = [_talk(service, stream=True) for _ in range(service.vitals()["slots"])]
    for holder in holders:
        holder.wait_for_text()
    waiter = service.call({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3, "stream": True})
    until(lambda: service.vitals()["waiting"] == 1, 10, "it waits")
    holders[0].leave()
    assert list(waiter.events())[-1] == "[DONE]"
    waiter.leave()
    holders[1].leave()


def _gauge(service: Instance, name: str) -> int:
    text = service.ask_engine("/metrics").body.decode()
    found = re.search(rf"^llamacpp:{name} (\d+)", text, re.MULTILINE)
    assert found, text
    return int(found[1])
