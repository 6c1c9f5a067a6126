"""Asks an engine the fixed prompts by which it is told whether it is still the same model."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from tidegate.core.admission.claims import ASIDE
from tidegate.core.generation.call import Call, Delta, Usage
from tidegate.core.models.pin import PROMPTS, Position, Reading, joined, positions
from tidegate.ports.engine import CallRejectedError, Engine, EngineError

ROUND_WITHIN_S: Final = 20.0
"""A round that has taken so long is given up."""


class UnansweredError(Exception):
    """The engine did not answer this time."""


class Asked:
    """The readings of the last round, and what all rounds took."""

    def __init__(self) -> None:
        """Nothing was asked."""
        self.readings: list[Reading] = []
        self.prompt_tokens = self.completion_tokens = 0


async def ask(engine: Engine, asked: Asked) -> None:
    """Ask all prompts, one after the other, beside everybody. Raises UnansweredError."""
    asked.readings = []
    try:
        async with asyncio.timeout(ROUND_WITHIN_S):
            for _, call in PROMPTS:
                asked.readings.append(await _read(engine, call, asked))
    except (TimeoutError, EngineError):
        raise UnansweredError from None


async def _read(engine: Engine, call: Call, asked: Asked) -> Reading:
    pieces: list[Position] = []
    try:
        async with contextlib.aclosing(engine.generate(call, ASIDE)) as events:
            async for event in events:
                match event:
                    case Delta(logprobs=logprobs) if logprobs is not None:
                        pieces.extend(positions(logprobs))
                    case Usage():
                        asked.prompt_tokens += event.prompt_tokens
                        asked.completion_tokens += event.completion_tokens
                    case _:
                        pass
    except CallRejectedError:
        # Not every engine continues plain texts, or takes a system message: the other prompts must do.
        return Reading()
    return joined(pieces)
