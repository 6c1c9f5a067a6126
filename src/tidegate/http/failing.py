"""Answers with a refusal when the engine, its lane or a store could not do what was asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tidegate.http.refusals import Refusal
from tidegate.ports.engine import CallRejectedError
from tidegate.services.failures import failure_of


def _named(error: Exception) -> str | None:
    return error.field if isinstance(error, CallRejectedError) else None


@contextlib.contextmanager
def refusing(blame: Callable[[Exception], str | None] = _named) -> Iterator[None]:
    """Turn known failures into a Refusal; `blame` says which field of the request one was about."""
    try:
        yield
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        raise Refusal(
            failure.reason, failure.sentence, param=blame(error), retry_after_s=failure.retry_after_s
        ) from error
