"""Who hears what happens in a world: the judge, the writer of the event log, whoever draws the progress."""

from __future__ import annotations

from typing import Protocol

import msgspec

from tidegate.lab.acts import Ask, Ended, Outcome


class Sampled(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How the service is at one moment (seconds since the beginning).

    `capacity_tok_s` is what the engine could do then, in cost tokens; `mode` is registration's. `replica`
    counts from 0, and each is sampled.
    """

    at_s: float
    running: int
    waiting: int
    tok_s: float
    capacity_tok_s: float
    err_rate: float = 0.0
    mode: str = "open"
    in_line: int = 0
    replica: int = 0
    is_healthy: bool = True


class Happened(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Something that is not a request: `what` is `mode`, `suspicion`, `handover`, `engine` or `change`.

    A mode moves from `was` to `to`. A suspicion is a finding of the service's that somebody attacks (passwords are
    guessed, a source presses); `to` says which. `by` is `auto` or `operator`; `detail` short and machine-readable.
    """

    at_s: float
    what: str
    was: str = ""
    to: str = ""
    by: str = "auto"
    detail: str = ""


class Listener(Protocol):
    """Hears everything in the order of time. Must not keep what it is given but in bounded form."""

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        """Hear what became of one try."""

    def ended(self, ended: Ended) -> None:
        """Hear what became of a need."""

    def sampled(self, sample: Sampled) -> None:
        """Hear how the service is."""

    def happened(self, happened: Happened) -> None:
        """Hear that something moved."""
