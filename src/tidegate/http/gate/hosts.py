"""Whether a request says which host it is for, as every request must (RFC 9112 section 3.2).

Whoever stands in front may go by another of two hosts than we do, or cache
under a name that nobody asked for.
"""

from __future__ import annotations

import re
from typing import Final

from tidegate.http.gate.credential import Headers

FAULT: Final = "A request names its host, once."

# RFC 3986 section 3.2.2, with a port. Empty where the address has no authority (RFC 9110 section 7.2).
_HOST: Final = re.compile(
    rb"(?:\[[0-9A-Za-z:.~_!$&'()*+,;=-]+\]|(?:[0-9A-Za-z._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]*)?"
)
_OLD: Final = frozenset({"0.9", "1.0"})


def is_host_named(headers: Headers, version: str) -> bool:
    """Once, by a name that could be one; HTTP/1.0 knew no hosts and may leave it out."""
    named = [value for name, value in headers if name == b"host"]
    if len(named) != 1:
        return not named and version in _OLD
    return _HOST.fullmatch(named[0]) is not None
