"""Honest newcomers at a door: who comes when and with what, and what they had of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import chromium
from load import quantile
from newcomers import Device, Newcomer, Visit
from playwright.async_api import Browser
from solving import Solver

PEOPLE = (Device.BROWSER, Device.PHONE, Device.SCRIPTLESS)


class Arrivals:
    """Honest newcomers, one after the other over some time, each from a network of their own.

    So many of `count` come in Chromium, which must be there then: of each kind alike, and over all of the time.
    """

    def __init__(self, port: int, count: int, in_chromium: int, solver: Solver) -> None:
        """Nobody came yet."""
        self._port = port
        self._count = count
        self._solver = solver
        real = {order * count // in_chromium: order for order in range(in_chromium)}
        played = {number: order for order, number in enumerate(sorted(set(range(count)) - set(real)))}
        self._in_chromium = {number: PEOPLE[order % len(PEOPLE)] for number, order in real.items()}
        self._played = {number: PEOPLE[order % len(PEOPLE)] for number, order in played.items()}
        self.visits: list[Visit] = []
        self.visits_in_chromium: list[Visit] = []

    async def come(self, seconds: float, gives_up_s: float) -> None:
        """All of them, to the end of each one's visit."""
        async with contextlib.AsyncExitStack() as stack:
            path, window = chromium.program(), None
            if self._in_chromium and path is not None:
                window = await stack.enter_async_context(chromium.browser(path))
            await asyncio.gather(*(self._one(number, seconds, gives_up_s, window) for number in range(self._count)))

    async def _one(self, number: int, seconds: float, gives_up_s: float, window: Browser | None) -> None:
        await asyncio.sleep(number * seconds / self._count)
        email, address = f"newcomer{number}@example.org", f"127.30.{number}.1"
        if number in self._played:
            newcomer = Newcomer(self._port, address, email, self._played[number], self._solver)
            self.visits.append(await newcomer.join(gives_up_s))
        elif window is not None:
            device = self._in_chromium[number]
            visit = await chromium.visit(window, self._port, address, email, device, gives_up_s)
            self.visits_in_chromium.append(visit)


def figures_of(visits: list[Visit]) -> dict[str, Any]:
    """What honest newcomers had of it."""
    waits = [visit.waited_s for visit in visits if visit.is_in]
    return {
        "came": len(visits),
        "in": len(waits),
        "as_told": sum(visit.is_as_told for visit in visits),
        "told": sum(visit.told_p90_s is not None for visit in visits),
        "p50_s": round(quantile(waits, 0.5), 1),
        "p90_s": round(quantile(waits, 0.9), 1),
        "refused": sum(visit.refused for visit in visits),
        "kinds": {kind: _in_of([one for one in visits if one.device is kind]) for kind in PEOPLE},
        "visits": [
            {
                "device": visit.device,
                "in": visit.is_in,
                "s": round(visit.waited_s, 1),
                "line_s": None if visit.lined_up_s is None else round(visit.lined_up_s, 1),
                "told_p90_s": None if visit.told_p90_s is None else round(visit.told_p90_s, 1),
                "told_at_s": round(visit.told_at_s, 1),
                "asked": visit.statuses,
            }
            for visit in visits
        ],
    }


def _in_of(visits: list[Visit]) -> str:
    return f"{sum(visit.is_in for visit in visits)}/{len(visits)}"
