"""What Tidegate adds to the engine: time to first token at one stream, tokens per second at eight.

Both sides ask the same engine in the same run, in turn: directly on its own
socket, and through Tidegate. The engine has one core, Tidegate and this client
share another. The prompt is warm on both sides, so the time to first token is
one token's work and not the reading of a prompt.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec
from service import MODEL, Service, cpu_s, pin, report, running

PAIRS = 100
ROUNDS = 10
STREAMS = 8
TOKENS = 96
LAST = "2"  # SmolLM2's end-of-turn token: banned, so that every answer has its full length.
SETTINGS = "[engine]\nslots = 8\ncontext_tokens = 2048\n"


class Side:
    """One way to the engine."""

    def __init__(self, session: aiohttp.ClientSession, url: str, extra: dict[str, Any]) -> None:
        self.session = session
        self.url = url
        self.extra = extra

    async def ask(self, tokens: int, slot: int) -> tuple[float, int]:
        """One streamed answer: seconds to its first text, and its tokens."""
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": "Tell me about the tide."}],
            "max_tokens": tokens,
            "temperature": 0,
            "logit_bias": {LAST: -100},
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.extra,
        }
        if "cache_prompt" in self.extra:
            body["id_slot"] = slot
        began_at = time.perf_counter()
        first_s, counted = 0.0, 0
        async with self.session.post(self.url, json=body) as response:
            response.raise_for_status()
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                chunk = msgspec.json.decode(line[6:])
                if not first_s and chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                    first_s = time.perf_counter() - began_at
                if chunk.get("usage"):
                    counted = chunk["usage"]["completion_tokens"]
        return first_s, counted


async def first_token(direct: Side, through: Side) -> dict[str, Any]:
    """One stream at a time, the sides in turn."""
    direct_s, through_s = [], []
    for number in range(PAIRS + 5):
        pair = {direct: (await direct.ask(2, STREAMS - 1))[0], through: (await through.ask(2, 0))[0]}
        if number >= 5:
            direct_s.append(pair[direct])
            through_s.append(pair[through])
    added_ms = [(b - a) * 1000 for a, b in zip(direct_s, through_s, strict=True)]
    return {
        "pairs": PAIRS,
        "direct_p50_ms": statistics.median(direct_s) * 1000,
        "through_p50_ms": statistics.median(through_s) * 1000,
        "added_p50_ms": statistics.median(added_ms),
        "added_p90_ms": statistics.quantiles(added_ms, n=10)[8],
    }


async def throughput(side: Side) -> float:
    """Eight streams at once: tokens per second."""
    began_at = time.perf_counter()
    answers = await asyncio.gather(*(side.ask(TOKENS, slot) for slot in range(STREAMS)))
    return sum(tokens for _, tokens in answers) / (time.perf_counter() - began_at)


async def measure(service: Service) -> dict[str, Any]:
    """Everything, with the processor shares of the eight-stream part."""
    headers = {"authorization": f"Bearer {service.key}"}
    raw = {"cache_prompt": True, "return_progress": True}
    connector = aiohttp.UnixConnector(service.engine_socket, force_close=True, limit=0)
    async with (
        aiohttp.ClientSession(connector=connector) as engine,
        aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as client,
    ):
        direct = Side(engine, "http://engine/v1/chat/completions", raw)
        through = Side(client, f"{service.url}/v1/chat/completions", {})
        figures = {"first_token": await first_token(direct, through)}
        rates: dict[str, list[float]] = {"direct": [], "through": []}
        shares: dict[str, list[float]] = {"tidegate": [], "engine": [], "client": []}
        pids = {**service.pids(), "client": os.getpid()}
        await throughput(direct)
        await throughput(through)
        for number in range(ROUNDS):
            # A B, B A, A B, ...: what drifts on the machine falls on both sides alike.
            for name in ("direct", "through") if number % 2 == 0 else ("through", "direct"):
                used = {process: cpu_s(pid) for process, pid in pids.items()}
                began_at = time.perf_counter()
                rates[name].append(await throughput(direct if name == "direct" else through))
                wall_s = time.perf_counter() - began_at
                if name == "through":
                    for process, pid in pids.items():
                        shares[process].append((cpu_s(pid) - used[process]) / wall_s)
        ratios = [b / a for a, b in zip(rates["direct"], rates["through"], strict=True)]
        figures["eight_streams"] = {
            "rounds": ROUNDS,
            "direct_tok_s": statistics.median(rates["direct"]),
            "through_tok_s": statistics.median(rates["through"]),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "cpu_share": {name: statistics.median(values) for name, values in shares.items()},
        }
    return figures


def main() -> None:
    """Measure and report."""
    cores = sorted(os.sched_getaffinity(0))
    with running(SETTINGS) as service:
        ours = {cores[-1]}
        pin(service.engine_pid, {cores[0]})
        pin(service.process.pid, ours)
        pin(os.getpid(), ours)
        figures = asyncio.run(measure(service))
    first, eight = figures["first_token"], figures["eight_streams"]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in eight["cpu_share"].items())
    number: Callable[[float], str] = "{:.2f}".format
    report(
        "overhead",
        {"cores": {"engine": cores[0], "tidegate and client": cores[-1]}, **figures},
        [
            ("figure", "engine alone", "through Tidegate", "difference", "target"),
            (
                "first token, 1 stream, p50 ms",
                number(first["direct_p50_ms"]),
                number(first["through_p50_ms"]),
                f"+{number(first['added_p50_ms'])} (p90 +{number(first['added_p90_ms'])})",
                "<= +3",
            ),
            (
                "tokens/s, 8 streams",
                number(eight["direct_tok_s"]),
                number(eight["through_tok_s"]),
                f"x {eight['ratio']:.3f} (worst {eight['ratio_min']:.3f})",
                ">= x 0.97",
            ),
            ("processor shares, 8 streams", "", shares, "", ""),
        ],
    )


if __name__ == "__main__":
    main()
