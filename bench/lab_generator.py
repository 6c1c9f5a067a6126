"""How many requests a second can the lab's live world ask with one core?

    python bench/lab_generator.py [--seconds 8] [--connections 64]

The generator has one core, whoever answers another: a real service with its cheapest refusals (no key, and a
key that is none), and the least program that answers HTTP at all, which shows the generator's own limit.
"Late" is how long after its time a request was sent when they are to be sent at 5,000 a second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from load import quantile
from service import cpu_s, free_port, pin, report, running, speed_of

from tidegate.lab.live.heard import Heard
from tidegate.lab.live.lines import Lines, Request

WANTED = 5000.0
OPEN = "[gate]\n" + "".join(
    f"{name} = {value}\n"
    for kind in ("address", "network", "strangers", "account_address", "account_strangers")
    for name, value in ((f"{kind}_rate", 1_000_000), (f"{kind}_burst", 1_000_000))
)
BODY = b'{"model":"smollm2-135m-instruct","messages":[{"role":"user","content":"tide"}],"max_tokens":1,"stream":true}'


def ask_without_key() -> bytes:
    """A question from nobody."""
    return b"POST /v1/chat/completions HTTP/1.1\r\nhost: tide\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)


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
        self.answer_s: list[float] = []

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
        count = int(rate * seconds)
        for number in range(count):
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
        self.answer_s.append(heard.ended_at - heard.asked_at)
        if not self._is_over:
            self._ask(source)


async def measure(port: int, pid: int, wish: argparse.Namespace) -> dict[str, Any]:
    """As fast as it goes, then at the wanted pace."""
    figures: dict[str, Any] = {}
    lines = Lines(port, most=2 * wish.connections)
    asker = Asker(lines, wish.connections, ask_without_key())
    used = time.process_time(), cpu_s(pid), time.perf_counter()
    figures["pressed_per_s"] = round(await asker.press(wish.seconds))
    wall_s = time.perf_counter() - used[2]
    figures["generator_core"] = round((time.process_time() - used[0]) / wall_s, 2)
    figures["answerer_core"] = round((cpu_s(pid) - used[1]) / wall_s, 2)
    figures["statuses"] = {str(status): count for status, count in asker.statuses.items()}
    await lines.close()
    lines = Lines(port, most=2 * wish.connections)
    asker = Asker(lines, wish.connections, ask_without_key())
    began_cpu, began_at = time.process_time(), time.perf_counter()
    figures["paced_per_s"] = round(await asker.pace(WANTED, wish.seconds))
    figures["late_p95_ms"] = round(1000 * quantile(asker.late_s, 0.95), 2)
    figures["paced_core"] = round((time.process_time() - began_cpu) / (time.perf_counter() - began_at), 2)
    figures["answer_p50_ms"] = round(1000 * quantile(asker.answer_s, 0.5), 2)
    await lines.close()
    return figures


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


def main() -> None:
    """Both, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--connections", type=int, default=64)
    wish = parser.parse_args()
    own, others = 0, {1}
    if (os.cpu_count() or 1) < 2:
        sys.exit("needs two cores: one for the generator, one for whoever answers")
    figures: dict[str, Any] = {"speed": round(speed_of(own))}
    with responder() as (port, pid):
        pin(pid, others)
        pin(os.getpid(), {own})
        figures["least"] = uvloop.run(measure(port, pid, wish))
    pin(os.getpid(), {own, *others})
    with running(OPEN) as service:
        pin(service.process.pid, others)
        pin(os.getpid(), {own})
        figures["service"] = uvloop.run(measure(service.port, service.process.pid, wish))
    rows = [("answered by", "requests/s", "generator", "answerer", "at 5,000/s", "late p95", "generator")]
    for name, words in (("least", "least that answers"), ("service", "tidegate serve, 401")):
        one = figures[name]
        rows.append(
            (
                words,
                f"{one['pressed_per_s']:,}",
                f"{one['generator_core']:.0%}",
                f"{one['answerer_core']:.0%}",
                f"{one['paced_per_s']:,}/s",
                f"{one['late_p95_ms']} ms",
                f"{one['paced_core']:.0%}",
            )
        )
    report("lab generator", figures, rows)


if __name__ == "__main__":
    main()
