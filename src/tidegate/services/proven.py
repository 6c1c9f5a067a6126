"""The callers of `tidegate gate`: principals without accounts, known by what they were served."""

from __future__ import annotations

from collections.abc import Callable

from tidegate.core.accounts import Role
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record
from tidegate.core.standing.register import Register


class Proven:
    """Keeps callers in a register. `clock` tells Unix seconds; `is_flooded` whether strangers press at the door."""

    def __init__(self, register: Register, clock: Callable[[], float], is_flooded: Callable[[], bool]) -> None:
        """Whoever the register knows has proved themselves."""
        self.register = register
        self._clock = clock
        self._is_flooded = is_flooded

    def is_known(self, principal: UserId) -> bool:
        """Whether the server behind has ever accepted this key, as far as is remembered."""
        return self.register.record(principal) is not None

    def standing(self, principal: UserId) -> Standing:
        """How well a caller is known: a visitor until the server behind has accepted the key."""
        if self.register.record(principal) is None:
            return Standing.VISITOR
        return self.register.standing(principal, self._clock())

    def accepted(self, principal: UserId, net: Fingerprint | None) -> None:
        """The server behind has accepted a key."""
        if self.register.record(principal) is None:
            now = self._clock()
            self.register.change(
                Record(
                    principal=principal,
                    role=Role.USER,
                    created_at_s=now,
                    member_since_s=now,
                    cohort=principal if net is None else f"net:{net}",
                    is_born_in_flood=self._is_flooded(),
                )
            )
