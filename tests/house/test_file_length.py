"""One concept per file: a long one says why."""

from __future__ import annotations

import pytest

from tests.house.length import LOOK_AGAIN_LINES, REASON_LINES, verdict
from tests.house.tree import shown, sources

REASON = "# long because: the table of cases reads as one page\n"


def test_no_file_is_too_long_without_a_written_reason() -> None:
    too_long = [shown(path) for path in sources(".py", ".ts", ".svelte") if verdict(path.read_text()) == "too long"]

    assert too_long == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x\n" * (LOOK_AGAIN_LINES - 1), "fine"),
        ("x\n" * LOOK_AGAIN_LINES, "look again"),
        ("x\n" * (REASON_LINES - 1), "look again"),
        ("x\n" * REASON_LINES, "too long"),
        (REASON + "x\n" * REASON_LINES, "look again"),
        ("# long because: so\n" + "x\n" * REASON_LINES, "too long"),
        ("x\n" * REASON_LINES + REASON, "too long"),
    ],
)
def test_the_limit_asks_for_a_reason_at_the_top(text: str, expected: str) -> None:
    assert verdict(text) == expected
