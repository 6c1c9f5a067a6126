"""The pins of all engines, in memory and on disk.

On a full disk a pin counts all the same, for as long as the process lives, and
is written when there is room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

from tidegate.core.models.pin import Pin


class Pins(Protocol):
    """Where pins are kept."""

    def of(self, model: str) -> Mapping[str, Pin]:
        """A model's pins by the server that answered; of the embedded engine it is ""."""

    def keep(self, pin: Pin) -> None:
        """Put a pin in the place of this server's last one of the model. Raises OSError."""


class PinBook:
    """See the head of this file."""

    def __init__(self, pins: Pins) -> None:
        """Nothing is read yet."""
        self._pins = pins
        self._known: dict[str, dict[str, Pin]] = {}
        self._unwritten: dict[tuple[str, str], Pin] = {}
        self._writing = asyncio.Lock()

    async def of(self, model: str) -> Mapping[str, Pin]:
        """A model's pins that can be compared with."""
        if model not in self._known:
            found = await asyncio.to_thread(self._pins.of, model)
            usable = {server: pin for server, pin in found.items() if pin.is_usable}
            self._known.setdefault(model, usable)
        return self._known[model]

    def take(self, pin: Pin) -> None:
        """Count this one from now on, beside those that `of` has told of this model."""
        self._known[pin.model][pin.server] = pin
        self._unwritten[pin.model, pin.server] = pin

    async def write(self) -> None:
        """Write what is not on disk yet, if there is room."""
        async with self._writing:
            for key, pin in list(self._unwritten.items()):
                try:
                    await asyncio.to_thread(self._pins.keep, pin)
                except OSError:
                    return
                if self._unwritten[key] is pin:
                    del self._unwritten[key]
