"""What is refused at the gate is counted whole and shown in part."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from tidegate.core.admission.facts import Facts, Lane
from tidegate.core.capacity.pressure import FLOOD, Pressure
from tidegate.core.events import GateRefused, RequestFinished, RouteKind
from tidegate.core.identifiers import Fingerprint, RequestId, UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.http.gate.guard import Report
from tidegate.http.gate.telling import TOLD_AT_ONCE, Telling
from tidegate.testing.journal import RecordingJournal


def _fingerprint(text: str) -> Fingerprint:
    return Fingerprint(f"{hash(text) & (2**64 - 1):016x}")


class Bench:
    def __init__(self) -> None:
        self.journal, self.pressure, self.now = RecordingJournal(), Pressure(), 100.0
        self.telling = Telling(self.journal, self.pressure, _fingerprint, lambda: 7.0, lambda: self.now)


def _report(lane: Lane, address: str | None, principal: UserId | None = None) -> Report:
    packed = None if address is None else ip_address(address).packed
    return Report(
        id=RequestId.of(b"12345678"),
        facts=Facts(address=packed, lane=lane, principal=principal),
        reason=Reason.SLOW_DOWN,
        standing=Standing.VISITOR,
        retry_after_s=1.0,
    )


def test_refusals_are_counted_by_reason_and_told_once() -> None:
    bench = Bench()
    for _ in range(3):
        bench.telling.counted(Reason.SLOW_DOWN, Standing.VISITOR, Lane.PAGE)
    bench.telling.counted(Reason.INVALID_API_KEY, Standing.VISITOR, None)
    bench.telling.spared(Reason.SOURCE_BLOCKED)
    bench.now += 5.0
    bench.telling.tell()
    bench.telling.tell()
    assert bench.journal.events == [
        GateRefused(
            t=7.0,
            over_s=5.0,
            refused={Reason.SLOW_DOWN: 3, Reason.INVALID_API_KEY: 1},
            would={Reason.SOURCE_BLOCKED: 1},
        )
    ]


def test_only_refusals_that_a_flood_leads_to_are_pressure() -> None:
    """A client with a wrong key in a loop must not push every newcomer of the day to the bottom."""
    bench = Bench()
    for _ in range(int(FLOOD) * 10):
        bench.telling.counted(Reason.INVALID_API_KEY, Standing.VISITOR, Lane.CALL)
    assert not bench.pressure.is_flooded(bench.now)
    for _ in range(int(FLOOD)):
        bench.telling.counted(Reason.SLOW_DOWN, Standing.VISITOR, Lane.PAGE)
    bench.telling.tell()
    assert bench.pressure.is_flooded(bench.now)


def test_forged_work_without_end_is_pressure() -> None:
    bench = Bench()
    for _ in range(int(FLOOD) + TOLD_AT_ONCE):
        bench.telling.counted(Reason.CHALLENGE_REQUIRED, Standing.VISITOR, Lane.SIGN_UP)
    assert bench.pressure.is_flooded(bench.now)
    assert bench.telling.take_sign_ups() == int(FLOOD) + TOLD_AT_ONCE, "and counts among those who wanted an account"


def test_a_sudden_flood_is_pressure_at_once_and_not_only_when_it_is_told() -> None:
    bench = Bench()
    for _ in range(int(FLOOD) + TOLD_AT_ONCE):
        bench.telling.counted(Reason.SLOW_DOWN, Standing.VISITOR, Lane.PAGE)
    assert bench.pressure.is_flooded(bench.now)


def test_the_last_few_refusals_are_felt_when_the_journal_is_told() -> None:
    bench = Bench()
    for _ in range(TOLD_AT_ONCE + 3):
        bench.telling.counted(Reason.SLOW_DOWN, Standing.VISITOR, Lane.PAGE)
    bench.telling.tell()
    bench.telling.tell()
    assert bench.pressure.level == TOLD_AT_ONCE + 3


def test_a_sample_says_who_and_what_in_fingerprints_and_that_it_is_one() -> None:
    bench = Bench()
    owner = UserId.of(b"12345678")
    bench.telling.reported(_report(Lane.INFERENCE, "192.0.2.7", owner))
    bench.telling.reported(_report(Lane.ASSET, "2001:db8::7"))
    bench.telling.reported(_report(Lane.CALL, None))
    chat, page, other = bench.journal.of(RequestFinished)
    assert (chat.route, chat.status, chat.reason, chat.is_sample) == (RouteKind.CHAT, 429, Reason.SLOW_DOWN, True)
    assert (chat.src, chat.net) == (_fingerprint("192.0.2.7"), _fingerprint("192.0.2.0/24"))
    assert chat.acct == _fingerprint(owner)
    assert (page.route, page.net, page.acct) == (RouteKind.PAGE, _fingerprint("2001:db8::/48"), None)
    assert (other.route, other.src, other.net) == (RouteKind.OTHER, None, None)


async def test_what_was_counted_last_is_told_when_the_service_stops() -> None:
    bench = Bench()
    naps = asyncio.Event()

    async def nap(seconds: float) -> None:
        del seconds
        naps.set()
        await asyncio.Event().wait()

    telling = asyncio.create_task(bench.telling.tell_now_and_then(nap))
    await naps.wait()
    bench.telling.counted(Reason.SLOW_DOWN, Standing.VISITOR, Lane.PAGE)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    assert [event.refused for event in bench.journal.of(GateRefused)] == [{Reason.SLOW_DOWN: 1}]
