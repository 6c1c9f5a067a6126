"""What is answered from memory is answered at once, also when every place and the queue are taken."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import pytest

from tests.integration.conftest import Serve
from tests.integration.running import END_OF_TURN, until

pytestmark = [pytest.mark.integration, pytest.mark.timed]


def test_models_are_listed_in_50_ms_and_more_calls_are_refused_while_everything_is_full(
    serve: Serve, measured: Callable[[str], None]
) -> None:
    # Its own: whoever asks on while everything is full presses, and may not wait with others for a while.
    service = serve("[engine]\nslots = 2\nmax_waiting = 2").ready().warm()
    story = {"messages": [{"role": "user", "content": "Tell a long story."}], "max_tokens": 1500, "stream": True}
    calls = [service.call({**story, "logit_bias": END_OF_TURN}) for _ in range(2)]
    for call in calls:
        call.wait_for_text()
    calls += [service.call(story) for _ in range(2)]
    until(lambda: service.vitals()["waiting"] == 2, 10, "the queue is full")
    taken = []
    for _ in range(20):
        began = time.monotonic()
        assert service.ask("/v1/models").status == 200
        taken.append(time.monotonic() - began)
    refused = service.ask("/v1/chat/completions", {"model": "smollm2-135m-instruct", **story})
    assert service.vitals()["running"] == 2
    assert service.vitals()["waiting"] == 2
    for call in calls:
        call.leave()
    assert refused.status == 503
    assert refused.error["code"] == "server_is_overloaded"
    assert int(refused.headers["retry-after"]) >= 1
    assert int(refused.headers["retry-after-ms"]) > 0
    figures = (
        f"/v1/models while full: median {1000 * statistics.median(taken):.1f} ms, worst {1000 * max(taken):.1f} ms"
    )
    measured(figures)
    assert statistics.median(taken) < 0.05, figures
    assert service.ask("/readyz").status == 200, "full is not unready: a balancer must not take it out"
