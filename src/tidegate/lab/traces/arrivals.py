"""When the clients of a service ask, drawn from what ServeGen tells of them.

The gaps between requests are a renewal process in each window: independent, with the window's law and the mean that
its rate says. A window is entered in the middle of a gap (Cox, "Renewal Theory", 1962, section 5.2: the gap around any
moment is one of those drawn by their length, and the moment lies anywhere in it). So as many requests come as the rate
says, in the mean, also where gaps vary most; begun with a fresh gap, it would be too many.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable, Iterator
from random import Random

from tidegate.lab.traces.rows import TraceRow
from tidegate.lab.traces.servegen import Client, Window


def arrivals(client: Client, dice: Random, factor: float = 1.0) -> Iterator[float]:
    """The times at which a client asks, `factor` times as often as it did; in seconds since its first window began."""
    begin_s = client.windows[0].start_s
    for window in client.windows:
        rate = window.rate_rps * factor
        if rate <= 0.0:
            continue
        at_s = window.start_s - begin_s
        until_s = at_s + client.step_s
        at_s += _gap_around(window, dice) * dice.random() / rate
        while at_s < until_s:
            yield at_s
            at_s += _gap(window, dice) / rate


def drawn_requests(clients: Iterable[Client], seed: int, factor: float = 1.0) -> Iterator[TraceRow]:
    """What all of them ask, `factor` times as often as they did, in the order of time.

    The lengths of a prompt and of its answer are drawn by themselves: how they go together, the histograms do not tell.
    Each client has dice of its own, so that leaving one out changes nothing for the others.
    """
    streams = (_asked(client, Random(_seed(seed, client.name)), factor) for client in clients)  # noqa: S311 - seeded, not secret
    return heapq.merge(*streams, key=lambda row: row.at_s)


def _asked(client: Client, dice: Random, factor: float) -> Iterator[TraceRow]:
    begin_s = client.windows[0].start_s
    for at_s in arrivals(client, dice, factor):
        said = client.spoken_at(begin_s + at_s)
        prompt, answer = round(said.prompt.draw(dice)), round(said.answer.draw(dice))
        yield TraceRow(at_s=at_s, prompt_tokens=prompt, answer_tokens=answer, client=client.name)


def _gap(window: Window, dice: Random) -> float:
    """A gap whose mean is 1."""
    if window.law == "Gamma":
        return dice.gammavariate(window.shape, 1.0 / window.shape)
    if window.law == "Weibull":
        return dice.weibullvariate(1.0, window.shape) / math.gamma(1.0 + 1.0 / window.shape)
    return dice.expovariate(1.0)


def _gap_around(window: Window, dice: Random) -> float:
    """The gap in which a moment lies: drawn by its length."""
    if window.law == "Gamma":
        return dice.gammavariate(window.shape + 1.0, 1.0 / window.shape)
    if window.law == "Weibull":
        power = dice.gammavariate(1.0 + 1.0 / window.shape, 1.0)
        return math.pow(power, 1.0 / window.shape) / math.gamma(1.0 + 1.0 / window.shape)
    return dice.gammavariate(2.0, 1.0)


def _seed(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:8], "big")
