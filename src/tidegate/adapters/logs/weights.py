"""The bot score's weights, as they ship with the package."""

from __future__ import annotations

import functools
from importlib import resources

import msgspec

from tidegate.core.score.model import Weights

WEIGHTS_FORMAT = 1


@functools.cache
def shipped_weights() -> Weights:
    """Read the weights of the package; raises ValueError for a file that this program cannot use."""
    return read_weights(resources.files("tidegate.core.score").joinpath("weights.json").read_bytes())


def read_weights(text: bytes) -> Weights:
    """Read weights that somebody fitted; raises ValueError when they are not usable."""
    weights = msgspec.json.decode(text, type=Weights)
    if weights.format != WEIGHTS_FORMAT:
        msg = f"weights of format {weights.format}: this program reads format {WEIGHTS_FORMAT}"
        raise ValueError(msg)
    return weights
