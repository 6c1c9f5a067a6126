"""How a load moves over time."""

from __future__ import annotations

import math

import msgspec


class Shape(msgspec.Struct, frozen=True):
    """A wave around 1, of so much height, once a day."""

    height: float = 0.0

    @property
    def peak(self) -> float:
        """The greatest factor."""
        return 1.0 + self.height

    def at(self, t_s: float) -> float:
        """The factor at that second."""
        return 1.0 + self.height * math.sin(t_s * math.tau / 86_400.0)


def shape(name: str) -> Shape:
    """Find a shape by its name."""
    return {"flat": Shape(), "day": Shape(0.5)}[name]
