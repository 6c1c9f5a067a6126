"""Puts the gate together: who may come in, what is known of them, and what is told of those who may not."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.app.firewall import open_handover
from tidegate.app.plans import Plans
from tidegate.config import Settings
from tidegate.config.exposure import trusted_proxies
from tidegate.core.accounts import User
from tidegate.core.admission.gate import Gate, GatePlan, Preview
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.room import room_ahead
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.capacity.pressure import Pressure
from tidegate.core.identifiers import Fingerprint
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.register import Register
from tidegate.http.gate.clients import Clients, packed
from tidegate.http.gate.connections import Connections
from tidegate.http.gate.guard import Finding, Guard, Marking, Reading
from tidegate.http.gate.telling import Telling
from tidegate.ports.journal import Journal
from tidegate.ports.upstream import Ask
from tidegate.services.admission import Admission, Patience
from tidegate.services.handover import Handover
from tidegate.services.passing import Guess
from tidegate.services.quotas import Quotas
from tidegate.services.recorded import RecordedGate, RecordedScheduler
from tidegate.services.recorder import Recorder


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that stands before the public port. The status port has a table of its own and no guard."""

    gate: Gate
    guard: Guard
    connections: Connections
    status_connections: Connections
    register: Register
    admissions: tuple[Admission, ...]
    fits: tuple[Callable[[AdmissionPlan], AdmissionPlan], ...]
    pressure: Pressure
    telling: Telling
    handover: Handover
    steady: Callable[[], float]
    recorder: Recorder | None = None

    def apply(self, plans: Plans) -> None:
        """Go on under other plans; nothing that runs is touched."""
        self.gate.apply(plans.gate)
        self.connections.plan = self.status_connections.plan = plans.connections
        self.register.plan = plans.standing
        for admission, fit in zip(self.admissions, self.fits, strict=True):
            slots = admission.scheduler.plan.slots  # As many as its engine has places; a plan does not change that.
            plan = msgspec.structs.replace(fit(plans.admission), slots=slots)
            admission.carry_out(admission.scheduler.replan(plan, time.monotonic()))
            admission.patience = patience(plans)
            if admission.quotas is not None:
                admission.quotas.ledger.defaults = plans.quotas
        self.handover.apply(plans.firewall)
        if self.recorder is not None:
            self.recorder.replanned()

    def note_dead(self, digest: bytes) -> None:
        """A genuine credential is revoked or over: it is a stranger's from now on."""
        self.gate.note_dead(digest, self.steady())

    def note_turned_down(self, digest: bytes) -> None:
        """The server behind the gate turned this key down."""
        self.gate.note_turned_down(digest, self.steady())

    def note_guess(self, host: str) -> None:
        """The server behind the gate turned a key down that came from this address."""
        address = packed(host)
        if address is not None:
            self.gate.note_guess(address, self.steady())

    def is_flooded(self) -> bool:
        """Whether a flood runs: accounts made now start at the bottom."""
        return self.pressure.is_flooded(time.monotonic())


def patience(plans: Plans) -> Patience:
    """How long callers wait."""
    return Patience(streamed_s=plans.patience_s, whole_s=plans.patience_whole_s)


def open_admission(
    plans: Plans,
    register: Register,
    served: Callable[..., None],
    quotas: Quotas | None = None,
    fit: Callable[[AdmissionPlan], AdmissionPlan] = lambda plan: plan,
    *,
    recorder: Recorder | None = None,
    line: int = 0,
) -> Admission:
    """Make the scheduler and its awaitable face; `fit` makes the plan that of its engine.

    With a `recorder` its decisions are written down, as those of the service's `line`.
    """

    def claimant(user: User) -> tuple[Standing, str, int]:
        standing = register.standing(user.id, time.time())
        return standing, register.cohort(user.id), register.usual_in_flight(user.id)

    plan = fit(plans.admission)
    return Admission(
        Scheduler(plan) if recorder is None else RecordedScheduler(plan, recorder, line),
        time.monotonic,
        claimant=claimant,
        patience=patience(plans),
        served=served,
        quotas=quotas,
    )


def guess(scheduler: Scheduler) -> Guess:
    """Tell how far an answer should be by its time, at the rates that the engine is known to have."""

    def guess(ask: Ask, passed_s: float) -> int:
        cost = scheduler.cost
        writing_s = passed_s - ask.tokens / cost.prefill_tok_s
        return max(0, int(writing_s * cost.decode_tok_s / max(1, scheduler.running)))

    return guess


def steady_clock() -> Callable[[], float]:
    """Unix time that never steps: a bucket must not be filled by setting the clock."""
    started_at, started_ticks = time.time(), time.monotonic()
    return lambda: started_at + time.monotonic() - started_ticks


def open_gate(plan: GatePlan, register: Register, preview: Preview, recorder: Recorder | None) -> Gate:
    """Make a gate; with a `recorder` its decisions are written down."""
    return Gate(plan, register, preview) if recorder is None else RecordedGate(plan, register, preview, recorder)


def open_door(
    settings: Settings,
    plans: Plans,
    *,
    credentials: Reading,
    lanes: Finding,
    register: Register,
    lines: tuple[tuple[Admission, Callable[[AdmissionPlan], AdmissionPlan]], ...],
    journal: Journal,
    fingerprint: Callable[[str], Fingerprint],
    key: bytes,
    memory: InhabitedFile,
    is_nobody_known: bool = False,
    marks: Marking | None = None,
    recorder: Recorder | None = None,
) -> Door:
    """Make the gate before the `lines` of every model, which knows callers by `credentials`, addresses by `lanes`.

    `marks` finds devices that people have signed in on. `key` hides where known people live; `is_nobody_known`: there
    is no account yet. With a `recorder` its decisions are written down; the `lines` are to have the same one.
    """
    steady = steady_clock()
    pressure = Pressure()
    telling = Telling(journal, pressure, fingerprint, time.time, time.monotonic)
    preview = room_ahead(register, tuple(admission.scheduler for admission, _ in lines), time.monotonic)
    gate = open_gate(plans.gate, register, preview, recorder)
    handover = open_handover(
        settings,
        plans.firewall,
        key=key,
        memory=memory,
        is_nobody_known=is_nobody_known,
        journal=journal,
        fingerprint=fingerprint,
        clock=steady,
    )
    guard = Guard(
        gate=gate,
        credentials=credentials,
        clients=Clients(trusted_proxies(settings)),
        lanes=lanes,
        clock=steady,
        counted=telling.counted,
        spared=telling.spared,
        reported=telling.reported,
        crashed=telling.crashed,
        expects_proxy_header=settings.server.proxy_protocol,
        handover=handover,
        marks=marks,
    )
    return Door(
        gate=gate,
        guard=guard,
        connections=Connections(plans.connections),
        status_connections=Connections(plans.connections),
        register=register,
        admissions=tuple(admission for admission, _ in lines),
        fits=tuple(fit for _, fit in lines),
        pressure=pressure,
        telling=telling,
        handover=handover,
        steady=steady,
        recorder=recorder,
    )
