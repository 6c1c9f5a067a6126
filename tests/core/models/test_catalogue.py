"""The built-in table is sound, and its advice never overloads a machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.models.catalogue import CATALOGUE, DEFAULT_MODEL_ID, find_entry, fits, recommend
from tidegate.core.models.reference import HubReference, NamedReference, is_model_id, parse_reference

_GB = 1_000_000_000


def test_every_entry_can_be_typed_and_pulled() -> None:
    assert len({entry.id for entry in CATALOGUE}) == len(CATALOGUE) >= 9
    for entry in CATALOGUE:
        assert is_model_id(entry.id)
        assert parse_reference(str(entry.source)) == entry.source
        assert entry.memory_bytes > entry.size_bytes > 0
        assert entry.licence in {"Apache-2.0", "MIT"}


def test_the_default_model_is_the_only_demonstration_and_carries_its_digest() -> None:
    default = find_entry(NamedReference(id=DEFAULT_MODEL_ID))
    assert default is not None
    assert [entry for entry in CATALOGUE if entry.is_demonstration] == [default]
    assert default.sha256 is not None
    assert len(default.sha256) == 64


def test_an_entry_is_found_by_its_name_and_by_its_source() -> None:
    for entry in CATALOGUE:
        assert find_entry(NamedReference(id=entry.id)) is entry
        assert find_entry(entry.source) is entry
    assert find_entry(NamedReference(id="nobody-knows-this")) is None
    assert find_entry(HubReference(owner="a", repository="b", path="c.gguf")) is None


def test_a_small_machine_is_told_that_nothing_useful_fits() -> None:
    assert recommend(1 * _GB) == ()


def test_an_ordinary_machine_hears_of_the_best_that_fits_it_first() -> None:
    best = recommend(16 * _GB)
    assert len(best) == 3
    order = [CATALOGUE.index(entry) for entry in best]
    assert order == sorted(order, reverse=True)
    better = CATALOGUE[order[0] + 1 :]
    assert not any(fits(entry, 16 * _GB) for entry in better)
    assert recommend(16 * _GB, count=1) == best[:1]


@given(st.integers(min_value=0, max_value=1 << 41))
def test_no_advice_takes_more_than_seven_tenths_of_the_memory(memory_bytes: int) -> None:
    for entry in recommend(memory_bytes, count=99):
        assert entry.memory_bytes <= memory_bytes * 0.7
        assert not entry.is_demonstration
