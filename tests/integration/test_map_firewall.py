"""HAProxy and nginx keep out whom the map names, as deploy/ has them read it, and let in again."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

import pytest

from tests.integration.fronting import free_port, haproxy, nginx
from tidegate.adapters.firewall.mapfile import MapFirewall, MapForm
from tidegate.testing.firewall import an_element

pytestmark = pytest.mark.integration

DEPLOY = Path(__file__).parents[2] / "deploy" / "firewall"
BOT, STUDENT = "127.0.3.66", "127.0.4.5"


def lines(name: str, path: Path) -> str:
    """What stands in deploy/, with the test's own map."""
    text = (DEPLOY / name).read_text("utf-8")
    for usual in ("/var/lib/tidegate-map/blocked.map", "/var/lib/tidegate-map/blocked.conf"):
        text = text.replace(usual, str(path))
    assert "/var/lib" not in text
    return text


def is_let_in(port: int, source: str) -> bool:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    try:
        line.request("GET", "/")
        return line.getresponse().status == 200
    except (ConnectionError, http.client.HTTPException):
        return False
    finally:
        line.close()


def haproxy_before(path: Path, port: int) -> str:
    return (
        "defaults\n    mode http\n    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n"
        f"frontend web\n    bind 127.0.0.1:{port}\n{lines('haproxy-frontend.cfg', path)}"
        "    http-request return status 200\n"
    )


def nginx_before(path: Path, port: int) -> str:
    return (
        f"{lines('nginx-geo.conf', path)}\nserver {{ listen 127.0.0.1:{port}; "
        "if ($tidegate_blocked) { return 444; } location / { return 200; } }"
    )


@pytest.fixture
def port() -> int:
    return free_port()


async def test_haproxy_keeps_out_whom_the_map_names(tmp_path: Path, port: int) -> None:
    path, now = tmp_path / "blocked.map", time.time()
    firewall = MapFirewall(path, MapForm.HAPROXY)
    await firewall.enforce((), [an_element(BOT, now), an_element("2001:db8::1", now)])
    with haproxy(haproxy_before(path, port), tmp_path, port):
        assert not is_let_in(port, BOT)
        assert is_let_in(port, STUDENT)


async def test_haproxy_keeps_out_a_whole_network_and_lets_in_whose_time_is_over(tmp_path: Path, port: int) -> None:
    path, now = tmp_path / "blocked.map", time.time()
    firewall = MapFirewall(path, MapForm.HAPROXY)
    network, over = an_element(BOT, now, is_network=True), an_element(STUDENT, now - 700, 600.0)
    await firewall.enforce((), [network, over])
    with haproxy(haproxy_before(path, port), tmp_path, port):
        assert not is_let_in(port, "127.0.3.9")
        assert is_let_in(port, STUDENT), "although nobody had it read the map anew"


async def test_nginx_keeps_out_whom_its_lines_name(tmp_path: Path, port: int) -> None:
    path, now = tmp_path / "blocked.conf", time.time()
    firewall = MapFirewall(path, MapForm.NGINX)
    await firewall.enforce((), [an_element(BOT, now), an_element("2001:db8::1", now, is_network=True)])
    with nginx(nginx_before(path, port), tmp_path, port):
        assert not is_let_in(port, BOT)
        assert is_let_in(port, STUDENT)


@pytest.mark.parametrize(("form", "before"), [(MapForm.HAPROXY, haproxy_before), (MapForm.NGINX, nginx_before)])
async def test_an_empty_map_keeps_nobody_out(tmp_path: Path, port: int, form: MapForm, before: object) -> None:
    path = tmp_path / "blocked"
    await MapFirewall(path, form).enforce((), ())
    run = haproxy if form is MapForm.HAPROXY else nginx
    assert callable(before)
    with run(before(path, port), tmp_path, port):
        assert is_let_in(port, BOT)
