"""A backup is trusted only after it was checked, and what it replaces is kept."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
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
    for number, rows in ((1, 41), (2, 40)):
        fill(datadir.database_path, 1)
        restored = read_backup(backup, datadir.path, force=True)
        assert restored.kept_aside == tmp_path / f"d.before-restore-{number}", "who restores is told where it is"
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

    assert read_backup(backup, tmp_path / "new").kept_aside is None

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


def _older_format(contents: Contents) -> None:
    _edit_manifest(contents, format=0)


def _replace_member(contents: Contents, name: str, content: bytes) -> None:
    """Listed as it should be: only a look at the content can tell."""
    members = msgspec.json.decode(contents["manifest.json"])["members"]
    listed = {"name": name, "size_bytes": len(content), "sha256": sha256(content).hexdigest()}
    _edit_manifest(contents, members=[listed if member["name"] == name else member for member in members])
    contents[name] = content


def _damage_database(contents: Contents) -> None:
    content = contents["tidegate.db"]
    _replace_member(contents, "tidegate.db", content[:4096] + b"\xff" * 4096 + content[8192:])


def _put_no_database(contents: Contents) -> None:
    _replace_member(contents, "user-keys.db", b"no database")


def _put_no_secret(contents: Contents) -> None:
    _replace_member(contents, "secrets/kek", b"{}")


def _unlist(contents: Contents, name: str) -> None:
    members = msgspec.json.decode(contents["manifest.json"])["members"]
    _edit_manifest(contents, members=[member for member in members if member["name"] != name])
    del contents[name]


def _list_no_secret(contents: Contents) -> None:
    _unlist(contents, "secrets/server-keys")


def _list_no_user_keys(contents: Contents) -> None:
    _unlist(contents, "user-keys.db")


def _list_nothing(contents: Contents) -> None:
    _edit_manifest(contents, members=[])


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
        (_older_format, "format 0"),
        (_damage_database, r"tidegate\.db in the backup is damaged"),
        (_put_no_database, r"user-keys\.db in the backup is damaged"),
        (_put_no_secret, "secrets/kek is damaged"),
        (_list_no_secret, "incomplete: secrets/server-keys"),
        (_list_no_user_keys, r"incomplete: user-keys\.db"),
        (_list_nothing, "incomplete"),
        (_broken_manifest, "damaged"),
        (_no_manifest, "not a Tidegate backup"),
    ],
)
def test_a_backup_that_is_not_as_it_was_made_changes_nothing(
    datadir: DataDir, backup: Path, tmp_path: Path, change: Callable[[Contents], None], words: str
) -> None:
    rewrite(backup, change)
    before = rows_of(datadir.database_path)

    with pytest.raises(BackupError, match=words) as refusal:
        read_backup(backup, datadir.path, force=True)
    assert ".restoring-" not in str(refusal.value), "a place that nobody knows helps nobody"

    assert rows_of(datadir.database_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "d"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_something_else_than_a_file_is_refused_though_it_is_listed(backup: Path, tmp_path: Path, kind: bytes) -> None:
    contents = contents_of(backup)
    _replace_member(contents, "secrets/kek", b"")
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

    with pytest.raises(BackupError, match=r"no.*Tidegate backup"):
        read_backup(tmp_path / "b.tar.gz", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_that_is_not_there_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"b\.tar\.gz was not restored: it cannot be read \(No such file"):
        read_backup(tmp_path / "b.tar.gz", tmp_path / "deep" / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_header_that_brings_megabytes_with_it_is_refused_before_they_are_read(tmp_path: Path, kind: bytes) -> None:
    header = tarfile.TarInfo("header")
    header.type, header.size = kind, 1 << 28
    with gzip.open(tmp_path / "b.tar.gz", "wb", compresslevel=1) as packed:
        packed.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(header.size >> 20):
            packed.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(BackupError):
            read_backup(tmp_path / "b.tar.gz", tmp_path / "new")
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 << 20
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar.gz"]


def test_a_cut_backup_is_refused_wherever_it_was_cut(backup: Path, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    for size_bytes in range(0, len(whole) * 9 // 10, len(whole) // 25):
        backup.write_bytes(whole[:size_bytes])

        with pytest.raises(BackupError):
            read_backup(backup, tmp_path / "new")
        assert not (tmp_path / "new").exists()
