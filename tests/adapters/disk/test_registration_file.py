"""What is kept of registration survives a restart; a file that is broken or cannot be written stops nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.registration import RegistrationFile
from tidegate.core.registration.kept import Kept, Said
from tidegate.core.registration.machine import Machine
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.plan import ModePlan

NAME = "tidegate.registration.json"


def some() -> Kept:
    machine = Machine(ModePlan())
    move = machine.override(RegistrationMode.INVITE, 2000.0, 1000.0)
    assert move is not None
    said = Said(mode=RegistrationMode.INVITE, until=2000.0, why="a talk")
    return Kept(machine=machine.state(), said=said, moves=(move,))


def test_what_was_kept_comes_back_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    datadir = DataDir(tmp_path)
    RegistrationFile(datadir).keep(some())
    assert RegistrationFile(datadir).read() == some()
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2, "kept": {}}', b'{"format": 1}', b"\xff", b"[]"])
def test_a_file_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    assert RegistrationFile(DataDir(tmp_path)).read() == Kept()


def test_a_disk_that_fails_is_counted_and_tried_again(tmp_path: Path) -> None:
    file = RegistrationFile(DataDir(tmp_path / "nowhere"))
    file.keep(some())
    assert file.failures == 1
    (tmp_path / "nowhere").mkdir()
    file.keep(some())
    assert file.read() == some()
