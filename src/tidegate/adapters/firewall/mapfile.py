"""A file that HAProxy or nginx looks sources up in, written anew whenever an element begins or ends."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from tidegate.adapters.firewall.whole import WholeFile
from tidegate.core.firewall.elements import Element
from tidegate.ports.firewall import FirewallUnavailableError

_READABLE: Final = 0o644
"""The proxy is another user. It holds no secret: whoever stands there is shut out, and knows it."""

_LINE_BYTES: Final = 128
_OWN_LINE: Final = re.compile(rb"([0-9a-f.:]+/(?:32|24|64|56) (?:1;|[0-9]+))?\s*")


class MapForm(StrEnum):
    """Whose file it is.

    `haproxy`: a map from the prefix to the Unix second of its end, so that HAProxy lets in by itself whose time is
    over. `nginx`: lines for a `geo` block.
    """

    HAPROXY = "haproxy"
    NGINX = "nginx"


class MapFirewall:
    """Writes the file, complete or not at all. Having the proxy read it is left to the operator's unit.

    A file that holds anything that is not of its own writing is left alone: it was named by mistake.
    """

    def __init__(self, path: Path, form: MapForm, ahead_s: Callable[[], float] = lambda: 0.0) -> None:
        """The folder must be there, and be ours to write in. `ahead_s`: how far the proxy's clock is ahead of ours."""
        self._file = WholeFile(path, _READABLE)
        self._form = form
        self._ahead_s = ahead_s

    async def enforce(self, added: Sequence[Element], live: Sequence[Element]) -> None:
        """Write down what is live; the file is not touched when it says so already."""
        del added
        ahead_s = self._ahead_s()
        text = "".join(sorted(self._line(element, ahead_s) for element in live))
        turn = self._file.turn()
        try:
            await asyncio.to_thread(self._write, text.encode("ascii"), turn)
        except OSError as error:
            msg = f"{self._file.path} could not be written ({error.strerror})"
            raise FirewallUnavailableError(msg) from error

    def _line(self, element: Element, ahead_s: float) -> str:
        if self._form is MapForm.HAPROXY:
            return f"{element.network} {math.ceil(element.until_s + ahead_s)}\n"
        return f"{element.network} 1;\n"

    def _write(self, content: bytes, turn: int) -> None:
        path = self._file.path
        if path.exists() and not _is_own(path):
            msg = f"{path} holds what was not written by this service: name another file, or empty it"
            raise FirewallUnavailableError(msg)
        self._file.write(content, turn)


def _is_own(path: Path) -> bool:
    with path.open("rb") as file:
        while line := file.readline(_LINE_BYTES):
            if not _OWN_LINE.fullmatch(line):
                return False
    return True
