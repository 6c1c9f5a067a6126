"""Whatever is wrong with a setting is said in one plain sentence: the key, the value, what is allowed, the fix."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec import inspect

from tidegate.config import Settings, SettingsError, load_settings
from tidegate.config.allowed import allowed
from tidegate.config.engine_settings import EngineUpstream
from tidegate.config.load import setting_keys
from tidegate.config.mistakes import names_of

HOME = {"HOME": "/people/ana"}
SECRET = "987654321"
WRONG: tuple[Any, ...] = ("wrong", "", -1, 10**20, 0.5, True, [], ["wrong", 5], [["a"]], {"wrong": 1}, "\0", "x" * 5000)
KEYS = [".".join(key) for key in setting_keys()]
_PROGRAMMERS = re.compile(r"`|regex|\bint\b|\bstr\b|\bfloat\b|\barray\b|\bobject\b|\benum\b|\bnull\b|None|\^|\n")


def _refused(overrides: dict[str, Any], environment: dict[str, str] | None = None) -> str | None:
    try:
        load_settings(None, {**HOME, **(environment or {})}, overrides)
    except SettingsError as error:
        return str(error)
    return None


@pytest.mark.parametrize("key", KEYS)
def test_a_wrong_value_of_any_setting_is_told_in_plain_words_what_is_allowed(key: str) -> None:
    said = [text for wrong in WRONG if (text := _refused({key: wrong})) is not None]

    assert said
    # A table's own check may name the other one of two that do not go together.
    table = re.escape(key.rpartition(".")[0])
    for text in said:
        named = re.match(rf"{re.escape(key)}(\[\d+\])*( = .+)?: expected .", text)
        assert named or re.match(rf"{table}\.\w+ = \S+: expected at most \w+ = ", text), text
        assert not _PROGRAMMERS.search(text.partition(": expected ")[2]), text
        assert len(text) < 400, text


@pytest.mark.parametrize("field", EngineUpstream.__struct_fields__)
def test_so_is_one_of_any_setting_of_the_engines(field: str) -> None:
    tables: list[dict[str, Any]] = [{"url": "http://a:1", field: wrong} for wrong in WRONG]
    said = [text for table in tables if (text := _refused({"engines": [table]})) is not None]

    assert said
    for text in said:
        assert re.match(rf"engines\[0\]\.{field}(\[\d+\])*( = .+)?: expected .", text), text
        assert not _PROGRAMMERS.search(text.partition(": expected ")[2]), text


@pytest.mark.parametrize(
    ("key", "wrong", "said"),
    [
        ("firewall.target", "iptables", "'iptables': expected 'map', 'nftables', 'none' or 'webhook'; left out, it is"),
        ("firewall.mode", "maybe", "'maybe': expected 'dry_run', 'off' or 'on'"),
        ("passing.keys", "theirs", "'theirs': expected 'auto', 'own' or 'passed'; left out, it is 'auto'"),
        ("server.status_url", "status.example", "expected an address that begins with http:// or https://"),
        ("passing.paths", ["x"], "passing.paths[0] = 'x': expected the beginning of an address, from its / on"),
        ("gate.deny", "10.0.0.1", "gate.deny = '10.0.0.1': expected a list: write ['10.0.0.1']"),
        ("gate.dry_run", "maybe", "gate.dry_run = 'maybe': expected true or false; left out, it is false"),
        ("server.drain_s", 0, "expected a number above 0, 86400 at most; left out, it is 30"),
        ("data_dir", "", "data_dir = '': expected a path in quotes; left out, it is '~/.local/share/tidegate'"),
        ("server.tls_cert", 5, "server.tls_cert = 5: expected a path in quotes"),
        ("engine.aliases", ["a"] * 33, "expected a list, such as ['one', 'two'], 32 at most"),
        ("server", 5, "server = 5: expected a table: write [server], and its settings below"),
        ("engines", 5, "engines: expected a table for each, under double brackets"),
        ("engines", {"url": "http://a"}, "engines: expected a table for each server: write [[engines]], not [engines]"),
    ],
)
def test_what_is_allowed_is_said_in_full(key: str, wrong: object, said: str) -> None:
    assert said in (_refused({key: wrong}) or "")


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("server.prt", "; did you mean server.port?"),
        ("port", "; did you mean server.port?"),
        ("server.slots", "; did you mean engine.slots?"),
        ("engine.url", "; did you mean [[engines]] url?"),
        ("accounts.signup", "; did you mean accounts.sign_up?"),
        ("quotas.daily", "; there are per_day, per_hour, per_minute, per_month"),
        ("gate.foo", "; see docs/reference/configuration.md"),
    ],
)
def test_a_setting_that_there_is_not_is_told_which_may_be_meant(key: str, meant: str) -> None:
    assert _refused({key: 1}) == f"{key}: no such setting{meant}"


def test_one_of_the_engines_settings_is_meant_by_a_slip_before_one_of_another_table() -> None:
    said = _refused({"engines": [{"url": "http://a:1"}, {"url": "http://b:1", "model": "x"}]})

    assert said == "engines[1].model: no such setting; did you mean engines[1].models?"


def test_a_variable_that_set_it_is_named_and_one_that_lacks_its_table_is_found() -> None:
    said = _refused({}, {"TIDEGATE_FIREWALL_TARGET": "iptables"})
    assert (said or "").startswith("firewall.target = 'iptables' (in TIDEGATE_FIREWALL_TARGET): expected 'map'")
    assert _refused({"firewall.target": "ipset"}, {"TIDEGATE_FIREWALL_TARGET": "map"}) == (
        "firewall.target = 'ipset': expected 'map', 'nftables', 'none' or 'webhook'; left out, it is 'none'"
    )
    assert _refused({}, {"TIDEGATE_SLOTS": "2"}) == (
        "TIDEGATE_SLOTS: no such setting; did you mean TIDEGATE_ENGINE_SLOTS?"
    )


@pytest.mark.parametrize(
    "given",
    [
        {"engines": f"http://ana:{SECRET}@a"},
        {"engines": [f"http://ana:{SECRET}@a"]},
        {"engines": [{"url": [f"http://ana:{SECRET}@a"]}]},
        {"engines": [{"url": "http://a", "key_env": SECRET}]},
        {"models.hub_token": [SECRET]},
        {"models": SECRET},
        {"database_url": {"password": SECRET}},
        {"firewall.webhook_secret": [SECRET]},
    ],
    ids=repr,
)
def test_what_may_be_a_secret_is_not_repeated(given: dict[str, Any]) -> None:
    said = _refused(given)

    assert said is not None
    assert SECRET not in said


def test_no_declaration_lacks_words() -> None:
    """What is allowed is read off the declarations: of a new kind nothing may be left to guess."""

    def kinds(table: inspect.StructType) -> list[inspect.Type]:
        found: list[inspect.Type] = []
        for field in table.fields:
            kind = field.type.type if isinstance(field.type, inspect.Metadata) else field.type
            found += kinds(kind) if isinstance(kind, inspect.StructType) else [field.type]
        return found

    root = inspect.type_info(Settings)
    assert isinstance(root, inspect.StructType)
    assert [kind for kind in kinds(root) if allowed(kind) == "a table of settings"] == []
    assert {".".join(key) for key in setting_keys()} <= set(names_of(Settings))
