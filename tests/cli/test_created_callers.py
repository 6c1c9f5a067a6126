"""An operator gives programs keys of the gate's own, before it runs or while it does; each key is shown once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.gating import running_gate
from tests.cli.verbs import Verb, sentence
from tidegate.adapters.disk import DataDir
from tidegate.adapters.disk.secrets import load_secrets
from tidegate.core.credentials import SCANNER_PATTERN, Genuine, Kind, read


def _principal(data: Path, key: str) -> str:
    found = read(key, Kind.API_KEY, load_secrets(DataDir(data)).server_keys)
    assert isinstance(found, Genuine)
    return found.principal


def test_a_key_is_printed_alone_and_how_to_end_it_beside(verb: Verb, data: Path) -> None:
    said = verb("callers", "create", "--name", "nightly [bold]reports")

    assert said.code == 0
    key = said.out.strip()
    assert re.fullmatch(SCANNER_PATTERN, key)
    principal = _principal(data, key)
    assert f"callers revoke {principal}" in said.err
    heading, line = verb("callers", "list").out.splitlines()
    assert "Name" in heading
    assert "nightly [bold]reports" in line
    assert line.startswith(principal)


def test_a_list_tells_keys_of_the_gates_own_from_those_of_the_server(verb: Verb) -> None:
    """Only the one kind counts at a time, and both may be known."""
    named, unnamed = (json.loads(verb("callers", "create", "--json", "--name", name).out) for name in ("ana", ""))
    passed = json.loads(verb("callers", "vouch", "--key-stdin", "--json", typed="sk-1").out)

    lines = verb("callers", "list").out.splitlines()

    def of(principal: str) -> str:
        return next(line for line in lines if line.startswith(principal))

    assert "(a key of the server's)" in of(passed["principal"])
    assert " ana " in of(named["principal"])
    assert "(" not in of(unnamed["principal"])


@pytest.mark.parametrize("is_running", [False, True])
def test_a_caller_is_ended_by_name_or_by_key(verb: Verb, data: Path, is_running: bool) -> None:
    made = [json.loads(verb("callers", "create", "--name", name, "--json").out) for name in ("a", "b")]

    def end_both() -> None:
        vouched = json.loads(verb("callers", "vouch", "--key-stdin", "--json", typed=made[1]["key"]).out)
        assert (vouched["principal"], vouched["name"]) == (made[1]["principal"], "b")
        by_name = verb("callers", "revoke", made[0]["principal"])
        assert (by_name.code, by_name.out) == (0, f"The key of {made[0]['principal']} counts no more.\n")
        by_key = json.loads(verb("callers", "revoke", "--key-stdin", "--json", typed=made[1]["key"]).out)
        assert by_key == {"principal": made[1]["principal"], "keys": 1}
        assert made[0]["principal"] in sentence(verb("callers", "revoke", made[0]["principal"]), 1)
        assert verb("callers", "list").out == "No callers yet.\n"

    if is_running:
        with running_gate(data, is_issuing=True):
            end_both()
    else:
        end_both()


def test_a_running_gate_that_passes_keys_on_makes_none(verb: Verb, data: Path) -> None:
    verb("callers", "create")
    with running_gate(data):
        assert "--upstream-key-env" in sentence(verb("callers", "create"), 1)


def test_no_key_is_kept_or_logged(verb: Verb, data: Path) -> None:
    key = verb("callers", "create").out.strip()
    said = verb("callers", "revoke", "--key-stdin", typed=key)

    assert key not in said.out + said.err
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"callers.db", "events.jsonl"}
    assert not [path.name for path in files if key.encode() in path.read_bytes()]
    events = [json.loads(line)["event"] for line in (data / "logs" / "events.jsonl").read_text().splitlines()]
    assert events == ["key:created", "key:revoked"]


def test_a_name_that_cannot_be_kept_is_refused_in_a_sentence(verb: Verb, data: Path) -> None:
    assert "--name" in sentence(verb("callers", "create", "--name", "x" * 201), 2)
    assert "name: " in sentence(verb("callers", "create", "--name", "a\nb"), 2)
