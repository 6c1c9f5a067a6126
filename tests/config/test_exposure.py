"""What would let others listen in, or believe anybody, stops the start with key, value and fix."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from tidegate.config import Settings, SettingsError, load_settings
from tidegate.config.exposure import check, is_loopback, networks, trusted_proxies

HERE = Path(__file__).parent
HOME = {"HOME": "/people/ana"}


@pytest.mark.parametrize(
    "path", sorted([*(HERE / "servable").iterdir(), *(HERE / "good").iterdir()]), ids=lambda path: path.stem
)
def test_settings_that_go_together_may_be_served(path: Path) -> None:
    check(load_settings(path, HOME))


@pytest.mark.parametrize("path", sorted((HERE / "unservable").iterdir()), ids=lambda path: path.stem)
def test_settings_that_must_not_be_served_load_and_stop_the_start(path: Path) -> None:
    """They load: verbs that serve nothing go on with the same file."""
    expected = path.read_text("utf-8").split("\n")[0].removeprefix("# ")
    settings = load_settings(path, HOME)

    with pytest.raises(SettingsError) as refused:
        check(settings)

    assert expected in str(refused.value)


def test_the_defaults_may_be_served() -> None:
    check(Settings())


def test_networks_are_read_as_written_and_mapped_ones_as_what_they_stand_for() -> None:
    given = ("192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::ffff:10.0.0.1", "::ffff:192.0.2.0/120")

    assert networks(given, "gate.allow") == tuple(
        map(ip_network, ("192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32", "10.0.0.1/32", "192.0.2.0/24"))
    )


def test_trusted_proxies_are_what_the_settings_name() -> None:
    settings = load_settings(HERE / "servable" / "behind_a_proxy.toml", HOME)

    assert trusted_proxies(settings) == tuple(map(ip_network, ("10.0.0.0/8", "10.0.0.1/32", "fc00::/7")))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.example.org")),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
