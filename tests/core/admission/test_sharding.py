"""Shuffle sharding: a cohort is never in more queues than its hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.admission.sharding import ShardPlan, deal


@given(st.text(max_size=20), st.integers(1, 40), st.integers(1, 8), st.binary(max_size=32))
def test_a_hand_is_of_different_queues_and_always_the_same(cohort: str, queues: int, hand: int, key: bytes) -> None:
    plan = ShardPlan(queues=queues, hand=min(hand, queues), key=key)
    dealt = deal(cohort, plan)
    assert len(set(dealt)) == len(dealt) == plan.hand
    assert all(0 <= queue < queues for queue in dealt)
    assert deal.__wrapped__(cohort, plan) == dealt


def test_every_queue_is_dealt_equally_often() -> None:
    plan = ShardPlan(queues=16, hand=4)
    counts = dict.fromkeys(range(16), 0)
    for number in range(4000):
        for queue in deal(str(number), plan):
            counts[queue] += 1
    assert all(900 <= count <= 1100 for count in counts.values())


def test_hands_cannot_be_chosen_without_the_key() -> None:
    assert deal("ana", ShardPlan(key=b"one")) != deal("ana", ShardPlan(key=b"other"))


def test_hardly_two_cohorts_share_a_hand() -> None:
    plan = ShardPlan()
    assert len({frozenset(deal(str(number), plan)) for number in range(2000)}) == 2000
