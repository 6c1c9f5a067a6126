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


def read_whole(path: Path, most_bytes: int, what: str, refusal: type[ValueError]) -> bytes:
    """Read a file. Raises `refusal`, which begins with its path, for what is no file or larger than `what` can be."""
    try:
        check_file(path)
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        msg = f"{path}: {getattr(error, 'strerror', None) or error}"
        raise refusal(msg) from None
    if len(content) > most_bytes:
        most = f"{most_bytes >> 20} MiB" if most_bytes >> 20 else f"{most_bytes >> 10} KiB"
        msg = f"{path}: larger than {what} can be ({most})"
        raise refusal(msg)
    return content
