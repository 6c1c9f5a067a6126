"""Refusals as bytes, made before anybody is refused: what is left to fill in is the wait and the request's id.

Statuses, headers and error objects are those of http/refusals; whoever asks for
HTML gets a page that needs nothing else from this service, because its style
sheet might be refused as well.
"""

from __future__ import annotations

import functools
import math
import os
from base64 import b64encode
from hashlib import sha256
from html import escape
from http import HTTPStatus
from itertools import chain, repeat
from typing import Final
from urllib.parse import quote

import msgspec

from tidegate.core.reasons import Reason
from tidegate.http.answering import title
from tidegate.http.cross_origin import SHOWN
from tidegate.http.pages.headers import HEADERS
from tidegate.http.refusals import Refusal

_SENTENCES: Final = {
    Reason.SLOW_DOWN: "Too many requests at once.",
    Reason.SOURCE_BLOCKED: "Requests from your network are refused here without a valid session or API key. "
    "Please sign in from another network, or send an API key.",
    Reason.INVALID_API_KEY: "This API key is not valid here.",
    Reason.NOT_SIGNED_IN: "Please sign in first.",
    Reason.CHALLENGE_REQUIRED: "The work that came with this form is not this browser's, or not right: the form may be "
    "from before its cookies were cleared. Please open the form anew and send that; it needs cookies. Programs can ask "
    "for another challenge.",
    Reason.SERVER_IS_OVERLOADED: "Too many people are here at this moment, and there is no room for more to wait.",
    Reason.CONCURRENCY_LIMIT_EXCEEDED: "This account has as many requests running or waiting as it may. "
    "Please let one of them end.",
    Reason.TOO_MANY_CONNECTIONS: "Too many connections are open from your address. Please close some.",
    Reason.REQUEST_TIMEOUT: "The request came too slowly and was given up.",
    Reason.INTERNAL_ERROR: "Something broke on our side. Quote the request's id, in the header x-request-id, to the "
    "operator.",
    Reason.HEAD_TOO_LARGE: "The request line and headers are larger than 64 KiB or more than 100 fields.",
}
_NO_KEY: Final = "An API key is needed: send it as 'Authorization: Bearer YOUR_KEY'."
_FIELDS: Final = {Reason.HEAD_TOO_LARGE: "headers"}

_STYLE: Final = (
    ":root{color-scheme:light dark}*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;display:grid;place-content:center;padding:1.5rem;"
    "background:light-dark(#f2f6f7,#0b161c);color:light-dark(#10242e,#e3edf0);"
    'font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}'
    "main{max-width:27rem;padding:2rem;background:light-dark(#fff,#12222a);"
    "border:1px solid light-dark(#cddade,#263d47);border-radius:.625rem}"
    "h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}p{margin:0 0 1rem}"
    "a{color:light-dark(#0a5b78,#7accdf)}:focus-visible{outline:3px solid light-dark(#0a7ea4,#8fd8e8)}"
    "small{color:light-dark(#49606b,#9fb5be)}"
)
_STYLE_HASH: Final = b64encode(sha256(_STYLE.encode()).digest()).decode()
_PAGE_HEADERS: Final = {
    **HEADERS,
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
}
_JSON_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_CROSS_ORIGIN: Final = (
    f"access-control-allow-origin: *\r\naccess-control-expose-headers: {', '.join(SHOWN)}\r\n".encode()
)
_SOME_S: Final = 7.0
_HOLE: Final = b"\0"
_MOST_FILLED: Final = 128
_ID_BYTES: Final = 12
_IDS_AT_ONCE: Final = 128


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A refusal, ready but for what the server adds: `head` ends with a header's CRLF, an empty line and `body` follow.

    `is_last`: the connection must close after it, because of what may still come on it. Otherwise the request's
    body is read to its end, `unread_bytes` from the end of its head.
    """

    head: bytes
    body: bytes
    is_last: bool = False
    unread_bytes: int = 0


class _Form(msgspec.Struct, frozen=True):
    """A refusal around its hole, where the seconds to wait stand; what was filled in is kept for some of them."""

    head: bytes
    before: bytes
    after: bytes
    filled: dict[int, tuple[bytes, bytes]] = msgspec.field(default_factory=dict)

    def fill(self, wait_s: int) -> tuple[bytes, bytes]:
        """Head and body for a wait in whole seconds; 0 is none."""
        made = self.filled.get(wait_s)
        if made is None:
            body = self.before if not wait_s else b"%b%d%b" % (self.before, wait_s, self.after)
            wait = b"retry-after: %d\r\n" % wait_s if wait_s else b""
            made = (b"%b%bcontent-length: %d\r\n" % (self.head, wait, len(body)), body)
            if len(self.filled) < _MOST_FILLED:
                self.filled[wait_s] = made
        return made


def answer(
    reason: Reason,
    retry_after_s: float | None = None,
    is_page: bool = False,  # noqa: FBT001, FBT002 - names cost time where most refusals are made
    is_head: bool = False,  # noqa: FBT001, FBT002
    is_keyless: bool = False,  # noqa: FBT001, FBT002
    is_cross_origin: bool = False,  # noqa: FBT001, FBT002
    is_last: bool = False,  # noqa: FBT001, FBT002
    unread_bytes: int = 0,
) -> Answer:
    """Write a refusal down. `is_head`: without its body; `is_keyless`: no key was sent at all."""
    # Most of a refusal's bytes were joined before; one step joins them with what is this one's own.
    if retry_after_s is None:
        head, body = _form(reason, False, is_page, is_keyless).fill(0)
        head = b"%bx-request-id: req_%b\r\n" % (head, next(_IDS))
    else:
        wait_ms = math.ceil(retry_after_s * 1000.0) or 1
        form, wait_s = _form(reason, True, is_page, is_keyless), (wait_ms + 999) // 1000
        head, body = form.filled.get(wait_s) or form.fill(wait_s)
        head = b"%bretry-after-ms: %d\r\nx-request-id: req_%b\r\n" % (head, wait_ms, next(_IDS))
    if is_cross_origin:
        head += _CROSS_ORIGIN
    return Answer(head, b"" if is_head else body, is_last, unread_bytes)


def to_sign_in(path: str, *, is_last: bool = False, unread_bytes: int = 0) -> Answer:
    """Send a browser that wants to see a page to where it signs in, and back."""
    lines = {**HEADERS, "location": f"/sign-in?next={quote(path, safe='/')}", "content-length": "0"}
    return Answer(b"%bx-request-id: req_%b\r\n" % (_head(303, lines), next(_IDS)), b"", is_last, unread_bytes)


def _ids(size: int) -> list[bytes]:
    """Request ids, from the kernel's randomness by the page: one call for each would cost more than the refusal."""
    drawn = os.urandom(size * _IDS_AT_ONCE).hex().encode()
    return [drawn[at : at + 2 * size] for at in range(0, len(drawn), 2 * size)]


_IDS: Final = chain.from_iterable(map(_ids, repeat(_ID_BYTES)))


@functools.cache
def _form(reason: Reason, waits: bool, is_page: bool, is_keyless: bool) -> _Form:  # noqa: FBT001 - a cache's key
    sentence = _NO_KEY if is_keyless else _SENTENCES[reason]
    refusal = Refusal(reason, sentence, param=_FIELDS.get(reason), retry_after_s=_SOME_S if waits else None)
    if waits:
        refusal.message += " Please try again in \0 s."
    lines = {name: value for name, value in refusal.headers().items() if not name.startswith("retry-after")}
    if is_page:
        lines |= {**_PAGE_HEADERS, "content-type": "text/html; charset=utf-8"}
        body = _page(refusal).encode()
    else:
        lines |= {**_JSON_HEADERS, "content-type": "application/json"}
        body = refusal.body().replace(rb"\u0000", _HOLE)
    before, _, after = body.partition(_HOLE)
    return _Form(_head(refusal.status, lines), before, after)


def _head(status: int, lines: dict[str, str]) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{fields}".encode()


def _page(refusal: Refusal) -> str:
    name = escape(title(refusal))
    place, words = ("/sign-in", "Sign in") if refusal.status == HTTPStatus.UNAUTHORIZED else ("", "Try again")
    if refusal.reason is Reason.CHALLENGE_REQUIRED:
        words = "Open the form anew"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{name} - Tidegate</title><style>{_STYLE}</style></head><body><main>"
        f'<h1>{name}</h1><p role="alert">{escape(refusal.message)}</p>'
        f'<p><a href="{place}">{words}</a></p><small>Reason: <code>{refusal.reason}</code></small>'
        "</main></body></html>"
    )
