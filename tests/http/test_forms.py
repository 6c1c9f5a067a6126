"""A form is read whole or refused, bounded and blamed by field."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from tidegate.core.identifiers import RequestId
from tidegate.core.reasons import Reason
from tidegate.http import forms
from tidegate.http.exchange import Exchange
from tidegate.http.refusals import Refusal

FORM = "application/x-www-form-urlencoded"


class Asked(msgspec.Struct):
    email: str
    count: int = 0


async def _read(body: bytes, content_type: str = FORM) -> dict[str, str]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers, "state": {}}
    scope["state"] = {"exchange": Exchange(id=RequestId.of(b"requests"))}
    return await forms.read(Request(scope, receive))


async def _refused(body: bytes, content_type: str = FORM) -> Refusal:
    with pytest.raises(Refusal) as refused:
        await _read(body, content_type)
    return refused.value


async def test_fields_are_read_as_browsers_write_them() -> None:
    body = b"email=ana%40example.org&password=caf%C3%A9+am+Meer&next=&password=the+last"

    assert await _read(body) == {"email": "ana@example.org", "password": "the last", "next": ""}
    assert await _read(b"a=1", "Application/X-WWW-Form-Urlencoded; charset=UTF-8") == {"a": "1"}


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""])
async def test_anything_but_a_url_encoded_form_is_refused(content_type: str) -> None:
    """A page of another site can send text/plain without asking; what it sends is no form of ours."""
    refused = await _refused(b"a=1", content_type)

    assert (refused.reason, refused.param) == (Reason.UNSUPPORTED_VALUE, "content-type")


@pytest.mark.parametrize(
    "body",
    [b"a", b"a=%FF", b"a=\xff", b"&".join(b"a%d=1" % number for number in range(33))],
    ids=["no value", "no text", "no ASCII", "too many fields"],
)
async def test_what_cannot_be_read_is_refused_and_not_repeated(body: bytes) -> None:
    refused = await _refused(body)

    assert refused.reason is Reason.INVALID_VALUE
    assert "%" not in refused.message


async def test_a_form_has_a_bounded_size() -> None:
    await _read(b"a=" + b"x" * 65534)

    assert (await _refused(b"a=" + b"x" * 65535)).reason is Reason.BODY_TOO_LARGE


def test_fields_fit_their_type_and_others_are_left_aside() -> None:
    assert forms.decode({"email": "a", "count": "3", "csrf": "x"}, Asked) == Asked("a", 3)


def test_a_field_at_fault_is_named() -> None:
    for fields, reason, param in (
        ({}, Reason.MISSING_FIELD, "email"),
        ({"email": "a", "count": "many"}, Reason.INVALID_VALUE, "count"),
    ):
        with pytest.raises(Refusal) as refused:
            forms.decode(fields, Asked)
        assert (refused.value.reason, refused.value.param) == (reason, param)


@given(st.binary(max_size=200))
async def test_any_bytes_are_fields_or_a_refusal(body: bytes) -> None:
    try:
        fields = await _read(body)
    except Refusal:
        return
    assert all(isinstance(text, str) for pair in fields.items() for text in pair)
