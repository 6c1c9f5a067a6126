"""The live world's stage for a measurement of it: lives that show forged keys, on a stage of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec

from tidegate.adapters.mail.mailbox import DiskMailbox
from tidegate.lab.acts import Ask, Chat, Ended, Group, Life, Outcome, Spawn, Wait, Who
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.live.accounts import Accounts
from tidegate.lab.live.entering import Devices, Entrance
from tidegate.lab.live.forging import Forger
from tidegate.lab.live.joining import Registrar
from tidegate.lab.live.lateness import Lateness
from tidegate.lab.live.letters import Letters
from tidegate.lab.live.lines import Lines
from tidegate.lab.live.prompts import Prompts
from tidegate.lab.live.stage import Limits, Props, Stage
from tidegate.lab.live.tongue import Tongue
from tidegate.lab.live.truth import TruthFile
from tidegate.lab.live.work import Solver

LONGEST_S = 60.0
_SEED = 1
_CHAT = Chat(prompt_tokens=60, answer_tokens=1, template=1, patience_s=30.0, is_key_forged=True)


class Played(msgspec.Struct, frozen=True):
    """What came of it."""

    per_s: float
    statuses: dict[str, int]
    lateness: Lateness


class NoControl:
    """Nobody has an account here."""

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Nobody may ask: that is not what is measured."""
        msg = f"{method} {path} {body}: nobody has an account here"
        raise AssertionError(msg)


class Counted:
    """A listener that counts."""

    def __init__(self) -> None:
        """Nothing was heard."""
        self.statuses: Counter[int] = Counter()

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        """Count one."""
        del ask
        self.statuses[outcome.status] += 1

    def ended(self, ended: Ended) -> None:
        """Nothing."""

    def sampled(self, sample: Sampled) -> None:
        """Nothing."""

    def happened(self, happened: Happened) -> None:
        """Nothing."""


class Troupe:
    """So many askers at one port."""

    def __init__(self, port: int, at_once: int) -> None:
        """Nothing was asked yet."""
        self._port = port
        self._at_once = at_once
        self._people = [
            Who(name=f"bot-{number}", group=Group.ATTACKER, address=0x0B000000 + (number << 8))
            for number in range(at_once)
        ]

    async def press(self, seconds: float) -> Played:
        """All ask again as soon as they were answered."""
        return await self._play([_again(who) for who in self._people], seconds)

    async def pace(self, rate: float, seconds: float) -> Played:
        """A life for each question, begun at times that are set beforehand."""
        return await self._play([self._source(rate)], seconds)

    def _source(self, rate: float) -> Life:
        number = 0
        while True:
            yield Spawn(_once(self._people[number % self._at_once]))
            number += 1
            yield Wait(1.0 / rate)

    async def _play(self, lives: list[Life], seconds: float) -> Played:
        counted = Counted()
        async with _props(self._port, 2 * self._at_once) as props:
            stage = Stage(props, counted, Limits(requests=10_000_000), LONGEST_S + 1.0)
            began_at = monotonic()
            for life in lives:
                stage.begin(life, began_at)
            await asyncio.wait([stage.over], timeout=seconds)
            took_s, heard = monotonic() - began_at, dict(counted.statuses)
            lateness = stage.meter.told()
            await stage.clear()
        statuses = {str(status): count for status, count in heard.items()}
        return Played(sum(heard.values()) / took_s, statuses, lateness)


def _again(who: Who) -> Life:
    while True:
        yield Ask(who, _CHAT)


def _once(who: Who) -> Life:
    yield Ask(who, _CHAT)


@contextlib.asynccontextmanager
async def _props(port: int, most: int) -> AsyncIterator[Props]:
    lines, solver, accounts = Lines(port, most=most), Solver(), Accounts(NoControl())
    try:
        with TruthFile(None) as truth:
            yield Props(
                lines=lines,
                port=port,
                model="smollm2-135m-instruct",
                accounts=accounts,
                entrance=Entrance(accounts, solver, Devices()),
                registrar=Registrar(accounts, solver, Letters(DiskMailbox(Path("nowhere"), "x@example.org", "x"))),
                prompts=Prompts(_SEED, Tongue()),
                forger=Forger(_SEED),
                truth=truth,
            )
    finally:
        await lines.close()
