"""Made-up addresses share what the real ones shared, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.replay.recorded import fingerprint
from tidegate.core.admission.addresses import keys_of
from tidegate.core.admission.facts import Lane
from tidegate.core.decisions.lines import Judged, Listed
from tidegate.lab.replay import naming
from tidegate.lab.replay.naming import Names

SMALL = st.binary(min_size=4, max_size=4).map(lambda drawn: bytes(one % 3 for one in drawn))
ADDRESSES = st.lists(
    st.one_of(SMALL, SMALL.map(lambda drawn: b"\x20\x01\x0d\xb8" + drawn + bytes(8))), min_size=2, max_size=12
)


def source(address: bytes) -> tuple[str, ...]:
    return tuple(str(fingerprint(f"net {key.hex()}")) for key in keys_of(address))


@given(ADDRESSES)
def test_networks_are_shared_by_those_who_shared_them_and_by_nobody_else(addresses: list[bytes]) -> None:
    names = Names()
    made = {address: names.address(source(address)) for address in addresses}

    for one in addresses:
        for other in addresses:
            first, second = made[one], made[other]
            assert first is not None
            assert second is not None
            assert len(first) == len(one)
            alike = [key == own for key, own in zip(keys_of(one), keys_of(other), strict=False)]
            assert [key == own for key, own in zip(keys_of(first), keys_of(second), strict=False)] == alike


def test_whoever_was_on_a_list_is_on_it_until_they_are_not() -> None:
    names = Names()
    line = Judged(t=0.0, lane=Lane.PAGE, source=source(b"abcd"), listed=Listed.DENY)

    address = names.facts(line).address
    assert address is not None
    assert names.deny
    assert address in names.deny
    assert address not in names.allow
    names.facts(Judged(t=1.0, lane=Lane.PAGE, source=source(b"abcd")))
    assert address not in names.deny
    assert names.facts(Judged(t=1.0, lane=Lane.PAGE)).address is None


def test_no_more_than_a_network_holds_and_no_more_than_fits_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names()
    network = str(fingerprint("one network"))
    for number in range(256):
        names.address((str(fingerprint(str(number))), network))
    with pytest.raises(ValueError, match="source: more than 256 addresses in one network"):
        names.address((str(fingerprint("one more")), network))
    monkeypatch.setattr(naming, "MOST_SOURCES", 257)
    with pytest.raises(ValueError, match="source: more than 257 of them"):
        names.address(source(b"abcd"))
