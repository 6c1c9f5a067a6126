"""Tidegate: an AI-assistant service that keeps serving the people it knows."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# What others use in programs of their own. Loaded when it is asked for: whoever wants the version only, or one room,
# waits for nothing else. Nobody in this house comes in by this door, so it leads past no floor.
_SHOWN = {"TidegateMiddleware": "tidegate.app.embedding"}


def __getattr__(name: str) -> Any:
    if name in _SHOWN:
        return getattr(importlib.import_module(_SHOWN[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted([*globals(), *_SHOWN])
