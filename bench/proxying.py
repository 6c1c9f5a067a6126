"""What the gate adds to a server that answers at once, beside what other proxies add to it in the same run.

What stands between has one core; the server and who asks share the other. A direct
request therefore never leaves its core, and a hundred microseconds of what every
proxy adds are the way between the two. All are asked in turns; figures are medians
of the rounds, what is added is counted within each round.

One connection: latency of each request. 64 connections that always ask (wrk): how
many a second, and their processor time. 32 streams of one token a piece, a hundred a
second each: processor time for a piece, and tokens a second that are lost. Every
answer that is no 2xx is counted: a row with any measures something else.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

import msgspec
import proxies
import uvloop
from proxies import Proxy
from service import cpu_s, pin, pss_bytes, report
from streams import read_streams
from turns import CONNECTIONS, Alone, Crowd, Flow, alone, crowd, flow
from upstreams import StreamPlan, constant, streaming

RESTED_WITHIN_S = 20.0
LOOK_EVERY_S = 0.25
PLAN = StreamPlan()
TARGETS = {
    "added_p50_ms": 0.5,
    "added_p99_ms": 3.0,
    "per_s": 5000.0,
    "times_litellm": 100.0,
    "chunk_cpu_us": 60.0,
    "lost_share": 0.03,
    "pss_mb": 100.0,
}
"""Of the gate: at least `per_s` and `times_litellm`, at most the others."""


class Measured(msgspec.Struct, kw_only=True):
    """All turns of one proxy, and its memory after them."""

    alone: list[Alone] = []
    crowd: list[Crowd] = []
    flow: list[Flow] = []
    pss_bytes: int = 0


def requests(wish: argparse.Namespace, cores: list[int], measured: dict[str, Measured]) -> dict[str, str]:
    """All turns of requests that are answered in one piece; who is missing, and why."""
    with constant(cores[-1]) as upstream, proxies.started(wish.proxies, upstream, cores[0]) as (all_of_them, missing):
        for proxy in all_of_them:
            crowd(proxy, 1, cores[-1])
            rest(proxy)
        for number in range(wish.rounds):
            for proxy in in_turns(all_of_them, number):
                turn = measured.setdefault(proxy.name, Measured())
                turn.alone.append(alone(proxy, wish.seconds * proxy.times))
                turn.crowd.append(crowd(proxy, wish.seconds * proxy.times, cores[-1]))
                rest(proxy)
                print(f"  {proxy.name}: {_shown(turn.alone[-1], turn.crowd[-1])}", flush=True)
        remember(all_of_them, measured)
    return missing


def stream_rounds(wish: argparse.Namespace, cores: list[int], measured: dict[str, Measured]) -> None:
    """All turns of streams."""
    with (
        streaming(cores[-1], PLAN) as upstream,
        proxies.started([name for name in wish.proxies if name in measured], upstream, cores[0]) as (all_of_them, _),
    ):
        for proxy in all_of_them:
            uvloop.run(read_streams(proxy.port, proxy.keys, 1, PLAN.tokens))
        for number in range(wish.rounds):
            for proxy in in_turns(all_of_them, number):
                turn = flow(proxy, PLAN.tokens)
                measured[proxy.name].flow.append(turn)
                rest(proxy)
                print(
                    f"  {proxy.name}: {turn.cpu_us:.1f} us a piece, {turn.streamed.tokens_per_s:.0f} tokens/s, "
                    f"{turn.streamed.short} short",
                    flush=True,
                )
        remember(all_of_them, measured)


def in_turns(all_of_them: list[Proxy], number: int) -> list[Proxy]:
    """A B, B A, A B, ...: what drifts on the machine falls on all alike."""
    return all_of_them[::-1] if number % 2 else all_of_them


def rest(proxy: Proxy) -> None:
    """Wait until it is done with what nobody waits for any more: the next one has the core for itself."""
    ends_at = time.perf_counter() + RESTED_WITHIN_S
    while time.perf_counter() < ends_at:
        used_s = sum(map(cpu_s, proxy.pids))
        time.sleep(LOOK_EVERY_S)
        if sum(map(cpu_s, proxy.pids)) - used_s <= LOOK_EVERY_S / 10:
            return


def remember(all_of_them: list[Proxy], measured: dict[str, Measured]) -> None:
    """Note the memory of each after its load: the most so far."""
    for proxy in all_of_them:
        one = measured[proxy.name]
        one.pss_bytes = max(one.pss_bytes, sum(map(pss_bytes, proxy.pids)))


def _shown(one: Alone, many: Crowd) -> str:
    return (
        f"alone {one.p50_ms:.3f}/{one.p99_ms:.3f} ms, {CONNECTIONS}: {many.per_s:.0f}/s, {many.cpu_us:.1f} us, "
        f"{one.not_2xx + many.not_2xx} not 2xx, {many.socket_errors} socket errors"
    )


def figures_of(name: str, measured: dict[str, Measured]) -> dict[str, Any]:
    """What one proxy came to, against the direct way in the same rounds."""
    own, plain = measured[name], measured["direct"]
    alone_pairs = list(zip(own.alone, plain.alone, strict=True))
    figures: dict[str, Any] = {
        "added_p50_ms": statistics.median(a.p50_ms - b.p50_ms for a, b in alone_pairs),
        "added_p99_ms": statistics.median(a.p99_ms - b.p99_ms for a, b in alone_pairs),
        "per_s": statistics.median(one.per_s for one in own.crowd),
        "crowd_p50_ms": statistics.median(one.p50_ms for one in own.crowd),
        "crowd_p99_ms": statistics.median(one.p99_ms for one in own.crowd),
        "cpu_us": statistics.median(one.cpu_us for one in own.crowd),
        "not_2xx": sum(one.not_2xx for one in own.alone) + sum(one.not_2xx for one in own.crowd),
        "socket_errors": sum(one.socket_errors for one in own.crowd),
        "others": statistics.median(one.others for one in own.crowd),
        "pss_mb": own.pss_bytes / 1e6,
    }
    if own.flow:
        pairs = zip(own.flow, plain.flow, strict=True)
        figures |= {
            "chunk_cpu_us": statistics.median(one.cpu_us for one in own.flow),
            "tokens_per_s": statistics.median(one.streamed.tokens_per_s for one in own.flow),
            "lost_share": statistics.median(1 - a.streamed.tokens_per_s / b.streamed.tokens_per_s for a, b in pairs),
            "short_streams": sum(one.streamed.short for one in own.flow),
            "refused_streams": sum(one.streamed.refused for one in own.flow),
        }
    return figures


def table(rows: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """What people read: a line for each proxy, and one for what the gate is meant to reach."""
    head = ("between", "added p50/p99 ms, 1 conn", "requests/s at 64", "of litellm's", "p50/p99 ms at 64", "us each")
    lines: list[tuple[str, ...]] = [
        (*head, "us a piece", "tokens/s lost", "PSS MB", "not 2xx, broken, short", "others")
    ]
    for name, row in rows.items():
        lines.append(
            (
                name,
                "-" if name == "direct" else f"{row['added_p50_ms']:+.2f}/{row['added_p99_ms']:+.2f}",
                f"{row['per_s']:.0f}",
                f"x {row['times_litellm']:.0f}" if "times_litellm" in row else "-",
                f"{row['crowd_p50_ms']:.1f}/{row['crowd_p99_ms']:.1f}",
                f"{row['cpu_us']:.1f}" if row["cpu_us"] else "-",
                f"{row['chunk_cpu_us']:.1f}" if row.get("chunk_cpu_us") else "-",
                f"{row['lost_share']:.1%}" if "lost_share" in row and name != "direct" else "-",
                f"{row['pss_mb']:.0f}" if row["pss_mb"] else "-",
                f"{row['not_2xx']}, {row['socket_errors']}, {row.get('short_streams', 0)}",
                f"{row['others']:.2f} cores",
            )
        )
    aim = TARGETS
    lines.append(
        (
            "(target of the gate)",
            f"<= {aim['added_p50_ms']}/{aim['added_p99_ms']}",
            f">= {aim['per_s']:.0f}",
            f">= x {aim['times_litellm']:.0f}",
            "",
            "",
            f"<= {aim['chunk_cpu_us']:.0f}",
            f"<= {aim['lost_share']:.0%}",
            f"<= {aim['pss_mb']:.0f}",
            "0, 0, 0",
            "",
        )
    )
    return lines


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description="What a proxy adds.")
    parser.add_argument("--proxies", nargs="+", choices=proxies.STARTS, default=list(proxies.STARTS))
    parser.add_argument("--seconds", type=int, default=3, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-streams", action="store_true")
    wish = parser.parse_args()
    # What is added is counted against it.
    wish.proxies = ["direct", *(name for name in wish.proxies if name != "direct")]
    cores = sorted(os.sched_getaffinity(0))
    pin(os.getpid(), {cores[-1]})
    measured: dict[str, Measured] = {}
    missing = requests(wish, cores, measured)
    if not wish.no_streams:
        stream_rounds(wish, cores, measured)
    rows = {name: figures_of(name, measured) for name in wish.proxies if name in measured}
    if "litellm" in rows:
        for row in rows.values():
            row["times_litellm"] = row["per_s"] / max(1e-9, rows["litellm"]["per_s"])
    report("proxying", {"wish": vars(wish), "targets": TARGETS, "rows": rows, "left_out": missing}, table(rows))


if __name__ == "__main__":
    main()
