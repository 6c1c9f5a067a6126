"""`tidegate models` answers people in sentences, programs in JSON, and both with an honest exit code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from tidegate.adapters.models import ModelLibrary
from tidegate.cli import models
from tidegate.cli.invocation import program
from tidegate.cli.models import machine_memory_bytes, models_app

WEIGHTS = b"GGUF" + b"weights" * 1000
SIXTEEN_GB = 16_000_000_000


class Terminal:
    """The verbs over a cache of their own."""

    def __init__(self, cache_dir: Path) -> None:
        self.memory_bytes = SIXTEEN_GB
        self._app = models_app(
            lambda _config: ModelLibrary(cache_dir, "http://127.0.0.1:9/simple/", "http://127.0.0.1:9"),
            lambda: self.memory_bytes,
        )

    def __call__(self, *arguments: str, width: int = 80) -> tuple[int, str, str]:
        result = CliRunner().invoke(self._app, list(arguments), env={"COLUMNS": str(width)})
        return result.exit_code, result.stdout, result.stderr

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        code, out, err = self(*arguments, "--json")
        assert err == ""
        return code, msgspec.json.decode(out)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path / "cache")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.gguf"
    path.write_bytes(WEIGHTS)
    return path


def test_the_list_says_what_fits_how_large_it_is_and_how_to_get_it(terminal: Terminal) -> None:
    code, out, err = terminal("list")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert lines["smollm2-135m-instruct"] == ["yes", "0.10", "GB", "Apache-2.0"]
    assert lines["qwen3.5-9b"] == ["★", "yes", "5.68", "GB", "Apache-2.0"]
    assert lines["gpt-oss-20b"][0] == "no"
    assert f"Pull one with: {program()} models pull qwen3.5-9b" in out
    assert "Shows the service working" not in out
    assert "Shows the service working" in terminal("list", width=160)[1]


def test_a_machine_for_which_nothing_useful_fits_is_told_so(terminal: Terminal) -> None:
    terminal.memory_bytes = 1_000_000_000
    _, out, _ = terminal("list")
    assert "None but the demonstration fits this machine's 1.0 GB" in out
    assert "tidegate models pull smollm2-135m-instruct" in out


def test_a_program_reads_the_same_list_as_json(terminal: Terminal, own: Path) -> None:
    terminal("pull", str(own))
    code, answer = terminal.json("list")
    assert code == 0
    assert answer["memory_bytes"] == SIXTEEN_GB
    rows = {row["id"]: row for row in answer["models"]}
    assert rows["qwen3-4b"]["pull_command"] == f"{program()} models pull qwen3-4b"
    assert rows["qwen3-4b"]["source"] == "hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf"
    assert (rows["qwen3-4b"]["is_here"], rows["qwen3-4b"]["fits"]) == (False, True)
    (here,) = [row for row in answer["models"] if row["is_here"]]
    assert (here["path"], here["size_bytes"]) == (str(own), len(WEIGHTS))
    assert set(answer["recommended"]) <= set(rows)


def test_a_pulled_model_is_reported_with_its_digest_and_then_listed(terminal: Terminal, own: Path) -> None:
    code, out, err = terminal("pull", str(own))
    assert (code, err) == (0, "")
    assert out.endswith(f"is here and verified: {own} (SHA-256 {hashlib.sha256(WEIGHTS).hexdigest()})\n")
    code, answer = terminal.json("pull", str(own))
    assert (code, answer["verified"], answer["path"]) == (0, True, str(own))
    assert answer["id"] in terminal("list")[1]


def test_a_whole_model_verifies_and_a_changed_one_does_not(terminal: Terminal, own: Path) -> None:
    terminal("pull", str(own))
    assert terminal("verify", str(own))[0] == 0
    assert terminal.json("verify", str(own))[1]["verified"] is True
    own.write_bytes(WEIGHTS[:-1] + b"!")
    code, out, err = terminal("verify", str(own))
    assert (code, out) == (1, "")
    assert "instead of" in err
    assert len(err.splitlines()) == 1


def test_removing_says_whether_there_was_anything(terminal: Terminal, own: Path) -> None:
    terminal("pull", str(own))
    assert terminal.json("remove", str(own)) == (0, {"id": str(own), "removed": True})
    terminal("pull", str(own))
    assert terminal("remove", str(own))[0] == 0
    assert own.exists()
    code, out, err = terminal("remove", str(own))
    assert (code, out) == (1, "")
    assert "is not here" in err


@pytest.mark.parametrize("verb", ["pull", "verify", "remove"])
def test_a_reference_that_cannot_be_read_is_wrong_usage_with_an_example(terminal: Terminal, verb: str) -> None:
    code, out, err = terminal(verb, "hf:Qwen")
    assert (code, out) == (2, "")
    assert "write for example hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("model", ["qwen3-4b", "smollm2-135m-instruct"])
def test_a_source_out_of_reach_is_one_sentence_and_not_a_traceback(terminal: Terminal, model: str) -> None:
    code, out, err = terminal("pull", model, "--json")
    assert (code, out) == (1, "")
    assert "cannot be reached" in err
    assert len(err.splitlines()) == 1


def test_the_real_command_keeps_models_where_the_settings_say(
    tmp_path: Path, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_MODELS", str(tmp_path / "configured"))
    assert CliRunner().invoke(models.app, ["pull", str(own)]).exit_code == 0
    assert list((tmp_path / "configured").glob("own-*.json"))


def test_the_configuration_file_is_heeded_as_by_the_service(tmp_path: Path, own: Path) -> None:
    config = tmp_path / "tidegate.toml"
    config.write_text(f'[models]\ncache_dir = "{tmp_path / "from-the-file"}"\n')
    assert CliRunner().invoke(models.app, ["pull", str(own), "--config", str(config)]).exit_code == 0
    assert list((tmp_path / "from-the-file").glob("own-*.json"))


def test_an_unusable_setting_stops_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_ENGINE_SLOTS", "many")
    result = CliRunner().invoke(models.app, ["list"])
    assert result.exit_code == 2
    assert "engine.slots" in result.stderr


def test_a_container_counts_with_its_own_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_CGROUP_LIMIT", tmp_path / "memory.max")
    whole = machine_memory_bytes()
    assert whole > 0
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_memory_bytes() == whole
    (tmp_path / "memory.max").write_text("1048576\n")
    assert machine_memory_bytes() == 1_048_576


def test_the_verbs_are_a_typer_application_that_can_be_mounted() -> None:
    assert isinstance(models.app, typer.Typer)
