"""Engines that say how likely they find their words, and pins that are kept in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from tidegate.core.admission.claims import Place
from tidegate.core.generation.call import Call, ChatCall, Delta, Event, Finished, FinishReason, TextCall, Usage
from tidegate.core.models.pin import Pin
from tidegate.ports.engine import CallRejectedError, ModelCard
from tidegate.testing.clock import HandClock
from tidegate.testing.engine import CARD, FakeEngine, Hold


class SpeakingEngine(FakeEngine):
    """Answers each prompt by its own numbers: `chat` and `text` are the log-probability of its first word."""

    def __init__(self, card: ModelCard = CARD) -> None:
        super().__init__(card=card)
        self.chat: float | None = -1.0
        self.text: float | None = -1.0
        self.fault: BaseException | None = None
        self.takes_texts = True
        self.wavers = 0.0
        self.is_silent = False
        self.took_s = 0.0
        self.clock: HandClock | None = None
        self.asked_at_once = self._asking = 0

    async def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        if isinstance(call, TextCall) and not self.takes_texts:
            msg = "no texts"
            raise CallRejectedError(msg)
        if self.fault is not None:
            self.script = [self.fault]
        elif self.is_silent:
            self.script = [Hold()]
        else:
            self.chat = None if self.chat is None else self.chat - self.wavers
            self.script = self._said(self.chat if isinstance(call, ChatCall) else self.text)
        if self.clock is not None:
            self.clock.advance(self.took_s)
        self._asking += 1
        self.asked_at_once = max(self.asked_at_once, self._asking)
        try:
            async for event in super().generate(call, self._place(place)):
                await asyncio.sleep(0)
                yield event
        finally:
            self._asking -= 1

    def _place(self, place: Place) -> Place:
        return place

    def _said(self, logprob: float | None) -> list[Any]:
        one = {"token": "a", "logprob": logprob, "top_logprobs": [{"token": "b", "logprob": -4.0}]}
        said = Delta(content="a", logprobs=None if logprob is None else {"content": [one]})
        return [said, Finished(FinishReason.LENGTH), Usage(prompt_tokens=30, completion_tokens=1)]


class RoomyEngine(SpeakingEngine):
    """One that may be asked several things at once, as a server elsewhere may."""

    def _place(self, place: Place) -> Place:
        return Place(-1 - self._asking, is_warm=place.is_warm)


class MemoryPins:
    """Pins that last as long as the test; on a full disk nothing is kept."""

    def __init__(self) -> None:
        self.kept: dict[str, Pin] = {}
        self.is_full = False

    def of(self, model: str) -> dict[str, Pin]:
        return {pin.server: pin for pin in self.kept.values() if pin.model == model}

    def keep(self, pin: Pin) -> None:
        if self.is_full:
            raise OSError
        self.kept[pin.server or pin.model] = pin
