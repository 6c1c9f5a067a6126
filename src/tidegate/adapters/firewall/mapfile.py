"""A file that HAProxy or nginx looks sources up in, written anew whenever an element begins or ends."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from tidegate.core.firewall.elements import Element
from tidegate.ports.firewall import FirewallUnavailableError

_READABLE = 0o644
"""The proxy is another user. It holds no secret: whoever stands there is shut out, and knows it."""


class MapForm(StrEnum):
    """Whose file it is.

    `haproxy`: a map from the prefix to the Unix second of its end, so that HAProxy lets in by itself whose time is
    over. `nginx`: lines for a `geo` block.
    """

    HAPROXY = "haproxy"
    NGINX = "nginx"


class MapFirewall:
    """Writes the file, complete or not at all. Having the proxy read it is left to the operator's unit."""

    def __init__(self, path: Path, form: MapForm) -> None:
        """The folder must be there, and be ours to write in."""
        self._path = path
        self._form = form

    async def enforce(self, added: Sequence[Element], live: Sequence[Element]) -> None:
        """Write down what is live; the file is not touched when it says so already."""
        del added
        text = "".join(sorted(self._line(element) for element in live))
        try:
            await asyncio.to_thread(self._write, text)
        except OSError as error:
            msg = f"{self._path} could not be written ({error.strerror})"
            raise FirewallUnavailableError(msg) from error

    def _line(self, element: Element) -> str:
        if self._form is MapForm.HAPROXY:
            return f"{element.network} {math.ceil(element.until_s)}\n"
        return f"{element.network} 1;\n"

    def _write(self, text: str) -> None:
        try:
            if self._path.read_text("ascii") == text:
                return
        except FileNotFoundError:
            pass
        except UnicodeDecodeError:
            pass  # Not what we wrote: it is written anew.
        beside = self._path.with_name(f".{self._path.name}.new")
        with beside.open("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(_READABLE)
        beside.replace(self._path)
