"""A message to the webhook is signed as the standard's own example is."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from tidegate.core.firewall.signing import headers, secret_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_id_time_and_body() -> None:
    body = b'{"test": 2432232314}'
    told = headers(secret_of(SECRET), body, 1614265330.9)
    assert told["webhook-timestamp"] == "1614265330"
    content = f"{told['webhook-id']}.1614265330.".encode() + body
    expected = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), content, hashlib.sha256).digest()
    assert told["webhook-signature"] == "v1," + base64.b64encode(expected).decode()


def test_the_same_told_again_has_the_same_id_and_another_time() -> None:
    first, again, other = (headers(b"s" * 32, body, now) for body, now in ((b"a", 1.0), (b"a", 9.0), (b"b", 1.0)))
    assert first["webhook-id"] == again["webhook-id"] != other["webhook-id"]
    assert first["webhook-signature"] != again["webhook-signature"]


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_%%%", SECRET.removeprefix("whsec_"), "whsec_" + "QUFB" * 7, "whsec_ä"]
)
def test_what_is_no_secret_is_refused_without_being_repeated(text: str) -> None:
    if len(text) > 20 and text.startswith("whsec_"):
        text = text[:-4]  # 24 bytes are enough, 21 are not
    with pytest.raises(ValueError, match="24 to 64 random bytes") as refused:
        secret_of(text)
    assert not text.removeprefix("whsec_") or text not in str(refused.value)
