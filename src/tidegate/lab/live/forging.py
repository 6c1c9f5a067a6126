"""Keys that nobody was ever given, right in everything but their signature: what a flood shows that guesses keys."""

from __future__ import annotations

import random
from typing import Final

from tidegate.core.credentials import RANDOM_BYTES, Kind, ServerKeys, issue
from tidegate.core.identifiers import UserId

_SINCE_S: Final = 1_700_000_000
_YEAR_S: Final = 365 * 86_400
_PRINCIPAL_BYTES: Final = 8
_SECRET_BYTES: Final = 32


class Forger:
    """Makes one after the other, each another; equal for equal seeds."""

    def __init__(self, seed: int) -> None:
        """None was made."""
        self._dice = random.Random(f"{seed}/forged")  # noqa: S311 - seeded, and no secret of anybody's
        # The number of the key that signs is a real service's first: a forgery by another's is refused at less cost.
        self._own = ServerKeys(0, {0: self._dice.randbytes(_SECRET_BYTES)})

    def key(self) -> str:
        """The next one."""
        dice = self._dice
        principal = UserId.of(dice.randbytes(_PRINCIPAL_BYTES))
        issued_at = _SINCE_S + dice.randrange(_YEAR_S)
        return issue(Kind.API_KEY, principal, self._own, now=issued_at, entropy=dice.randbytes(RANDOM_BYTES))
