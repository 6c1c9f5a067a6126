"""A caller's time in line: how long it waits in all, and what it is told of that."""

from __future__ import annotations

from math import inf
from typing import Final

from tidegate.core.admission.claims import Place, Waiting
from tidegate.services.admission import Admission
from tidegate.services.lane import OverloadedError

QUIET_S: Final = 1.0
"""How long a caller who reads along hears nothing: until then a refusal can be a refusal, then the wait is promised."""

UNTOLD_S: Final = inf
"""The same for a caller who wants the whole answer in one piece."""

_LOOK_EVERY_S: Final = 1.0
_TELL_EVERY_S: Final = 5.0
_DRIFT_S: Final = 1.0
"""A wait that goes by as it was told needs no telling; one that came this much nearer or farther does."""


class Line:
    """The waits of one ticket, which may have to wait more than once; its patience is for all of them together."""

    def __init__(self, admission: Admission, ticket: int, quiet_s: float) -> None:
        """Nothing was waited yet."""
        self._admission = admission
        self._ticket = ticket
        self._quiet_s = quiet_s
        self._patience_s = admission.patience_s(ticket)
        self._waited_s = 0.0
        self._looked_at: float | None = None
        self._told: Waiting | None = None
        self._told_at = 0.0

    async def news(self) -> Waiting | Place:
        """Wait until there is a place, or once quiet is over until there is something to tell of where it stands.

        Raises OverloadedError when patience ends. May be asked again after either answer.
        """
        self._looked_at = self._admission.clock() if self._looked_at is None else self._looked_at
        while True:
            place = await self._admission.place(self._ticket, self._look_s())
            now = self._admission.clock()
            self._waited_s += max(0.0, now - self._looked_at)
            self._looked_at = now
            if place is not None:
                self._looked_at = self._told = None
                return place
            waiting = self._admission.outlook(self._ticket)
            if waiting is None:
                continue
            if self._waited_s >= self._patience_s:
                raise OverloadedError(waiting.wait_s)
            if self._waited_s >= self._quiet_s and self._is_news(waiting, now):
                self._told, self._told_at = waiting, now
                return waiting

    def _look_s(self) -> float:
        look_s = _LOOK_EVERY_S if self._waited_s >= self._quiet_s else self._quiet_s - self._waited_s
        return max(0.0, min(look_s, self._patience_s - self._waited_s))

    def _is_news(self, waiting: Waiting, now: float) -> bool:
        told, passed_s = self._told, now - self._told_at
        if told is None or passed_s >= _TELL_EVERY_S or waiting.position != told.position:
            return True
        return abs(waiting.wait_s - max(0.0, told.wait_s - passed_s)) >= _DRIFT_S
