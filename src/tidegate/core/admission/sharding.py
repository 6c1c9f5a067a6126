"""Shuffle sharding: whose requests share a queue.

A cohort is dealt `hand` of `queues` queues, by a keyed hash, and joins the
shortest of them. One cohort, however many accounts it has, is never in more
than its hand; two cohorts have the same hand with probability
1 / C(queues, hand): 3e-12 for 6 of 256. Kubernetes' API priority and fairness
deals the same way (KEP-1040, "Fair Queuing for Server Requests"). The memory
is that of the queues, whatever the number of cohorts. What a cohort consumed in
all of them counts for each (line.py).
"""

from __future__ import annotations

from bisect import insort
from functools import lru_cache
from hashlib import blake2s
from typing import Final

import msgspec

_REMEMBERED: Final = 4096
"""Hands, of about 300 bytes: a request is dealt one when its head is read, and again when it asks."""


class ShardPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`key` keeps anybody outside from choosing whose queues to share (at most 32 bytes)."""

    queues: int = 256
    hand: int = 6
    queue_limit: int = 8
    key: bytes = b""


@lru_cache(_REMEMBERED)
def deal(cohort: str, plan: ShardPlan) -> tuple[int, ...]:
    """The queues of a cohort, all different (Kubernetes' shuffle-sharding dealer: one hash, cards without return)."""
    number = int.from_bytes(blake2s(cohort.encode(), key=plan.key, digest_size=16).digest(), "big")
    hand: list[int] = []
    dealt: list[int] = []  # The same, in order.
    for left in range(plan.queues, plan.queues - plan.hand, -1):
        number, card = divmod(number, left)
        # The card-th queue that was not dealt before.
        for before in dealt:
            if before > card:
                break
            card += 1
        hand.append(card)
        insort(dealt, card)
    return tuple(hand)
