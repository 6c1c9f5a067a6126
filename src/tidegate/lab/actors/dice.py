"""Dice that depend on a scenario's seed and a name, and on nothing else: one actor more does not move the others."""

from __future__ import annotations

from hashlib import sha256
from random import Random


def salt(seed: int, *names: str | int) -> bytes:
    """32 bytes for that seed and name: equal for equal ones, on every machine."""
    return sha256("/".join(map(str, (seed, *names))).encode()).digest()


def dice(seed: int, *names: str | int) -> Random:
    """Dice for that seed and name."""
    return Random(int.from_bytes(salt(seed, *names)))  # noqa: S311 - seeded, not secret


def more(of: Random) -> Random:
    """Draw dice for somebody who goes on by themselves: how often they roll does not move the others."""
    return Random(of.getrandbits(64))  # noqa: S311 - seeded, not secret
