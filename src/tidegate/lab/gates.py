"""What may stand before the engine in a rehearsal: ours, and what ours is measured against."""

from __future__ import annotations

from enum import StrEnum


class GateKind(StrEnum):
    """`off` lets everybody in as they come; `by-address` knows only how often each address asks."""

    TIDEGATE = "tidegate"
    OFF = "off"
    BY_ADDRESS = "by-address"
