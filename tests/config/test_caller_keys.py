"""Whose keys callers of a gate show follows from who has the server's key, and is never open to everybody."""

from __future__ import annotations

from typing import Any

import pytest

from tidegate.config import SettingsError, load_settings
from tidegate.config.engines import shows_own_keys

BARE = {"url": "http://127.0.0.1:8000"}
KEYED = {"url": "http://127.0.0.1:8001", "key_env": "UPSTREAM_KEY"}
OTHER = {"url": "http://127.0.0.1:8002", "key_env": "OTHER_KEY"}


def _shows_own(keys: str | None, *engines: dict[str, Any]) -> bool:
    return shows_own_keys(load_settings(environment={}, overrides={"engines": list(engines), "passing.keys": keys}))


@pytest.mark.parametrize(
    ("keys", "engines", "is_own"),
    [
        (None, [BARE], False),
        (None, [KEYED], True),
        ("auto", [KEYED, OTHER], True),
        ("passed", [BARE], False),
        ("own", [BARE], True),
        ("own", [BARE, KEYED], True),
    ],
)
def test_callers_show_our_keys_where_the_gate_adds_the_servers(
    keys: str | None, engines: list[dict[str, Any]], is_own: bool
) -> None:
    assert _shows_own(keys, *engines) is is_own


@pytest.mark.parametrize("keys", [None, "auto"])
def test_a_mixture_stops_the_start_with_key_value_and_fix(keys: str | None) -> None:
    with pytest.raises(SettingsError, match=r"^engines\[1\].key_env: is not set, but engines\[0\].*passing.keys"):
        _shows_own(keys, KEYED, BARE)


@pytest.mark.parametrize("engines", [[KEYED], [BARE, KEYED]])
def test_a_gate_that_would_lend_its_key_to_everybody_does_not_start(engines: list[dict[str, Any]]) -> None:
    with pytest.raises(SettingsError, match=r"^passing.keys = 'passed': .*open to everybody"):
        _shows_own("passed", *engines)
