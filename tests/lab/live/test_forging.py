"""Keys that nobody has: right in form, checksum and number, and refused only for their signature."""

from __future__ import annotations

from tidegate.core.credentials import Forged, Kind, ServerKeys, read
from tidegate.lab.live.forging import Forger

SERVICE = ServerKeys(0, {0: b"k" * 32})


def test_a_forged_key_is_refused_for_its_signature_alone() -> None:
    forger = Forger(7)

    assert {read(forger.key(), Kind.API_KEY, SERVICE) for _ in range(20)} == {Forged("mac")}


def test_each_is_another_and_equal_seeds_forge_the_same() -> None:
    one, same, other = Forger(7), Forger(7), Forger(8)
    forged = [one.key() for _ in range(20)]

    assert len(set(forged)) == 20
    assert forged == [same.key() for _ in range(20)]
    assert other.key() not in forged
