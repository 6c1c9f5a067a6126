"""What is looked at, to see whether it is still the pinned model, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tidegate.core.identifiers import Replica
from tidegate.core.models.sameness import Sameness
from tidegate.ports.engine import Engine


class PinError(Exception):
    """The model that answers now cannot be pinned; the message says why and what to do."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An engine with one model. One elsewhere is at `server`, and named by its `replica`.

    `sha256` is of the file that is served, where that is known. While it `is_crowded`, looks wait a while. `uses`
    counts the callers that it has answered, where it is to be left alone until there was another one: a look may load
    a model there, or cost money.
    """

    engine: Engine
    is_crowded: Callable[[], bool]
    server: str = ""
    replica: Replica | None = None
    sha256: str = ""
    uses: Callable[[], int | None] = lambda: None

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return self.server, self.engine.card.id


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """What was pinned."""

    model: str
    replica: Replica | None = None
    pinned_at_s: float


class SamenessReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where it stands, and how many looks since were not answered.

    `is_same_file`: the file is the one that was pinned; None where there is no file or no pin. `on_use`: it is looked
    at only while it is used.
    """

    model: str
    replica: Replica | None = None
    sameness: Sameness
    pinned_at_s: float | None
    is_same_file: bool | None
    unanswered: int = 0
    on_use: bool = False
