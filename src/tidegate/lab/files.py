"""Files that somebody else may have written or named: read whole, within a limit, and only where they are files.

A scenario may name a device that never ends, or a pipe that nobody writes into: opening one waits for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def check_file(path: Path) -> None:
    """Raise OSError for what is not a plain file, whose message says so, and ValueError for what no path can be."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a file but a device, a pipe or a socket", str(path))


def read_bounded(path: Path, most_bytes: int) -> bytes | None:
    """Read a file whole; None where it is longer. Raises OSError, and ValueError for what no path can be."""
    check_file(path)
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    return content if len(content) <= most_bytes else None
