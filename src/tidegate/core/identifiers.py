"""Names of things, as types that cannot hold anything else.

An identifier is checked when it is made. Log events and stores take these
types and no plain strings, so a prompt, a password or a key cannot end up
where an identifier belongs: it would not survive the constructor.
"""

from __future__ import annotations

import re
from typing import ClassVar, Self


class Identifier(str):
    """A lower-case prefix, an underscore and 8 to 16 bytes in lower-case hex."""

    __slots__ = ()
    prefix: ClassVar[str] = ""
    _shape: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")

    def __init_subclass__(cls) -> None:
        """Derive the accepted shape from the subclass's prefix."""
        super().__init_subclass__()
        cls._shape = re.compile(rf"{cls.prefix}_(?:[0-9a-f]{{2}}){{8,16}}\Z")

    def __new__(cls, text: str) -> Self:
        """Take `text` if it has this type's shape; raise ValueError otherwise."""
        if not cls._shape.match(text):
            # The text itself is not repeated: it may be a secret put in the wrong place.
            msg = f"not a {cls.__name__}: expected {cls.prefix}_ and 8 to 16 bytes in hex"
            raise ValueError(msg)
        return super().__new__(cls, text)

    @classmethod
    def of(cls, entropy: bytes) -> Self:
        """Make one from 8 to 16 random bytes."""
        if not 8 <= len(entropy) <= 16:  # noqa: PLR2004 - as the class says
            msg = f"not a {cls.__name__}: expected 8 to 16 bytes"
            raise ValueError(msg)
        return super().__new__(cls, f"{cls.prefix}_{entropy.hex()}")  # It has the shape.

    @property
    def entropy(self) -> bytes:
        """The bytes it was made of."""
        return bytes.fromhex(self.partition("_")[2])


class UserId(Identifier):
    """A person's or a program's account."""

    __slots__ = ()
    prefix = "usr"


class KeyId(Identifier):
    """An API key's public name; says nothing about the key itself."""

    __slots__ = ()
    prefix = "key"


class SessionId(Identifier):
    """A sign-in's public name; says nothing about the credential itself."""

    __slots__ = ()
    prefix = "ses"


class ConversationId(Identifier):
    """One conversation of one user."""

    __slots__ = ()
    prefix = "cnv"


class MessageId(Identifier):
    """One message in a conversation's tree."""

    __slots__ = ()
    prefix = "msg"


class InviteId(Identifier):
    """An invitation's public name; says nothing about its text."""

    __slots__ = ()
    prefix = "inv"


class JoinRequestId(Identifier):
    """One person's wish to be let in."""

    __slots__ = ()
    prefix = "jrq"


class RequestId(Identifier):
    """One HTTP request, as shown in `x-request-id`, errors and logs."""

    __slots__ = ()
    prefix = "req"


class Fingerprint(str):
    """Sixteen hex digits of a keyed hash: equal inputs look equal, nothing more."""

    __slots__ = ()
    _shape: ClassVar[re.Pattern[str]] = re.compile(r"[0-9a-f]{16}\Z")

    def __new__(cls, text: str) -> Self:
        """Take `text` if it is 16 hex digits; raise ValueError otherwise."""
        if not cls._shape.match(text):
            msg = "not a Fingerprint: expected 16 hex digits"
            raise ValueError(msg)
        return super().__new__(cls, text)


class Replica(str):
    """One of several engines, by the host and port where it is."""

    __slots__ = ()
    _shape: ClassVar[re.Pattern[str]] = re.compile(
        r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z"
    )

    def __new__(cls, text: str) -> Self:
        """Take `text` if it has the shape of a host and a port; raise ValueError otherwise."""
        if not cls._shape.match(text):
            msg = "not a Replica: expected HOST:PORT"
            raise ValueError(msg)
        return super().__new__(cls, text)
