"""Sees through forged work before a form is read as one: what a flood sends costs no page.

It looks at the bytes as they came, and refuses nothing that the page behind would
take. So whatever is not written as browsers write it (a name in percent signs, two
cookies of one name) is left to that page, and so is what honest people send who
have no work that counts: in calm, with a place in line, with `instead`, from a page
that has grown old. None of this is a way around a budget: what is left to the page
uses up what strangers share (core/admission/gate.py), and what is seen through does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from tidegate.core.admission.facts import Lane
from tidegate.core.challenge.challenges import TEXT_MOST
from tidegate.http import cookies
from tidegate.http.forms import MOST_FIELDS
from tidegate.services.work import Works

_FORM: Final = cookies.FORM.encode()
_TICKET: Final = cookies.TICKET.encode()
_SIGN_UP: Final = Lane.SIGN_UP
_is_plain: Final = re.compile(rb"[A-Za-z0-9_.-]+").fullmatch
"""Challenges need no other letters, and these stand for themselves in a form."""


class Screen:
    """Asks `works` of what strangers send. `is_calm`: nobody who wants an account is asked for work."""

    def __init__(self, works: Works, is_calm: Callable[[], bool]) -> None:
        """Nothing is remembered."""
        self._works = works
        self._is_calm = is_calm

    def is_junk(self, lane: Lane, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Whether a form brings work that is certainly none: for who is not signed in, on the lanes that ask for it.

        `headers` are as ASGI has them, names in lower case; `body` is all of it, as it came.
        """
        if b"challenge=" not in body or body.count(b"&") >= MOST_FIELDS:
            return False  # The page takes no form of so many fields, and here it would be dear to take apart.
        # Of a field that comes twice the last counts, here as there.
        fields = {name: value for name, _, value in (piece.partition(b"=") for piece in body.split(b"&"))}
        challenge, answer = fields.get(b"challenge", b""), fields.get(b"answer", b"")
        if not 0 < len(challenge) <= TEXT_MOST:
            return False  # The page reads this as no work at all.
        if b"%" in b"".join(fields) or not _is_plain(challenge) or not (answer.isalnum() or not answer):
            return False
        shown = b";".join([value for name, value in headers if name == b"cookie"])
        if lane is _SIGN_UP and (fields.get(b"instead") or _TICKET in shown or self._is_calm()):
            return False
        seed = _seed(shown)
        return seed is not None and self._works.is_junk(seed, challenge.decode("ascii"), answer.decode("ascii"))


def _seed(shown: bytes) -> bytes | None:
    """What the page behind would take a challenge to be bound to; empty without a cookie, None where that is open."""
    _, found, after = shown.partition(_FORM)
    if not found:
        return b""
    # Named once, it is the one that counts; or a cookie of another name, and then no work counts there.
    text = after[1:].partition(b";")[0].strip()
    return text if text.isalnum() and _FORM not in after else None
