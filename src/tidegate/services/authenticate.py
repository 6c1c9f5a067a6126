"""Who is calling? Forgeries are turned away before any store is asked."""

from __future__ import annotations

from typing import Protocol

import msgspec

from tidegate.core.accounts import ApiKey, Scope, User
from tidegate.core.credentials import Forged, Kind, ServerKeys, read
from tidegate.core.identifiers import UserId


class Caller(msgspec.Struct, frozen=True):
    """A known principal and the key that it came with."""

    user: User
    key: ApiKey


class Unknown(msgspec.Struct, frozen=True):
    """Not a key of this service, or one that was revoked. `why` is for the operator."""

    why: str


class Forbidden(msgspec.Struct, frozen=True):
    """A known key that may not do this."""

    caller: Caller
    missing: Scope


class KeyFinder(Protocol):
    """Finds live keys: a store, or a keyring before one."""

    async def live_key(self, owner: UserId, digest: bytes) -> tuple[User, ApiKey] | None:
        """Find the unrevoked key with this digest, and its owner."""


async def authenticate(
    text: str, scope: Scope, keys: KeyFinder, server_keys: ServerKeys
) -> Caller | Unknown | Forbidden:
    """Tell who holds the API key `text` and whether it may act in `scope`."""
    genuine = read(text, Kind.API_KEY, server_keys)
    if isinstance(genuine, Forged):
        return Unknown(genuine.why)
    found = await keys.live_key(genuine.principal, genuine.digest)
    if found is None:
        return Unknown("revoked")
    caller = Caller(*found)
    return caller if scope in caller.key.scopes else Forbidden(caller, scope)
