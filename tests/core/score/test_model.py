"""Adding up log-odds."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.score.stories import WEIGHTS
from tidegate.core.score.features import FEATURES
from tidegate.core.score.model import Curve, weigh

NAMES = [feature.name for feature in FEATURES]
VALUES = st.dictionaries(st.sampled_from(NAMES), st.one_of(st.none(), st.floats(-6, 6)), max_size=len(NAMES))


@given(VALUES, st.sampled_from(NAMES), st.floats(-6, 6), st.floats(0, 6))
def test_more_evidence_of_a_program_never_lowers_the_score(
    values: dict[str, float | None], name: str, value: float, more: float
) -> None:
    lower, _ = weigh(values | {name: value}, WEIGHTS)
    higher, _ = weigh(values | {name: value + more}, WEIGHTS)
    assert lower <= higher + 1e-12


@given(VALUES)
def test_a_score_lies_between_nought_and_one_and_its_reasons_are_those_that_weigh(
    values: dict[str, float | None],
) -> None:
    score, causes = weigh(values, WEIGHTS)
    assert 0 < score < 1
    assert [abs(cause.log_odds) for cause in causes] == sorted((abs(cause.log_odds) for cause in causes), reverse=True)
    assert {cause.feature for cause in causes} <= {name for name, value in values.items() if value is not None}


@given(VALUES)
def test_whatever_looks_human_is_worth_no_more_than_the_caps(values: dict[str, float | None]) -> None:
    """Who pays for a browser can look like a person in every respect that a client controls."""
    harmless = {name: -6.0 if value is None else value for name, value in values.items()}
    low = WEIGHTS.slope * (WEIGHTS.prior - sum(WEIGHTS.caps.values()))
    assert weigh(harmless, WEIGHTS)[0] >= 1 / (1 + 2.718281828 ** -(low - 1e-9)) - 1e-9


def test_a_group_without_a_cap_counts_in_full() -> None:
    free = msgspec.structs.replace(WEIGHTS, caps={})
    values = {"steady_pauses": -2.0, "no_long_pause": -3.0, "no_quick_look": -3.0}
    assert weigh(values, free)[0] < weigh(values, WEIGHTS)[0]


def test_nothing_known_is_no_ground_for_a_challenge() -> None:
    score, causes = weigh({}, WEIGHTS)
    assert score < WEIGHTS.ask_from
    assert causes == ()


def test_a_curve_rises_between_its_knots_and_stays_level_outside() -> None:
    curve = Curve(knots=(0.0, 1.0, 3.0), base=-1.0, steps=(1.0, 2.0))
    assert [curve.at(value) for value in (-5, 0, 0.5, 1, 2, 3, 99)] == [-1.0, -1.0, -0.5, 0.0, 1.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("knots", "steps"), [((0.0, 1.0), (-0.1,)), ((1.0, 0.0), (1.0,)), ((0.0, 1.0), ()), ((0.0, 0.0), (1.0,))]
)
def test_a_curve_that_could_fall_is_refused(knots: tuple[float, ...], steps: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="ascending"):
        Curve(knots=knots, base=0.0, steps=steps)


def test_weights_that_would_turn_evidence_around_are_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        msgspec.structs.replace(WEIGHTS, slope=-1.0)
    with pytest.raises(ValueError, match="above zero"):
        msgspec.structs.replace(WEIGHTS, caps={"timing": 0.0})


def test_weights_for_other_facts_than_those_measured_are_refused() -> None:
    with pytest.raises(ValueError, match="exactly the facts"):
        msgspec.structs.replace(WEIGHTS, curves={})


def test_the_shipped_weights_say_from_what_they_were_fitted() -> None:
    told = WEIGHTS.provenance
    assert told.sessions > 1000
    assert told.fitted_on
    assert told.families
    assert told.left_out_auc["advanced"] > 0.7
    assert "No labelled log of real people" in told.note
