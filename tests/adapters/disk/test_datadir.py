"""The data directory: private, and used by one process at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.adapters.disk import DataDir, DataDirError, DataDirLocked

HOLDER = """
import sys
from pathlib import Path
from tidegate.adapters.disk import DataDir
with DataDir.open(Path(sys.argv[1])).lock():
    sys.stdout.write("held\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


def test_a_new_directory_and_all_in_it_is_for_its_owner_only(tmp_path: Path) -> None:
    datadir = DataDir.open(tmp_path / "deep" / "er")

    with datadir.lock():
        modes = {path.name: path.stat().st_mode & 0o777 for path in [datadir.path, *datadir.path.iterdir()]}
    assert modes == {"er": 0o700, "secrets": 0o700, "run": 0o700, "logs": 0o700, "tidegate.lock": 0o600}


def test_a_directory_that_others_could_read_is_taken_from_their_eyes(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)

    assert DataDir.open(tmp_path / "open").path.stat().st_mode & 0o777 == 0o700


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    DataDir.open(tmp_path / "d").database_path.write_bytes(b"records")

    assert DataDir.open(tmp_path / "d").database_path.read_bytes() == b"records"


def test_a_directory_of_something_else_is_refused_and_left_open(tmp_path: Path) -> None:
    """`--data /tmp` must not close /tmp to everybody."""
    (tmp_path / "photos").mkdir()
    tmp_path.chmod(0o755)

    with pytest.raises(DataDirError, match="holds other things"):
        DataDir.open(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_a_directory_with_only_a_configuration_in_it_will_do(tmp_path: Path) -> None:
    (tmp_path / "tidegate.toml").write_text("")
    (tmp_path / "lost+found").mkdir()

    assert DataDir.open(tmp_path).secrets_path.is_dir()


@pytest.mark.parametrize("path", ["file", "file/below"])
def test_a_file_is_refused_by_name(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DataDirError, match="file"):
        DataDir.open(tmp_path / path)


def test_a_place_that_cannot_be_written_is_refused_with_the_reason() -> None:
    with pytest.raises(DataDirError, match="cannot be used as a data directory"):
        DataDir.open(Path("/proc/tidegate"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataDirError):
        DataDir.open(Path("/etc"))


def test_only_one_process_holds_the_directory_and_the_other_learns_who(tmp_path: Path) -> None:
    datadir = DataDir.open(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"

        with pytest.raises(DataDirLocked, match=f"process {holder.pid}") as refusal, datadir.lock():
            pytest.fail("held twice")
        assert refusal.value.holder_pid == holder.pid

        # However it ends, the kernel lets go: a lock never needs cleaning up.
        holder.kill()
        holder.wait()
        with datadir.lock():
            assert (tmp_path / "tidegate.lock").read_text() == f"{os.getpid()}\n"


def test_a_released_lock_can_be_taken_again_and_not_twice_at_once(tmp_path: Path) -> None:
    datadir = DataDir.open(tmp_path)

    for _ in range(2):
        with datadir.lock(), pytest.raises(DataDirLocked), datadir.lock():
            pytest.fail("held twice")


def test_the_holder_is_told_apart_from_the_one_before(tmp_path: Path) -> None:
    datadir = DataDir.open(tmp_path)
    (tmp_path / "tidegate.lock").write_text("99999999999999\n")

    with datadir.lock():
        with pytest.raises(DataDirLocked) as refusal, datadir.lock():
            pytest.fail("held twice")
        assert refusal.value.holder_pid == os.getpid()


def test_only_what_an_instance_made_counts_as_data_and_looking_makes_nothing(tmp_path: Path) -> None:
    assert not DataDir(tmp_path / "nowhere").holds_data()
    assert not (tmp_path / "nowhere").exists()
    datadir = DataDir.open(tmp_path / "d")
    with datadir.lock():
        assert not datadir.holds_data()
    for path in (datadir.database_path, datadir.user_keys_path, datadir.secrets_path / "kek"):
        path.write_bytes(b"")
        assert datadir.holds_data()
        path.unlink()


def test_folders_and_the_lock_alone_are_an_empty_directory(tmp_path: Path) -> None:
    datadir = DataDir.open(tmp_path)
    with datadir.lock():
        assert datadir.is_empty()
    (datadir.logs_path / "today").write_text("")
    assert not datadir.is_empty()
