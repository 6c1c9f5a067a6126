"""Password hashing at no price, for tests that are not about the price."""

from __future__ import annotations

import threading
from typing import Literal

import argon2

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Gated(argon2.PasswordHasher):
    """Hashes when it is let, and tells in which threads and how many at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.let = threading.Event()
        self.threads: set[int] = set()
        self.verified: list[str | bytes] = []
        self.begun = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.begun += 1
        self.threads.add(threading.get_ident())
        assert self.let.wait(20)
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - argon2's own name
        self.begun += 1
        self.verified.append(hash)
        assert self.let.wait(20)
        return super().verify(hash, password)
