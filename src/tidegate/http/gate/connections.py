"""Every open connection of a port: how many there may be, and how long each may take.

A connection is in one of these phases:

    awaiting   no byte of the next request is there. Ends after `idle_s`.
    head       some of its head is. Ends `head_s` after its first byte; on a new
               connection after it was accepted, or waiting there would be free.
    draining   the request was refused, what is left of its body is thrown away.
    body       the application runs and the body comes. Both end when the body
               is slower than the plan allows; time in which nobody reads here
               does not count.
    answering  the body is there. Nothing here ends it: the answer's own limits do.
    leaving    the last answer is written; what still comes is thrown away for a
               moment, because closing at once would destroy the answer on its
               way (RFC 9112 section 9.6).

One timer looks after all of them; a request arms none. When there are too many,
whoever can best do without goes: those that leave, then strangers without a
request, strangers whose body is still coming, strangers who are being answered,
the longest first, known people without a request. Accounts are free, and so are
their streams: they must not be what keeps a known person out. Known people who
are being answered stay, and if that is everybody, who comes is closed.

An address with too many gets a word, not a closed door: one of them may hold a
valid key. Its connections beyond the number live for `EXTRA_S` at most until a
head is there, and go on only with a genuine credential.

Strangers' bodies that are still coming have one sum, `strangers_body_bytes`.
When a piece goes beyond it, whoever of them has sent most is told that there is
no room: who sends little keeps what it has sent, however many others send much,
and no body of up to the sum divided by `connections` is ever ended for it. Known
people's bodies are not in the sum, and nobody's once it is complete: from there
on the application's own limits hold.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from enum import IntEnum
from itertools import chain
from typing import Final, Protocol

import msgspec

LINGER_S: Final = 2.0
EXTRA_S: Final = 2.0
_SWEEPS: Final = 4.0
_LONGEST_SWEEP_S: Final = 1.0


class Phase(IntEnum):
    """What a connection is waiting for."""

    AWAITING = 0
    HEAD = 1
    DRAINING = 2
    BODY = 3
    ANSWERING = 4
    LEAVING = 5


# Python 3.11 takes as long for a member of an enumeration as for a call, so those on every request's way stand here.
AWAITING: Final = Phase.AWAITING
HEAD: Final = Phase.HEAD
DRAINING: Final = Phase.DRAINING
BODY: Final = Phase.BODY
ANSWERING: Final = Phase.ANSWERING
LEAVING: Final = Phase.LEAVING


class ConnectionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Named and meant as the settings of the same table."""

    connections: int = 8192
    connections_per_address: int = 256
    head_s: float = 10.0
    body_s: float = 10.0
    body_bytes_per_s: float = 8192.0
    idle_s: float = 30.0
    strangers_body_bytes: int = 64 << 20


class Connection(Protocol):
    """What the table sees and says of a connection. `since` is when its phase began.

    `held_bytes` is the table's: what there is of a stranger's body that is still coming.
    """

    phase: Phase
    since: float
    body_bytes: int
    held_bytes: int
    is_fresh: bool
    is_known: bool
    is_extra: bool
    shelf: Shelf | None
    counted_as: bytes | None

    def is_held_up(self) -> bool:
        """Whether it is this side that does not read."""
        ...

    def time_out(self) -> None:
        """End it, in words where some are due."""
        ...

    def crowd_out(self) -> None:
        """End it in words: there is no room for the rest of its body."""
        ...

    def drop(self) -> None:
        """End it at once."""
        ...


Shelf = OrderedDict[Connection, None]


class Connections:
    """The table. `plan` may be replaced at any time."""

    def __init__(self, plan: ConnectionPlan, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` tells monotonic seconds."""
        self.plan = plan
        self.clock = clock
        self.open = 0
        self.held_bytes = 0
        self._leaving: Shelf = OrderedDict()
        self._strangers: Shelf = OrderedDict()
        self._bodies: Shelf = OrderedDict()
        self._answered: Shelf = OrderedDict()
        self._known: Shelf = OrderedDict()
        self._addresses: dict[bytes, int] = {}
        self._sweeping: asyncio.TimerHandle | None = None

    def enter(self, connection: Connection) -> bool:
        """Take a new connection in; False: there is no room."""
        if self.open >= self.plan.connections and not self._make_room():
            return False
        self.open += 1
        connection.since = self.clock()
        connection.shelf = self._strangers
        self._strangers[connection] = None
        if self._sweeping is None:
            self._arm()
        return True

    def count(self, connection: Connection, address: bytes) -> None:
        """Count a connection for the address that it comes from."""
        others = self._addresses.get(address, 0)
        self._addresses[address] = others + 1
        connection.counted_as = address
        connection.is_extra = others >= self.plan.connections_per_address

    def leave(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        self.open -= 1
        self._release(connection)
        self._shelve(connection, None)
        address = connection.counted_as
        if address is not None:
            left = self._addresses[address] - 1
            if left:
                self._addresses[address] = left
            else:
                del self._addresses[address]

    def hold(self, connection: Connection, size: int) -> None:
        """Count a piece of a stranger's body; whoever of them holds most goes when it is one too many."""
        connection.held_bytes += size
        self.held_bytes += size
        while self.held_bytes > self.plan.strangers_body_bytes:
            # Of those that hold as much, who sent last: its head may have come in the same piece, and it has no
            # place yet. A look at each of them is paid for by what somebody has sent.
            largest = max(chain((connection,), self._bodies), key=_held_bytes)
            largest.crowd_out()
            self._release(largest)

    def _release(self, connection: Connection) -> None:
        self.held_bytes -= connection.held_bytes
        connection.held_bytes = 0

    def place(self, connection: Connection) -> None:
        """Put a connection whose phase begins now where it belongs, behind all others there."""
        connection.since = self.clock()
        phase = connection.phase
        if connection.held_bytes and phase is not BODY:
            self._release(connection)
        if phase < BODY:
            shelf = self._known if connection.is_known else self._strangers
            if connection.shelf is shelf:
                shelf.move_to_end(connection)  # The way of every refusal.
            else:
                self._shelve(connection, shelf)
        elif phase is BODY:
            self._shelve(connection, self._bodies)
        elif phase is LEAVING:
            self._shelve(connection, self._leaving)
        else:
            self._shelve(connection, None if connection.is_known else self._answered)

    def _shelve(self, connection: Connection, shelf: Shelf | None) -> None:
        if connection.shelf is shelf:
            if shelf is not None:
                shelf.move_to_end(connection)
            return
        if connection.shelf is not None:
            del connection.shelf[connection]
        if shelf is not None:
            shelf[connection] = None
        connection.shelf = shelf

    def _make_room(self) -> bool:
        for connection in self._dispensable():
            connection.drop()
            # It is gone from here now, however long its socket takes.
            self._release(connection)
            self._shelve(connection, None)
            return True
        return False

    def _dispensable(self) -> Iterator[Connection]:
        yield from self._leaving
        yield from self._strangers
        yield from (connection for connection in self._bodies if not connection.is_known)
        yield from self._answered
        yield from self._known

    def _arm(self) -> None:
        plan = self.plan
        every_s = min(_LONGEST_SWEEP_S, min(plan.head_s, plan.body_s, plan.idle_s) / _SWEEPS)
        self._sweeping = asyncio.get_running_loop().call_later(every_s, self._sweep, self.clock())

    def _sweep(self, armed_at: float) -> None:
        now = self.clock()
        for connection in [*self._overdue(now, now - armed_at)]:
            connection.time_out()
        self._sweeping = None
        if self.open:
            self._arm()

    def _overdue(self, now: float, passed_s: float) -> Iterator[Connection]:
        plan = self.plan
        shortest_s = min(plan.head_s, plan.idle_s, plan.body_s, EXTRA_S)
        for shelf, least_s in (
            (self._leaving, LINGER_S),
            (self._strangers, shortest_s),
            (self._known, shortest_s),
            (self._bodies, 0.0),
        ):
            for connection in shelf:
                if now - connection.since < least_s:
                    break  # Each shelf is in the order of `since`.
                if connection.phase >= Phase.DRAINING and connection.is_held_up():
                    connection.since += passed_s
                elif self._is_overdue(connection, now - connection.since):
                    yield connection

    def _is_overdue(self, connection: Connection, waited_s: float) -> bool:
        plan = self.plan
        match connection.phase:
            case Phase.AWAITING | Phase.HEAD if connection.is_extra:
                return waited_s >= min(EXTRA_S, plan.head_s)
            case Phase.AWAITING:
                return waited_s >= (min(plan.head_s, plan.idle_s) if connection.is_fresh else plan.idle_s)
            case Phase.HEAD:
                return waited_s >= plan.head_s
            case Phase.DRAINING | Phase.BODY:
                return waited_s >= plan.body_s and connection.body_bytes < waited_s * plan.body_bytes_per_s
            case _:
                return waited_s >= LINGER_S


def _held_bytes(connection: Connection) -> int:
    return connection.held_bytes
