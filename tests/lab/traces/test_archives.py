"""A tar is read within limits, and never unpacked to disk."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tests.lab.traces.packing import tarred
from tidegate.lab.traces import archives
from tidegate.lab.traces.archives import MOST_AT_ONCE_BYTES, is_tar, members
from tidegate.lab.traces.sources import TraceError


def contents(path: Path, most_bytes: int = 1 << 20) -> dict[str, bytes]:
    return {name: b"".join(pieces) for name, pieces in members(path, most_bytes)}


@pytest.mark.parametrize("packing", ["", "gz", "bz2"])
def test_files_are_read_whichever_way_they_are_packed(tmp_path: Path, packing: str) -> None:
    files = {"a.txt": b"a" * 200_000, "b/c.txt": b"hello"}
    path = tarred(tmp_path / "x", files, packing)

    assert is_tar(path)
    assert contents(path) == files


def test_a_file_that_is_not_read_costs_the_next_nothing(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x", {"a": b"a" * 100_000, "b": b"bb"})

    assert [b"".join(pieces) for name, pieces in members(path) if name == "b"] == [b"bb"]


def test_what_is_no_plain_file_is_passed_over(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x", "w") as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE):
            odd = tarfile.TarInfo("odd")
            odd.type, odd.linkname = kind, "elsewhere"
            archive.addfile(odd)
        archive.addfile(tarfile.TarInfo("empty"))

    assert contents(tmp_path / "x") == {"empty": b""}


def test_an_archive_that_grows_beyond_its_bound_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "x", {"a": bytes(3 << 20)})

    with pytest.raises(TraceError, match="x: is larger than 1048576 bytes, unpacked"):
        contents(path)


def test_a_header_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 4 << 30
    (tmp_path / "x").write_bytes(gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)))

    with pytest.raises(TraceError, match=f"x: holds a piece that is larger than {MOST_AT_ONCE_BYTES} bytes"):
        contents(tmp_path / "x")


def test_headers_that_lead_to_headers_without_end_are_refused(tmp_path: Path) -> None:
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 1
    (tmp_path / "x").write_bytes((name.tobuf(tarfile.GNU_FORMAT) + b"a".ljust(512, b"\0")) * 3000)

    with pytest.raises(TraceError, match="x: not a readable tar"):
        contents(tmp_path / "x", 1 << 24)


def test_more_files_than_a_trace_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)

    assert len(contents(tarred(tmp_path / "x", dict.fromkeys("ab", b"")))) == 2
    with pytest.raises(TraceError, match="x: holds more than 3 files"):
        contents(tarred(tmp_path / "x", dict.fromkeys("abcd", b"")))


@pytest.mark.parametrize("packing", ["", "gz"])
def test_files_behind_a_damaged_header_are_missed(tmp_path: Path, packing: str) -> None:
    whole = bytearray(tarred(tmp_path / "x", {"a": b"a", "b": b"b"}, "").read_bytes())
    pack = gzip.compress if packing else bytes
    for damaged in (whole[:1024], whole[:1024] + b"x" * 20 + whole[1044:]):
        (tmp_path / "x").write_bytes(pack(damaged))
        with pytest.raises(TraceError, match="x: is cut, or damaged"):
            contents(tmp_path / "x")


def test_a_tar_that_is_cut_is_told_from_a_whole_one(tmp_path: Path) -> None:
    held = io.BytesIO(tarred(tmp_path / "x", {"a": b"a" * 5000}, "").read_bytes())
    (tmp_path / "x").write_bytes(held.read(2048))

    with pytest.raises(TraceError, match="x: not a readable tar"):
        contents(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"no tar at all")
    with pytest.raises(TraceError, match="x: not a readable tar"):
        contents(tmp_path / "x")
    assert not is_tar(tmp_path / "x")
