"""Who may read a prompt now, who must stop reading, and whose place is only borrowed.

An engine reads prompts one after the other, beside the answers that it writes:
a long one holds up the prompts of all others. So prompts are read by rank. An
engine that reads in small batches can be interrupted at any of them, and what
it has read stays in its place for the same owner: being set aside costs little.

Nobody is cut for one who would not go next: turns.py decides both.
"""

from __future__ import annotations

from typing import Final

from tidegate.core.admission.cost import CostModel
from tidegate.core.admission.fair import Counters
from tidegate.core.admission.floor import Floor
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.tickets import Ticket
from tidegate.core.standing.classes import RANK

_MUCH: Final = 3.0
_SLOWEST: Final = 1.25
"""One batch in twenty takes so much longer than the others: 173 ms where the median was 139."""


def may_read(ticket: Ticket, floor: Floor, counters: Counters, cost: CostModel, plan: AdmissionPlan) -> bool:
    """Whether a known person's prompt may be read now.

    Whoever was set aside lets those be read for whom it was, unless that has
    happened often enough. And nobody comes in only to be read before those who
    came first, where they would not have to yield: prompts are read one after
    the other anyway. An engine that has several `readers` orders prompts by itself.
    """
    if plan.readers > 1:
        return True
    if 0 < ticket.returns < plan.most_returns and not all(other.is_stranger for other in floor.reading()):
        return False
    return all(_yields(reading, ticket, counters, cost, plan) for reading in floor.overtaken_by(ticket))


def is_stalling(cost: CostModel, plan: AdmissionPlan) -> bool:
    """Whether a prompt that is read makes answers flow worse than is good: each waits for a whole batch a token.

    The engine says how fast it read a prompt beside the others, which took about half of the places' tokens.
    """
    return cost.prefill_s(plan.slots / 2 + plan.batch_tokens) * _SLOWEST > plan.gap_s


def set_aside_by(heir: Ticket, floor: Floor, counters: Counters, cost: CostModel, plan: AdmissionPlan) -> list[Ticket]:
    """Whose prompts must wait now that a known person's is read.

    Not those in higher places: the engine reads the lower place first by itself. One that orders prompts by itself
    may read a stranger's first, wherever that is: one that is read by right is left to it when it was set aside often.
    """
    long_tokens = plan.prefill_s * cost.prefill_tok_s
    long = [one for one in floor.unbegun() if one.prompt_tokens - one.read_tokens > long_tokens]
    return [
        reading
        for reading in long
        if reading is not heir
        and not reading.is_cut
        and (
            (reading.place or 0) < (heir.place or 0)
            or (plan.readers > 1 and reading.is_stranger and (not reading.is_by_right or _may_return(reading, plan)))
        )
        and _yields(reading, heir, counters, cost, plan)
    ]


def _may_return(reading: Ticket, plan: AdmissionPlan) -> bool:
    return reading.returns < plan.most_returns


def _yields(reading: Ticket, heir: Ticket, counters: Counters, cost: CostModel, plan: AdmissionPlan) -> bool:
    """Worse classes do; within a class one that is much longer, of somebody who has consumed more, and not for ever."""
    if reading.standing is not heir.standing:
        return RANK[heir.standing] < RANK[reading.standing]
    has_less = counters.start(heir.flows[0]) < counters.start(reading.flows[0])
    return has_less and is_much_shorter(heir, reading, cost, plan)


def is_worth_setting_aside(reading: Ticket, cost: CostModel, plan: AdmissionPlan) -> bool:
    """Whether a prompt that is being read will take so long that others should not wait for it."""
    return cost.prefill_s(reading.prompt_tokens - reading.read_tokens) > plan.prefill_s


def is_much_shorter(ticket: Ticket, reading: Ticket, cost: CostModel, plan: AdmissionPlan) -> bool:
    """Whether one of the same class may have a prompt set aside that is being read."""
    left_s = cost.prefill_s(reading.prompt_tokens - reading.read_tokens)
    return cost.prefill_s(ticket.prompt_tokens) * _MUCH < left_s and _may_return(reading, plan)
