"""A gate and a scheduler whose decisions are written down, and files in memory that they go to."""

from __future__ import annotations

from hashlib import sha256

import msgspec

from tidegate.core.admission.claims import Claim
from tidegate.core.admission.facts import Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.decisions.lines import (
    AnyLine,
)
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.services.recorded import RecordedGate, RecordedScheduler
from tidegate.services.recorder import Recorder
from tidegate.services.recording import Recording
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal
from tidegate.testing.standing import a_record

ADDRESS = bytes((192, 0, 2, 7))
SPENT = GatePlan(address_rate=0.001, address_burst=1)


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(b"key" + text.encode()).hexdigest()[:16])


class Kept:
    """Files in memory, which may refuse."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.is_full = True
        self.error: OSError | None = None

    def begin(self, run: str, part: int, head: bytes) -> None:
        assert run
        assert part == len(self.parts) + 1
        self.parts.append(head)
        self.is_full = False

    def append(self, lines: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.parts[-1] += lines

    def close(self) -> None:
        if self.error is not None:
            raise self.error

    def lines(self) -> list[AnyLine]:
        return [msgspec.json.decode(line, type=AnyLine) for part in self.parts for line in part.splitlines()]


class House:
    """A recorded gate and scheduler, and what they wrote down."""

    def __init__(self, plan: GatePlan | None = None, admission: AdmissionPlan | None = None) -> None:
        self.clock = HandClock(100.0)
        self.journal = RecordingJournal()
        self.register = Register(StandingPlan(), 100)
        self.recorder = Recorder(fingerprint, unix_s=1_000_000.0, ticks=self.clock)
        self.scheduler = RecordedScheduler(admission or AdmissionPlan(slots=1), self.recorder, 0)
        self.gate = RecordedGate(plan or GatePlan(), self.register, None, self.recorder)
        self.kept = Kept()
        self.recording = Recording(self.recorder, self.kept, self.journal, self.clock)

    @property
    def unix_s(self) -> float:
        return self.recorder.gate_now()

    def knows(self, number: int, standing: Standing = Standing.ESTABLISHED) -> UserId:
        who = UserId.of(number.to_bytes(8, "big"))
        self.register.know(a_record(who, standing, self.unix_s))
        return who

    def page(self, address: bytes = ADDRESS) -> Passed | Refused:
        return self.gate.decide(Facts(address=address, lane=Lane.PAGE), self.unix_s)

    def claim(self, who: str, standing: Standing = Standing.ESTABLISHED, **fields: object) -> Claim:
        return msgspec.convert(
            {
                "principal": who,
                "standing": standing,
                "cohort": who,
                "prompt_bytes": 70,
                "output_tokens": 20,
                **fields,
            },
            Claim,
        )

    def lines(self) -> list[AnyLine]:
        return self.recorder.take()
