"""The gate's place in HTTP: a request's head becomes facts, the decision becomes bytes or a way in.

Everything here is synchronous and in this process: it runs in the parser's
callback, before there is a task, a scope or a body.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import Gate
from tidegate.core.credentials import Genuine
from tidegate.core.entering.devices import Device
from tidegate.core.identifiers import RequestId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.http.gate.clients import Clients, packed
from tidegate.http.gate.credential import Headers
from tidegate.http.gate.lanes import Entry, Wanted, path_of
from tidegate.http.gate.refusing import Answer, answer, to_sign_in
from tidegate.services.handover import Handover

DRAINED_BYTES: Final = 65536
"""So much of a refused request's body is read for the sake of its connection."""
REPORTS_PER_S: Final = 20
SCREENED_BYTES: Final = 16384
"""A body is looked at up to here: a form with the longest answer that is read has less."""
NOTED_EVERY_S: Final = 60.0
"""So often a connection says that a valid session or key comes from its address."""

# Python 3.11 takes as long for a member of an enumeration as for a call, so those on every request's way stand here.
_INFERENCE: Final = Lane.INFERENCE
_GENUINE: Final = Bearing.GENUINE
_NOTHING: Final = Bearing.NOTHING
_UNTRIED: Final = Bearing.UNTRIED
_DEVICE: Final = Bearing.DEVICE
_TURN: Final = Bearing.TURN
_SIGN_UP: Final = Lane.SIGN_UP
_OF_WORK: Final = frozenset({Lane.SIGN_UP, Lane.SIGN_IN})
_PAGE: Final = Lane.PAGE
_VISITOR: Final = Standing.VISITOR
_SESSION: Final = Wanted.SESSION
_INVALID_API_KEY: Final = Reason.INVALID_API_KEY
_UNTOLD: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade"})
_OF_BODIES: Final = _UNTOLD | {b"content-length"}
_NOT_SIGNED_IN: Final = Reason.NOT_SIGNED_IN


class Peer(msgspec.Struct, gc=False):
    """The other end of a connection. `address` is packed, None for a Unix socket; a proxy speaks for others.

    The rest is what it was told last as a stranger, when, by which edition of the gate and on which
    route; and until when it need not be noted anew that somebody known is there.
    """

    host: str
    port: int
    address: bytes | None
    is_proxy: bool
    told: Refused | None = None
    told_at: float = 0.0
    told_by: object = None
    told_of: Entry | None = None
    known_until: float = 0.0


class Entered(msgspec.Struct, frozen=True):
    """A request that may go on: what the application is to know of it. `client` is as ASGI has it."""

    decision: Passed
    is_genuine: bool
    client: tuple[str, int] | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal in full, for the journal."""

    id: RequestId
    facts: Facts
    reason: Reason
    standing: Standing
    retry_after_s: float | None


_Fields = dict[bytes, bytes]


class Reading(Protocol):
    """Finds who a request is from. `shown_in` are the headers that may tell; without any of them nobody asks."""

    shown_in: frozenset[bytes]

    def find(self, headers: Headers, wanted: Wanted) -> Genuine | Untried | Bearing:
        """The credential that counts, or what there is instead."""


class Marking(Protocol):
    """Finds which devices a request is from."""

    def find(self, headers: Headers, now: float) -> tuple[Device, ...]:
        """The marks that it shows."""


class Turning(Protocol):
    """Finds whose turn it is to sign up."""

    def find(self, headers: Headers) -> bytes | None:
        """What their ticket is known by, if it is theirs."""


class Screening(Protocol):
    """Sees through work that is none."""

    def is_junk(self, lane: Lane, headers: Headers, body: bytes) -> bool:
        """Whether a stranger's form on one of the lanes of work brings some that cannot be anything."""


class Finding(Protocol):
    """Knows what kind of work each address is."""

    def find(self, method: bytes, url: bytes) -> Entry:
        """The route of a request, by method and address as its first line has them."""


class Untried(msgspec.Struct, frozen=True):
    """A key that only the server behind can judge. `digest` is what it is remembered by."""

    digest: bytes


class Turn(msgspec.Struct, frozen=True):
    """The turn of somebody who waited to sign up. `digest` is what their ticket is known by."""

    digest: bytes


Counted = Callable[[Reason, Standing, Lane | None], None]
"""Told of every refusal; the lane is None where the head was never complete."""


class Guard:
    """Judges requests by their heads. `clock` tells Unix seconds.

    `counted` hears of every refusal, `reported` of the first few each second in
    full, `spared` of those that only a dry run let in, `crashed` of the first few
    defects of ours each second.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        credentials: Reading,
        clients: Clients,
        lanes: Finding,
        clock: Callable[[], float],
        counted: Counted | None = None,
        spared: Callable[[Reason], None] | None = None,
        reported: Callable[[Report], None] | None = None,
        crashed: Callable[[RequestId, Exception], None] | None = None,
        expects_proxy_header: bool = False,
        handover: Handover | None = None,
        marks: Marking | None = None,
    ) -> None:
        """`expects_proxy_header`: trusted proxies begin each connection with one (PROXY protocol).

        `handover` hears of every peer that is refused, and of every one that shows a valid session or key, but of
        none behind a proxy that speaks for others: keeping that out would keep out everybody. `marks`, where people
        sign in, finds devices; a mark is no session, so it keeps no address in. Whoever keeps the waiting room sets
        `turns`, and whoever asks for work `screen`.
        """
        self._marks = marks
        self.turns: Turning | None = None
        self.screen: Screening | None = None
        self._handover = handover
        self.expects_proxy_header = expects_proxy_header
        self._gate = gate
        self._credentials = credentials
        self._shown_in = credentials.shown_in
        self._clients = clients
        self._lanes = lanes
        self._clock = clock
        self._counted = counted
        self._spared = spared
        self._reported = reported
        self._crashed = crashed
        self._reports = 0
        self._reports_s = self._silent_s = 0

    def peer(self, name: object) -> Peer:
        """Who is at the other end, by the name that the socket has for it."""
        if not isinstance(name, tuple | list) or len(name) < 2:  # noqa: PLR2004 - host and port; a Unix socket has none
            return Peer("", 0, None, is_proxy=False)
        host, port = str(name[0]), int(name[1])
        address = packed(host)
        return Peer(host, port, address, address is not None and self._clients.trusts(address))

    def behind(self, peer: Peer, address: bytes) -> Peer:
        """Who is at the other end of a proxy, by the header that the proxy began with."""
        return Peer(_text(address), peer.port, address, self._clients.trusts(address))

    def judge(
        self,
        method: bytes,
        url: bytes,
        headers: Headers,
        peer: Peer,
        fields: _Fields | None = None,
        body: bytes = b"",
    ) -> Entered | Answer:
        """Let a request in or write its refusal.

        `fields` are the headers by name, if there are; `body` is all of it where it came with the head, else empty.
        """
        try:
            return self._judge(method, url, headers, peer, fields, body)
        except Exception as error:  # noqa: BLE001 - the last line of defence: recorded, and answered cleanly
            return self._broken(error, method, headers)

    def _judge(
        self, method: bytes, url: bytes, headers: Headers, peer: Peer, fields: _Fields | None, body: bytes
    ) -> Entered | Answer:
        entry = self._lanes.find(method, url)
        if fields is None:
            # Of fields that come twice the last: good enough to see what there is at all, and to be refused by.
            fields = dict(headers)
        found: Genuine | Untried | Device | Turn | Bearing = _NOTHING
        now = self._clock()
        if not self._shown_in.isdisjoint(fields):
            found = self._find(headers, entry, now)
        address = peer.address
        if peer.is_proxy and address is not None:
            address = self._clients.client(address, headers)
        lane = entry.lane
        size_bytes = _number(fields.get(b"content-length", b"")) if lane is _INFERENCE else 0
        # A check of a type that does not hold takes six times as long as one that does: strangers' answers come first.
        if isinstance(found, Untried):
            facts = Facts(
                address=address,
                lane=lane,
                bearing=_UNTRIED,
                digest=found.digest,
                requires_credential=entry.requires_credential,
                size_bytes=size_bytes,
            )
        elif isinstance(found, Bearing):
            facts = Facts(
                address=address,
                lane=lane,
                bearing=found,
                requires_credential=entry.requires_credential,
                size_bytes=size_bytes,
            )
        else:
            facts = _facts_of(found, address, entry, size_bytes)
        told = peer.told
        if peer.told_of is entry and told is not None and self._stands(told, peer, facts, now):
            # Most of those who are refused ask again at once.
            self._press(peer, facts, now)
            return self._refuse(self._gate.again(told, now), facts, entry, method, url, fields, now)
        decision = self._decide(found, facts, headers, body, now)
        if isinstance(decision, Refused):
            self._press(peer, facts, now)
            if decision.lifts_at and not peer.is_proxy:
                peer.told, peer.told_at, peer.told_by, peer.told_of = decision, now, self._gate.edition, entry
            return self._refuse(decision, facts, entry, method, url, fields, now)
        self._meet(peer, facts, now)
        if decision.would is not None and self._spared is not None:
            self._spared(decision.would)
        return Entered(decision, _is_known(facts, decision), _client(peer, address))

    def _decide(
        self,
        found: Genuine | Untried | Device | Turn | Bearing,
        facts: Facts,
        headers: Headers,
        body: bytes,
        now: float,
    ) -> Passed | Refused:
        lane = facts.lane
        if body and lane in _OF_WORK and self.screen is not None:
            # Who is signed in, whose turn has come and whose device is known have budgets of their own.
            is_strangers = isinstance(found, Bearing) or (lane is _SIGN_UP and isinstance(found, Device))
            if is_strangers and self.screen.is_junk(lane, headers, body):
                return self._gate.junk(facts)
        return self._gate.decide(facts, now)

    def _find(self, headers: Headers, entry: Entry, now: float) -> Genuine | Untried | Device | Turn | Bearing:
        """The credential that counts, else the first mark that is not worn: whose it should be, only the body tells.

        Else a ticket whose turn has come; where accounts are made a mark is nothing.
        """
        found: Genuine | Untried | Device | Bearing = self._credentials.find(headers, entry.wanted)
        if not isinstance(found, Bearing):
            return found
        if self._marks is not None:
            found = next((one for one in self._marks.find(headers, now) if not self._gate.is_dead(one.id, now)), found)
        lane = entry.lane
        if self.turns is not None and (lane is _SIGN_UP or (lane is _PAGE and isinstance(found, Bearing))):
            ticket = self.turns.find(headers)
            return found if ticket is None else Turn(ticket)
        return found

    def _press(self, peer: Peer, facts: Facts, now: float) -> None:
        """Tell of a refusal, where the peer itself is the caller."""
        handover, address = self._handover, peer.address
        if handover is None or address is None or peer.is_proxy:
            return
        if facts.bearing is _GENUINE and not self._gate.is_dead(facts.digest, now):
            self._meet(peer, facts, now)
        elif handover.offloading.is_on:
            handover.refused(address, now)

    def left_unasked(self, peer: Peer) -> None:
        """Tell of a connection on which no request was ever taken: to accept and to end it costs as a refusal does."""
        handover, address = self._handover, peer.address
        if handover is not None and address is not None and not peer.is_proxy and handover.offloading.is_on:
            handover.refused(address, self._clock())

    def _meet(self, peer: Peer, facts: Facts, now: float) -> None:
        """Tell that somebody known is at the other end, of each connection now and then."""
        handover, address = self._handover, peer.address
        if handover is None or facts.bearing is not _GENUINE or now < peer.known_until:
            return
        if address is not None and not peer.is_proxy and not self._gate.is_dead(facts.digest, now):
            peer.known_until = now + NOTED_EVERY_S
            handover.seen(address, now)

    def _stands(self, told: Refused, peer: Peer, facts: Facts, now: float) -> bool:
        is_strangers = facts.principal is None and facts.bearing is not _TURN
        return peer.told_at <= now < told.lifts_at and is_strangers and peer.told_by is self._gate.edition

    def turn_away(self, reason: Reason, method: bytes, headers: Headers, retry_after_s: float | None = None) -> Answer:
        """Write the refusal of a connection rather than of a request, and count it; it is the last on it."""
        if self._counted is not None:
            self._counted(reason, Standing.VISITOR, None)
        is_page = b"text/html" in dict(headers).get(b"accept", b"")
        return answer(reason, retry_after_s, is_page=is_page, is_head=method == b"HEAD", is_last=True)

    def _broken(self, error: Exception, method: bytes, headers: Headers) -> Answer:
        written = self.turn_away(Reason.INTERNAL_ERROR, method, headers)
        now_s = int(self._clock())
        if self._crashed is not None and now_s != self._silent_s:
            self._crashed(_id_of(written), error)
            self._note_report(now_s)
        return written

    def _refuse(
        self, decision: Refused, facts: Facts, entry: Entry, method: bytes, url: bytes, fields: _Fields, now: float
    ) -> Answer:
        reason = decision.reason
        if reason is _INVALID_API_KEY and entry.wanted is _SESSION:
            reason = _NOT_SIGNED_IN
        is_page = b"accept" in fields and b"text/html" in fields[b"accept"]
        unread_bytes, is_last = 0, False
        if not _OF_BODIES.isdisjoint(fields):
            unread_bytes = _number(fields.get(b"content-length", b""))
            # The last, where more may come than is worth reading, or nobody can tell whether anything will.
            is_last = unread_bytes > DRAINED_BYTES or not _UNTOLD.isdisjoint(fields)
        if reason is _NOT_SIGNED_IN and is_page and method in {b"GET", b"HEAD"}:
            written = to_sign_in(path_of(url), is_last=is_last, unread_bytes=unread_bytes)
        else:
            written = answer(
                reason,
                decision.retry_after_s,
                is_page,
                method == b"HEAD",
                reason is _INVALID_API_KEY and facts.bearing is _NOTHING,
                entry.is_for_programs and b"origin" in fields,
                is_last,
                unread_bytes,
            )
        if self._counted is not None:
            self._counted(reason, decision.standing, entry.lane)
        if int(now) != self._silent_s and self._reported is not None:
            self._report(self._reported, decision, reason, facts, written)
            self._note_report(int(now))
        return written

    def _note_report(self, now_s: int) -> None:
        if now_s != self._reports_s:
            self._reports_s, self._reports = now_s, 0
        self._reports += 1
        if self._reports >= REPORTS_PER_S:
            self._silent_s = now_s

    @staticmethod
    def _report(
        reported: Callable[[Report], None], decision: Refused, reason: Reason, facts: Facts, written: Answer
    ) -> None:
        reported(
            Report(
                id=_id_of(written),
                facts=facts,
                reason=reason,
                standing=decision.standing,
                retry_after_s=decision.retry_after_s,
            )
        )


def _facts_of(found: Genuine | Device | Turn, address: bytes | None, entry: Entry, size_bytes: int) -> Facts:
    if isinstance(found, Turn):
        return Facts(address=address, lane=entry.lane, bearing=_TURN, digest=found.digest)
    bearing, digest = (_DEVICE, found.id) if isinstance(found, Device) else (_GENUINE, found.digest)
    return Facts(
        address=address,
        lane=entry.lane,
        bearing=bearing,
        principal=found.principal,
        digest=digest,
        requires_credential=entry.requires_credential,
        size_bytes=size_bytes,
    )


def _is_known(facts: Facts, decision: Passed) -> bool:
    """Whether somebody known sent it; a mark of an account without any standing counted for nothing."""
    return facts.bearing is _GENUINE or (facts.bearing is _DEVICE and decision.standing is not _VISITOR)


def _id_of(written: Answer) -> RequestId:
    return RequestId(written.head.rpartition(b"x-request-id: ")[2].partition(b"\r")[0].decode("ascii"))


def _number(digits: bytes) -> int:
    # The parser has refused what is no number; a longer one than this says nothing that matters.
    return int(digits[:18]) if digits.isdigit() else 0


def _client(peer: Peer, address: bytes | None) -> tuple[str, int] | None:
    if address is None:
        return None
    if address == peer.address:
        return (peer.host, peer.port)
    return (_text(address), 0)


def _text(address: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address)  # noqa: PLR2004
