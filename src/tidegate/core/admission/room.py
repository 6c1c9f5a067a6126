"""Whether there is room for a request, told from its head: what the gate asks the schedulers behind it."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.core.admission.claims import Crowded, Shed
from tidegate.core.admission.gate import Preview
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.register import Register


def room_ahead(register: Register, schedulers: tuple[Scheduler, ...], ticks: Callable[[], float]) -> Preview:
    """Tell from a request's head whether there will be room for it, in one of the lines at least.

    `ticks` tells the schedulers' monotonic seconds.
    """

    def preview(
        principal: UserId | None, standing: Standing, size_bytes: int, patience_s: float, _now: float
    ) -> Shed | Crowded | None:
        who, cohort = (principal, register.cohort(principal)) if principal is not None else ("", "")
        now = ticks()
        if len(schedulers) > 1 and any(one.has_room for one in schedulers):
            return None  # Which model is asked for, the headers do not tell.
        refused: Shed | Crowded | None = None
        for scheduler in schedulers:
            refused = scheduler.preview(who, standing, cohort, size_bytes, patience_s, now)
            refused = refused or scheduler.crowded(who, standing, now)
            if refused is None:
                break
        return refused

    return preview
