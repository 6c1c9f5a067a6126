"""The memory of who lives where, as a file in the data directory. It names no address."""

from __future__ import annotations

import asyncio
import os
import zlib
from pathlib import Path

import msgspec

from tidegate.core.firewall.inhabited import Kept

_MOST_BYTES = 4 << 20


class InhabitedFile:
    """Read once at the start, written whole, and never half."""

    def __init__(self, path: Path) -> None:
        """The folder must be there."""
        self._path = path

    def read(self) -> Kept | None:
        """What was kept last; None when nothing was, or it cannot be read any more: then watching begins anew."""
        try:
            unpacked = zlib.decompressobj().decompress(self._path.read_bytes(), _MOST_BYTES)
            return msgspec.msgpack.decode(unpacked, type=Kept)
        except (OSError, zlib.error, msgspec.DecodeError):
            return None

    async def write(self, kept: Kept) -> None:
        """Replace what is kept. Raises OSError."""
        await asyncio.to_thread(self._write, kept)

    def _write(self, kept: Kept) -> None:
        beside = self._path.with_name(f".{self._path.name}.new")
        packed = zlib.compress(msgspec.msgpack.encode(kept), 1)
        with open(beside, "wb", opener=_privately) as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)


def _privately(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
