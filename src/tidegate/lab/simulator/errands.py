"""Coroutines that run in virtual time: what somebody does at the door, written down in the order in which they do it.

An errand waits for a time or for a promise, and for nothing else. So the services, which await,
run here as they are: what they await is a promise, or does not wait at all.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from tidegate.lab.simulator.serving import BASE_UNIX_S, Agenda, Clock

T = TypeVar("T")


class _Errand:
    """A coroutine that was begun, and who hears what comes of it."""

    __slots__ = ("_coroutine", "_ended")

    def __init__(self, coroutine: Coroutine[Promise[Any], None, Any], ended: Callable[[Any], None]) -> None:
        self._coroutine = coroutine
        self._ended = ended

    def go_on(self) -> None:
        """Run until it waits; what it waits for takes it on from there."""
        try:
            awaited = self._coroutine.send(None)
        except StopIteration as end:
            self._ended(end.value)
            return
        awaited.errand = self


def begin(errand: Coroutine[Promise[Any], None, T], ended: Callable[[T], None]) -> None:
    """Run a coroutine to its end, through all that it waits for; `ended` hears what it comes to.

    It is the outermost one, and wraps none that was there before it: of a rehearsal that is dropped in the
    middle Python ends the oldest first, and could not end one from within another.
    """
    _Errand(errand, ended).go_on()


class Promise(Generic[T]):
    """Something that will be there. At most one errand awaits it: `errand`."""

    __slots__ = ("_error", "_is_over", "_value", "errand")

    def __init__(self) -> None:
        """Not there yet."""
        self._is_over = False
        self._value: T
        self._error: Exception | None = None
        self.errand: _Errand | None = None

    def keep(self, value: T) -> None:
        """Here it is: whoever waits goes on at once."""
        self._value = value
        self._end()

    def fail(self, error: Exception) -> None:
        """It will not be: whoever waits hears why at once."""
        self._error = error
        self._end()

    def _end(self) -> None:
        self._is_over = True
        if self.errand is not None:
            self.errand.go_on()

    def __await__(self) -> Generator[Promise[Any], None, T]:
        """Wait for it. Raises what it failed by."""
        if not self._is_over:
            yield self
        if self._error is not None:
            raise self._error
        return self._value


class _Pause(Promise[None]):
    """Is kept by the agenda."""

    __slots__ = ("_errands",)

    def __init__(self, errands: Errands) -> None:
        super().__init__()
        self._errands = errands

    def over(self, now: float) -> None:
        self._errands.now = now
        self.keep(None)


class Errands:
    """The time of errands. `now` is that (s since the beginning) of whatever is going on."""

    def __init__(self, agenda: Agenda, clock: Clock) -> None:
        """None yet. `clock` is the service's own."""
        self.now = 0.0
        self._agenda = agenda
        self._clock = clock

    def unix(self) -> float:
        """What the service takes the time for (Unix s); may be set wrong."""
        return self._clock.unix(self.now)

    def steady(self) -> float:
        """The same of its clock that nobody sets."""
        return BASE_UNIX_S + self.now

    def at(self, when_s: float, do: Callable[[], None]) -> None:
        """Have this done at that time."""

        def go_on(now: float) -> None:
            self.now = now
            do()

        self._agenda.at(when_s, go_on)

    def pause(self, for_s: float) -> Promise[None]:
        """Is kept when so much time has passed."""
        pause = _Pause(self)
        self._agenda.at(self.now + for_s, pause.over)
        return pause
