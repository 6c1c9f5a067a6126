"""Pins last, are for the owner only, and cannot stop a start."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from tidegate.adapters.disk import DataDir
from tidegate.adapters.disk.pins import PinFile
from tidegate.core.models.pin import Pin, Position, Reading

NAME = "tidegate.pins.json"


def a_pin(model: str = "tide-1", at_s: float = 1.0) -> Pin:
    reading = Reading((Position("a", {"a": -0.5, "�": -20.0}),))
    return Pin(model=model, pinned_at_s=at_s, readings=(reading, Reading()), sha256="f" * 64)


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    return DataDir.open(tmp_path / "d")


def test_what_was_kept_is_found_by_its_model(datadir: DataDir) -> None:
    pins = PinFile(datadir)
    assert pins.find("tide-1") is None
    for pin in (a_pin(), a_pin("tide-2"), a_pin(at_s=5.0)):
        pins.keep(pin)

    assert PinFile(datadir).find("tide-1") == a_pin(at_s=5.0)
    assert PinFile(datadir).find("tide-2") == a_pin("tide-2")
    assert PinFile(datadir).find("tide-3") is None


def test_only_the_owner_may_read_it_and_no_draft_stays(datadir: DataDir) -> None:
    PinFile(datadir).keep(a_pin())

    assert stat.S_IMODE((datadir.path / NAME).stat().st_mode) == 0o600
    assert [path.name for path in datadir.path.iterdir() if path.is_file()] == [NAME]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format":2,"pins":{}}', b"\xff" * 100])
def test_a_file_that_cannot_be_read_counts_as_none_and_is_replaced(datadir: DataDir, text: bytes) -> None:
    (datadir.path / NAME).write_bytes(text)
    pins = PinFile(datadir)

    assert pins.find("tide-1") is None
    pins.keep(a_pin())
    assert pins.find("tide-1") == a_pin()


def test_the_oldest_pins_make_room(datadir: DataDir) -> None:
    pins = PinFile(datadir)
    for number in range(66):
        pins.keep(a_pin(f"m{number}", at_s=number))

    kept = msgspec.json.decode((datadir.path / NAME).read_bytes())["pins"]
    assert set(kept) == {f"m{number}" for number in range(2, 66)}


def test_what_cannot_be_written_leaves_what_was(datadir: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    pins = PinFile(datadir)
    pins.keep(a_pin())

    def full(_handle: int) -> None:
        raise OSError

    monkeypatch.setattr("tidegate.adapters.disk.pins.os.fsync", full)
    with pytest.raises(OSError):
        pins.keep(a_pin(at_s=9.0))
    assert pins.find("tide-1") == a_pin()
