"""What engines tell of themselves, in the forms that their versions have; nonsense says nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.adapters.engines import telemetry
from tidegate.adapters.engines.kinds import Kind
from tidegate.core.capacity.pool import Telemetry

RECORDED = Path(__file__).parent / "recorded"


@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        (Kind.VLLM, "vllm-0.32.txt", Telemetry(running=44, waiting=3)),
        (Kind.VLLM, "vllm-0.6.txt", Telemetry(running=7, waiting=0, places=7)),
        (Kind.SGLANG, "sglang-0.5.txt", Telemetry(running=14, waiting=2)),
        (Kind.LLAMA_CPP, "llama.cpp-b10000.txt", Telemetry(running=2, waiting=5)),
    ],
)
def test_what_runs_and_waits_is_read_once_whatever_ranks_and_priorities_repeat_it(
    kind: Kind, name: str, told: Telemetry
) -> None:
    assert telemetry.read(kind, "/metrics", (RECORDED / name).read_bytes()) == told


def test_an_engine_whose_memory_is_nearly_full_takes_no_more_than_it_runs() -> None:
    body = b"vllm:num_requests_running 0\nvllm:kv_cache_usage_perc 0.95\n"
    assert telemetry.read(Kind.VLLM, "/metrics", body) == Telemetry(running=0, places=1)
    body = b"sglang:num_running_reqs 3\nsglang:token_usage 0.94\n"
    assert telemetry.read(Kind.SGLANG, "/metrics", body) == Telemetry(running=3)
    body = b"sglang:num_running_reqs 3\nsglang:token_usage 97\n"
    assert telemetry.read(Kind.SGLANG, "/metrics", body) == Telemetry(running=3), "no share of anything"


def test_the_places_of_llama_cpp_are_its_slots() -> None:
    body = b'[{"id":0,"is_processing":true,"n_ctx":4096,"next_token":[]},{"id":1,"is_processing":false}]'
    assert telemetry.read(Kind.LLAMA_CPP, "/slots", body) == Telemetry(running=1, places=2)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/metrics", b""),
        ("/metrics", b"<html>vllm:num_requests_running</html>"),
        ("/metrics", b'vllm:num_requests_running{engine="0" 2.0\n'),
        ("/metrics", b"vllm:num_requests_running many\n"),
        ("/metrics", b"vllm:num_requests_running -3\n"),
        ("/metrics", b"vllm:num_requests_running NaN\n"),
        ("/metrics", b"vllm:num_requests_running +Inf\n"),
        ("/metrics", b"vllm:num_requests_running_more 3\n"),
        ("/metrics", b"vllm:num_requests_running\xff 3\n"),
        ("/slots", b"[]"),
        ("/slots", b'{"error":{"code":501}}'),
        ("/slots", b'[{"is_processing":3}]'),
        ("/metrics", b"vllm:num_requests_running 3\n" + b"#" * telemetry.MOST_BYTES),
    ],
)
def test_what_nobody_can_make_sense_of_says_nothing(path: str, body: bytes) -> None:
    assert telemetry.read(Kind.VLLM, path, body) is None


@given(st.sampled_from(["/slots", "/metrics"]), st.binary())
def test_nothing_that_an_engine_tells_raises(path: str, body: bytes) -> None:
    for prefix in (b"", b"vllm:num_requests_running", b"[", b'[{"is_processing":'):
        telemetry.read(Kind.VLLM, path, prefix + body)


def test_an_absurd_count_is_bounded() -> None:
    told = telemetry.read(Kind.VLLM, "/metrics", b"vllm:num_requests_running 1e300\n")
    assert told is not None
    assert told.running == 1_000_000


def test_only_engines_that_tell_something_are_asked() -> None:
    assert telemetry.paths(Kind.LLAMA_CPP) == ("/slots", "/metrics")
    assert telemetry.paths(Kind.VLLM) == telemetry.paths(Kind.SGLANG) == ("/metrics",)
    assert telemetry.paths(Kind.OLLAMA) == telemetry.paths(Kind.OPENAI) == ()
