"""What the kernel does for a connection, set once on the socket that listens.

Linux gives an accepted socket the options of the one that listens, so none of
this costs a call for each connection.

The kernel keeps little for a caller who does not read: by itself it would take
megabytes, minutes of an answer, before anybody could see that nobody reads. And
it ends a connection on which nothing of what is to be sent was taken for
`UNTAKEN_LIMIT_S`, be it that the line vanished or that the caller's window
stays shut (tcp(7), TCP_USER_TIMEOUT): what lies in this process for it would
lie there for as long as the caller likes. A line on which nothing is to be sent
is asked now and then whether it is still there.
"""

from __future__ import annotations

import socket
from typing import Final

SEND_BUFFER_BYTES: Final = 65536
UNTAKEN_LIMIT_S: Final = 30.0
PROBE_AFTER_S: Final = 15
PROBE_EVERY_S: Final = 5
MOST_PROBES: Final = 3


def tune(listener: socket.socket, *, untaken_limit_s: float = UNTAKEN_LIMIT_S) -> None:
    """Bound what the kernel keeps for a caller who does not read, and for how long."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if listener.family in {socket.AF_INET, socket.AF_INET6}:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER_S)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY_S)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, MOST_PROBES)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(untaken_limit_s * 1000))
