"""What sessions of one log have in common."""

from __future__ import annotations

import random

import pytest

from tests.core.score.stories import START, only, pages, request, scored, value, weight
from tidegate.core.score.crowd import ALONE, LEAST_OTHERS, Outline, facts_of, likenesses
from tidegate.core.score.observed import Observed

READING = [3, 41, 2, 118, 9, 25, 1, 260, 14, 6, 77, 33]


def some(number: int, *, seed: int = 0, source: str | None = None, way: str = "") -> list[Observed]:
    """One session of a timer with a little chance; `way` tells which of many pages it takes."""
    rng = random.Random(seed)
    t, told = 0.0, []
    for place in range(12):
        told.append(request(t, sess=f"s{number}", src=source, path=f"/{way}{place}"))
        t += rng.uniform(4.0, 6.0)
    return told


def people(count: int) -> list[Observed]:
    """So many who are like nobody else: in how much they see, and in how long they stay."""
    told = []
    for number in range(count):
        gaps = [gap ** (0.4 + 0.1 * number) for gap in READING[: 5 + number % 7]]
        told += pages(gaps, sess=f"p{number}", path=None)
    return told


def in_order(events: list[Observed]) -> list[Observed]:
    return sorted(events, key=lambda event: event.t)


def test_sessions_of_one_script_are_twins_and_people_are_not() -> None:
    told = [event for number in range(8) for event in some(number, seed=number, way=f"w{number}-")]
    judged = scored(in_order([*told, *people(10)]))
    assert all(weight(judged[f"s{number}"], "twins") > 0.5 for number in range(8))
    shares = {name: value(one, "twins") or 0.0 for name, one in judged.items()}
    assert min(shares[f"s{number}"] for number in range(8)) > 5 * max(shares[f"p{number}"] for number in range(10))


def test_one_who_happens_to_be_alike_is_no_crowd() -> None:
    alone = [Outline(shape=(10.0 * number, 1.0, 1.0, 1.0), ways=frozenset(), source=None) for number in range(20)]
    assert {one.twins for one in likenesses(alone)} == {0.0}
    pair = likenesses([*alone, alone[0]])[0].twins
    assert pair is not None
    assert pair < 0.02 < 1 / 20


def test_who_goes_where_nobody_went_is_told_from_who_goes_a_beaten_way() -> None:
    told = [event for number in range(5) for event in some(number, seed=number)]
    own = [event for number in range(5, 11) for event in some(number, seed=number, way=f"w{number}-")]
    judged = scored(in_order([*told, *own]))
    assert value(judged["s0"], "shared_ways") == 1.0
    assert value(judged["s5"], "shared_ways") == 0.0
    assert weight(judged["s0"], "shared_ways") > 0 > weight(judged["s5"], "shared_ways")


def test_an_address_counts_by_its_sessions_but_not_the_proxy_before_the_whole_site() -> None:
    crowded = [event for number in range(8) for event in some(number, source="farm")]
    single = [event for number in range(8, 20) for event in some(number, source=f"a{number}")]
    judged = scored(in_order([*crowded, *single]))
    assert weight(judged["s0"], "crowded_visits") > weight(judged["s9"], "crowded_visits")
    behind = scored(in_order([event for number in range(12) for event in some(number, source="proxy")]))
    assert all(value(one, "crowded_visits") is None for one in behind.values())


def test_a_session_that_changes_its_address_is_of_none_and_is_told() -> None:
    roaming = [request(9.0 * place, src=f"a{place}") for place in range(8)]
    assert weight(only(roaming), "address_changes") > 0
    assert weight(only([request(9.0 * place, src=f"a{place % 2}") for place in range(8)]), "address_changes") == 0


def test_few_sessions_are_no_crowd() -> None:
    """Nothing is said of what is common where there is nobody to compare with."""
    alike = Outline(shape=(1.0, 1.0, 1.0, 1.0), ways=frozenset(map(bytes, range(9))), source="one")
    assert likenesses([alike] * LEAST_OTHERS) == [ALONE] * LEAST_OTHERS
    assert likenesses([]) == []
    assert likenesses([alike] * (LEAST_OTHERS + 1))[0].twins == pytest.approx(8.5 / 19)
    assert set(facts_of(ALONE).values()) == {None}


def test_a_log_without_paths_has_no_ways() -> None:
    told = [request(START + 5.0 * place, sess=f"s{number}", path=None) for number in range(12) for place in range(6)]
    assert all(value(one, "shared_ways") is None for one in scored(in_order(told)).values())


@pytest.mark.parametrize("count", [11, 40])
def test_the_order_of_those_compared_does_not_matter(count: int) -> None:
    rng = random.Random(count)
    drawn = [
        Outline(
            shape=(rng.uniform(1, 2), rng.uniform(0, 2), 1.0, 0.5) if rng.random() < 0.8 else None,
            ways=frozenset(map(bytes, rng.sample(range(20), 5))),
            source=rng.choice(("a", "b", "c", None)),
        )
        for _ in range(count)
    ]
    forward = likenesses(drawn)
    assert likenesses(drawn[::-1])[::-1] == forward
