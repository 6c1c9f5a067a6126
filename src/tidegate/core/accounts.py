"""Who there is: users, their roles, the keys they made, and where they are signed in."""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Final

import msgspec

from tidegate.core.identifiers import KeyId, SessionId, UserId

_MOST_CHARACTERS: Final = 254


class Role(StrEnum):
    """What a user may do here."""

    USER = "user"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What an API key may do on its owner's behalf."""

    CHAT = "chat"
    MODELS = "models"


class User(msgspec.Struct, frozen=True, kw_only=True):
    """An account. `member_since_s` may lie before `created_at_s` for imported accounts (Unix s)."""

    id: UserId
    email: str
    role: Role
    created_at_s: float
    member_since_s: float


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its owner sees it afterwards: never the secret, only its `label`."""

    id: KeyId
    owner: UserId
    name: str
    label: str
    scopes: frozenset[Scope]
    created_at_s: float
    last_used_at_s: float | None = None
    revoked_at_s: float | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in of one browser, from `created_at_s` until `expires_at_s` at the latest (Unix s)."""

    id: SessionId
    owner: UserId
    created_at_s: float
    expires_at_s: float
    last_seen_at_s: float


def normalise_email(text: str) -> str:
    """Bring an address to the one form it is stored in, or raise ValueError saying what is wrong.

    Deliberately looser than RFC 5321: the only proof of an address is a mail
    that arrives. Bounded at 254 characters (RFC 5321 section 4.5.3.1.3), as
    typed and as kept.
    """
    address = text.strip()
    # Before anything is done with it: normalising takes the square of a run of accents.
    if len(address) > _MOST_CHARACTERS:
        raise _not_kept()
    local, at, domain = address.rpartition("@")
    if not at or not local or "." not in domain.strip("."):
        msg = "email: expected an address such as ana@example.org"
        raise ValueError(msg)
    # Letters composed or in parts, large or small are the same address (RFC 6532 section 3.1).
    # Folding can make a text longer (ß becomes ss): what is bounded is what is kept.
    folded = unicodedata.normalize("NFC", address).casefold()
    # Of all white space the simple space alone is printable.
    if len(folded) > _MOST_CHARACTERS or " " in folded or not folded.isprintable():
        raise _not_kept()
    return folded


def _not_kept() -> ValueError:
    return ValueError(f"email: at most {_MOST_CHARACTERS} characters, without spaces or control characters")
