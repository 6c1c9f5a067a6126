"""Whatever goes wrong, an operator reads a sentence, and nothing is made, cut or quoted that should not be."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.verbs import Verb, sentence
from tidegate.cli.program import main

EMAIL = "a-rather-long-name-of-somebody-who-likes-it-that-way@a-long-domain-of-theirs.example.org"


def test_ids_addresses_and_labels_are_whole_on_eighty_columns(verb: Verb) -> None:
    made = verb("users", "create", EMAIL)
    user_id = made.out.rpartition("(")[2].rstrip(").\n")
    key = verb("keys", "create", "--user", EMAIL, "--name", "n" * 100).out.strip()
    (line,) = [line for line in verb("users", "list").out.splitlines() if user_id in line]
    assert EMAIL in line
    (line,) = [line for line in verb("keys", "list", "--user", EMAIL).out.splitlines() if key[-4:] in line]
    assert line.startswith("key_")
    assert len(line.split()[0]) == len("key_") + 16
    assert line.split()[-1] == "live"
    assert "…" not in line


def test_the_note_beside_a_new_key_is_the_command_that_ends_it(verb: Verb, data: Path) -> None:
    given = ("--data", str(data))
    verb("users", "create", EMAIL, *given, TIDEGATE_DATA="")
    note = verb("keys", "create", "--user", EMAIL, *given, TIDEGATE_DATA="").err
    shown = shlex.split(note.rpartition("To end it: ")[2])
    environment = {name: text for name, text in os.environ.items() if not name.startswith("TIDEGATE_")}
    done = subprocess.run(shown, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert done.returncode == 0, (shown, done.stderr)
    assert "revoked" in verb("keys", "list", "--user", EMAIL).out


@pytest.mark.parametrize(
    "arguments",
    [
        ("users", "list"),
        ("keys", "list", "--user", EMAIL),
        ("keys", "create", "--user", EMAIL),
        ("keys", "revoke", "key_0123456789abcdef", "--user", EMAIL),
        ("backup", "never.tar.gz"),
    ],
)
def test_a_mistyped_data_directory_is_said_to_hold_nothing_and_is_not_made(
    verb: Verb, data: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert f"no Tidegate data in {data}" in sentence(verb(*arguments), 1)
    assert list(tmp_path.iterdir()) == []


def test_who_makes_a_data_directory_by_making_a_user_is_told_so_once(verb: Verb, data: Path) -> None:
    assert f"new data directory: {data}" in verb("users", "create", EMAIL).err
    assert "new data directory" not in verb("users", "create", "another@example.org").err


def test_where_nobody_said_which_directory_is_meant_no_second_instance_is_made(verb: Verb, tmp_path: Path) -> None:
    """The service may run elsewhere: a user that it never hears of would look like one who was made."""
    home = {"TIDEGATE_DATA": "", "HOME": str(tmp_path), "XDG_DATA_HOME": ""}
    usual = tmp_path / ".local" / "share" / "tidegate"
    said = sentence(verb("users", "create", EMAIL, **home), 1)
    assert f"no Tidegate data in {usual}: check --data, or begin there with: " in said
    assert list(tmp_path.iterdir()) == []


BAD_FILES = {
    "an unknown name": "[gate]\nfoo = 1\n",
    "a line that is no TOML": "[gate]\naddress_rate = = 1\n",
    "a value out of range": "[server]\nport = 70000\n",
}


@pytest.mark.parametrize("rest", BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("arguments", [("users", "list"), ("policy", "show"), ("policy", "rollback")])
def test_a_mistake_in_the_file_is_a_warning_to_verbs_that_ask_the_service_where_the_file_says_it_is(
    verb: Verb, data: Path, tmp_path: Path, arguments: tuple[str, ...], rest: str
) -> None:
    """Asked here is a service on that directory, which does not run."""
    verb("users", "create", EMAIL)
    config = tmp_path / "tidegate.toml"
    config.write_text(f"data_dir = '{data}'\n{rest}")
    said = verb(*arguments, "--config", str(config), TIDEGATE_DATA="")
    warning, refusal = said.err.strip().splitlines()
    assert warning.startswith("Warning: ")
    assert re.search(r"gate\.foo|not valid TOML|server\.port", warning)
    assert "no service runs on this data directory" in refusal
    assert said.code == (2 if arguments[0] == "users" else 1)


@pytest.mark.parametrize("rest", BAD_FILES.values(), ids=BAD_FILES)
def test_nothing_is_made_with_settings_that_are_not_usable(verb: Verb, data: Path, tmp_path: Path, rest: str) -> None:
    config = tmp_path / "tidegate.toml"
    config.write_text(rest)
    assert verb("users", "create", EMAIL, "--config", str(config)).code == 1
    assert not data.exists()


def test_without_a_data_directory_that_can_be_read_from_the_file_a_mistake_ends_every_verb(
    verb: Verb, tmp_path: Path
) -> None:
    """The usual directory would be somebody else's instance."""
    config = tmp_path / "tidegate.toml"
    config.write_text("data_dir = = 'x'\n")
    said = sentence(verb("policy", "rollback", "--config", str(config), TIDEGATE_DATA=""), 2)
    assert "not valid TOML" in said


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("postgresql://u:hunter2@127.0.0.1:1/z", 1, "127.0.0.1:1 cannot be used (Connection refused)"),
        ("postgresql+asyncpg://u:hunter2@127.0.0.1:1/z", 1, "127.0.0.1:1 cannot be used"),
        ("mysql://u:hunter2@127.0.0.1:1/z", 2, "database_url: no support for mysql"),
        ("hunter2", 2, "database_url: not a database URL"),
        ("sqlite:////proc/none/tidegate.db", 1, "/proc/none/tidegate.db cannot be used"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    verb: Verb, url: str, code: int, words: str
) -> None:
    said = sentence(verb("users", "create", EMAIL, TIDEGATE_DATABASE_URL=url), code)
    assert words in said
    assert "hunter2" not in said


def test_junk_in_the_place_of_the_records_is_named_with_the_fix(verb: Verb, data: Path) -> None:
    verb("users", "create", EMAIL)
    (data / "tidegate.db").write_bytes(b"junk" * 2000)
    said = sentence(verb("users", "list"), 1)
    assert str(data / "tidegate.db") in said
    assert "restore a backup" in said


def test_a_database_that_breaks_while_it_is_used_is_named_too(verb: Verb, data: Path) -> None:
    verb("users", "create", EMAIL)
    with closing(sqlite3.connect(data / "tidegate.db")) as connection:
        connection.execute("ALTER TABLE users RENAME TO lost")
    assert str(data / "tidegate.db") in sentence(verb("users", "list"), 1)


def test_a_missing_secret_is_named_and_not_made_again(verb: Verb, data: Path) -> None:
    verb("users", "create", EMAIL)
    (data / "secrets" / "server-keys").unlink()
    assert "secrets/server-keys is missing" in sentence(verb("users", "list"), 2)
    assert not (data / "secrets" / "server-keys").exists()


def test_by_force_it_is_said_where_the_old_directory_is(verb: Verb, data: Path, tmp_path: Path) -> None:
    verb("users", "create", EMAIL)
    saved = str(tmp_path / "saved.tar.gz")
    assert verb("backup", saved).code == 0
    assert "--force" in sentence(verb("restore", saved), 1)
    assert f"{data}.before-restore-1" in verb("restore", saved, "--force").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("serve", "--port", "many"), "'--port': expected a whole number"),
        (("users", "create", EMAIL, "--role", "king"), "'--role': 'king' is not one of 'user', 'operator'"),
    ],
)
def test_wrong_options_are_answered_in_plain_words(verb: Verb, arguments: tuple[str, ...], words: str) -> None:
    said = verb(*arguments)
    assert said.code == 2
    assert words in said.err


def test_help_shows_what_stands_in_square_brackets(verb: Verb) -> None:
    for name in ("pull", "verify", "remove"):
        assert ".gguf[@REVISION]" in verb("models", name, "--help").out


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("what somebody wrote"), "Unexpected RuntimeError in "),
        (PermissionError(13, "Permission denied", "/some/file"), "/some/file: Permission denied"),
    ],
)
def test_what_nobody_thought_of_is_one_line_unless_more_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, words: str
) -> None:
    def failing(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["tidegate", "users", "list"])
    monkeypatch.setattr("tidegate.cli.accounts.known_of", failing)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert words in said
    assert len(said.splitlines()) == 1
    assert "what somebody wrote" not in said

    monkeypatch.setenv("TIDEGATE_TRACEBACK", "1")
    with pytest.raises(SystemExit):
        main()
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_the_status_that_shells_expect_and_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["tidegate", "users", "list"])
    for place in ("tidegate.cli.accounts.known_of", "tidegate.cli.program.app"):
        monkeypatch.setattr(place, interrupted)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 130
    assert capsys.readouterr().err == ""
