"""What a rehearsal may reach, and what is kept of one that is cut short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tidegate.app import lab
from tidegate.lab.live.service import LiveError
from tidegate.lab.scenario import Scenario, World, parse

TEXT = """
version = 1
name = "one"
title = "One"
about = "It."
duration_s = 60
worlds = ["live"]
[settings.gate]
address_rate = 5
"""
CONFIG = """
data_dir = "/srv/mine"
[server]
port = 9999
[mail]
delivery = "off"
[gate]
address_rate = 9
address_burst = 70
[engine]
slots = 2
"""


def played(text: str, config: Path | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings that the service is started with."""
    seen: list[Scenario] = []

    async def play(scenario: Scenario, *_: object, **__: object) -> None:
        seen.append(scenario)
        msg = "far enough"
        raise LiveError(msg)

    monkeypatch.setattr(lab, "play_live", play)
    wish = lab.RehearsalWish(scenario=parse(text), scenario_text=text, world=World.LIVE, seed=1, config=config)
    with pytest.raises(lab.RehearsalError, match="far enough"):
        lab.rehearse(wish)
    return seen[0].settings


def test_the_operators_policy_is_what_is_rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What the scenario sets stands above it; where the operator's service listens and keeps its data stays there.
    """
    config = tmp_path / "mine.toml"
    config.write_text(CONFIG)

    assert played(TEXT, config, monkeypatch) == {
        "gate": {"address_rate": 5, "address_burst": 70},
        "engine": {"slots": 2},
    }
    assert played(TEXT, None, monkeypatch) == {"gate": {"address_rate": 5}}


def test_a_scenario_that_reaches_out_is_not_begun() -> None:
    text = TEXT + '[settings.firewall]\nwebhook_url = "http://example.com"\n'
    wish = lab.RehearsalWish(scenario=parse(text), scenario_text=text, world=World.LIVE, seed=1)

    with pytest.raises(lab.RehearsalError, match=r"settings\.firewall\.webhook_url"):
        lab.rehearse(wish)


def test_a_log_that_was_cut_short_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        assert (tmp_path / "events.jsonl").exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(lab, "play", interrupted)
    text = TEXT.replace('["live"]', '["virtual"]')
    wish = lab.RehearsalWish(scenario=parse(text), scenario_text=text, world=World.VIRTUAL, seed=1)

    with pytest.raises(KeyboardInterrupt):
        lab.rehearse(wish, keep=tmp_path)

    assert list(tmp_path.iterdir()) == []
