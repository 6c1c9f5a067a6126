"""Whatever keeps sources out before this process sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.core.firewall.elements import Element


class FirewallUnavailableError(Exception):
    """It could not be told, or would not take all of it. The message says why; telling it again is harmless."""


class Firewall(Protocol):
    """Keeps elements out until they end, and then lets them in again by itself or when it is told so.

    Telling it what it was told before changes nothing: whoever was not sure that
    it arrived tells it again.
    """

    async def enforce(self, added: Sequence[Element], live: Sequence[Element]) -> None:
        """Keep out what was `added` since the last time; `live` is all that is to be kept out now, `added` included.

        One that only takes additions reads the one, one that is rewritten as a
        whole the other. Raises FirewallUnavailableError.
        """
