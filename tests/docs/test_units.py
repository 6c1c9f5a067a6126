"""The units that are to be copied for systemd say what systemd understands, and start what is installed."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tidegate.config import load_settings
from tidegate.config.engines import keys_of

ROOT = Path(__file__).parents[2]

UNITS = {path.name: path.read_text("utf-8") for path in (ROOT / "deploy").rglob("tidegate*.*")}
(UNITS["tidegate.service"],) = re.findall(
    r"^```ini\n(.*?)^```", (ROOT / "docs" / "operate.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)

SANDBOX = {
    *("ProtectSystem", "ProtectHome", "ProtectClock", "ProtectHostname", "ProtectControlGroups", "ProtectProc"),
    *("ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "PrivateTmp", "PrivateDevices"),
    *("RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "LockPersonality"),
    *("MemoryDenyWriteExecute", "SystemCallArchitectures", "SystemCallFilter", "NoNewPrivileges", "IPAddressDeny"),
    *("CapabilityBoundingSet", "AmbientCapabilities", "UMask"),
}
KNOWN = {
    "Unit": {"Description", "Wants", "After", "Before", "StartLimitIntervalSec"},
    "Service": {
        *("Type", "User", "Group", "DynamicUser", "ExecStart", "ExecStartPre", "ExecReload", "EnvironmentFile"),
        *("Restart", "RestartPreventExitStatus", "TimeoutStopSec", "KillMode"),
        *("StateDirectory", "StateDirectoryMode", "CacheDirectory", "RuntimeDirectory", "RuntimeDirectoryMode"),
        *SANDBOX,
    },
    "Path": {"PathChanged"},
    "Install": {"WantedBy"},
}
"""What systemd.unit(5), systemd.service(5), systemd.exec(5) and systemd.path(5) know of what stands in these units."""


def read(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=True, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # the documented way
    parser.read_string(text)
    return parser


@pytest.mark.parametrize("name", UNITS)
def test_no_unit_has_a_word_that_systemd_would_pass_over(name: str) -> None:
    """It only warns of one that it does not know: a sandbox that is misspelt is none."""
    for section, directives in read(UNITS[name]).items():
        assert set(directives) <= KNOWN.get(section, set()), section


@pytest.mark.parametrize("name", ["tidegate.service", "tidegate-gate.service", "tidegate-firewall.service"])
def test_every_service_is_kept_in_a_sandbox(name: str) -> None:
    service = read(UNITS[name])["Service"]

    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert set(service["CapabilityBoundingSet"].split()) <= {"CAP_NET_ADMIN"}
    assert service["SystemCallFilter"] == "@system-service"


def test_the_gates_unit_and_its_settings_go_together(tmp_path: Path) -> None:
    text = UNITS["tidegate-gate.service"]
    unit = read(text)["Service"]
    written = re.findall(r"^#   (.*)$", text, re.MULTILINE)
    (tmp_path / "tidegate-gate.toml").write_text("\n".join(written))

    settings = load_settings(tmp_path / "tidegate-gate.toml", {})

    assert shlex.split(unit["ExecStart"])[1:] == ["gate", "--config", "/etc/tidegate-gate.toml"]
    assert str(settings.data_dir) == f"/var/lib/{unit['StateDirectory']}"
    assert keys_of(settings.engines, {"UPSTREAM_KEY": "sk-1"}) == {"http://127.0.0.1:8000": "sk-1"}
    assert "UPSTREAM_KEY=" in text
    assert float(unit["TimeoutStopSec"]) >= settings.server.drain_s + 20


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed here")
def test_systemd_has_nothing_to_say_against_a_unit(name: str, tmp_path: Path) -> None:
    installed = re.sub("/opt/tidegate/bin/(python|tidegate)", sys.executable, UNITS[name])
    for other, text in UNITS.items():  # A path unit is about the service beside it.
        (tmp_path / other).write_text(installed if other == name else text)

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"./{name}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )

    ours = [line for line in (done.stdout + done.stderr).splitlines() if name in line]
    assert ours == []
    assert done.returncode == 0, done.stderr
