"""The firewall that the settings name, with everything on its lists; and what this machine's own addresses are."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.handing import AT, Post, fingerprint
from tidegate.adapters.firewall.mapfile import MapFirewall
from tidegate.adapters.firewall.memory import InhabitedFile
from tidegate.adapters.firewall.nftables import NftablesFirewall
from tidegate.adapters.firewall.webhook import WebhookFirewall
from tidegate.app.firewall import firewall_plan, now_and_then, open_firewall, open_handover, own_addresses
from tidegate.config import Settings, load_settings
from tidegate.core.firewall.elements import Mode
from tidegate.core.firewall.inhabited import DAY_S, Inhabited
from tidegate.testing.firewall import an_element

SECRET = "whsec_" + "QUFB" * 8
TARGETS = {
    'target = "nftables"': NftablesFirewall,
    'target = "map"\nmap_file = "/run/blocked"': MapFirewall,
    f'target = "webhook"\nwebhook_url = "https://firewall.example/"\nwebhook_secret = "{SECRET}"': WebhookFirewall,
}


def loaded(folder: Path, text: str) -> Settings:
    path = folder / "tidegate.toml"
    path.write_text(text)
    return load_settings(path, {"HOME": "/people/ana"})


@pytest.mark.parametrize(("text", "kind"), TARGETS.items(), ids=[kind.__name__ for kind in TARGETS.values()])
def test_a_target_opens_its_firewall_and_is_tried_dry_until_it_is_switched_on(
    tmp_path: Path, text: str, kind: type
) -> None:
    settings = loaded(tmp_path, f"[firewall]\n{text}\n")
    assert type(open_firewall(settings.firewall, lambda: AT)) is kind
    assert firewall_plan(settings).mode is Mode.DRY_RUN
    assert firewall_plan(loaded(tmp_path, f'[firewall]\nmode = "on"\n{text}\n')).mode is Mode.ON


async def test_what_others_read_is_in_the_time_that_they_know_also_when_the_clock_was_set_after_the_start(
    tmp_path: Path,
) -> None:
    """Ours never steps, and a machine that slept, or began with a wrong clock, is hours away from everybody else's."""
    path, hour_s = tmp_path / "blocked", 3600.0
    settings = loaded(tmp_path, f'[firewall]\ntarget = "map"\nmap_file = "{path}"\n')
    firewall = open_firewall(settings.firewall, lambda: AT + 0.4, wall=lambda: AT + hour_s)
    assert firewall is not None
    element = an_element("203.0.113.7", AT)
    await firewall.enforce([element], [element])
    assert path.read_text() == f"203.0.113.7/32 {AT + hour_s + 600.0:.0f}\n"

    told: list[tuple[str, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        told.append((request.headers["webhook-timestamp"], await request.read()))
        return web.Response()

    application = web.Application()
    application.router.add_post("/", take)
    async with TestServer(application) as server:
        text = f'target = "webhook"\nwebhook_url = "{server.make_url("/")}"\nwebhook_secret = "{SECRET}"'
        hook = open_firewall(loaded(tmp_path, f"[firewall]\n{text}\n").firewall, lambda: AT, wall=lambda: AT + hour_s)
        assert hook is not None
        await hook.enforce([element], [element])
    ((at_s, body),) = told
    assert at_s == str(int(AT + hour_s)), "whoever checks it takes it for replayed otherwise"
    assert b'"since":"2027-01-15T09:00:00Z","until":"2027-01-15T09:10:00Z"' in body


def test_without_a_target_it_is_off_and_can_still_be_tried(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "")
    assert firewall_plan(settings).mode is Mode.OFF
    assert open_firewall(settings.firewall, lambda: AT) is None
    assert firewall_plan(loaded(tmp_path, '[firewall]\nmode = "dry_run"\n')).mode is Mode.DRY_RUN


def test_proxies_the_allow_list_and_the_list_of_its_own_are_never_handed_over(tmp_path: Path) -> None:
    plan = firewall_plan(
        loaded(
            tmp_path,
            '[server]\ntrusted_proxies = ["10.0.0.0/8"]\n[gate]\nallow = ["192.0.2.7"]\n'
            '[firewall]\nnever = ["2001:db8::/32"]\nwidest_v4 = 24\n',
        )
    )
    for listed in ("10.1.2.3", "192.0.2.7", "2001:db8::9"):
        assert ip_address(listed).packed in plan.listed
    assert ip_address("192.0.2.8").packed not in plan.listed
    assert (plan.widest_v4, plan.widest_v6) == (24, 64)


async def test_the_memory_of_who_lives_where_is_read_at_the_start(tmp_path: Path) -> None:
    memory = InhabitedFile(tmp_path / "inhabited")
    settings = loaded(tmp_path, "")

    def opened() -> Inhabited:
        handover = open_handover(
            settings,
            firewall_plan(settings),
            key=b"k" * 64,
            memory=memory,
            is_nobody_known=False,
            journal=Post().journal,
            fingerprint=fingerprint,
            clock=lambda: AT + 60,
        )
        return handover.offloading.inhabited

    assert opened().unwatched_until_s == AT + 60 + DAY_S
    lived = Inhabited(b"k" * 32, AT, is_nobody_known=True)
    lived.note(ip_address("198.51.100.7").packed, AT)
    await memory.write(lived.kept(AT, is_whole=True))
    found = opened()
    assert found.holds(ip_address("198.51.100.7").packed, AT + 60)
    assert found.unwatched_until_s == AT


def test_they_are_asked_for_once_a_minute() -> None:
    asked: list[float] = []
    now = [AT]

    def ask() -> tuple[bytes, ...]:
        asked.append(now[0])
        return (b"\0" * 4,)

    own = now_and_then(ask, lambda: now[0])
    for after_s in (0.0, 1.0, 59.0, 60.0, 61.0, 0.0):
        now[0] = AT + after_s
        assert own() == (b"\0" * 4,)
    assert asked == [AT, AT + 60.0, AT], "and anew when the clock was set back"


def test_this_machine_knows_its_own_addresses() -> None:
    own = own_addresses()
    assert own is not None
    assert ip_address("127.0.0.1").packed in own


def test_they_are_read_of_both_families_and_of_routes_only_the_local_ones(tmp_path: Path) -> None:
    (tmp_path / "fib_trie").write_text(
        "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.17\n"
        "        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n"
    )
    assert own_addresses(tmp_path) == frozenset({ip_address("192.0.2.17").packed})
    (tmp_path / "if_inet6").write_text("20010db8000000000000000000000005 02 40 00 80     eth0\n")
    assert own_addresses(tmp_path) == frozenset({ip_address("192.0.2.17").packed, ip_address("2001:db8::5").packed})


@pytest.mark.parametrize("text", [None, "  |-- garbage\n /32 host LOCAL\n"])
def test_what_cannot_be_told_is_not_guessed(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "fib_trie").write_text(text)
    assert own_addresses(tmp_path) is None
