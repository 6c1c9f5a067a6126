"""What can go wrong with a model's file, and how a long pull reports itself."""

from __future__ import annotations

from typing import Protocol


class ModelUnavailable(Exception):  # noqa: N818 - a state of the model, named like one
    """The model cannot be had now. The text is one sentence for a person, with the fix."""


class ModelCorrupt(Exception):  # noqa: N818 - a state of the model, named like one
    """The model's bytes are not the promised ones. The text is one sentence for a person, with the fix."""


class Progress(Protocol):
    """Told, from the thread that works, how far a download or a check has come."""

    def __call__(self, done_bytes: int, total_bytes: int | None, /) -> None:
        """Take the bytes done and, where it is known, of how many."""


def unheard(_done_bytes: int, _total_bytes: int | None, /) -> None:
    """Stand for a listener where nobody listens."""
