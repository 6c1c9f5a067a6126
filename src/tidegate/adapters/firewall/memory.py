"""The memory of who lives where, as a file in the data directory. It names no address."""

from __future__ import annotations

import asyncio
import zlib
from pathlib import Path
from typing import Final

import msgspec

from tidegate.adapters.firewall.whole import WholeFile
from tidegate.core.firewall.inhabited import Kept

_MOST_BYTES: Final = 4 << 20
_PRIVATE: Final = 0o600


class InhabitedFile:
    """Read once at the start, written whole, and never half."""

    def __init__(self, path: Path) -> None:
        """The folder must be there."""
        self._file = WholeFile(path, _PRIVATE)

    def read(self) -> Kept | None:
        """What was kept last; None when nothing was, or it cannot be read any more: then watching begins anew."""
        try:
            unpacked = zlib.decompressobj().decompress(self._file.path.read_bytes(), _MOST_BYTES)
            return msgspec.msgpack.decode(unpacked, type=Kept)
        except (OSError, zlib.error, msgspec.DecodeError):
            return None

    async def write(self, kept: Kept) -> None:
        """Replace what is kept. Raises OSError."""
        turn = self._file.turn()
        await asyncio.to_thread(lambda: self._file.write(zlib.compress(msgspec.msgpack.encode(kept), 1), turn))
