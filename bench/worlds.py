"""The people who use a peer, who among them is known there, and who attacks it.

What makes somebody known is not the same everywhere. Tidegate has accounts. A gate
before a server of others has the keys that the server accepts: an operator vouches
for those of the users, newcomers' keys were accepted once, and anybody can have a
fresh one. The bare engine and nginx know addresses and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from accounts import Accounts
from attackers import Compose, Flood, asking, browsing, guessing
from gating import Callers, introduced
from load import Person, body
from peers import Peer
from service import speed_of

USERS = 10
NEWCOMERS = 5
USER_DAYS = 90.0
NEWCOMER_DAYS = 3.0
SLEEPERS = 64
SLOW = 2000
RATE = 2000.0
LONG_RATE = 500.0  # Prompts as long as the context weigh: more would measure the generator.
LONG_WORDS = 1500
MOST_KEYS = 128
PAGES = ("/", "/sign-in", "/sign-up", "/v1/models")


class Entrance(Protocol):
    """How somebody comes to be known at a peer."""

    async def established(self, person: Person) -> Person:
        """The same person, known for long."""

    async def newcomer(self, person: Person) -> Person:
        """The same person, known for a short time."""

    async def fresh_keys(self, count: int) -> list[str]:
        """Keys that attackers get for themselves now."""

    async def old_keys(self, count: int) -> list[str]:
        """Keys that attackers have had for a month, without using them."""

    def unknown(self) -> Compose:
        """What attackers send who have no key."""


class ByAddress:
    """There are no keys: everybody is an address."""

    async def established(self, person: Person) -> Person:
        """Who is there."""
        return person

    async def newcomer(self, person: Person) -> Person:
        """The same."""
        return person

    async def fresh_keys(self, count: int) -> list[str]:
        """None."""
        del count
        return []

    async def old_keys(self, count: int) -> list[str]:
        """None."""
        del count
        return []

    def unknown(self) -> Compose:
        """Questions and pages."""
        return browsing(PAGES)


class ByAccount:
    """Accounts of so many days; the operator vouches for the oldest."""

    def __init__(self, accounts: Accounts, port: int) -> None:
        """Nobody has one yet."""
        self._accounts = accounts
        self._port = port
        self._made = 0
        self._can_vouch = True

    async def established(self, person: Person) -> Person:
        """An old account, vouched for."""
        holder = await self._holder(person, USER_DAYS)
        if self._can_vouch and not await asyncio.to_thread(self._accounts.vouch, _email(person)):
            self._can_vouch = False
            print("  (this service has no `tidegate users vouch`: the users are only old, not known)")
        return holder

    async def newcomer(self, person: Person) -> Person:
        """A young account."""
        return await self._holder(person, NEWCOMER_DAYS)

    async def fresh_keys(self, count: int) -> list[str]:
        """Accounts that sign up now, while pages are flooded."""
        self._made += 1
        flood = Flood(self._port, 64, RATE, browsing(PAGES))
        flood.start()
        try:
            await asyncio.sleep(2.0)
            made = [
                await self._accounts.signed_up(
                    self._port, f"127.30.{number % 250 + 1}.{self._made}", f"fresh{self._made}-{number}@example.org"
                )
                for number in range(count)
            ]
        finally:
            await flood.stop()
        keys = [key for key in made if key is not None]
        if len(keys) < count:
            print(f"  (only {len(keys)} of {count} sign-ups were let through)", flush=True)
        return keys

    async def old_keys(self, count: int) -> list[str]:
        """Accounts of a month that were never used."""
        self._made += 1
        return await self._accounts.keys(count, f"old{self._made}-", 30.0)

    def unknown(self) -> Compose:
        """Questions and pages."""
        return browsing(PAGES)

    async def _holder(self, person: Person, age_days: float) -> Person:
        return msgspec.structs.replace(person, key=await self._accounts.key(_email(person), age_days))


class ByKey:
    """Keys that the server behind a gate accepts."""

    def __init__(self, callers: Callers, port: int) -> None:
        """Nobody has called yet."""
        self._callers = callers
        self._port = port
        self._made = 0

    async def established(self, person: Person) -> Person:
        """A key that the operator vouches for."""
        (key,) = await self._callers.vouched(1)
        return msgspec.structs.replace(person, key=key)

    async def newcomer(self, person: Person) -> Person:
        """A key that was accepted once."""
        (key,) = await introduced(self._port, _HELLO, [person.address])
        return msgspec.structs.replace(person, key=key)

    async def fresh_keys(self, count: int) -> list[str]:
        """Keys that were accepted once each, a moment ago and in peace: the most that they can be worth."""
        self._made += 1
        sources = [f"127.30.{number % 250 + 1}.{self._made}" for number in range(count)]
        keys = await introduced(self._port, _HELLO, sources)
        if len(keys) < count:
            print(f"  (only {len(keys)} of {count} keys were let through)", flush=True)
        return keys

    async def old_keys(self, count: int) -> list[str]:
        """The same: a key is as old as its first use."""
        return await self.fresh_keys(count)

    def unknown(self) -> Compose:
        """Questions without a key, and with one that nobody has seen."""
        return guessing()


_HELLO = body("tide", 1)


def _email(person: Person) -> str:
    return f"{person.name}@example.org"


class World(msgspec.Struct, kw_only=True):
    """A peer that runs, and the people who use it."""

    peer: Peer
    users: list[Person]
    newcomers: list[Person]
    entrance: Entrance
    wish: argparse.Namespace
    rate: float
    core: int
    full_speed: float

    def speed(self) -> float:
        """How fast the engine's core is now, against how fast it was when the engine's capacity was measured."""
        return speed_of(self.core) / self.full_speed


@contextlib.asynccontextmanager
async def world_of(peer: Peer, wish: argparse.Namespace, core: int, rate: float, speed: float) -> AsyncIterator[World]:
    """The people of a peer, known there as far as anybody is."""
    async with contextlib.AsyncExitStack() as stack:
        entrance: Entrance = ByAddress()
        if peer.name == "tidegate":
            accounts = await stack.enter_async_context(Accounts(peer.control_socket, peer.data_dir))
            entrance = ByAccount(accounts, peer.port)
        elif peer.name == "gate":
            callers = await stack.enter_async_context(Callers(peer.control_socket, peer.data_dir))
            entrance = ByKey(callers, peer.port)
        users, newcomers = people(USERS), people(NEWCOMERS, "newcomer", 11)
        yield World(
            peer=peer,
            users=[await entrance.established(person) for person in users],
            newcomers=[await entrance.newcomer(person) for person in newcomers],
            entrance=entrance,
            wish=wish,
            rate=rate,
            core=core,
            full_speed=speed,
        )


def people(count: int, name: str = "user", network: int = 10) -> list[Person]:
    """So many, each with an address of their own."""
    return [Person(name=f"{name}{number}", address=f"127.{network}.{number}.1") for number in range(count)]


async def floods(world: World, attack: str, connections: int) -> list[Flood]:
    """The attackers of one row."""
    port, rate, entrance = world.peer.port, min(RATE, world.wish.rate), world.entrance
    match attack:
        case "none":
            return []
        case "a":
            return [Flood(port, connections, rate, entrance.unknown())]
        case "b":
            keys = await entrance.fresh_keys(min(connections, MOST_KEYS))
            return [Flood(port, connections, rate, asking(keys, 30))]
        case "c":
            return [Flood(port, connections, rate, asking(await entrance.fresh_keys(1), 30))]
        case "d":
            keys = await entrance.fresh_keys(min(connections, MOST_KEYS))
            return [Flood(port, connections, min(rate, LONG_RATE), asking(keys, LONG_WORDS))]
        case "f":
            return [Flood(port, connections, rate, asking(await entrance.old_keys(SLEEPERS), 30))]
        case "g":
            return [Flood(port, 1, 1.0, asking(await entrance.fresh_keys(MOST_KEYS), 30), slow=SLOW)]
        case _:
            stolen = [user.key for user in world.users[-int(attack[1:]) :]]
            return [Flood(port, connections, rate, asking(stolen, 30))]
