"""Which domains hand out addresses for minutes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.registration.disposable import DAY_S, DisposableList

TAKEN = 1_787_000_000.0
LIST = DisposableList(
    source="a list",
    commit="1",
    licence="CC0",
    taken_at_s=TAKEN,
    domains=frozenset({"minutes.example", "a.b.c.example"}),
)


@pytest.mark.parametrize(
    ("domain", "is_listed"),
    [
        ("minutes.example", True),
        ("minutes.example.", True),
        ("mail.minutes.example", True),
        ("a.b.c.example", True),
        ("b.c.example", False),
        ("fewminutes.example", False),
        ("example", False),
        ("", False),
    ],
)
def test_a_listed_domain_stands_for_all_below_it(domain: str, is_listed: bool) -> None:
    """And for nothing above or beside it."""
    assert LIST.has(domain) is is_listed


@given(st.lists(st.sampled_from("abc"), max_size=120))
def test_a_long_way_below_is_still_below(labels: list[str]) -> None:
    """However many labels somebody writes."""
    assert LIST.has(".".join([*labels, "minutes", "example"]))


def test_a_list_counts_half_once_it_is_old() -> None:
    """After ninety days; a clock before its date makes it no fresher than new."""
    assert LIST.weight(TAKEN + 90 * DAY_S) == 1.0
    assert LIST.weight(TAKEN + 90 * DAY_S + 1) == 0.5
    assert LIST.age_days(TAKEN + DAY_S) == 1.0
    assert LIST.age_days(TAKEN - DAY_S) == 0.0
