"""Lengths of time are read as operators write them, and anything else is refused with how they are written."""

from __future__ import annotations

import pytest

from tidegate.cli.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("30m", 1800.0), (" 2 h ", 7200.0), ("1.5d", 129600.0), ("7D", 604800.0)]
)
def test_a_number_and_a_unit_are_a_length_of_time(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "m", "-5m", "5 weeks", "0m", "1e9s", "nan", "٣m"])
def test_anything_else_is_told_how_it_is_written(text: str) -> None:
    with pytest.raises(ValueError, match="write 90s, 30m, 2h"):
        seconds_of(text)
