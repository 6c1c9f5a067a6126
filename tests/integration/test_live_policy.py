"""Limits, shares and lists are exchanged while the service runs, within a second and without dropping a stream."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.running import END_OF_TURN, Instance, run_verb, until

pytestmark = pytest.mark.integration

_CALM = "[engine]\nslots = 2\n[gate]\nprincipal_rate = 1000\nprincipal_burst = 1000\n"
_STRICT = "[engine]\nslots = 2\n[gate]\nprincipal_rate = 0.5\nprincipal_burst = 2\n"


def _policy(instance: Instance, verb: str) -> tuple[int, Any, str]:
    done = run_verb("policy", verb, "--json", models=instance.models, data=instance.data)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def _write(instance: Instance, config: str) -> None:
    (instance.folder / "tidegate.toml").write_text(config)


def _refused(instance: Instance, asked: int = 12) -> int:
    return sum(instance.ask("/v1/models").status == 429 for _ in range(asked))


@pytest.mark.timed
def test_a_reload_counts_within_a_second_drops_no_stream_and_can_be_put_back(
    serve: Serve, measured: Callable[[str], None]
) -> None:
    instance = serve(_CALM).ready()
    call = instance.call(
        {
            "messages": [{"role": "user", "content": "Tell a long story."}],
            "max_tokens": 250,
            "stream": True,
            "logit_bias": END_OF_TURN,
        }
    )
    call.wait_for_text()
    assert _refused(instance) == 0
    _write(instance, _STRICT)
    code, would, _ = _policy(instance, "check")
    assert code == 0
    assert would["changed"] == {"gate.principal_rate": [1000.0, 0.5], "gate.principal_burst": [1000.0, 2.0]}
    assert _refused(instance) == 0, "a check changes nothing"
    began = time.monotonic()
    os.kill(instance.process.pid, signal.SIGHUP)
    until(lambda: _refused(instance), 1.0, "the new limit counts")
    measured(f"live policy: a signal, and the new limit counted after {time.monotonic() - began:.2f} s")
    code, back, _ = _policy(instance, "rollback")
    assert (code, back["can_roll_back"]) == (0, 0)
    assert _refused(instance) == 0
    *_, finish, done = call.events()
    call.leave()
    assert (finish["choices"][0]["finish_reason"], done) == ("length", "[DONE]"), "to its last token, through it all"
    tags = [(event["detail"], event["settings"]) for event in instance.events() if event["event"] == "policy:changed"]
    assert [detail for detail, _ in tags] == ["reloaded", "rolled_back"]
    assert instance.stop() == 0


def test_a_mistake_changes_nothing_and_is_said_with_its_key_and_value(serve: Serve) -> None:
    instance = serve(_CALM).ready()
    _write(instance, _STRICT + "deny = ['10.0.0.300']\n")
    code, _, said = _policy(instance, "reload")
    assert code == 1
    assert "gate.deny" in said
    assert "10.0.0.300" in said
    os.kill(instance.process.pid, signal.SIGHUP)
    until(lambda: "gate.deny" in instance.output, 5.0, "the signal's mistake is said on the terminal")
    assert _refused(instance) == 0
    code, shown, _ = _policy(instance, "show")
    assert shown["policy"]["gate.principal_rate"] == 1000.0
    assert instance.stop() == 0


def test_a_file_that_cannot_be_read_disarms_no_verb_that_asks_the_service(serve: Serve) -> None:
    """To put back what was is needed most when what is there now is wrong."""
    instance = serve(_CALM).ready()
    _write(instance, _STRICT)
    assert _policy(instance, "reload")[0] == 0
    path = instance.folder / "tidegate.toml"
    path.write_text(f"data_dir = '{instance.data}'\n{_STRICT}foo = 1\n")
    for verb in (("policy", "show"), ("policy", "rollback"), ("users", "list")):
        done = run_verb(*verb, "--config", str(path), models=instance.models)
        assert done.returncode == 0, done.stderr
        assert "Warning: gate.foo: no such setting" in done.stderr
    assert _refused(instance) == 0


def test_what_only_a_restart_can_change_is_named_and_the_rest_counts(serve: Serve) -> None:
    instance = serve(_CALM).ready()
    _write(instance, _STRICT.replace("slots = 2", "slots = 3"))
    code, change, _ = _policy(instance, "reload")
    assert code == 0
    assert change["needs_restart"] == ["engine.slots"]
    assert _refused(instance) > 0


def test_invitations_follow_the_policy_in_force(serve: Serve) -> None:
    """Made by a verb that asks the running service."""
    instance = serve(_CALM + "[registration]\ninvite_days = 7\n").ready()

    def lasts_days() -> float:
        done = run_verb("invites", "create", "--json", models=instance.models, data=instance.data)
        assert done.returncode == 0, done.stderr
        return float((json.loads(done.stdout)["expires_at_s"] - time.time()) / 86_400)

    assert lasts_days() == pytest.approx(7, abs=0.1)
    _write(instance, _CALM + "[registration]\ninvite_days = 2\n")
    assert _policy(instance, "reload")[0] == 0
    assert lasts_days() == pytest.approx(2, abs=0.1)


def test_registration_that_the_settings_close_is_a_move_in_the_log(serve: Serve) -> None:
    instance = serve(_CALM).ready()
    for mode in ("invite", "open"):
        _write(instance, f'{_CALM}[accounts]\nsign_up = "{mode}"\n')
        assert _policy(instance, "reload")[0] == 0
        assert f'tidegate_registration_mode{{mode="{mode}"}} 1.0'.encode() in _figures(instance)

    moves = [(event["from"], event["to"], event["by"]) for event in instance.events() if event["kind"] == "mode"]
    assert moves == [("open", "invite", "operator"), ("invite", "open", "operator")]


def test_in_a_dry_run_what_would_be_refused_by_rate_passes_and_is_counted(serve: Serve) -> None:
    instance = serve(_STRICT + "dry_run = true\n").ready()
    assert _refused(instance) == 0
    until(lambda: b'tidegate_gate_spared_total{reason="slow_down"}' in _figures(instance), 10.0, "it is counted")


def _figures(instance: Instance) -> bytes:
    return instance.ask("/metrics", at=instance.operator).body


def test_without_a_service_there_is_no_policy_to_ask_for(models: Path, tmp_path: Path) -> None:
    run_verb("users", "create", "ada@example.org", models=models, data=tmp_path)
    done = run_verb("policy", "show", models=models, data=tmp_path)
    assert done.returncode == 1
    assert "no service runs" in done.stderr
