"""A backup is trusted only after it was checked, and what it replaces is kept."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from tests.adapters.disk.filled import Contents, backup, contents_of, datadir, fill, rewrite, rows_of
from tidegate.adapters.disk import BackupError, DataDir, DataDirLocked, read_backup

__all__ = ["backup", "datadir"]


def _edit_manifest(contents: Contents, **changes: object) -> None:
    manifest = msgspec.json.decode(contents["manifest.json"])
    contents["manifest.json"] = msgspec.json.encode({**manifest, **changes})


def test_a_directory_with_something_in_it_is_not_replaced(datadir: DataDir, backup: Path, tmp_path: Path) -> None:
    fill(datadir.database_path, 1)

    with pytest.raises(BackupError, match="not empty"):
        read_backup(backup, datadir.path)
    assert len(rows_of(datadir.database_path)) == 41
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "d"]


def test_by_force_the_old_directory_is_kept_beside_the_new(datadir: DataDir, backup: Path, tmp_path: Path) -> None:
    for rows in (41, 40):
        fill(datadir.database_path, 1)
        read_backup(backup, datadir.path, force=True)
        assert len(rows_of(datadir.database_path)) == 40
        assert rows  # two rounds: the second must find a free name
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "b.tar.gz",
        "d",
        "d.before-restore-1",
        "d.before-restore-2",
    ]
    assert len(rows_of(tmp_path / "d.before-restore-1" / "tidegate.db")) == 41


def test_an_empty_directory_is_simply_filled(backup: Path, tmp_path: Path) -> None:
    DataDir.open(tmp_path / "new")

    read_backup(backup, tmp_path / "new")

    assert len(rows_of(tmp_path / "new" / "tidegate.db")) == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "d", "new"]


def test_a_directory_in_use_is_not_replaced(datadir: DataDir, backup: Path) -> None:
    with datadir.lock(), pytest.raises(DataDirLocked):
        read_backup(backup, datadir.path, force=True)
    assert len(rows_of(datadir.database_path)) == 40


def _drop_member(contents: Contents) -> None:
    del contents["tidegate.db"]


def _flip_byte(contents: Contents) -> None:
    content = contents["tidegate.db"]
    contents["tidegate.db"] = content[:5000] + bytes((content[5000] ^ 1,)) + content[5001:]


def _grow_member(contents: Contents) -> None:
    contents["tidegate.db"] += b"\0" * 512


def _add_unlisted(contents: Contents) -> None:
    contents["secrets/planted"] = b"x"


def _list_traversal(contents: Contents) -> None:
    listed = {"name": "secrets/../../../planted", "size_bytes": 1, "sha256": ""}
    _edit_manifest(contents, members=[listed])
    contents["secrets/../../../planted"] = b"x"


def _list_absolute(contents: Contents) -> None:
    _edit_manifest(contents, members=[{"name": "/tmp/planted", "size_bytes": 1, "sha256": ""}])


def _list_unknown(contents: Contents) -> None:
    _edit_manifest(contents, members=[{"name": "run/socket", "size_bytes": 1, "sha256": ""}])


def _list_twice(contents: Contents) -> None:
    members = msgspec.json.decode(contents["manifest.json"])["members"]
    _edit_manifest(contents, members=members + members)


def _newer_format(contents: Contents) -> None:
    _edit_manifest(contents, format=2, members="in a form that we do not know")


def _broken_manifest(contents: Contents) -> None:
    contents["manifest.json"] = contents["manifest.json"][:-3]


def _no_manifest(contents: Contents) -> None:
    del contents["manifest.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_drop_member, "incomplete: tidegate.db"),
        (_flip_byte, "checksum"),
        (_grow_member, "does not describe"),
        (_add_unlisted, "secrets/planted"),
        (_list_traversal, "planted"),
        (_list_absolute, "planted"),
        (_list_unknown, "run/socket"),
        (_list_twice, "twice"),
        (_newer_format, "format 2"),
        (_broken_manifest, "damaged"),
        (_no_manifest, "not a Tidegate backup"),
    ],
)
def test_a_backup_that_is_not_as_it_was_made_changes_nothing(
    datadir: DataDir, backup: Path, tmp_path: Path, change: Callable[[Contents], None], words: str
) -> None:
    rewrite(backup, change)
    before = rows_of(datadir.database_path)

    with pytest.raises(BackupError, match=words):
        read_backup(backup, datadir.path, force=True)

    assert rows_of(datadir.database_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "d"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_something_else_than_a_file_is_refused_though_it_is_listed(backup: Path, tmp_path: Path, kind: bytes) -> None:
    contents = contents_of(backup)
    _edit_manifest(contents, members=[{"name": "secrets/kek", "size_bytes": 0, "sha256": sha256(b"").hexdigest()}])
    with tarfile.open(backup, "w:gz") as archive:
        header = tarfile.TarInfo("manifest.json")
        header.size = len(contents["manifest.json"])
        archive.addfile(header, io.BytesIO(contents["manifest.json"]))
        header = tarfile.TarInfo("secrets/kek")
        header.type, header.linkname = kind, "/etc/passwd"
        archive.addfile(header)

    with pytest.raises(BackupError, match="does not describe"):
        read_backup(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"plain text", gzip.compress(b""), gzip.compress(b"x" * 2000)])
def test_a_file_that_is_no_backup_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "b.tar.gz").write_bytes(content)

    with pytest.raises(BackupError):
        read_backup(tmp_path / "b.tar.gz", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_cut_backup_is_refused_wherever_it_was_cut(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    for size_bytes in range(0, len(whole) * 9 // 10, len(whole) // 25):
        backup.write_bytes(whole[:size_bytes])

        with pytest.raises(BackupError):
            read_backup(backup, tmp_path / "new")
        assert not (tmp_path / "new").exists()
