"""What an operator decides about admission, as one frozen value that can be exchanged while the service runs."""

from __future__ import annotations

import msgspec

from tidegate.core.admission.cost import CostPlan
from tidegate.core.admission.sharding import ShardPlan
from tidegate.core.standing.classes import Standing

_SHARES = {
    Standing.OPERATOR: 0.1,
    Standing.ESTABLISHED: 0.5,
    Standing.MEMBER: 0.2,
    Standing.NEWCOMER: 0.12,
    Standing.VISITOR: 0.05,
    Standing.SUSPECT: 0.03,
}


class AdmissionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds and shares.

    `slots` answers run at once, `max_waiting` more may wait, of one principal
    `max_per_owner` both together and of one stranger `max_per_stranger`.
    `shares` are guaranteed minima relative to each other. While known people are
    served, strangers start in that part of the places, `strangers_beside`, at
    least one where few of them wait. Strangers' answers
    are reserved, and everybody's topped up, in slices of `slice_tokens`;
    strangers that others wait behind get `most_slices`. `gap_s` is the time between tokens
    that is still good. The engine reads prompts `batch_tokens` at a time; one
    that takes longer than `prefill_s` more is set aside for somebody with a
    better right, at most `most_returns` times for the same class's sake.
    Strangers' prompts are read while fewer than `readers` are; llama.cpp reads one after the other. A principal takes
    `usual_burst_s` of the engine's time at once and `usual_part` of it for long
    before it counts as beyond its usual. `most_principals` bounds every map of principals.
    """

    slots: int = 4
    max_waiting: int = 64
    max_per_owner: int = 16
    max_per_stranger: int = 4
    shares: dict[Standing, float] = msgspec.field(default_factory=lambda: dict(_SHARES))
    strangers_beside: float = 0.2
    slice_tokens: int = 256
    most_slices: int = 4
    gap_s: float = 0.2
    batch_tokens: int = 6
    readers: int = 1
    prefill_s: float = 0.2
    usual_burst_s: float = 10.0
    usual_part: float = 0.08
    most_principals: int = 65_536
    most_returns: int = 4
    cost: CostPlan = CostPlan()
    shards: ShardPlan = ShardPlan()
