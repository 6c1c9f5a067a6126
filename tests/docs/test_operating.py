"""What the documents tell an operator to write down works, and what they say of the house is so."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

from tidegate.cli.program import app
from tidegate.config import Settings, load_settings
from tidegate.config.exposure import check

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operate.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def service() -> configparser.SectionProxy:
    (unit,) = blocks("ini")
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the documented way
    parser.read_string(unit)
    return parser["Service"]


@pytest.mark.parametrize("text", blocks("toml"))
def test_settings_in_the_guide_can_be_loaded(text: str, tmp_path: Path) -> None:
    path = tmp_path / "tidegate.toml"
    path.write_text(text, "utf-8")

    settings = load_settings(path)
    assert settings != Settings()
    check(settings)


def test_the_unit_starts_a_verb_that_exists_and_waits_longer_than_the_drain() -> None:
    unit = service()
    program, verb, *_ = shlex.split(unit["ExecStart"])
    commands = typer.main.get_command(app)

    assert Path(program).name == "tidegate"
    assert verb in getattr(commands, "commands", {})
    assert float(unit["TimeoutStopSec"]) >= Settings().server.drain_s + 20


def test_the_unit_may_write_where_the_settings_say() -> None:
    unit = service()
    settings = tomllib.loads(blocks("toml")[0])

    assert settings["data_dir"] == f"/var/lib/{unit['StateDirectory']}"
    assert settings["models"]["cache_dir"] == f"/var/cache/{unit['CacheDirectory']}"


def test_the_proxies_and_prometheus_ask_at_the_default_ports() -> None:
    server = Settings().server
    (prometheus,) = blocks("yaml")
    nginx, haproxy = ((ROOT / "deploy" / name).read_text("utf-8") for name in ("nginx.conf", "haproxy.cfg"))

    asked = [str(server.port), str(server.status_port)]
    assert re.findall(r"proxy_pass http://127\.0\.0\.1:(\d+);", nginx) == asked
    assert re.findall(r"^    server \w+ 127\.0\.0\.1:(\d+)$", haproxy, re.MULTILINE) == asked
    assert f"127.0.0.1:{server.operator_port}" in prometheus
    assert f"client_max_body_size {server.max_body_bytes >> 20}m;" in nginx


def test_the_floors_in_the_house_rules_are_those_that_are_checked() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (floors,) = [one for one in settings["tool"]["importlinter"]["contracts"] if one["id"] == "floors"]
    checked = [{name.strip(" ()") for name in layer.split("|")} for layer in floors["layers"]]
    # A floor in parentheses may not be there yet; the rules name only what is.
    there = [{name for name in layer if (ROOT / "src" / "tidegate" / name).is_dir()} for layer in checked]

    written = re.search(r"Imports point down: `([^`]+)`", text)
    assert written is not None
    assert [{name.strip() for name in layer.split("|")} for layer in written.group(1).split(">")] == there


def test_every_kind_of_test_in_the_house_rules_exists_and_every_kind_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    written = set(re.findall(r"^\| `tests/(\w+)`", text, re.MULTILINE))

    assert written == {
        path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and any(path.glob("**/test_*.py"))
    }
