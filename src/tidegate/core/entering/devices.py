"""The mark of a device on which an account has signed in: a place in line, and nothing else.

A mark opens nothing: the password is asked for all the same. It tells the gate
and the line for passwords that this browser has been let in before, to this very
account, so that a flood of strangers costs its holder nothing (OWASP, "Device
cookies"). It is 64 characters of base64url for 48 bytes:

    version 1 | server key number 1 | account 8 | issued at 4 | device 10 | name 8 | MAC 16

The MAC is keyed BLAKE2s (RFC 7693) with a `person` of its own, so no session, key
or form token passes for a mark. `name` is a keyed hash of the address that one
signs in with: whose mark it is can be told by what was typed, before the store is
asked; the address itself cannot be read from it. A device keeps its ten bytes
when its mark is renewed, so wrong passwords count against it across marks.

One browser may be several people's: its cookie holds up to `MOST_MARKS`, the one
used last first. A mark ends with time, or with too many wrong passwords
(attempts.py); not with a change of the password, because it opens nothing.
"""

from __future__ import annotations

import functools
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2s
from typing import Final

import msgspec

from tidegate.core.credentials import ServerKeys
from tidegate.core.identifiers import UserId

VERSION: Final = 1
DEVICE_BYTES: Final = 10
MOST_MARKS: Final = 4
"""Of one browser: who signs in as a fifth person there has the longest unused forgotten."""

_MARK_CHARACTERS: Final = 64
_BETWEEN: Final = "."
_LONGEST: Final = MOST_MARKS * (_MARK_CHARACTERS + 1) - 1
_ACCOUNT = slice(2, 10)
_ISSUED = slice(10, 14)
_DEVICE = slice(14, 24)
_NAME = slice(24, 32)
_MAC = slice(32, 48)
_MAC_BYTES: Final = 16
_NAME_BYTES: Final = 8


class Device(msgspec.Struct, frozen=True):
    """A genuine mark. `id` is the device's; `name` and `key` say whose address it was made for."""

    principal: UserId
    issued_at: int
    id: bytes
    name: bytes
    key: int

    def is_of(self, address: str, keys: ServerKeys) -> bool:
        """Whether its account signs in with this address (as `normalise_email` writes it)."""
        server_key = keys.keys.get(self.key)
        return server_key is not None and hmac.compare_digest(self.name, _name(address, server_key))


def issue(principal: UserId, address: str, keys: ServerKeys, *, now: float, entropy: bytes) -> str:
    """Write the mark of a device: `entropy` is what it had before, or 10 fresh random bytes.

    Raises ValueError for another number of bytes, also in the principal.
    """
    if len(principal.entropy) != _ACCOUNT.stop - _ACCOUNT.start or len(entropy) != DEVICE_BYTES:
        msg = "a mark needs an 8-byte principal and 10 random bytes"
        raise ValueError(msg)
    server_key = keys.keys[keys.current]
    head = bytes((VERSION, keys.current)) + principal.entropy + int(now).to_bytes(4, "big")
    payload = head + entropy + _name(address, server_key)
    return urlsafe_b64encode(payload + _mac(payload, server_key)).decode("ascii")


def read(text: str, keys: ServerKeys, *, now: float, lasts_s: float) -> tuple[Device, ...]:
    """All genuine marks of a cookie that are not over, in their order; a forgery is as if it were not there."""
    if len(text) > _LONGEST or not text.isascii():
        return ()
    found = (_read(mark, keys) for mark in text.split(_BETWEEN))
    return tuple(device for device in found if device is not None and now - device.issued_at < lasts_s)


def renewed(
    text: str, principal: UserId, address: str, keys: ServerKeys, *, now: float, lasts_s: float, entropy: bytes
) -> str:
    """The cookie after its browser has signed in: that account's mark first, then those of others that were there."""
    known = [(device, mark) for mark in text.split(_BETWEEN) for device in read(mark, keys, now=now, lasts_s=lasts_s)]
    own = next((device for device, _ in known if device.principal == principal), None)
    first = issue(principal, address, keys, now=now, entropy=entropy if own is None else own.id)
    others = [mark for device, mark in known if device.principal != principal]
    return _BETWEEN.join((first, *others[: MOST_MARKS - 1]))


def _read(mark: str, keys: ServerKeys) -> Device | None:
    if len(mark) != _MARK_CHARACTERS:
        return None
    try:
        raw = urlsafe_b64decode(mark)
    except ValueError:
        return None
    # The decoder leaves out what is no letter: too short then. A mark that is written otherwise is the same mark.
    server_key = keys.keys.get(raw[1]) if len(raw) == _MAC.stop and raw[0] == VERSION else None
    if server_key is None or not hmac.compare_digest(raw[_MAC], _mac(raw[: _MAC.start], server_key)):
        return None
    return Device(
        principal=UserId.of(raw[_ACCOUNT]),
        issued_at=int.from_bytes(raw[_ISSUED], "big"),
        id=raw[_DEVICE],
        name=raw[_NAME],
        key=raw[1],
    )


def _mac(payload: bytes, server_key: bytes) -> bytes:
    keyed = _keyed(b"device", _MAC_BYTES, server_key).copy()
    keyed.update(payload)
    return keyed.digest()


def _name(address: str, server_key: bytes) -> bytes:
    keyed = _keyed(b"devname", _NAME_BYTES, server_key).copy()
    keyed.update(address.encode("utf-8", "surrogatepass"))
    return keyed.digest()


@functools.lru_cache(maxsize=16)
def _keyed(person: bytes, size: int, server_key: bytes) -> blake2s:
    """A hash that has taken the key in already; `person` keeps it apart from what else these keys sign."""
    return blake2s(key=server_key, digest_size=size, person=person)
