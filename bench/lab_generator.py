"""How many requests a second can the lab's live world ask with one core?

    python bench/lab_generator.py [--seconds 6] [--connections 64]

The generator has one core, whoever answers another. Asked are the least program that answers HTTP at all, which shows
the generator's own limit, and a real service with its cheapest refusals. Asking are the connections alone, with
requests that were composed beforehand, without a key and with a forged one; the whole stage, which plays a life for
each asker and composes every question, each with a forged key of its own; and beside them in the same run `wrk`
(where it is installed), with the same request from as many connections on the same core. "Late" is how long after its
time a request was sent when they are to be sent at 5,000 a second; last, at which pace the whole stage itself becomes
the bottleneck, as `lateness.py` says when it is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop
from lab_staging import LONGEST_S, Troupe
from load import quantile
from service import cpu_s, free_port, pin, report, running, speed_of

from tidegate.lab.live.forging import Forger
from tidegate.lab.live.heard import Heard
from tidegate.lab.live.lateness import Lateness
from tidegate.lab.live.lines import Lines, Request

WANTED = 5000.0
PACES = (2500.0, 5000.0, 7500.0, 10_000.0, 12_500.0, 15_000.0, 20_000.0)
PACED_S = 3.0
TURNS = 3
OPEN = "[gate]\n" + "".join(
    f"{name} = {value}\n"
    for kind in ("address", "network", "strangers", "account_address", "account_strangers")
    for name, value in ((f"{kind}_rate", 1_000_000), (f"{kind}_burst", 1_000_000))
)
BODY = b'{"model":"smollm2-135m-instruct","messages":[{"role":"user","content":"tide"}],"max_tokens":1,"stream":true}'
_REQUESTS_S = re.compile(r"Requests/sec:\s+([0-9.]+)")


def asking(key: str = "") -> bytes:
    """A question from nobody, or with a key."""
    bearer = f"authorization: Bearer {key}\r\n" if key else ""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: tide\r\n{bearer}content-length: {len(BODY)}\r\n\r\n"
    return head.encode() + BODY


class Asker:
    """So many who ask again as soon as they were answered, or at a common pace."""

    def __init__(self, lines: Lines, at_once: int, content: bytes) -> None:
        """Nothing was asked yet."""
        self._lines = lines
        self._content = content
        self._sources = [f"127.{64 + number // 250}.{number % 250 + 1}.7" for number in range(at_once)]
        self._is_over = False
        self.statuses: Counter[int] = Counter()
        self.late_s: list[float] = []

    async def press(self, seconds: float) -> float:
        """Answers a second, all asking again at once."""
        for source in self._sources:
            self._ask(source)
        await asyncio.sleep(1.0)
        self.statuses.clear()
        began_at = time.perf_counter()
        await asyncio.sleep(seconds)
        rate = sum(self.statuses.values()) / (time.perf_counter() - began_at)
        self._is_over = True
        return rate

    async def pace(self, rate: float, seconds: float) -> float:
        """Answers a second, asked at times that are set beforehand."""
        self._is_over = True
        began_at = time.monotonic()
        for number in range(int(rate * seconds)):
            due = began_at + number / rate
            if (ahead := due - time.monotonic()) > 0.0005:
                await asyncio.sleep(ahead)
            elif not number % 8:
                await asyncio.sleep(0)
            self.late_s.append(time.monotonic() - due)
            self._ask(self._sources[number % len(self._sources)])
        return sum(self.statuses.values()) / (time.monotonic() - began_at)

    def _ask(self, source: str) -> None:
        self._lines.ask(Request(self._content, source, lambda heard: self._told(source, heard)))

    def _told(self, source: str, heard: Heard) -> None:
        self.statuses[heard.status] += 1
        if not self._is_over:
            self._ask(source)


class Used:
    """What this process and another one use of their cores."""

    def __init__(self, pid: int) -> None:
        """From now on."""
        self._pid = pid
        self._began = time.process_time(), cpu_s(pid), time.perf_counter()

    def figures(self) -> dict[str, float]:
        """Parts of a core."""
        wall_s = time.perf_counter() - self._began[2]
        return {
            "generator_core": round((time.process_time() - self._began[0]) / wall_s, 2),
            "answerer_core": round((cpu_s(self._pid) - self._began[1]) / wall_s, 2),
        }


async def ask_alone(port: int, pid: int, content: bytes, wish: argparse.Namespace) -> dict[str, Any]:
    """The connections alone: as fast as it goes, then at the wanted pace."""
    lines = Lines(port, most=2 * wish.connections)
    asker, used = Asker(lines, wish.connections, content), Used(pid)
    figures: dict[str, Any] = {"pressed_per_s": round(await asker.press(wish.seconds)), **used.figures()}
    figures["statuses"] = {str(status): count for status, count in asker.statuses.items()}
    await lines.close()
    lines = Lines(port, most=2 * wish.connections)
    asker, used = Asker(lines, wish.connections, content), Used(pid)
    figures["paced_per_s"] = round(await asker.pace(WANTED, wish.seconds))
    figures["late_p95_ms"] = round(1000 * quantile(asker.late_s, 0.95), 2)
    figures["paced_core"] = used.figures()["generator_core"]
    await lines.close()
    return figures


async def ask_on_stage(port: int, pid: int, wish: argparse.Namespace) -> dict[str, Any]:
    """The whole stage, each question composed, each with a forged key of its own."""
    used = Used(pid)
    pressed = await Troupe(port, wish.connections).press(wish.seconds)
    figures: dict[str, Any] = {"pressed_per_s": round(pressed.per_s), **used.figures(), "statuses": pressed.statuses}
    paced = await Troupe(port, wish.connections).pace(WANTED, wish.seconds)
    figures["paced_per_s"] = round(paced.per_s)
    figures["late_p95_ms"] = round(1000 * paced.lateness.late_p95_s, 2)
    figures["paced_core"] = round(paced.lateness.core_share, 2)
    return figures


async def limit(port: int, wish: argparse.Namespace) -> dict[str, Any]:
    """The first pace at which the stage is the bottleneck, by its own word, and the last at which it is not."""
    kept: float | None = None
    for pace in PACES:
        paced = await Troupe(port, wish.connections).pace(pace, PACED_S)
        lateness: Lateness = paced.lateness
        if lateness.is_bottleneck or paced.per_s < 0.95 * pace:
            said = {"late_p95_ms": round(1000 * lateness.late_p95_s, 1), "core": round(lateness.core_share, 2)}
            return {"kept_per_s": kept, "bottleneck_per_s": pace, **said, "came_to_per_s": round(paced.per_s)}
        kept = pace
    return {"kept_per_s": kept, "bottleneck_per_s": None}


def peer(port: int, core: int, key: str, wish: argparse.Namespace) -> float | None:
    """What wrk asks a second with the same request; None where it is not installed."""
    if shutil.which("wrk") is None:
        return None
    lines = f'wrk.method = "POST"\nwrk.headers["authorization"] = "Bearer {key}"\nwrk.body = [[{BODY.decode()}]]\n'
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(lines)
        script.flush()
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        asked = ["wrk", "-t1", f"-c{wish.connections}", f"-d{max(1, round(wish.seconds))}s", "-s", script.name, url]
        said = subprocess.run(["taskset", "-c", str(core), *asked], check=True, capture_output=True, text=True).stdout
    found = _REQUESTS_S.search(said)
    return float(found[1]) if found else None


@contextlib.contextmanager
def responder() -> Iterator[tuple[int, int]]:
    """The least program that answers."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(Path(__file__).with_name("lab_responder.py")), str(port)])
    try:
        time.sleep(1.0)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def in_turns(measures: dict[str, Callable[[], dict[str, Any] | None]]) -> dict[str, dict[str, Any]]:
    """Each some times, one after the other: a shared machine is not equally fast for long. Medians, by their rate."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in measures}
    for _ in range(TURNS):
        for name, measure in measures.items():
            if (figures := measure()) is not None:
                found[name].append(figures)
    return {
        name: sorted(turns, key=lambda figures: figures["pressed_per_s"])[len(turns) // 2]
        for name, turns in found.items()
        if turns
    }


def main() -> None:
    """All of them, in turns."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--connections", type=int, default=64)
    wish = parser.parse_args()
    own, others = 0, {1}
    if (os.cpu_count() or 1) < 2:
        sys.exit("needs two cores: one for the generator, one for whoever answers")
    if wish.seconds > LONGEST_S:
        sys.exit(f"--seconds: expected at most {LONGEST_S:.0f}")
    forged = Forger(1).key()
    figures: dict[str, Any] = {"speed": round(speed_of(own))}

    def asked_by_wrk(port: int) -> dict[str, Any] | None:
        per_s = peer(port, own, forged, wish)
        return None if per_s is None else {"pressed_per_s": round(per_s)}

    with responder() as (port, pid):
        pin(pid, others)
        pin(os.getpid(), {own})
        figures["least"] = in_turns(
            {
                "no_key": lambda: uvloop.run(ask_alone(port, pid, asking(), wish)),
                "forged": lambda: uvloop.run(ask_alone(port, pid, asking(forged), wish)),
                "stage": lambda: uvloop.run(ask_on_stage(port, pid, wish)),
                "wrk": lambda: asked_by_wrk(port),
            }
        )
        figures["limit"] = uvloop.run(limit(port, wish))
    pin(os.getpid(), {own, *others})
    with running(OPEN) as service:
        pid = service.process.pid
        pin(pid, others)
        pin(os.getpid(), {own})
        figures["service"] = {
            "no_key": uvloop.run(ask_alone(service.port, pid, asking(), wish)),
            "stage": uvloop.run(ask_on_stage(service.port, pid, wish)),
        }
    least = figures["least"]
    if "wrk" in least:
        figures["of_wrk"] = {
            name: round(least[name]["pressed_per_s"] / least["wrk"]["pressed_per_s"], 2)
            for name in ("no_key", "forged", "stage")
        }
    report("lab generator", figures, rows(figures))
    print(f"  The generator itself is the bottleneck: {said_of(figures['limit'])}.")


_WORDS = {
    "no_key": "connections alone, no key",
    "forged": "connections alone, a forged key",
    "stage": "whole stage, forged keys",
    "wrk": "wrk, a forged key",
}


def rows(figures: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table."""
    head = (
        "answered by",
        "asked by",
        "requests/s",
        "of wrk",
        "generator",
        "answerer",
        "at 5,000/s",
        "late p95",
        "core",
    )
    found: list[tuple[str, ...]] = [head]
    for answerer, words in (("least", "least that answers"), ("service", "tidegate serve, 401")):
        for name, one in figures[answerer].items():
            ratio = figures.get("of_wrk", {}).get(name) if answerer == "least" else None
            cells = [words, _WORDS[name], f"{one['pressed_per_s']:,}", "" if ratio is None else f"{ratio:.2f}"]
            if "paced_per_s" in one:
                cells += [f"{one['generator_core']:.0%}", f"{one['answerer_core']:.0%}", f"{one['paced_per_s']:,}/s"]
                cells += [f"{one['late_p95_ms']} ms", f"{one['paced_core']:.0%}"]
            found.append((*cells, *[""] * (len(head) - len(cells))))
    return found


def said_of(limit: dict[str, Any]) -> str:
    """The limit in words."""
    if limit["bottleneck_per_s"] is None:
        return f"not up to {limit['kept_per_s']:,.0f} requests a second"
    kept = "no pace that was tried" if limit["kept_per_s"] is None else f"{limit['kept_per_s']:,.0f} a second"
    return (
        f"at {limit['bottleneck_per_s']:,.0f} requests a second (late p95 {limit['late_p95_ms']} ms, "
        f"{limit['core']:.0%} of a core, {limit['came_to_per_s']:,} came); {kept} was kept"
    )


if __name__ == "__main__":
    main()
