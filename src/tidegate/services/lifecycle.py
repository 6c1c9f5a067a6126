"""Whether the service takes requests, and how much of what it took is still running."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager


class Lifecycle:
    """Whether the service takes requests, and how many are running."""

    def __init__(self) -> None:
        """Open."""
        self._is_draining = False
        self._told_of_draining: list[Callable[[], None]] = []
        self._told_of_the_end: set[Callable[[], None]] = set()
        self.drain_s = 0.0
        self.running = 0
        self._listening = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.expired = asyncio.Event()
        self._request = _Running(self)

    @property
    def is_draining(self) -> bool:
        """Whether the service is being stopped: nothing new is taken."""
        return self._is_draining

    @is_draining.setter
    def is_draining(self, is_draining: bool) -> None:
        self._is_draining = is_draining
        if is_draining:
            for told in self._told_of_draining:
                told()

    def when_draining(self, told: Callable[[], None]) -> None:
        """Have `told` called when the service begins to be stopped."""
        self._told_of_draining.append(told)

    def expire(self) -> None:
        """End what still runs."""
        self.expired.set()
        for told in list(self._told_of_the_end):
            told()

    def when_ending(self, told: Callable[[], None]) -> None:
        """Have `told` called if the drain limit passes, until it is taken back."""
        self._told_of_the_end.add(told)

    def take_back(self, told: Callable[[], None]) -> None:
        """Nobody need be told any more."""
        self._told_of_the_end.discard(told)

    @property
    def answering(self) -> int:
        """How many requests are running that something is done for: pages that only listen are left out."""
        return self.running - self._listening

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Be in a request, counted as running, that does nothing but tell a page what happens."""
        self._listening += 1
        try:
            yield
        finally:
            self._listening -= 1

    def request(self) -> AbstractContextManager[None]:
        """Count one request, or one reply that nobody waits for, as running."""
        return self._request


class _Running:
    """One more request, for as long as one is in it; the same for all of them."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    def __enter__(self) -> None:
        lifecycle = self._lifecycle
        lifecycle.running += 1
        if lifecycle.running == 1:
            lifecycle.idle.clear()

    def __exit__(self, *_: object) -> None:
        lifecycle = self._lifecycle
        lifecycle.running -= 1
        if not lifecycle.running:
            lifecycle.idle.set()
