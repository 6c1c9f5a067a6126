"""Pins last, are for the owner only, and cannot stop a start."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from tidegate.adapters.disk import DataDir
from tidegate.adapters.disk.pins import _LIMIT_BYTES, _MOST, PinFile
from tidegate.core.models.pin import PROMPTS, Pin, Position, Reading

NAME = "tidegate.pins.json"


HERE, THERE = "http://10.0.0.5:8000", "http://10.0.0.6:8000"


def a_pin(model: str = "tide-1", at_s: float = 1.0, server: str = "") -> Pin:
    reading = Reading((Position("a", {"a": -0.5, "�": -20.0}),))
    return Pin(model=model, pinned_at_s=at_s, readings=(reading, Reading()), sha256="f" * 64, server=server)


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    return DataDir.open(tmp_path / "d")


def test_what_was_kept_is_found_by_its_model(datadir: DataDir) -> None:
    pins = PinFile(datadir)
    assert pins.of("tide-1") == {}
    for pin in (a_pin(), a_pin("tide-2"), a_pin(at_s=5.0)):
        pins.keep(pin)

    assert PinFile(datadir).of("tide-1") == {"": a_pin(at_s=5.0)}
    assert PinFile(datadir).of("tide-2") == {"": a_pin("tide-2")}
    assert PinFile(datadir).of("tide-3") == {}


def test_each_server_has_a_pin_of_its_own_beside_the_embedded_engines(datadir: DataDir) -> None:
    pins = PinFile(datadir)
    for pin in (a_pin(), a_pin(server=HERE), a_pin(server=THERE), a_pin("tide-2", server=HERE), a_pin(server=HERE)):
        pins.keep(pin)

    assert PinFile(datadir).of("tide-1") == {"": a_pin(), HERE: a_pin(server=HERE), THERE: a_pin(server=THERE)}
    assert PinFile(datadir).of("tide-2") == {HERE: a_pin("tide-2", server=HERE)}


def test_as_many_pins_as_there_may_be_can_be_read_again_however_large_a_server_makes_them(datadir: DataDir) -> None:
    """Or one server could have all pins forgotten, its own among them."""
    tokens = {f"{number:03}" + "\x01" * 61: -1.0 for number in range(17)}
    largest = Reading(tuple(Position("\x01" * 64, tokens) for _ in range(6)))
    one = msgspec.json.encode(msgspec.structs.replace(a_pin(server=HERE), readings=(largest,) * len(PROMPTS)))
    assert len(one) * _MOST < _LIMIT_BYTES


def test_only_the_owner_may_read_it_and_no_draft_stays(datadir: DataDir) -> None:
    PinFile(datadir).keep(a_pin())

    assert stat.S_IMODE((datadir.path / NAME).stat().st_mode) == 0o600
    assert [path.name for path in datadir.path.iterdir() if path.is_file()] == [NAME]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format":2,"pins":{}}', b"\xff" * 100])
def test_a_file_that_cannot_be_read_counts_as_none_and_is_replaced(datadir: DataDir, text: bytes) -> None:
    (datadir.path / NAME).write_bytes(text)
    pins = PinFile(datadir)

    assert pins.of("tide-1") == {}
    pins.keep(a_pin())
    assert pins.of("tide-1") == {"": a_pin()}


def test_the_oldest_pins_make_room(datadir: DataDir) -> None:
    pins = PinFile(datadir)
    for number in range(514):
        pins.keep(a_pin(f"m{number}", at_s=number))

    kept = msgspec.json.decode((datadir.path / NAME).read_bytes())["pins"]
    assert set(kept) == {f"m{number}" for number in range(2, 514)}


def test_what_cannot_be_written_leaves_what_was(datadir: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = PinFile(datadir)
    pins.keep(a_pin())

    def full(_handle: int) -> None:
        raise OSError

    monkeypatch.setattr("tidegate.adapters.disk.pins.os.fsync", full)
    with pytest.raises(OSError):
        pins.keep(a_pin(at_s=9.0))
    assert pins.of("tide-1") == {"": a_pin()}
