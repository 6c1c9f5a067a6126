"""A changelog fragment is named so that a release can sort it."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ROOT

FRAGMENT = re.compile(r"(?:\d+|\+[a-z0-9-]+)\.(?:breaking|security|feature|fix)\.md")


def test_every_fragment_says_its_number_and_kind_and_something() -> None:
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]

    assert [path.name for path in fragments if not FRAGMENT.fullmatch(path.name) or not path.read_text().strip()] == []


@pytest.mark.parametrize("name", ["fix.md", "42.bug.md", "42.fix", "words.feature.md", "+Words.feature.md"])
def test_a_name_that_no_release_can_sort_is_refused(name: str) -> None:
    assert not FRAGMENT.fullmatch(name)
