"""Reads what a page's form sent: bounded, and decoded into a type like any other body."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from tidegate.core.reasons import Reason
from tidegate.http import bodies
from tidegate.http.refusals import Refusal

T = TypeVar("T")

_FORM_BYTES = 65536
MOST_FIELDS = 32
_CONTENT_TYPE = "application/x-www-form-urlencoded"


async def read(request: Request) -> dict[str, str]:
    """The fields of a URL-encoded form; of a field that comes twice, the last. Raises a Refusal."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _CONTENT_TYPE:
        raise Refusal(Reason.UNSUPPORTED_VALUE, f"This address takes forms ({_CONTENT_TYPE}).", param="content-type")
    body = await bodies.read(request, _FORM_BYTES)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        # Both kinds of decoding error are ValueErrors; neither text is worth repeating.
        raise Refusal(Reason.INVALID_VALUE, "The form could not be read: it is not URL-encoded UTF-8.") from None
    return dict(pairs)


def decode(fields: dict[str, str], kind: type[T]) -> T:
    """Fit a form's fields to `kind`; unknown ones are left aside. Raises a Refusal naming the field at fault."""
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise bodies.invalid(str(error)) from None
