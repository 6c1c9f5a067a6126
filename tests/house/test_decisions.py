"""Decisions can be found by number and say what they must."""

from __future__ import annotations

import re

from tests.house.tree import ROOT

PAGES = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
PARTS = ("## Context", "## Choice", "## What we gave up", "## Proof")


def test_pages_are_numbered_without_gaps() -> None:
    assert [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))


def test_every_page_carries_its_number_a_date_and_its_parts() -> None:
    incomplete = [
        page.name
        for page in PAGES
        if not re.match(rf"# {page.name[:4]}: \S.*\n\nDate: \d{{4}}-\d\d-\d\d\. Status: \w", page.read_text())
        or any(part not in page.read_text() for part in PARTS)
    ]

    assert PAGES
    assert incomplete == []
