"""A small service under a clock turned by hand that writes its decisions down, and the record that comes of it."""

from __future__ import annotations

from collections import deque
from hashlib import sha256
from pathlib import Path

import msgspec

from tidegate.core.admission.claims import Act, Admitted, Called, Claim, Cut, Shed, Spent, Waiting
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed
from tidegate.core.admission.gate import GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.room import room_ahead
from tidegate.core.identifiers import Fingerprint, UserId
from tidegate.core.registration.probation import ProbationPlan
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.lab.rules import Rules
from tidegate.services.admission import Patience
from tidegate.services.permits import JoiningPlan
from tidegate.services.recorded import RecordedGate, RecordedScheduler
from tidegate.services.recorder import Recorder
from tidegate.testing.standing import a_record

UNIX_S = 1_800_000_000.0


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(b"secret" + text.encode()).hexdigest()[:16])


def rules(gate: GatePlan | None = None, admission: AdmissionPlan | None = None) -> Rules:
    return Rules(
        gate=gate or GatePlan(),
        admission=admission or AdmissionPlan(),
        joining=JoiningPlan(per_min=6.0, at_once=1.0),
        probation=ProbationPlan(),
        patience=Patience(streamed_s=(gate or GatePlan()).patience_s),
    )


def account(number: int) -> UserId:
    return UserId.of(number.to_bytes(8, "big"))


def address(number: int) -> bytes:
    return (0x0A000000 + number * 256 + 1).to_bytes(4, "big")


class Service:
    """A gate, a scheduler and an engine that writes a token each `gap_s` for everybody, and what they decide."""

    def __init__(self, gate: GatePlan | None = None, admission: AdmissionPlan | None = None) -> None:
        self.now = 50.0
        self.register = Register(StandingPlan(), 1000)
        self.recorder = Recorder(fingerprint, unix_s=UNIX_S, ticks=lambda: self.now)
        self.scheduler = RecordedScheduler(admission or AdmissionPlan(), self.recorder, 0)
        preview = room_ahead(self.register, (self.scheduler,), lambda: self.now)
        self.gate = RecordedGate(gate or GatePlan(), self.register, preview, self.recorder)
        self.gap_s = 0.02
        self.tickets = 0
        self.running: dict[int, list[float]] = {}  # Tokens left, prompt left.
        self.left: dict[int, tuple[int, int]] = {}
        self.came_to: dict[int, tuple[int, int]] = {}
        self.lines: list[bytes] = []
        self.encoder = msgspec.json.Encoder()

    def knows(self, number: int, standing: Standing = Standing.ESTABLISHED) -> UserId:
        who = account(number)
        self.register.know(a_record(who, standing, UNIX_S + self.now - 50.0))
        return who

    @property
    def unix_s(self) -> float:
        return UNIX_S + self.now - 50.0

    def ask(self, number: int, *, tokens: int = 40, prompt: int = 20, size_bytes: int = 80) -> str:
        """An account asks the model: what becomes of it at once."""
        who = account(number)
        facts = Facts(
            address=address(number),
            lane=Lane.INFERENCE,
            bearing=Bearing.GENUINE,
            principal=who,
            digest=sha256(who.encode()).digest(),
            requires_credential=True,
            size_bytes=size_bytes,
        )
        said = self.gate.decide(facts, self.unix_s)
        if not isinstance(said, Passed):
            return said.reason
        self.tickets += 1
        ticket = self.tickets
        claim = Claim(
            principal=who,
            standing=self.register.standing(who, self.unix_s),
            cohort=self.register.cohort(who),
            prompt_bytes=size_bytes,
            output_tokens=200,
            usual_in_flight=self.register.usual_in_flight(who),
        )
        entered, acts = self.scheduler.enter(ticket, claim, self.now)
        self.left[ticket] = (tokens, prompt)
        if isinstance(entered, Admitted):
            self._start(ticket)
        self._carry_out(acts)
        if isinstance(entered, Admitted | Waiting):
            return "entered"
        return "shed" if isinstance(entered, Shed) else "crowded"

    def page(self, number: int) -> bool:
        """A stranger asks for a page."""
        return isinstance(self.gate.decide(Facts(address=address(number), lane=Lane.PAGE), self.unix_s), Passed)

    def leave(self, ticket: int) -> None:
        self.running.pop(ticket, None)
        self._carry_out(self.scheduler.abandon(ticket, self.now))

    def run(self, for_s: float) -> None:
        """Let the engine write for so long: each step a token of every answer, slower with each."""
        until = self.now + for_s
        while self.now < until:
            self.now += self.gap_s * max(1, len(self.running))
            for ticket in list(self.running):
                if ticket in self.running:
                    self._write(ticket)
            if self.scheduler.is_stirred:
                self._carry_out(self.scheduler.stir(self.now))

    def rest(self) -> None:
        while self.running:
            self.run(1.0)

    def _start(self, ticket: int) -> None:
        tokens, prompt = self.left[ticket]
        self.running[ticket] = [tokens, prompt]

    def _write(self, ticket: int) -> None:
        left = self.running[ticket]
        tokens, prompt = self.left[ticket]
        if left[1] > 0:
            left[1] -= 10
            self.scheduler.progress(ticket, prompt - max(0, int(left[1])), prompt, 0, self.now)
            if left[1] <= 0:
                self._carry_out(self.scheduler.began(ticket, self.now))
            return
        left[0] -= 1
        self.scheduler.spend(ticket, 1, self.now)
        if left[0] <= 0 and self.running.pop(ticket, None) is not None:
            spent = Spent(prompt_tokens=prompt, output_tokens=tokens, prefill_tok_s=200.0, decode_tok_s=20.0)
            self._carry_out(self.scheduler.settle(ticket, spent, self.now))

    def _carry_out(self, acts: list[Act]) -> None:
        left = deque(acts)
        while left:
            act = left.popleft()
            match act:
                case Called():
                    self._start(act.ticket)
                case Cut():
                    self.running.pop(act.ticket, None)
                    over = self.scheduler.release if act.is_returning else self.scheduler.abandon
                    left.extend(over(act.ticket, self.now))

    def written(self, path: Path, part: int = 1) -> Path:
        """The record so far, as a file."""
        lines = [self.recorder.begin(part), *self.recorder.take()]
        path.write_bytes(self.encoder.encode_lines(lines))
        return path
