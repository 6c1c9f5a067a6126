"""A ticket that was used stays used over a restart, whatever becomes of the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.adapters.disk.datadir import DataDir
from tidegate.adapters.disk.used_tickets import UsedTickets

NAME = "tidegate.tickets"
AT = 1_800_000_000.0
HIGHEST = (1 << 104) - 1


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    return DataDir(tmp_path)


def test_what_was_used_comes_back_in_its_order_and_nobody_else_may_read_it(datadir: DataDir) -> None:
    for number, place in enumerate((7, HIGHEST, 0)):
        UsedTickets(datadir).add(place, AT + number)
    assert UsedTickets(datadir).read(AT) == [7, HIGHEST, 0]
    assert (datadir.path / NAME).stat().st_mode & 0o777 == 0o600


def test_what_is_long_ago_is_left_out(datadir: DataDir) -> None:
    file = UsedTickets(datadir)
    file.add(1, AT)
    file.add(2, AT + 10.0)
    assert file.read(AT + 5.0) == [2]


def test_half_a_record_of_a_crash_costs_itself_and_no_other(datadir: DataDir) -> None:
    file = UsedTickets(datadir)
    file.add(1, AT)
    with (datadir.path / NAME).open("ab") as cut:
        cut.write(b"half")
    assert file.read(AT) == [1]
    file.add(2, AT)
    assert file.read(AT) == [1, 2]


def test_it_does_not_grow_without_end(datadir: DataDir) -> None:
    file = UsedTickets(datadir, most=10)
    for place in range(35):
        file.add(place, AT)
    assert file.read(AT) == list(range(20, 35))
    assert sum(path.stat().st_size for path in datadir.path.iterdir()) <= 20 * 17


def test_a_disk_that_fails_is_counted_and_stops_nobody(tmp_path: Path) -> None:
    file = UsedTickets(DataDir(tmp_path / "nowhere"))
    assert file.read(AT) == []
    file.add(1, AT)
    assert file.failures == 1
