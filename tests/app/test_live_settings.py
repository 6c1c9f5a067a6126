"""What a live rehearsal takes of an operator's settings: what decides, and nothing that reaches anybody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tidegate.app import lab
from tidegate.app.lab import LONGEST_LIVE_S, RehearsalError, RehearsalWish, live_settings, rehearse
from tidegate.lab.actors.visitors import PROVIDERS
from tidegate.lab.live.lateness import Lateness
from tidegate.lab.live.world import LiveRun
from tidegate.lab.scenario import World, parse

HEAD = 'version = 1\nname = "x"\ntitle = "x"\nabout = "x"\nworlds = ["virtual", "live"]\nduration_s = '
OPERATORS = """
data_dir = "/var/lib/tidegate"

[server]
host = "127.0.0.1"
port = 9000

[engine]
slots = 7
threads = 3

[gate]
address_rate = 3.0

[record]
decisions = true

[mail]
delivery = "smtp"
smtp_host = "mail.example.org"
username = "us"
password = "a secret"
from_address = "us@example.org"
public_url = "https://chat.example.org"
per_hour = 40

[firewall]
target = "map"
map_file = "/etc/haproxy/banned.map"
"""


@pytest.fixture
def operators(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.toml"
    path.write_text(OPERATORS, "utf-8")
    return path


def test_what_decides_is_taken_and_the_scenario_goes_first(operators: Path) -> None:
    told, _ = live_settings(parse(f"{HEAD}60\n[settings.engine]\nthreads = 1\n"), operators)

    assert told["engine"] == {"slots": 7, "threads": 1}
    assert told["gate"] == {"address_rate": 3.0}
    assert told["record"] == {"decisions": True}


def test_what_listens_writes_or_speaks_elsewhere_is_left_out_and_named(operators: Path) -> None:
    told, left_out = live_settings(parse(f"{HEAD}60\n"), operators)

    assert left_out == ["data_dir", "firewall", "server"]
    assert not {"data_dir", "firewall", "server"} & told.keys()


def test_letters_stay_here_and_no_server_nor_password_is_told(operators: Path) -> None:
    told, _ = live_settings(parse(f"{HEAD}60\n"), operators)

    large = told["mail"].pop("large_domains")
    assert told["mail"] == {"delivery": "disk", "from_address": "us@example.org", "per_hour": 40}
    assert set(large) == {"mail.example", *PROVIDERS}


def test_the_providers_of_a_rehearsals_people_have_as_many_letters_as_those_that_were_named() -> None:
    mail = '[settings.mail]\ndelivery = "disk"\nlarge_domains = ["a.example"]\n'
    told, _ = live_settings(parse(f"{HEAD}60\n{mail}"), None)

    assert told["mail"]["large_domains"] == sorted(["a.example", "mail.example", *PROVIDERS])


def test_without_a_file_the_scenario_says_all() -> None:
    assert live_settings(parse(f"{HEAD}60\n[settings.gate]\naddress_rate = 1.0\n"), None) == (
        {"gate": {"address_rate": 1.0}},
        [],
    )


class Stage:
    """In the place of the live world."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    async def __call__(self, scenario: Any, lives: Any, listeners: Sequence[Any], **more: Any) -> LiveRun:
        self.given = {"scenario": scenario, **more}
        more["progress"]("playing")
        late = {"asks": 0, "late_p50_s": 0.0, "late_p95_s": 0.0, "late_most_s": 0.0, "core_share": 0.0}
        return LiveRun(
            scenario=scenario.name,
            ended="complete",
            began_unix_s=0.0,
            played_s=1.0,
            asks=0,
            requests=0,
            lives=0,
            connections_most=0,
            networks_shared=0,
            lateness=Lateness(**late, connections_waited=0),  # type: ignore[arg-type] # numbers all
        )


def wish(duration_s: float, **more: Any) -> RehearsalWish:
    text = f"{HEAD}{duration_s}\n"
    scenario = parse(text)
    return RehearsalWish(scenario=scenario, scenario_text=text, world=World.LIVE, seed=1, **more)


def test_a_live_rehearsal_is_played_with_them_may_last_its_time_and_says_what_it_does(
    operators: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage()
    monkeypatch.setattr(lab, "play_live", stage)
    said: list[str] = []

    result = rehearse(wish(3000.0, config=operators, say=said.append))

    assert stage.given["scenario"].settings["engine"]["slots"] == 7
    assert stage.given["limits"].wall_s > 3000.0
    assert said == ["playing"]
    assert result.run.notes == (
        f"left out of {operators}, as the live world has its own or none: data_dir, firewall, server",
    )
    assert rehearse(wish(60.0)).run.notes == ()


def test_one_that_is_longer_than_anybody_sits_is_refused() -> None:
    with pytest.raises(RehearsalError, match=r"x: duration_s: expected at most 14,400 in the live world"):
        rehearse(wish(LONGEST_LIVE_S + 1.0))


def test_one_that_is_ended_before_it_began_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ended(*_: Any, **__: Any) -> LiveRun:
        raise asyncio.CancelledError

    monkeypatch.setattr(lab, "play_live", ended)

    with pytest.raises(RehearsalError, match="before anything was played"):
        rehearse(wish(60.0))
