"""How many decisions one core makes: the gate's, with the scheduler's preview, and the scheduler's own.

The yardstick is one keyed BLAKE2s of a credential's payload in the same run: what any
gate must at least pay to know a key.
"""

from __future__ import annotations

import os
import secrets
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable
from hashlib import blake2s
from itertools import count, cycle

from service import pin, report

from tidegate.core.accounts import Role
from tidegate.core.admission.claims import Act, Admitted, Called, Claim, Crowded, Cut, Shed, Spent, Waiting
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register

ROUNDS = 5
DECISIONS = 50_000
LOOKED_AT = 100
SOURCES = 100_000
WAITING = 64
NEWCOMERS = 1000
TARGET_PER_S = 50_000
NOW = 1_800_000_000.0
LAX = GatePlan(principal_rate=1e6, principal_burst=1e6, strangers_rate=1e6, strangers_burst=1e6, patience_s=2.0)


class Crowd:
    """A scheduler whose places are taken, and before which attackers with fresh accounts wait."""

    def __init__(self, patience_s: float = 3600.0) -> None:
        """Fill it."""
        self.scheduler = Scheduler(AdmissionPlan(max_waiting=WAITING))
        self.tickets = count(1)
        self.people = cycle([UserId.of(number.to_bytes(8, "big")) for number in range(NEWCOMERS)])
        self.patience_s = patience_s
        self.now = 0.0
        self.running: deque[int] = deque()
        self.lost = 0
        for _ in range(4 * WAITING):
            self.enter()

    def enter(self, standing: Standing = Standing.NEWCOMER) -> tuple[int, Admitted | Waiting | Shed | Crowded]:
        """One more comes."""
        ticket, person = next(self.tickets), next(self.people)
        claim = Claim(
            principal=person,
            standing=standing,
            cohort=person,
            prompt_bytes=200,
            output_tokens=200,
            patience_s=self.patience_s,
        )
        answer, acts = self.scheduler.enter(ticket, claim, self.now)
        if isinstance(answer, Admitted):
            self.took(ticket)
        self.carry_out(acts)
        return ticket, answer

    def took(self, ticket: int) -> None:
        """It has a place, and the first piece of its answer is there at once."""
        self.running.append(ticket)
        self.carry_out(self.scheduler.began(ticket, self.now))

    def carry_out(self, acts: list[Act]) -> None:
        """What the service would do, without an engine: who is cut leaves."""
        for act in acts:
            if isinstance(act, Called):
                self.took(act.ticket)
            elif isinstance(act, Cut):
                self.lost += 1
                self.leave(act.ticket)

    def leave(self, ticket: int) -> None:
        """One goes, whatever it did."""
        if ticket in self.running:
            self.running.remove(ticket)
        self.carry_out(self.scheduler.abandon(ticket, self.now))

    def serve(self) -> None:
        """One answer ends, the next begins, one more attacker comes to wait."""
        self.now += 0.001
        done = Spent(prompt_tokens=60, output_tokens=100, prefill_tok_s=110.0, decode_tok_s=20.0)
        self.carry_out(self.scheduler.settle(self.running.popleft(), done, self.now))
        self.enter()


def gate_cases(crowd: Crowd, register: Register) -> dict[str, Callable[[], Passed | Refused]]:
    """Requests of every kind."""

    def preview(
        principal: UserId | None, standing: Standing, size_bytes: int, patience_s: float, _now: float
    ) -> Shed | None:
        # The scheduler's clock is its own.
        who = principal or ""
        return crowd.scheduler.preview(who, standing, who, size_bytes, patience_s, crowd.now)

    gate, strict = Gate(LAX, register, preview), Gate(GatePlan(strangers_rate=1e6, strangers_burst=1e6), register)
    known = UserId.of(b"\xff" * 8)
    register.know(
        Record(principal=known, role=Role.USER, created_at_s=0.0, member_since_s=0.0, cohort=known, is_vouched=True)
    )
    clock = count()

    def facts(
        lane: Lane, bearing: Bearing, *, principal: UserId | None = None, address: bytes = b"\x7f\0\0\1"
    ) -> Facts:
        return Facts(
            address=address,
            lane=lane,
            bearing=bearing,
            principal=principal,
            digest=None if principal is None else blake2s(principal.encode()).digest(),
            requires_credential=lane is Lane.INFERENCE,
            size_bytes=200,
        )

    def asked(gate: Gate, among: list[Facts]) -> Callable[[], Passed | Refused]:
        following = cycle(among)
        return lambda: gate.decide(next(following), NOW + next(clock) * 1e-5)

    one = [facts(Lane.PAGE, Bearing.NOTHING)]
    many = [facts(Lane.PAGE, Bearing.NOTHING, address=number.to_bytes(4, "big")) for number in range(SOURCES)]
    forged = [facts(Lane.INFERENCE, Bearing.FORGED, address=number.to_bytes(4, "big")) for number in range(SOURCES)]
    fresh = [
        facts(Lane.INFERENCE, Bearing.GENUINE, principal=UserId.of(secrets.token_bytes(8))) for _ in range(NEWCOMERS)
    ]
    return {
        "stranger, one address, refused": asked(strict, one),
        f"stranger, {SOURCES} addresses": asked(strict, many),
        "forged key": asked(strict, forged),
        "newcomer, no room: the full decision": asked(gate, fresh),
        "established, passes: the full decision": asked(
            gate, [facts(Lane.INFERENCE, Bearing.GENUINE, principal=known)]
        ),
    }


def scheduler_cases(crowd: Crowd, patient: Crowd) -> dict[str, Callable[[], object]]:
    """What the scheduler does while attackers wait."""

    def known_comes_and_goes() -> object:
        ticket, answer = patient.enter(Standing.ESTABLISHED)
        patient.leave(ticket)
        while patient.scheduler.waiting < WAITING // 2:  # Those it had cut are replaced, as a flood would.
            patient.enter()
        return answer

    return {
        "attacker comes, is shed: enter": lambda: crowd.enter()[1],
        "answer ends, next begins, one more waits: settle, began, enter": crowd.serve,
        "established comes, has a place cut, goes: enter, 2 abandon, began, enter": known_comes_and_goes,
    }


def per_s(act: Callable[[], object], decisions: int) -> float:
    """How often a second of processor time, the median of some rounds."""
    rates = []
    for _ in range(ROUNDS):
        began_at = time.process_time()
        for _ in range(decisions):
            act()
        rates.append(decisions / (time.process_time() - began_at))
    return statistics.median(rates)


def main() -> None:
    """Measure and report."""
    pin(os.getpid(), {max(os.sched_getaffinity(0))})
    key, payload = secrets.token_bytes(32), secrets.token_bytes(30)
    yardstick = per_s(lambda: blake2s(payload, key=key, digest_size=16, person=b"live").digest(), DECISIONS)
    register = Register(StandingPlan(), 65536)
    crowd = Crowd()
    refusals = gate_cases(crowd, register)
    cases: dict[str, Callable[[], object]] = {**refusals, **scheduler_cases(Crowd(), Crowd())}
    rows = []
    for name, act in cases.items():
        rate = per_s(act, DECISIONS if name in refusals else DECISIONS // 10)
        answer = Counter(type(act()).__name__ for _ in range(LOOKED_AT)).most_common(1)[0][0]
        rows.append({"case": name, "mostly": answer, "per_s": rate, "us": 1e6 / rate, "ratio": yardstick / rate})
    table: list[tuple[str, ...]] = [("decision", "a second", "us", "of one BLAKE2s", "target")]
    table += [
        (
            f"{row['case']} ({row['mostly']})",
            f"{row['per_s']:,.0f}",
            f"{row['us']:.1f}",
            f"x {row['ratio']:.1f}",
            f">= {TARGET_PER_S:,}",
        )
        for row in rows
    ]
    report(
        "decisions",
        {"waiting": crowd.scheduler.waiting, "yardstick_per_s": yardstick, "target_per_s": TARGET_PER_S, "rows": rows},
        table,
    )


if __name__ == "__main__":
    main()
