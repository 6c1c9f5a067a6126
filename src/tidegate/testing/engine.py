"""An Engine that plays what a test has written for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from tidegate.core.admission.claims import Place
from tidegate.core.capacity.health import EngineState
from tidegate.core.generation.call import Call, Delta, Event, Finished, FinishReason, Usage
from tidegate.ports.engine import EngineReport, EngineUnavailableError, ModelCard

CARD = ModelCard(
    id="tide-1", owned_by="tidegate", created_s=1_780_000_000, context_tokens=4096, fingerprint="fp_0123456789"
)


class Hold:
    """A pause in a script: the engine says that it got there and goes on when it is let."""

    def __init__(self) -> None:
        """Nobody is there yet."""
        self.reached = asyncio.Event()
        self.let = asyncio.Event()


Step = Event | BaseException | Hold
"""What a script is made of: an event is given, an exception raised, a hold waited at."""


def saying(*words: str, prompt_tokens: int = 7) -> list[Step]:
    """Script a whole answer, one piece for each word."""
    pieces = [Delta(content=word) for word in words]
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=len(words), cached_tokens=2)
    return [*pieces, Finished(FinishReason.STOP), usage]


class FakeEngine:
    """Plays `script` for every call; `running` and `ended` tell whether each stream was freed.

    `calls` holds every call that it took, `places` where. With a `state` other
    than ready it takes none, as the port demands; nor two calls in one place.
    """

    def __init__(self, script: Sequence[Step] = (), card: ModelCard = CARD) -> None:
        """Ready from the start."""
        self.script: Sequence[Step] = script or saying("Hello", " there", "!")
        self.state = EngineState.READY
        self.calls: list[Call] = []
        self.places: list[Place] = []
        self._busy: set[int] = set()
        self.ended = 0
        self._card = card

    @property
    def card(self) -> ModelCard:
        """The model it pretends to be."""
        return self._card

    def report(self) -> EngineReport:
        """How it is."""
        return EngineReport(state=self.state, why=self.state.value, restarts=0, retry_after_s=2.0)

    @property
    def running(self) -> int:
        """How many streams are open."""
        return len(self._busy)

    async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        """Play the script as it is when the call begins."""
        if self.state is not EngineState.READY:
            raise EngineUnavailableError(self.state.value, self.report().retry_after_s)
        if place.number in self._busy:
            msg = "two calls in one place"
            raise RuntimeError(msg)
        self.calls.append(call)
        self.places.append(place)
        self._busy.add(place.number)
        try:
            for step in tuple(self.script):
                match step:
                    case Hold():
                        step.reached.set()
                        await step.let.wait()
                    case BaseException():
                        raise step
                    case _:
                        yield step
        finally:
            self._busy.remove(place.number)
            self.ended += 1
