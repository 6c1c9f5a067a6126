"""The gate before servers that others run, over fakes or before whatever a test puts there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

from tests.admitting import PATIENT, everybody
from tests.http.asgi import Visit
from tests.http.wire import serving
from tidegate.core.admission.gate import Gate, GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.events import RequestFinished
from tidegate.core.identifiers import Fingerprint
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.record import StandingPlan
from tidegate.core.standing.register import Register
from tidegate.http.gate.callers import PassedKeys
from tidegate.http.gate.clients import Clients, packed
from tidegate.http.gate.guard import Guard
from tidegate.http.proxy.addresses import Addresses
from tidegate.http.proxy.application import build_gate_applications
from tidegate.http.proxy.passing import Proxy, Rejecting
from tidegate.ports.upstream import Upstreams
from tidegate.services.admission import Admission
from tidegate.services.lifecycle import Lifecycle
from tidegate.services.policy import Policy
from tidegate.services.proven import Proven
from tidegate.testing.clock import HandClock
from tidegate.testing.engine import FakeEngine
from tidegate.testing.journal import RecordingJournal
from tidegate.testing.upstream import FakeUpstreams

CHAT = "/v1/chat/completions"
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
SECRET = b"s" * 32
MAX_BODY_BYTES = 1 << 20


class Gateway:
    """Everything that `tidegate gate` is made of, open to a test."""

    def __init__(
        self,
        upstreams: Upstreams | None = None,
        *,
        slots: int = 4,
        max_waiting: int = 8,
        more: tuple[str, ...] = (),
        plan: GatePlan | None = None,
    ) -> None:
        self.clock = HandClock()
        self.journal = RecordingJournal()
        self.fake = FakeUpstreams()
        self.register = Register(StandingPlan(), 1000)
        self.lifecycle = Lifecycle()
        self.keys = PassedKeys(SECRET, lambda who: self.register.record(who) is not None, self.clock)
        self.addresses = Addresses(more)
        limits = AdmissionPlan(slots=slots, max_waiting=max_waiting, max_per_owner=100, max_per_stranger=100)
        self.admission = Admission(
            Scheduler(limits), self.clock, claimant=everybody(Standing.ESTABLISHED), patience=PATIENT
        )
        self.gate = Gate(plan or GatePlan(), self.register)
        self.guard = Guard(
            gate=self.gate,
            credentials=self.keys,
            clients=Clients(()),
            lanes=self.addresses,
            clock=self.clock,
        )
        self.proven = Proven(self.register, self.clock, lambda: False, alive=self.gate.note_alive)
        self.guessed: list[str] = []
        proxy = Proxy(
            upstreams=upstreams or self.fake,
            addresses=self.addresses,
            keys=self.keys,
            proven=self.proven,
            admission=self.admission,
            lifecycle=self.lifecycle,
            rejecting=Rejecting(lambda digest: self.gate.note_turned_down(digest, self.clock()), self.note_guess),
            fingerprint=_fingerprint,
            max_body_bytes=MAX_BODY_BYTES,
            strangers_body_bytes=1 << 20,
            guess=lambda _ask, _passed_s: 0,
        )
        policy = Policy(
            in_force={},
            read=dict,
            is_live=lambda _: True,
            enforce=lambda _: None,
            journal=self.journal,
            clock=self.clock,
        )
        self.apps = build_gate_applications(
            proxy=proxy,
            engine=FakeEngine(),
            admission=self.admission,
            lifecycle=self.lifecycle,
            journal=self.journal,
            fingerprint=_fingerprint,
            exposition=lambda: b"",
            policy=policy,
            control=[],
            clock=self.clock,
            ticks=self.clock,
        )

    def note_guess(self, host: str) -> None:
        self.guessed.append(host)
        address = packed(host)
        assert address is not None
        self.gate.note_guess(address, self.clock())

    def visit(
        self,
        body: Any = BODY,
        path: str = CHAT,
        *,
        method: str = "POST",
        key: str | None = "sk-ana",
        headers: Mapping[str, str] | None = None,
    ) -> Visit:
        """One request to the application, past the gate's guard."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        shown = {} if key is None else {"authorization": f"Bearer {key}"}
        given = {"host": "gate.example", "content-type": "application/json", **shown, **(headers or {})}
        return Visit(self.apps.public, method, path, headers=given, body=raw)

    async def ask(self, body: Any = BODY, path: str = CHAT, **options: Any) -> Visit:
        return await self.visit(body, path, **options).ask()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """The public port, behind the guard and the gate's protocol."""
        async with serving(self.apps.public, self.guard) as port:
            yield port

    def finished(self) -> RequestFinished:
        return self.journal.of(RequestFinished)[-1]

    def assert_all_free(self) -> None:
        scheduler = self.admission.scheduler
        assert (scheduler.running, scheduler.waiting, self.fake.running, self.lifecycle.running) == (0, 0, 0, 0)
        assert self.admission.remembered == 0


def _fingerprint(text: str) -> Fingerprint:
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])
