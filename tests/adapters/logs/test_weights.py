"""The weights that ship."""

from __future__ import annotations

import msgspec
import pytest

from tidegate.adapters.logs.weights import read_weights, shipped_weights


def test_the_shipped_weights_are_read_once_and_can_be_read_again() -> None:
    assert shipped_weights() is shipped_weights()
    assert read_weights(msgspec.json.encode(shipped_weights())) == shipped_weights()


def test_weights_of_a_later_form_are_refused() -> None:
    later = msgspec.structs.replace(shipped_weights(), format=2)
    with pytest.raises(ValueError, match="format 2"):
        read_weights(msgspec.json.encode(later))
