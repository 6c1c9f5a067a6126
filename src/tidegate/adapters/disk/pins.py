"""How models answered when they were known to be right, in one file of the data directory.

Nothing in it is secret, and all of it can be made anew: a file that cannot be
read counts as none, and the pin that is then made is told as an event.
"""

from __future__ import annotations

import os

import msgspec

from tidegate.adapters.disk.datadir import OWNER_ONLY_FILE, DataDir, sync_directory
from tidegate.core.models.pin import Pin

_NAME = "tidegate.pins.json"
_FORMAT = 1
_MOST = 512
_LIMIT_BYTES = 64 << 20  # As many as there may be, each as large as a server of somebody else's can make it.


class _File(msgspec.Struct):
    format: int
    pins: dict[str, Pin]


class PinFile:
    """The pins of one instance, by the models' ids and, of engines elsewhere, the addresses of their servers."""

    def __init__(self, datadir: DataDir) -> None:
        """Nothing is read yet."""
        self._path = datadir.path / _NAME

    def of(self, model: str) -> dict[str, Pin]:
        """A model's pins by the server that answered; of the embedded engine it is ""."""
        return {pin.server: pin for pin in self._load().values() if pin.model == model}

    def keep(self, pin: Pin) -> None:
        """Put a pin in the place of this server's last one of the model. Raises OSError, and then nothing changed."""
        own = f"{pin.model} {pin.server}".rstrip()
        pins = {name: kept for name, kept in self._load().items() if name != own}
        while len(pins) >= _MOST:
            del pins[min(pins, key=lambda name: pins[name].pinned_at_s)]
        pins[own] = pin
        content = msgspec.json.encode(_File(_FORMAT, pins))
        draft = self._path.with_name(f"{_NAME}.new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, OWNER_ONLY_FILE)
        with os.fdopen(handle, "wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        sync_directory(self._path.parent)

    def _load(self) -> dict[str, Pin]:
        try:
            with self._path.open("rb") as file:
                found = msgspec.json.decode(file.read(_LIMIT_BYTES), type=_File)
        except (OSError, ValueError):
            return {}
        return found.pins if found.format == _FORMAT else {}
