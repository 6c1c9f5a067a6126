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


async def ask(engine: Engine, asked: Asked, *, at_once: bool = False) -> None:
    """Ask all prompts beside everybody: one after the other, or all `at_once`. Raises UnansweredError."""
    asked.readings = []
    try:
        async with asyncio.timeout(ROUND_WITHIN_S), asyncio.TaskGroup() as group:
            tasks = []
            for _, call in PROMPTS:
                tasks.append(group.create_task(_read(engine, call, asked)))
                if not at_once:
                    await tasks[-1]
    except TimeoutError:
        raise UnansweredError from None
    except ExceptionGroup as fault:
        if fault.split(EngineError)[1] is not None:
            raise
        raise UnansweredError from None
    asked.readings = [task.result() for task in tasks]


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
