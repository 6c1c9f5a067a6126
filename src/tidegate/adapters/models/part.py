"""A file that is still arriving: counted, bounded and digested while it is written."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Self

from tidegate.ports.models import ModelCorrupt

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class PartFile:
    """A new file at `path` that refuses to grow beyond `limit_bytes`, once that is set.

    The digest runs along, so the file need not be read again before it is
    given its name. Leaving the `with` block puts its bytes on the disk.
    """

    def __init__(self, path: Path) -> None:
        """Create the file. Raises OSError, also when something is there already."""
        self.path = path
        self.limit_bytes: int | None = None
        self.size_bytes = 0
        self._digest = hashlib.sha256()
        self._file = path.open("xb")

    def __enter__(self) -> Self:
        """Begin to write."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Flush to the disk when all went well; close in any case."""
        try:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()

    @property
    def sha256(self) -> str:
        """The digest of what was written so far."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Append. Raises ModelCorrupt beyond the limit, OSError when the disk refuses."""
        if self.limit_bytes is not None and self.size_bytes + len(chunk) > self.limit_bytes:
            msg = f"More than the promised {self.limit_bytes:,} bytes arrived; nothing was kept."
            raise ModelCorrupt(msg)
        self._file.write(chunk)
        self._digest.update(chunk)
        self.size_bytes += len(chunk)

    def restart(self) -> None:
        """Forget what was written: the sender begins again at the first byte."""
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.size_bytes = 0
