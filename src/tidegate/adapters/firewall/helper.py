"""A program of its own that may change the kernel's firewall, and can do one thing: keep a source out for a while.

    python -I -m tidegate.adapters.firewall.helper --user tidegate --port 443

The service never gets the right to change a firewall. It asks this program, over
a Unix socket that only its own user may speak to, and this program understands
one sentence,

    add 203.0.113.7/32 600

a single IPv4 address, an IPv4 /24, an IPv6 /64 or /56, and for how many seconds.
What is wider or longer, means this machine or no one, or comes too often, is
refused here, whatever the service believes. Nothing can be removed, listed or
named: whoever takes the service over can keep addresses out of the service's own
ports for a day, and do nothing else. (Asked for an element that is there, older
kernels keep its end, and newer ones take the new one, be it sooner.) Elements
end by the kernel's own clock, also when this program and the service are both
dead.

It needs CAP_NET_ADMIN and nothing more: no root, no network, no file of the
service's. It is one file of the standard library's, to be read before it is
trusted. What it has nft do is made of numbers that it has read itself, never of
the words that it was sent, and goes through no shell.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

LONGEST_S: Final = 86400
SETS: Final = {(4, 32): "blocked4", (4, 24): "blocked4_24", (6, 64): "blocked6_64", (6, 56): "blocked6_56"}
"""What may be kept out, by version and bits: a set for each, so that no two elements can overlap in one."""
MOST_ELEMENTS: Final = 65536
MOST_PER_MINUTE: Final = 600
LINE_BYTES: Final = 80
PATIENCE_S: Final = 10.0

_TYPES: Final = {4: "ipv4_addr", 6: "ipv6_addr"}
_KEYS: Final = {
    "blocked4": "ip saddr",
    "blocked4_24": "ip saddr & 255.255.255.0",
    "blocked6_64": "ip6 saddr & ffff:ffff:ffff:ffff::",
    "blocked6_56": "ip6 saddr & ffff:ffff:ffff:ff00::",
}
_SHARED: Final = [*map(ipaddress.IPv6Network, ("64:ff9b::/47", "2001::/32"))]
"""Translators of IPv4 (RFC 6052, RFC 8215) and Teredo (RFC 4380): a /64 of these is everybody behind one machine."""
_SENTENCE: Final = re.compile(rb"add ([0-9a-f.:]{2,39})/([0-9]{1,3}) ([0-9]{1,5})\Z")
_CREDENTIALS: Final = struct.Struct("3i")  # unix(7): pid, uid, gid


class RefusedError(Exception):
    """This is not what may be asked. The message says why, in words of this file only."""


class Bounds:
    """What may be asked, and how often. `clock` tells seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing was asked yet."""
        self._clock = clock
        self._added_at: deque[float] = deque()

    def command(self, line: bytes) -> str:
        """What nft is to do for this line, without its end. Raises RefusedError."""
        found = _SENTENCE.match(line)
        if found is None:
            msg = "expected: add PREFIX SECONDS"
            raise RefusedError(msg)
        try:
            network = ipaddress.ip_network(f"{found[1].decode('ascii')}/{found[2].decode('ascii')}")
        except ValueError:
            msg = "not a prefix"
            raise RefusedError(msg) from None
        seconds = int(found[3])
        if not 1 <= seconds <= LONGEST_S:
            msg = f"expected 1 to {LONGEST_S} seconds"
            raise RefusedError(msg)
        name = SETS.get((network.version, network.prefixlen))
        if name is None:
            msg = "expected an IPv4 /32 or /24, or an IPv6 /64 or /56"
            raise RefusedError(msg)
        if not _is_anybodys(network):
            msg = "not an address that others have"
            raise RefusedError(msg)
        self._count()
        return f"add element inet tidegate {name} {{ {network.network_address} timeout {seconds}s }}\n"

    def _count(self) -> None:
        now = self._clock()
        while self._added_at and self._added_at[0] <= now - 60.0:
            self._added_at.popleft()
        if len(self._added_at) >= MOST_PER_MINUTE:
            msg = f"more than {MOST_PER_MINUTE} in a minute"
            raise RefusedError(msg)
        self._added_at.append(now)


def table(ports: Sequence[int]) -> str:
    """What nft is to do at the start: make what is missing, and leave elements that are there."""
    lines = ["add table inet tidegate"]
    for (version, _), name in SETS.items():
        lines.append(f"add set inet tidegate {name} {{ type {_TYPES[version]}; size {MOST_ELEMENTS}; flags timeout; }}")
    lines += [
        "add chain inet tidegate input { type filter hook input priority -10; policy accept; }",
        "flush chain inet tidegate input",
    ]
    shown = ", ".join(str(port) for port in ports)
    for name, key in _KEYS.items():
        lines.append(f"add rule inet tidegate input tcp dport {{ {shown} }} {key} @{name} counter drop")
    return "\n".join(lines) + "\n"


def serve(listener: socket.socket, user_id: int, bounds: Bounds, run: Callable[[str], None]) -> None:
    """Answer one caller after the other, for ever. `run` has nft do something; raises OSError where that fails."""
    while True:
        line, _ = listener.accept()
        # A caller that breaks off, or takes its time, is its own affair.
        with line, contextlib.suppress(OSError):
            if peer_user(line) == user_id:
                line.settimeout(PATIENCE_S)
                _converse(line, bounds, run)


def peer_user(line: socket.socket) -> int:
    """The user at the other end, by the kernel's word."""
    told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(told)[1])


def _converse(line: socket.socket, bounds: Bounds, run: Callable[[str], None]) -> None:
    buffered = b""
    while True:
        while b"\n" not in buffered:
            if len(buffered) > LINE_BYTES:
                return
            more = line.recv(LINE_BYTES)
            if not more:
                return
            buffered += more
        sentence, _, buffered = buffered.partition(b"\n")
        line.sendall(_answer(sentence, bounds, run))


def _answer(sentence: bytes, bounds: Bounds, run: Callable[[str], None]) -> bytes:
    try:
        run(bounds.command(sentence))
    except RefusedError as refused:
        return f"no: {refused}\n".encode()
    except OSError:
        return b"no: nft failed\n"
    return b"ok\n"


def _is_anybodys(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    first = network.network_address
    if first.is_loopback or first.is_unspecified or first.is_multicast or first.is_link_local:
        return False
    if isinstance(first, ipaddress.IPv4Address):
        return 0 < int(first) >> 24 < 224  # noqa: PLR2004 - 0.0.0.0/8 is this network, 224.0.0.0 and on are no hosts
    if any(network.overlaps(shared) for shared in _SHARED):
        return False
    return int(first) >> 72 > 0  # ::/56 is this machine's own and every IPv4 address written as IPv6


def _nft(program: str) -> Callable[[str], None]:
    def run(command: str) -> None:
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program, whose input is made of numbers read here
                [program, "-f", "-"],
                input=command.encode(),
                env={},
                timeout=PATIENCE_S,
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except subprocess.TimeoutExpired as error:
            raise TimeoutError from error
        if done.returncode != 0:
            sys.stderr.write(done.stderr.decode("utf-8", "replace"))
            raise OSError

    return run


def _mending(run: Callable[[str], None], made: str) -> Callable[[str], None]:
    """Make the table again where somebody has removed it: other programs empty all of the kernel's rules."""

    def mend(command: str) -> None:
        try:
            run(command)
        except TimeoutError:
            raise
        except OSError:
            run(made + command)

    return mend


def _listen(path: Path, user: pwd.struct_passwd) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    with contextlib.suppress(PermissionError):
        # Under the unit its group is the service's already, and this program may not give files away.
        os.chown(path, -1, user.pw_gid)
    listener.listen(8)
    return listener


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:  # noqa: PLR2004 - ports are sixteen bits
        raise ValueError
    return port


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the table, and serve until ended."""
    parser = argparse.ArgumentParser(prog="tidegate-firewall-helper", description=__doc__.splitlines()[0])
    parser.add_argument("--user", required=True, help="the user of the service: nobody else is listened to")
    parser.add_argument("--port", type=_port, action="append", required=True, help="a TCP port to keep sources out of")
    parser.add_argument("--socket", type=Path, default=Path("/run/tidegate-firewall/socket"))
    parser.add_argument("--nft", default="/usr/sbin/nft", help="where nft is")
    given = parser.parse_args(arguments)
    try:
        user = pwd.getpwnam(given.user)
    except KeyError:
        parser.error(f"--user {given.user}: there is no such user")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    run, made = _nft(given.nft), table(given.port)
    try:
        run(made)
        listener = _listen(given.socket, user)
    except OSError as error:
        sys.exit(f"the table could not be made, or the socket: {error.strerror or 'nft failed, see above'}")
    sys.stderr.write(f"listening on {given.socket} for user {given.user}; ports {given.port}\n")
    sys.stderr.flush()
    with listener:
        serve(listener, user.pw_uid, Bounds(), _mending(run, made))


if __name__ == "__main__":
    main()
