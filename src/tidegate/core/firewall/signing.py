"""How a message to the operator's webhook is signed: as in Standard Webhooks 1.0, symmetric.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how the standard marks one
LEAST_SECRET_BYTES: Final = 24
MOST_SECRET_BYTES: Final = 64


def secret_of(text: str) -> bytes:
    """The key in a `whsec_` secret. Raises ValueError with what is wrong, and never with the secret."""
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(SECRET_PREFIX) or not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        msg = f"expected {SECRET_PREFIX} and {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} random bytes in Base64"
        raise ValueError(msg)
    return key


def headers(secret: bytes, body: bytes, now: float) -> dict[str, str]:
    """What says that this body is ours. Its id is the body's own: who is told again sees that it is the same."""
    identity = "msg_" + hashlib.blake2s(body, digest_size=16).hexdigest()
    at_s = str(int(now))
    signed = hmac.digest(secret, f"{identity}.{at_s}.".encode() + body, "sha256")
    return {
        "webhook-id": identity,
        "webhook-timestamp": at_s,
        "webhook-signature": "v1," + base64.b64encode(signed).decode("ascii"),
    }
