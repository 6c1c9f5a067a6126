"""nftables, by way of the helper that alone may change it: see helper.py."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tidegate.core.firewall.elements import Element
from tidegate.ports.firewall import FirewallUnavailableError

TIMEOUT_S: Final = 10.0
_LONGEST_S: Final = 86400


class NftablesFirewall:
    """Asks the helper to add elements; the kernel ends them. Nothing can be taken back from here.

    What it has taken it is not asked again before all of it is taken: it takes only so many in a minute, and after a
    pause those that wait must get their turn.
    """

    def __init__(self, socket_path: Path, clock: Callable[[], float]) -> None:
        """`clock` tells Unix seconds, as elements have them."""
        self._socket_path = socket_path
        self._clock = clock
        self._taken: dict[bytes, Element] = {}

    async def enforce(self, added: Sequence[Element], live: Sequence[Element]) -> None:
        """Have what was added kept out."""
        alive = {element.prefix: element for element in (*live, *added)}
        self._taken = {prefix: one for prefix, one in self._taken.items() if alive.get(prefix) == one}
        wanted = [element for element in added if element.prefix not in self._taken]
        if not wanted:
            return
        try:
            refused = await self._ask(wanted)
        except (OSError, EOFError) as error:  # A timeout is an OSError.
            msg = f"the firewall's helper does not answer on {self._socket_path} ({type(error).__name__})"
            raise FirewallUnavailableError(msg) from error
        if refused:
            msg = f"the firewall's helper refused {len(refused)} of {len(wanted)}: {refused[0]}"
            raise FirewallUnavailableError(msg)
        self._taken = {}

    async def _ask(self, elements: list[Element]) -> list[str]:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(self._socket_path)
        refused = []
        try:
            for element in elements:
                writer.write(self._line(element))
                async with asyncio.timeout(TIMEOUT_S):
                    answer = await reader.readuntil(b"\n")
                if answer == b"ok\n":
                    self._taken[element.prefix] = element
                else:
                    refused.append(answer.decode("ascii", "replace").strip())
        finally:
            writer.close()
        return refused

    def _line(self, element: Element) -> bytes:
        left_s = min(_LONGEST_S, max(1, math.ceil(element.until_s - self._clock())))
        return f"add {element.network} {left_s}\n".encode()
