"""Who there is: users, their roles, the keys they made, and where they are signed in."""

from __future__ import annotations

import unicodedata
from enum import StrEnum

import msgspec

from tidegate.core.identifiers import KeyId, SessionId, UserId


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
    that arrives. Bounded at 254 characters (RFC 5321 section 4.5.3.1.3).
    """
    address = text.strip()
    local, at, domain = address.rpartition("@")
    if not at or not local or "." not in domain.strip("."):
        msg = "email: expected an address such as ana@example.org"
        raise ValueError(msg)
    # Letters composed or in parts, large or small are the same address (RFC 6532 section 3.1).
    # Folding can make a text longer (ß becomes ss): what is bounded is what is kept.
    folded = unicodedata.normalize("NFC", address).casefold()
    if len(folded) > 254 or any(c.isspace() or not c.isprintable() for c in folded):  # noqa: PLR2004 - RFC 5321
        msg = "email: at most 254 characters, without spaces or control characters"
        raise ValueError(msg)
    return folded
