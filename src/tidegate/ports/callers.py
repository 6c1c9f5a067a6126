"""Where it is kept which keys of its own a gate has issued."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tidegate.core.callers import IssuedKey
from tidegate.core.identifiers import UserId


class IssuedKeyStore(Protocol):
    """Keys that count, by their digests. Every write is durable when it returns."""

    async def issue(self, key: IssuedKey) -> None:
        """Have a key count from now on."""

    async def issued(self, digest: bytes) -> IssuedKey | None:
        """The key with this digest, if it counts."""

    async def issued_to(self, principals: Sequence[UserId]) -> list[IssuedKey]:
        """The keys of these callers that count, in no order."""

    async def revoke(self, principal: UserId) -> list[bytes]:
        """End all keys of a caller, and forget what is known of it; answers the digests of those that counted."""
