"""Identifiers hold identifiers. Whatever else is put there by mistake is refused and not repeated."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tidegate.core.events import Site
from tidegate.core.identifiers import (
    ConversationId,
    Fingerprint,
    Identifier,
    KeyId,
    MessageId,
    Replica,
    RequestId,
    UserId,
)

KINDS: list[type[Identifier]] = [UserId, KeyId, ConversationId, MessageId, RequestId]
kinds = st.sampled_from(KINDS)


@given(kinds, st.binary(min_size=8, max_size=16))
def test_an_identifier_gives_back_the_bytes_it_was_made_of(kind: type[Identifier], entropy: bytes) -> None:
    made = kind.of(entropy)

    assert made.entropy == entropy
    assert kind(str(made)) == made


@given(kinds, st.text())
def test_an_identifier_takes_no_other_text_and_does_not_repeat_it(kind: type[Identifier], text: str) -> None:
    with pytest.raises(ValueError) as refused:
        kind(text)
    assert len(text) < 12 or text not in str(refused.value)


@given(kinds, st.from_regex(r"\A[0-9a-f]{16,32}\Z"))
def test_whatever_an_identifier_takes_has_whole_bytes(kind: type[Identifier], digits: str) -> None:
    text = f"{kind.prefix}_{digits}"
    try:
        made = kind(text)
    except ValueError:
        assert len(digits) % 2
        return
    assert made.entropy.hex() == digits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "wrong",
    [
        *("", "_", "0" * 16, "{p}0123456789abcdef", "{p}_0123456789abcde", "{p}_" + "0" * 34, "{p}_0123456789ABCDEF"),
        *("{p}_0123456789abcdef\n", " {p}_0123456789abcdef", "{p}_0123456789abcdeg", "{p}_" + "٠" * 16),
    ],
)
def test_near_misses_are_refused(kind: type[Identifier], wrong: str) -> None:
    with pytest.raises(ValueError, match=kind.__name__):
        kind(wrong.replace("{p}", kind.prefix))


@given(kinds, kinds, st.binary(min_size=8, max_size=16))
def test_an_identifier_of_one_thing_is_none_of_another(
    kind: type[Identifier], other: type[Identifier], entropy: bytes
) -> None:
    assume(kind is not other)

    with pytest.raises(ValueError):
        other(kind.of(entropy))


@pytest.mark.parametrize("size_bytes", [0, 7, 17])
def test_too_few_or_too_many_bytes_make_no_identifier(size_bytes: int) -> None:
    with pytest.raises(ValueError):
        UserId.of(bytes(size_bytes))


def test_the_bare_identifier_takes_nothing() -> None:
    with pytest.raises(ValueError):
        Identifier("_0123456789abcdef")


@given(st.text())
def test_a_fingerprint_takes_no_other_text_and_does_not_repeat_it(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        Fingerprint(text)
    assert len(text) < 12 or text not in str(refused.value)


@given(st.binary(min_size=8, max_size=8))
def test_a_fingerprint_is_sixteen_hex_digits(digest: bytes) -> None:
    assert Fingerprint(digest.hex()) == digest.hex()


@pytest.mark.parametrize("wrong", ["0" * 15, "0" * 17, "0" * 15 + "A", "0" * 16 + "\n", "203.0.113.7"])
def test_near_fingerprints_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError):
        Fingerprint(wrong)


@pytest.mark.parametrize("module", ["tidegate.http.exchange", "__main__", "uvicorn.error", "my-lib", "KeyError"])
def test_a_site_names_a_module_and_a_line(module: str) -> None:
    assert Site(module, 42) == f"{module}:42"


@given(st.text(min_size=1).filter(lambda text: not (text.isascii() and text.replace("_", "a").isalnum())))
def test_a_site_holds_nothing_of_a_text_that_is_no_module_name(text: str) -> None:
    assume(not all(part.isascii() and part.replace("_", "a").replace("-", "a").isalnum() for part in text.split(".")))

    assert Site(text, 7) == "unknown:7"


@pytest.mark.parametrize("text", ["", "What is my neighbour's name?", "a" * 121, "a\nb", "<string>", "tide gate"])
def test_a_sentence_or_a_flood_is_no_site(text: str) -> None:
    assert Site(text, 0) == "unknown:0"


@pytest.mark.parametrize("text", ["127.0.0.1:8000", "engine.example", "[2001:db8::1]:8443", "gpu_box-1:1"])
def test_a_replica_is_a_host_and_a_port(text: str) -> None:
    assert Replica(text) == text


@pytest.mark.parametrize("text", ["", "a b", "http://a:1", "me:secret@a:1", "a:1/tide", "a:123456", "x" * 300, "a:1\n"])
def test_nothing_else_is_a_replica(text: str) -> None:
    with pytest.raises(ValueError, match="not a Replica"):
        Replica(text)
