"""Who has an account, as the service knows them: records made of the truth at the start, and by signing up.

What a record says at the start is that of histories.py; newcomers and attackers are of the network they are in now.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

from tidegate.core.accounts import Role
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.record import Record
from tidegate.core.standing.register import Register
from tidegate.lab.acts import Group, Who
from tidegate.lab.histories import age_s, history_of
from tidegate.lab.simulator.serving import BASE_UNIX_S

_MOST_NAMES: Final = 100_000


class Accounts:
    """Names, and what is known of them. `seed` keys the fingerprints of networks."""

    def __init__(self, register: Register, seed: int) -> None:
        """Nobody was met."""
        self.register = register
        self._key = seed.to_bytes(8, "big")
        self._principals: dict[str, UserId] = {}
        self._made: dict[str, Record] = {}

    def principal(self, name: str) -> UserId:
        """The account of whoever has this name."""
        found = self._principals.get(name)
        if found is None:
            if len(self._principals) >= _MOST_NAMES:
                self._principals.clear()  # Each is made again of its name.
            found = self._principals[name] = UserId.of(blake2s(name.encode(), digest_size=8, key=self._key).digest())
        return found

    def known(self, who: Who) -> UserId | None:
        """The account of somebody who shows that it is theirs; None of who has none."""
        if who.has_account or who.name in self._made:
            return self.meet(who).principal
        return None

    def meet(self, who: Who) -> Record:
        """What is known of somebody with an account; read, as it were, where memory does not know it."""
        principal = self.principal(who.name)
        known = self.register.record(principal)
        if known is None:
            known = self._made.get(who.name) or self._read(who, principal)
            self.register.know(known)
        return known

    def make(self, who: Who, unix_s: float, *, is_flooded: bool, is_verified: bool) -> Record:
        """Somebody has made their account just now."""
        principal = self.principal(who.name)
        made = Record(
            principal=principal,
            role=Role.USER,
            created_at_s=unix_s,
            member_since_s=unix_s,
            cohort=self.net(who.address),
            is_verified=is_verified,
            is_born_in_flood=is_flooded,
            is_self_made=True,
        )
        self._made[who.name] = made
        self.register.change(made)
        return made

    def net(self, address: int) -> str:
        """The cohort of an address's network."""
        hashed = blake2s((address >> 8).to_bytes(3, "big"), digest_size=8, key=self._key).hexdigest()
        return f"net:{Fingerprint(hashed)}"

    def _read(self, who: Who, principal: UserId) -> Record:
        since_s = BASE_UNIX_S - age_s(who)
        return Record(
            principal=principal,
            role=Role.USER,
            created_at_s=since_s,
            member_since_s=since_s,
            cohort=principal if who.group is Group.ESTABLISHED else self.net(who.address),
            is_verified=True,
            is_self_made=True,
            history=history_of(who, BASE_UNIX_S),
        )
