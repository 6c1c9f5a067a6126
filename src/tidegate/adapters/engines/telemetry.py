"""What engines tell of themselves: how much they work on, how much waits in them, how many places they have.

llama.cpp (`/slots`, or `/metrics` where it was started with `--metrics`), vLLM
and SGLang (`/metrics`, the latter with `--enable-metrics`). Names as of
llama.cpp b10000, vLLM 0.6 to 0.32 and SGLang 0.4 to 0.5. Everything is optional,
and what cannot be read says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tidegate.adapters.engines.kinds import Kind
from tidegate.core.capacity.pool import Telemetry

MOST_BYTES: Final = 4 << 20
"""Of one answer to such a question; vLLM's histograms come to some hundred kilobytes."""

_MOST_REQUESTS: Final = 1_000_000
_CROWDED: Final = 0.95  # Of the memory for what was read; beyond it vLLM and SGLang put requests back.
_SAME_FOR_EACH: Final = frozenset({"tp_rank", "pp_rank", "moe_ep_rank"})
"""Labels of processes that share one batch: each of them tells the same figure."""


class _Names(msgspec.Struct, frozen=True):
    running: str
    waiting: str
    used: tuple[str, ...] = ()


_NAMES: Final = {
    Kind.LLAMA_CPP: _Names("llamacpp:requests_processing", "llamacpp:requests_deferred"),
    Kind.VLLM: _Names(
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),  # The first since 0.10.
    ),
    Kind.SGLANG: _Names("sglang:num_running_reqs", "sglang:num_queue_reqs", ("sglang:token_usage",)),
}


class _Slot(msgspec.Struct):
    is_processing: bool = False


def paths(kind: Kind) -> tuple[str, ...]:
    """Where to ask an engine of this kind, the best first."""
    match kind:
        case Kind.LLAMA_CPP:
            return ("/slots", "/metrics")
        case Kind.VLLM | Kind.SGLANG:
            return ("/metrics",)
        case _:
            return ()


def read(kind: Kind, path: str, payload: bytes) -> Telemetry | None:
    """Read what an engine told at one of its `paths`; None for what nobody can make sense of."""
    if len(payload) > MOST_BYTES:
        return None
    try:
        return _slots(payload) if path == "/slots" else _exposition(_NAMES[kind], payload)
    except (ValueError, KeyError):  # No JSON, no exposition, or no text at all.
        return None


def _slots(payload: bytes) -> Telemetry | None:
    slots = msgspec.json.decode(payload, type=list[_Slot])
    if not slots:
        return None
    return Telemetry(running=sum(slot.is_processing for slot in slots), places=len(slots))


def _exposition(names: _Names, payload: bytes) -> Telemetry | None:
    samples = list(_samples(payload, (names.running, names.waiting, *names.used)))
    running, waiting = _total(samples, names.running), _total(samples, names.waiting)
    if running is None:
        return None
    shares = [sample.value for sample in samples if sample.name in names.used and 0 <= sample.value <= 1]
    # What is crowded takes nothing more although nothing waits yet.
    places = max(1, running) if max(shares, default=0.0) >= _CROWDED else None
    return Telemetry(running=running, waiting=waiting or 0, places=places)


def _samples(payload: bytes, names: tuple[str, ...]) -> Iterator[Sample]:
    """The lines that say one of these; the parser would take a tenth of a second for all of vLLM's."""
    wanted = tuple(name.encode() for name in names)
    lines = [line for line in payload.splitlines() if line.startswith(wanted)]
    for family in text_string_to_metric_families(b"\n".join(lines).decode() + "\n"):
        yield from family.samples


def _total(samples: list[Sample], name: str) -> int | None:
    """Sum over engines and models; of those that share a batch one counts, of those by priority their sum's line."""
    counts: dict[frozenset[tuple[str, str]], float] = {}
    for sample in samples:
        is_part = bool(sample.labels.get("priority"))
        if sample.name != name or is_part or not math.isfinite(sample.value) or sample.value < 0:
            continue
        labels = frozenset(item for item in sample.labels.items() if item[0] not in _SAME_FOR_EACH)
        counts[labels] = max(counts.get(labels, 0.0), sample.value)
    return min(_MOST_REQUESTS, int(sum(counts.values()))) if counts else None
