"""What a reload carries to a running service, and what it leaves in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.certificates import DAY, NOW, make
from tidegate.app.certificate import Certificate
from tidegate.app.plans import Plans
from tidegate.app.policy import flat, is_live, live_policy
from tidegate.config import Settings, load_settings
from tidegate.services.policy import Policy, PolicyError
from tidegate.testing.journal import RecordingJournal


class Running:
    """A service's settings file, the policy made of it, and what was carried out."""

    def __init__(self, folder: Path, certificate: Certificate | None = None) -> None:
        self.file = folder / "tidegate.toml"
        self.carried_out: list[Plans] = []
        self.write("[gate]\nprincipal_rate = 5\n")
        self.policy: Policy = live_policy(
            self.read(),
            read=self.read,
            shard_key=b"k" * 32,
            apply=self.carried_out.append,
            certificate=certificate,
            journal=RecordingJournal(),
            clock=lambda: 1.0,
        )

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def read(self) -> Settings:
        return load_settings(self.file, {"HOME": "/people/ana"})


def test_all_of_the_live_tables_and_no_more_of_the_others_can_be_exchanged() -> None:
    names = flat(load_settings(None, {"HOME": "/people/ana"}))
    assert {name.partition(".")[0] for name in names if is_live(name)} == {
        *("gate", "admission", "standing", "quotas", "engine", "engines", "firewall", "registration", "accounts")
    }
    assert {name for name in names if is_live(name) and name.startswith("engine.")} == {
        *("engine.max_waiting", "engine.max_per_account")
    }
    assert {name for name in names if is_live(name) and name.startswith("accounts.")} == {"accounts.sign_up"}
    assert not is_live("data_dir")
    assert {name for name in names if name.startswith("firewall.") and not is_live(name)} == {
        *("firewall.target", "firewall.socket", "firewall.map_file", "firewall.map_form"),
        *("firewall.webhook_url", "firewall.webhook_secret"),
    }


def test_a_reload_carries_out_what_the_file_says_now_and_a_rollback_what_it_said(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.write("[gate]\nprincipal_rate = 0.5\ndeny = ['10.0.0.0/8']\n[engine]\nslots = 3\n")
    change = running.policy.reload()
    assert change.needs_restart == ["engine.slots"]
    assert running.carried_out[-1].gate.principal_rate == 0.5
    assert running.carried_out[-1].gate.deny
    running.policy.roll_back()
    assert running.carried_out[-1].gate.principal_rate == 5
    assert not running.carried_out[-1].gate.deny


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gate]\nprincipal_rate = 'many'\n", "gate.principal_rate"),
        ("[gate]\ndeny = ['10.0.0.300']\n", "gate.deny"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_and_nothing_is_carried_out(tmp_path: Path, text: str, said: str) -> None:
    running = Running(tmp_path)
    running.write(text)
    with pytest.raises(PolicyError, match=said):
        running.policy.reload()
    assert not running.carried_out
    assert running.policy.live()["gate.principal_rate"] == 5


def test_a_reload_takes_a_renewed_certificate_and_none_of_it_when_that_is_broken(tmp_path: Path) -> None:
    pair = make(tmp_path)
    certificate = Certificate(*pair)
    running = Running(tmp_path, certificate)
    running.write("[gate]\nprincipal_rate = 1\n")
    pair.cert.unlink()
    with pytest.raises(PolicyError, match=r"server\.tls_cert"):
        running.policy.reload()
    assert not running.carried_out, "limits of a policy that was refused"
    renewed = make(tmp_path, "renewed", ends=NOW + 2 * DAY)
    renewed.cert.replace(pair.cert)
    renewed.key.replace(pair.key)
    running.policy.reload()
    assert running.carried_out[-1].gate.principal_rate == 1
    assert certificate.expires_s > (NOW + DAY).timestamp() + 2
