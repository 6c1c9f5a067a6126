"""What msgspec says of a mistake, with the field first, as all files of the lab are blamed."""

from __future__ import annotations

import re
from typing import Final

_WHERE: Final = re.compile(r" - at `\$\.?(.*)`$")


def parted(error: Exception) -> tuple[str, str]:
    """The field that is wrong (empty where it is none), and what is wrong with it."""
    said = str(error)
    found = _WHERE.search(said)
    return ("", said) if found is None else (found[1], said[: found.start()])


def field_first(error: Exception) -> str:
    """Both in one line."""
    return ": ".join(filter(None, parted(error)))
