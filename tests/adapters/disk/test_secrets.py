"""Secrets are made once, kept private, and never quietly replaced."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest

from tidegate.adapters.disk import DataDir, SecretsError, load_or_create_secrets
from tidegate.core.credentials import Genuine, Kind, issue, read
from tidegate.core.identifiers import UserId

NAMES = ["fingerprint", "kek", "server-keys"]


@pytest.fixture
def datadir(tmp_path: Path) -> DataDir:
    return DataDir.open(tmp_path / "d")


def test_what_was_made_once_is_read_ever_after(datadir: DataDir) -> None:
    first = load_or_create_secrets(datadir)

    assert load_or_create_secrets(datadir) == first
    assert len(first.kek) == len(first.fingerprint_key) == 32
    assert sorted(path.name for path in datadir.secrets_path.iterdir()) == NAMES


def test_every_instance_has_its_own(datadir: DataDir, tmp_path: Path) -> None:
    here, there = load_or_create_secrets(datadir), load_or_create_secrets(DataDir.open(tmp_path / "other"))

    keys = [here.kek, here.fingerprint_key, *here.server_keys.keys.values()]
    keys += [there.kek, there.fingerprint_key, *there.server_keys.keys.values()]
    assert len(set(keys)) == 6


def test_the_files_are_for_their_owner_only(datadir: DataDir) -> None:
    load_or_create_secrets(datadir)

    assert {path.stat().st_mode & 0o777 for path in datadir.secrets_path.iterdir()} == {0o600}


def test_the_server_keys_sign_credentials_that_are_still_genuine_after_a_restart(datadir: DataDir) -> None:
    user_id = UserId.of(bytes(8))
    text = issue(Kind.API_KEY, user_id, load_or_create_secrets(datadir).server_keys, now=1e9, entropy=bytes(range(16)))

    answer = read(text, Kind.API_KEY, load_or_create_secrets(datadir).server_keys)
    assert isinstance(answer, Genuine)
    assert answer.principal == user_id


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_named_and_left_as_it_is_wherever_the_damage_is(datadir: DataDir, name: str) -> None:
    load_or_create_secrets(datadir)
    path = datadir.secrets_path / name
    whole = path.read_bytes().rstrip()
    for position in range(len(whole)):
        damaged = whole[:position] + bytes((whole[position] ^ 1,)) + whole[position + 1 :]
        path.write_bytes(damaged)

        with pytest.raises(SecretsError, match=rf"secrets/{name}"):
            load_or_create_secrets(datadir)
        assert path.read_bytes() == damaged


@pytest.mark.parametrize("content", [b"", b"null", b"{}", b"\xff\xfe", b'{"format":1}'])
def test_something_else_in_its_place_is_damage_too(datadir: DataDir, content: bytes) -> None:
    load_or_create_secrets(datadir)
    (datadir.secrets_path / "kek").write_bytes(content)

    with pytest.raises(SecretsError, match=r"secrets/kek is damaged"):
        load_or_create_secrets(datadir)


def test_one_secret_in_the_place_of_another_is_damage_too(datadir: DataDir) -> None:
    load_or_create_secrets(datadir)
    (datadir.secrets_path / "kek").write_bytes((datadir.secrets_path / "fingerprint").read_bytes())

    with pytest.raises(SecretsError, match=r"secrets/kek is damaged"):
        load_or_create_secrets(datadir)


def test_a_key_readable_by_others_is_refused(datadir: DataDir) -> None:
    load_or_create_secrets(datadir)
    (datadir.secrets_path / "kek").chmod(0o640)

    with pytest.raises(SecretsError, match="chmod 600"):
        load_or_create_secrets(datadir)


def test_a_file_of_a_newer_program_is_refused(datadir: DataDir) -> None:
    load_or_create_secrets(datadir)
    path = datadir.secrets_path / "kek"
    path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), "format": 2}))

    with pytest.raises(SecretsError, match="newer Tidegate"):
        load_or_create_secrets(datadir)


def test_a_lost_key_is_not_replaced_while_something_needs_it(datadir: DataDir) -> None:
    load_or_create_secrets(datadir)
    datadir.user_keys_path.write_bytes(b"")
    (datadir.secrets_path / "kek").unlink()

    with pytest.raises(SecretsError, match="restore a backup"):
        load_or_create_secrets(datadir)
    assert not (datadir.secrets_path / "kek").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_secret_that_is_missing_beside_others_is_named_and_not_replaced(datadir: DataDir, name: str) -> None:
    load_or_create_secrets(datadir)
    (datadir.secrets_path / name).unlink()

    with pytest.raises(SecretsError, match=f"secrets/{name} is missing"):
        load_or_create_secrets(datadir)
    assert not (datadir.secrets_path / name).exists()


@pytest.mark.parametrize("database", ["tidegate.db", "user-keys.db"])
def test_no_secrets_are_made_beside_a_database_that_others_made(datadir: DataDir, database: str) -> None:
    (datadir.path / database).write_bytes(b"")

    with pytest.raises(SecretsError, match="is missing"):
        load_or_create_secrets(datadir)
    assert list(datadir.secrets_path.iterdir()) == []


@pytest.mark.parametrize("placed", range(3))
def test_a_crash_while_new_secrets_took_their_places_loses_none(
    datadir: DataDir, monkeypatch: pytest.MonkeyPatch, placed: int
) -> None:
    rename, count = Path.rename, itertools.count()

    def failing(path: Path, target: Path) -> Path:
        if target.parent == datadir.secrets_path and next(count) == placed:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", failing)
        with pytest.raises(KeyboardInterrupt):
            load_or_create_secrets(datadir)

    made = load_or_create_secrets(datadir)
    assert load_or_create_secrets(datadir) == made
    assert sorted(path.name for path in datadir.secrets_path.iterdir()) == NAMES


def test_a_crash_before_the_first_key_was_whole_leaves_none(datadir: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_handle: int) -> None:
        msg = "the power went"
        raise OSError(msg)

    with monkeypatch.context() as patched:
        patched.setattr("tidegate.adapters.disk.secrets.os.fsync", failing)
        with pytest.raises(SecretsError):
            load_or_create_secrets(datadir)
    assert not (datadir.secrets_path / "kek").exists()

    made = load_or_create_secrets(datadir)
    assert load_or_create_secrets(datadir) == made


def test_secrets_do_not_show_in_a_traceback(datadir: DataDir) -> None:
    kept = load_or_create_secrets(datadir)

    assert repr(kept) == "Secrets(...)"
    assert f"{kept}" == "Secrets(...)"
