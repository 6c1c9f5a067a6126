"""The published traces, where this machine has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

PUBLISHED = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def published() -> Callable[[str], Path]:
    """A file of the published traces, which are no part of the repository."""

    def find(name: str) -> Path:
        path = PUBLISHED / name
        if not path.is_file():
            pytest.skip(
                f"the published trace {name} is not on this machine (expected beside the checkout, in shared/data)"
            )
        return path

    return find
