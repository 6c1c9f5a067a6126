"""One model at one server of several, asked past the pool.

It takes nobody's place, and however it ends, nothing is thought of the server
for it: whether that is well is for the fleet's own probes to say.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from tidegate.adapters.engines import hearing
from tidegate.adapters.engines.fleet import Fleet
from tidegate.adapters.engines.hearing import FailedError, HearingPlan
from tidegate.adapters.engines.openai_calls import encode
from tidegate.core.admission.claims import Place
from tidegate.core.capacity.health import EngineState
from tidegate.core.generation.call import Call, Event, TextCall
from tidegate.ports.engine import CallRejectedError, EngineBrokeError, EngineReport, EngineUnavailableError, ModelCard

_MOST_CHUNKS: Final = 1000
_SALT_BYTES: Final = 16
_NO_SUCH_PATH: Final = frozenset({"status_404", "status_405", "status_501"})


class SingleEngine:
    """An Engine, as long as the fleet has the server; ready while that is well."""

    def __init__(self, card: ModelCard, fleet: Fleet, url: str) -> None:
        """The fleet is started and stopped by whoever made it."""
        self._card = card
        self._fleet = fleet
        self._url = url
        plan = fleet.plan
        self._hearing = HearingPlan(first_s=plan.first_s, silence_s=plan.silence_s, most_chunks=_MOST_CHUNKS)

    @property
    def card(self) -> ModelCard:
        """The model it is asked for."""
        return self._card

    def report(self) -> EngineReport:
        """How the server is, without asking it."""
        is_well = self._fleet.is_well(self._url)
        state = EngineState.READY if is_well else EngineState.FAILED
        return EngineReport(state=state, why="one of several", restarts=0, retry_after_s=0.0)

    async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        """Answer a call; see the port."""
        del place  # Nobody has one here.
        server = self._fleet.server(self._url)
        if server is None:
            why = "left out"
            raise EngineUnavailableError(why, 0.0)
        # What is known from an earlier time would not be computed by what is there now.
        path, body = encode(call, server.kind, self._card.id, secrets.token_hex(_SALT_BYTES))
        try:
            async with aclosing(hearing.answer(server, path, body, self._hearing)) as events:
                async for event in events:
                    yield event
        except FailedError as error:
            if isinstance(call, TextCall) and error.why in _NO_SUCH_PATH:
                why = "no plain texts here"
                raise CallRejectedError(why) from error
            raise EngineBrokeError(error.why) from error
