"""A backup holds all, is made while the service runs, and is made whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.adapters.disk.filled import backup, contents_of, datadir, fill, opened, rows_of
from tidegate.adapters.disk import BackupError, DataDir, load_or_create_secrets, read_backup, write_backup

__all__ = ["backup", "datadir"]


def test_a_backup_brings_everything_back_on_another_machine(datadir: DataDir, backup: Path, tmp_path: Path) -> None:
    read_backup(backup, tmp_path / "new")

    restored = DataDir.open(tmp_path / "new")
    assert load_or_create_secrets(restored) == load_or_create_secrets(datadir)
    assert rows_of(restored.database_path) == rows_of(datadir.database_path)
    assert rows_of(restored.user_keys_path) == rows_of(datadir.user_keys_path)
    assert list(restored.logs_path.iterdir()) == []


def test_the_backup_and_what_is_restored_are_for_their_owner_only(backup: Path, tmp_path: Path) -> None:
    read_backup(backup, tmp_path / "new")

    assert backup.stat().st_mode & 0o777 == 0o600
    everything = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    assert {path.stat().st_mode & 0o077 for path in everything} == {0}


def test_a_backup_made_in_the_middle_of_writing_is_a_whole_state(datadir: DataDir, tmp_path: Path) -> None:
    """Each transaction adds two rows: an odd number would be half of one."""
    stop, running = threading.Event(), threading.Event()

    def write_on() -> None:
        while not stop.is_set():
            fill(datadir.database_path, 2)
            running.set()

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        assert running.wait(10)
        for number in range(5):
            write_backup(datadir, tmp_path / f"{number}.tar.gz")
    finally:
        stop.set()
        writer.join()

    for number in range(5):
        read_backup(tmp_path / f"{number}.tar.gz", tmp_path / f"new-{number}")
        rows = rows_of(tmp_path / f"new-{number}" / "tidegate.db")
        assert len(rows) % 2 == 0
        assert len(rows) >= 42
        assert rows == rows_of(datadir.database_path)[: len(rows)]


def test_user_keys_can_be_left_out(datadir: DataDir, tmp_path: Path) -> None:
    write_backup(datadir, tmp_path / "b.tar.gz", include_user_keys=False)

    assert "user-keys.db" not in contents_of(tmp_path / "b.tar.gz")
    restored = read_backup(tmp_path / "b.tar.gz", tmp_path / "new")
    assert restored.manifest.left_out == ["user-keys.db"]
    assert not (tmp_path / "new" / "user-keys.db").exists()
    assert len(rows_of(tmp_path / "new" / "tidegate.db")) == 40


def test_what_a_gate_knows_of_its_callers_comes_back_without_any_account(tmp_path: Path) -> None:
    gate = DataDir.open(tmp_path / "gate")
    secrets = load_or_create_secrets(gate)
    fill(gate.callers_path, 7)
    write_backup(gate, tmp_path / "b.tar.gz")

    read_backup(tmp_path / "b.tar.gz", tmp_path / "new")

    restored = DataDir.open(tmp_path / "new")
    assert rows_of(restored.callers_path) == rows_of(gate.callers_path)
    assert load_or_create_secrets(restored) == secrets, "callers are named under them"


def test_progress_ends_at_the_total_both_ways(datadir: DataDir, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    manifest = write_backup(datadir, tmp_path / "b.tar.gz", progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (manifest.size_bytes, manifest.size_bytes)
    assert steps == sorted(steps)

    steps.clear()
    read_backup(tmp_path / "b.tar.gz", tmp_path / "new", progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (manifest.size_bytes, manifest.size_bytes)


def test_an_existing_file_is_not_overwritten(datadir: DataDir, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_text("mine")

    with pytest.raises(BackupError, match="exists already"):
        write_backup(datadir, tmp_path / "b.tar.gz")
    assert (tmp_path / "b.tar.gz").read_text() == "mine"


def test_a_backup_that_cannot_be_made_leaves_no_half_of_one(datadir: DataDir, tmp_path: Path) -> None:
    datadir.user_keys_path.write_bytes(b"not a database" * 100)

    with pytest.raises(BackupError, match="no backup was made") as refusal:
        write_backup(datadir, tmp_path / "b.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
    assert str(datadir.user_keys_path) in str(refusal.value), "it names the file that is to be mended"
    assert ".tidegate-backup" not in str(refusal.value), "and none that nobody knows"


def test_a_backup_that_could_not_be_restored_is_not_made(datadir: DataDir, tmp_path: Path) -> None:
    (datadir.secrets_path / "server-keys").unlink()

    with pytest.raises(BackupError, match="secrets/server-keys missing"):
        write_backup(datadir, tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_place_that_cannot_be_written_is_named_as_it_was_given(datadir: DataDir) -> None:
    with pytest.raises(BackupError, match=r"/proc/b\.tar\.gz cannot be written: No such file or directory\Z"):
        write_backup(datadir, Path("/proc/b.tar.gz"))


def test_nothing_to_back_up_is_said(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to back up"):
        write_backup(DataDir.open(tmp_path / "d"), tmp_path / "b.tar.gz")


def test_a_large_backup_takes_little_memory(tmp_path: Path) -> None:
    """Files larger than the memory allowed for all of it: streamed, never held."""
    datadir = DataDir.open(tmp_path / "d")
    load_or_create_secrets(datadir)
    with opened(datadir.database_path) as connection:
        connection.execute("CREATE TABLE kept (content BLOB)")
        connection.executemany("INSERT INTO kept VALUES (?)", ((os.urandom(1 << 20),) for _ in range(96)))
    program = f"""
import resource, sys
from pathlib import Path
from tidegate.adapters.disk import DataDir, read_backup, write_backup
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_backup(DataDir(Path({str(datadir.path)!r})), Path({str(tmp_path / "b.tar.gz")!r}))
read_backup(Path({str(tmp_path / "b.tar.gz")!r}), Path({str(tmp_path / "new")!r}))
sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""
    grown_kib = int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout)

    assert grown_kib < 40 * 1024
