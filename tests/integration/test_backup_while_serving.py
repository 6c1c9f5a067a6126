"""A backup is made while the service runs and writes, and what is restored from it serves."""

from __future__ import annotations

import gzip
import json
import threading
import zlib
from pathlib import Path
from typing import Self

import pytest

from tests.integration.conftest import Seed, Serve
from tests.integration.running import EMAIL, MODEL, Instance, post_act, run_verb, until

pytestmark = pytest.mark.integration


class _Writer:
    """Creates users through the control socket as fast as they can be created."""

    def __init__(self, instance: Instance) -> None:
        self.emails: list[str] = []
        self._instance = instance
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        while not self._enough.is_set():
            email = f"writer-{len(self.emails)}@example.org"
            answer = post_act(self._instance, {"act": "create_user", "email": email})
            assert answer.status == 200, answer.body
            self.emails.append(email)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()


def test_a_backup_of_a_busy_service_restores_to_one_where_the_old_key_works(
    serve: Serve, seed: Seed, models: Path, tmp_path: Path
) -> None:
    running = serve("[engine]\nslots = 1").ready()
    saved = tmp_path / "saved.tar.gz"
    with _Writer(running) as writer:
        until(lambda: len(writer.emails) > 20, 30, "it writes")
        certain = list(writer.emails)
        done = running.verb("backup", str(saved), "--json")
        assert done.returncode == 0, done.stderr
        written = len(writer.emails)
        until(lambda: len(writer.emails) > written, 10, "it still writes")
    assert saved.stat().st_mode & 0o077 == 0, "it holds secrets"
    assert "tidegate.db" in {member["name"] for member in json.loads(done.stdout)["members"]}
    assert running.stop() == 0

    target = tmp_path / "restored"
    assert run_verb("restore", saved, data=target, models=models).returncode == 0
    restored = serve("[engine]\nslots = 1", data=target).ready()
    hello = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 2}
    assert restored.ask("/v1/chat/completions", hello).status == 200, "with the old key"
    listed = [user["email"] for user in json.loads(restored.verb("users", "list", "--json").stdout)]
    assert listed[0] == EMAIL
    assert listed[1:] == writer.emails[: len(listed) - 1], "a moment of the past, without a gap"
    assert len(listed) > len(certain), "what was acknowledged before it began is in it"


def _flipped(whole: bytes) -> bytes:
    """One bit is another: the first from the middle on that says anything. In a run of zeros some do not."""
    for at in range(len(whole) // 2, len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]
        try:
            if gzip.decompress(damaged) != gzip.decompress(whole):
                return damaged
        except (EOFError, gzip.BadGzipFile, zlib.error):
            return damaged
    pytest.fail("every bit is padding")


@pytest.mark.parametrize("damage", ["flipped", "cut", "foreign"])
def test_a_damaged_backup_is_refused_and_nothing_is_touched(
    seed: Seed, models: Path, tmp_path: Path, damage: str
) -> None:
    saved = tmp_path / "saved.tar.gz"
    assert run_verb("backup", saved, data=seed.data, models=models).returncode == 0
    whole = saved.read_bytes()
    match damage:
        case "flipped":
            saved.write_bytes(_flipped(whole))
        case "cut":
            saved.write_bytes(whole[: -len(whole) // 3])
        case _:
            saved.write_bytes(b"%PDF-1.7 this is no backup")
    target = tmp_path / "target"
    done = run_verb("restore", saved, "--force", data=target, models=models)
    assert done.returncode == 1, done.stderr
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["saved.tar.gz"]


def test_a_directory_that_a_service_runs_on_is_not_restored_over(service: Instance, tmp_path: Path) -> None:
    saved = tmp_path / "saved.tar.gz"
    assert service.verb("backup", str(saved)).returncode == 0
    done = service.verb("restore", str(saved), "--force")
    assert done.returncode == 1
    assert str(service.data) in done.stderr
    assert service.readiness() == 200
    assert service.verb("backup", str(saved)).returncode == 1, "a backup never overwrites one"
