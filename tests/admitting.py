"""An admission over the real scheduler, for tests that say what its callers are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tidegate.core.accounts import Role, User
from tidegate.core.admission.claims import Claim
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.services.admission import Admission, Claimant, Patience
from tidegate.services.quotas import Quotas

PATIENT = Patience(streamed_s=1000.0, whole_s=1000.0)


def user_of(name: str, role: Role = Role.USER) -> User:
    """Somebody; `name` has up to four letters."""
    known_by = UserId.of(name.encode().ljust(4, b"-") * 2)
    return User(id=known_by, email=f"{name}@example.org", role=role, created_at_s=1.0, member_since_s=1.0)


def everybody(standing: Standing) -> Claimant:
    """A claimant to whom all are alike, and none beyond the usual."""
    return lambda user: (standing, user.id, 1000)


def an_admission(
    clock: Callable[[], float],
    slots: int = 2,
    max_waiting: int = 4,
    max_per_owner: int = 100,
    *,
    claimant: Claimant | None = None,
    patience: Patience = PATIENT,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    slice_tokens: int = 256,
    most_slices: int = 4,
    quotas: Quotas | None = None,
) -> Admission:
    """One whose callers are all established and patient, unless the test says otherwise."""
    plan = AdmissionPlan(
        slots=slots,
        max_waiting=max_waiting,
        max_per_owner=max_per_owner,
        max_per_stranger=max_per_owner,
        usual_burst_s=1e9,
        prefill_s=1000.0,
        slice_tokens=slice_tokens,
        most_slices=most_slices,
    )
    return Admission(
        Scheduler(plan),
        clock,
        claimant=claimant or everybody(Standing.ESTABLISHED),
        patience=patience,
        sleep=sleep,
        quotas=quotas,
    )


def claim_of(
    name: str = "ana",
    standing: Standing = Standing.ESTABLISHED,
    *,
    output_tokens: int = 64,
    prompt_bytes: int = 40,
    patience_s: float = 1000.0,
) -> Claim:
    """What somebody asks for."""
    principal = user_of(name).id
    return Claim(
        principal=principal,
        standing=standing,
        cohort=principal,
        usual_in_flight=1000,
        prompt_bytes=prompt_bytes,
        output_tokens=output_tokens,
        patience_s=patience_s,
    )
