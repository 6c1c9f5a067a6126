"""An operator names a caller by its key or from a list, whether the gate runs or not, and no key is shown or kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.gating import running_gate
from tests.cli.verbs import Verb, sentence
from tidegate.adapters.disk import DataDir
from tidegate.adapters.disk.secrets import load_secrets
from tidegate.core.callers import principal_of
from tidegate.core.identifiers import UserId

KEY = "sk-proj-AbC123_def"
NOBODY = "usr_0123456789abcdef"


def _principal(data: Path, key: str = KEY) -> UserId:
    return principal_of(key, load_secrets(DataDir(data)).fingerprint_key)


def test_a_key_that_never_called_is_vouched_for_before_the_gate_first_runs(verb: Verb, data: Path) -> None:
    said = verb("callers", "vouch", "--key-stdin", typed=f"Bearer {KEY}\n")

    principal = _principal(data)
    assert (said.code, said.out) == (0, f"You vouch for {principal}. It counts as established.\n")
    heading, line = verb("callers", "list").out.splitlines()
    assert heading.split("  ")[0] == "Principal"
    assert line.split()[:4] == [principal, "established", "(vouched)", "0.0"]
    assert line.split()[-1] == "never"
    (listed,) = json.loads(verb("callers", "list", "--json").out)
    assert (listed["principal"], listed["standing"], listed["is_vouched"]) == (principal, "established", True)
    assert (listed["served_days"], listed["last_served_at_s"]) == (0.0, None)


@pytest.mark.parametrize("is_running", [False, True])
def test_a_word_is_taken_back_by_name_or_by_key(verb: Verb, data: Path, is_running: bool) -> None:
    given = json.loads(verb("callers", "vouch", "--key-stdin", "--json", typed=KEY).out)
    principal = given["principal"]

    def take_back_and_give_again() -> None:
        said = verb("callers", "unvouch", principal)
        assert (said.code, said.out) == (0, f"Nobody vouches for {principal} any more. It counts as newcomer.\n")
        assert "established" not in verb("callers", "list").out
        assert verb("callers", "vouch", principal).out == f"You vouch for {principal}. It counts as established.\n"
        taken = json.loads(verb("callers", "unvouch", "--key-stdin", "--json", typed=f"  {KEY}\r\n").out)
        assert taken == {**given, "standing": "newcomer", "is_vouched": False}

    if is_running:
        with running_gate(data):
            take_back_and_give_again()
    else:
        take_back_and_give_again()
    assert [caller["is_vouched"] for caller in json.loads(verb("callers", "list", "--json").out)] == [False]


def test_a_running_gate_is_asked_and_knows_at_once(verb: Verb, data: Path) -> None:
    """Also of those whom it has not written down yet; and what it was told lasts."""
    verb("callers", "vouch", "--key-stdin", typed="another")
    came, other = UserId.of(b"12345678"), _principal(data, "another")
    with running_gate(data) as gate:
        gate.came(came)
        assert {caller["principal"] for caller in json.loads(verb("callers", "list", "--json").out)} == {came, other}
        assert len(json.loads(verb("callers", "list", "--limit", "1", "--json").out)) == 1
        assert verb("callers", "vouch", came).code == 0
        assert verb("callers", "vouch", "--key-stdin", typed=KEY).code == 0
        assert "nothing is known of" in sentence(verb("callers", "vouch", NOBODY), 1)

    listed = {caller["principal"]: caller["standing"] for caller in json.loads(verb("callers", "list", "--json").out)}
    assert listed == {came: "established", other: "established", _principal(data): "established"}


def test_no_key_is_kept_printed_or_logged(verb: Verb, data: Path) -> None:
    said = [verb("callers", verb_name, "--key-stdin", "--json", typed=KEY) for verb_name in ("vouch", "unvouch")]

    assert [one.code for one in said] == [0, 0]
    assert not [one for one in said if KEY in one.out + one.err]
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"callers.db", "events.jsonl"}
    assert not [path.name for path in files if KEY.encode() in path.read_bytes()]
    events = [json.loads(line)["event"] for line in (data / "logs" / "events.jsonl").read_text().splitlines()]
    assert events == ["account:vouched", "account:vouch_withdrawn"]


def test_a_key_that_is_typed_at_a_terminal_is_asked_for_and_not_shown(data: Path) -> None:
    terminal, theirs = os.openpty()
    program = [sys.executable, "-m", "tidegate", "callers", "vouch", "--key-stdin", "--data", str(data)]
    # Without a session it would ask at the terminal of whoever runs the tests.
    with subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as running:
        os.close(theirs)
        shown = b""
        while b"API key: " not in shown:
            shown += os.read(terminal, 1000)
        os.write(terminal, f"{KEY}\n".encode())
        assert running.wait(60) == 0
        shown += os.read(terminal, 1000)
    os.close(terminal)

    assert f"You vouch for {_principal(data)}." in shown.decode()
    assert KEY not in shown.decode()


@pytest.mark.parametrize("verb_name", ["vouch", "unvouch"])
def test_a_name_of_nobody_is_told_so(verb: Verb, data: Path, verb_name: str) -> None:
    verb("callers", "vouch", "--key-stdin", typed="another")
    other = _principal(data, "another")

    assert f"nothing is known of {NOBODY}" in sentence(verb("callers", verb_name, NOBODY), 1)
    assert "nothing is known of" in sentence(verb("callers", "unvouch", "--key-stdin", typed=KEY), 1)
    assert [caller["principal"] for caller in json.loads(verb("callers", "list", "--json").out)] == [other]


@pytest.mark.parametrize("verb_name", ["vouch", "unvouch"])
@pytest.mark.parametrize(
    ("arguments", "typed", "words"),
    [
        ((), None, "--key-stdin"),
        ((NOBODY, "--key-stdin"), KEY, "name one caller"),
        ((KEY,), None, "--key-stdin"),
        (("--key-stdin",), "", "expected an API key"),
        (("--key-stdin",), "Bearer \n", "expected an API key"),
        (("--key-stdin",), f"two {KEY}\n", "expected an API key"),
        (("--key-stdin",), f"{KEY}é\n", "expected an API key"),
        (("--key-stdin",), f"{KEY}\0\n", "expected an API key"),
        (("--key-stdin",), b"\xff\xfe" + KEY.encode(), "expected an API key"),
    ],
    ids=["nobody", "both", "a key as the name", "nothing", "no key", "two words", "no header", "nul", "no text"],
)
def test_a_caller_that_is_not_named_is_told_how_and_nothing_is_made(
    verb: Verb, data: Path, verb_name: str, arguments: tuple[str, ...], typed: str | bytes | None, words: str
) -> None:
    said = sentence(verb("callers", verb_name, *arguments, typed=typed), 2)

    assert words in said
    assert KEY not in said
    assert not data.exists()


@pytest.mark.parametrize("arguments", [("list",), ("vouch", NOBODY), ("unvouch", NOBODY)])
def test_where_no_gate_was_ever_nothing_is_made(verb: Verb, data: Path, arguments: tuple[str, ...]) -> None:
    said = sentence(verb("callers", *arguments), 1)
    assert f"no Tidegate data in {data}: check --data, or begin there with: " in said
    assert "gate --upstream URL" in said
    assert " serve" not in said
    assert not data.exists()


@pytest.mark.parametrize("arguments", [("list",), ("vouch", "--key-stdin")])
def test_among_accounts_no_callers_are_looked_for_or_made(verb: Verb, data: Path, arguments: tuple[str, ...]) -> None:
    """A word that was kept there would never be found by the gate that it is for."""
    verb("users", "create", "ana@example.org")

    assert "no gate before another server" in sentence(verb("callers", *arguments, typed=KEY), 1)
    assert not (data / "callers.db").exists()


def test_a_service_that_is_no_gate_is_said_to_have_no_callers(verb: Verb, data: Path) -> None:
    with running_gate(data, has_callers=False):
        assert "it has no callers" in sentence(verb("callers", "list"), 1)


@pytest.mark.parametrize("arguments", [("users", "list"), ("users", "create", "ana@example.org")])
def test_a_gate_is_said_to_have_no_accounts_and_gets_none(verb: Verb, data: Path, arguments: tuple[str, ...]) -> None:
    with running_gate(data):
        running = sentence(verb(*arguments), 1)
    stopped = sentence(verb(*arguments), 1)

    assert running.strip() == f"what runs on {data} is a gate before another server: it has no accounts"
    assert f"only a gate before another server ever ran on {data}: check --data" in stopped
    assert not (data / "tidegate.db").exists()


def test_an_empty_list_says_so(verb: Verb, data: Path) -> None:
    with running_gate(data):
        pass
    assert verb("callers", "list").out == "No callers yet.\n"
    assert verb("callers", "list", "--json").out == "[]\n"
    assert verb("callers", "list", "--limit", "0").code == 2


def test_a_file_that_cannot_be_read_is_said_to_be_so(verb: Verb, data: Path) -> None:
    verb("callers", "vouch", "--key-stdin", typed=KEY)
    (data / "callers.db").write_bytes(b"no database at all" * 100)

    assert "callers.db cannot be used" in sentence(verb("callers", "list"), 1)


@pytest.mark.parametrize("is_running", [False, True])
def test_without_the_secret_that_names_callers_no_other_one_is_made(verb: Verb, data: Path, is_running: bool) -> None:
    verb("callers", "vouch", "--key-stdin", typed=KEY)

    def lose_and_ask() -> None:
        shutil.rmtree(data / "secrets")
        assert "/secrets/" in sentence(verb("callers", "vouch", "--key-stdin", typed=KEY), 2)

    if is_running:
        with running_gate(data):
            lose_and_ask()
    else:
        lose_and_ask()
    assert list((data / "secrets").glob("*")) == []


def test_a_mistake_in_the_settings_hinders_only_where_they_are_needed(verb: Verb, data: Path, tmp_path: Path) -> None:
    verb("callers", "vouch", "--key-stdin", typed=KEY)
    (tmp_path / "bad.toml").write_text("[server]\nport = 'high'\n")
    given = ("callers", "list", "--json", "--config", str(tmp_path / "bad.toml"), "--data", str(data))

    refused = verb(*given)
    assert (refused.code, refused.out) == (2, "")
    assert "mend the settings first" in refused.err
    with running_gate(data):
        said = verb(*given)
    assert [caller["principal"] for caller in json.loads(said.out)] == [_principal(data)]
    assert "server.port" in said.err
