"""Answers with a refusal when the engine, its lane or a store could not do what was asked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tidegate.http.refusals import Refusal
from tidegate.ports.engine import CallRejectedError
from tidegate.ports.upstream import UnknownModelError
from tidegate.services.failures import failure_of


def _named(error: Exception) -> str | None:
    if isinstance(error, UnknownModelError):
        return "model"
    return error.field if isinstance(error, CallRejectedError) else None


def refusal_of(error: Exception, blame: Callable[[Exception], str | None] = _named) -> Refusal | None:
    """The refusal that a known failure is, or already was; `blame` says which field of the request it was about."""
    if isinstance(error, Refusal):
        return error
    failure = failure_of(error)
    if failure is None:
        return None
    return Refusal(failure.reason, failure.sentence, param=blame(error), retry_after_s=failure.retry_after_s)


@contextlib.contextmanager
def refusing(blame: Callable[[Exception], str | None] = _named) -> Iterator[None]:
    """Turn known failures into a Refusal; `blame` says which field of the request one was about."""
    try:
        yield
    except Exception as error:
        refusal = refusal_of(error, blame)
        if refusal is None or refusal is error:
            raise
        raise refusal from error
