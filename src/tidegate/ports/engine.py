"""An inference engine: a model that answers calls as a stream of events.

Always streaming: a caller that wants the whole answer collects it. Closing the
stream frees the engine, whatever phase it is in.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from tidegate.core.admission.claims import Place
from tidegate.core.capacity.health import EngineState
from tidegate.core.capacity.pool import MemberState
from tidegate.core.generation.call import Call, Event
from tidegate.core.identifiers import Replica


class EngineError(Exception):
    """The engine did not answer as asked."""


class EngineUnavailableError(EngineError):
    """It cannot take calls now; worth trying again in `retry_after_s`."""

    def __init__(self, why: str, retry_after_s: float) -> None:
        """`why` is for the operator."""
        super().__init__(why)
        self.retry_after_s = retry_after_s


class EngineBrokeError(EngineError):
    """It died or fell silent in the middle of this call."""


class CallRejectedError(EngineError):
    """It will not take this call as it is; `field` names the offending part, if known."""

    def __init__(self, message: str, field: str | None = None) -> None:
        """`message` is shown to the caller."""
        super().__init__(message)
        self.message = message
        self.field = field


class ContextExceededError(EngineError):
    """The prompt is longer than the model can hold."""

    def __init__(self, prompt_tokens: int, context_tokens: int) -> None:
        """Both figures are shown to the caller."""
        super().__init__(f"{prompt_tokens} prompt tokens exceed a context of {context_tokens}")
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """What callers may know of a model. Told from memory, never asked of the engine."""

    id: str
    owned_by: str
    created_s: int
    context_tokens: int
    fingerprint: str


class EngineReport(msgspec.Struct, frozen=True, kw_only=True):
    """How the engine is, for readiness and the operator."""

    state: EngineState
    why: str
    restarts: int
    retry_after_s: float


class ReplicaReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one engine is, for the operator. `why`: the last failure's kind; `unreadable` counts senseless telemetry."""

    replica: Replica
    models: tuple[str, ...]
    state: MemberState
    running: int
    places: int
    failures: int
    gap_s: float
    why: str
    unreadable: int


class Reporting(Protocol):
    """Whatever can tell how an engine is."""

    def report(self) -> EngineReport:
        """How it is, without asking it."""


class Engine(Protocol):
    """One model behind one engine."""

    @property
    def card(self) -> ModelCard:
        """The model it serves."""

    def generate(self, call: Call, place: Place) -> AsyncGenerator[Event, None]:
        """Answer a call in one of the engine's places; only a warm one may reuse what it remembers.

        The first event arrives within one prefill batch. Raises
        CallRejectedError, ContextExceededError or EngineUnavailableError
        before the first event, EngineBrokeError after it. `aclose` frees the
        engine.
        """

    def report(self) -> EngineReport:
        """How it is, without asking it."""
