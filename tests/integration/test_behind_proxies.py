"""Through a real nginx and a real HAProxy the client's address arrives, nobody can choose another, and streams flow."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.certificates import make, trusting
from tests.integration.conftest import Serve
from tests.integration.fronting import Doorman, ask, free_port, haproxy, listening, nginx
from tests.integration.running import free_ports, until
from tidegate.config.settings import GateSettings

pytestmark = pytest.mark.integration

DEPLOY = Path(__file__).parents[2] / "deploy"
CLIENT = "127.0.0.9"
SPOOFED = (
    {"X-Forwarded-For": "6.6.6.6"},
    {"X-Forwarded-For": "6.6.6.6, 127.0.0.1"},
    {"Forwarded": "for=6.6.6.6"},
    {"Forwarded": 'for="', "X-Forwarded-For": "6.6.6.6,", "X-Real-IP": "6.6.6.6"},
    {"Forwarded": 'for=6.6.6.6;x="\\', "x_forwarded_for": "6.6.6.6"},
)
Front = Callable[[str, Path, int], AbstractContextManager[None]]


def documented(name: str, folder: Path, upstream: int) -> tuple[str, int, ssl.SSLContext]:
    """The file in deploy/ with this machine's ports and a certificate of the test's own; its port, whom to trust."""
    pair = make(folder)
    joined = folder / "joined.pem"
    joined.write_bytes(pair.cert.read_bytes() + pair.key.read_bytes())
    plain_port, port = free_ports(2)
    text = (DEPLOY / name).read_text("utf-8")
    for given, here in (
        (r"listen 80;", f"listen 127.0.0.1:{plain_port};"),
        (r"listen \[::\]:80;", ""),
        (r"bind :80", f"bind 127.0.0.1:{plain_port}"),
        (r"listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        (r"listen \[::\]:443 ssl;", f"listen [::1]:{port} ssl;" if socket.has_dualstack_ipv6() else ""),
        (r"bind :443", f"bind 127.0.0.1:{port}"),
        (r"/etc/\S*\.example\.org\.key", str(pair.key)),
        (r"(ssl_certificate +)/etc/\S*\.example\.org\.pem", rf"\1{pair.cert}"),
        (r"/etc/haproxy/\S*\.example\.org\.pem", str(joined)),
        (r"127\.0\.0\.1:8080", f"127.0.0.1:{upstream}"),
    ):
        text = re.sub(given, here, text)
    assert not re.search(r":(?:80|443)\b", text)
    assert "/etc/ssl" not in text
    return text, port, trusting(pair)


FRONTS = [pytest.param("nginx.conf", nginx, id="nginx"), pytest.param("haproxy.cfg", haproxy, id="haproxy")]


@pytest.fixture
def doorman() -> Doorman:
    return Doorman()


@contextmanager
def plain(front: Front, text: str, folder: Path) -> Iterator[int]:
    """A proxy with a few lines of its own; PORT stands for where it listens."""
    port = free_port()
    with front(text.replace("PORT", str(port)), folder, port):
        yield port


# ---------------------------------------------------------------- what deploy/ holds


@pytest.mark.parametrize(("name", "front"), FRONTS)
def test_the_documented_proxy_brings_the_clients_address_and_no_spoofed_one(
    name: str, front: Front, doorman: Doorman, tmp_path: Path
) -> None:
    with listening(doorman, "127.0.0.1") as upstream:
        text, port, tls = documented(name, tmp_path, upstream)
        with front(text, tmp_path, port):
            assert ask(port, source=CLIENT, tls=tls) == CLIENT
            assert ask(port, source="127.0.0.10", tls=tls) == "127.0.0.10"
            for headers in SPOOFED:
                assert ask(port, source=CLIENT, headers=headers, tls=tls) == CLIENT, headers
        # And without the proxy nobody is believed but the proxy's own address.
        assert ask(upstream, source=CLIENT, headers={"X-Forwarded-For": "6.6.6.6"}) == CLIENT


@pytest.mark.parametrize(("name", "front"), FRONTS)
def test_a_stream_passes_the_documented_proxy_piece_by_piece_and_its_end_too(
    name: str, front: Front, doorman: Doorman, tmp_path: Path
) -> None:
    """Each piece is sent only when the one before has arrived: a proxy that collects them would wait for ever."""
    with listening(doorman, "127.0.0.1") as upstream:
        text, port, tls = documented(name, tmp_path, upstream)
        with front(text, tmp_path, port):
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
            connection.request("GET", "/stream")
            response = connection.getresponse()
            for number in range(3):
                assert response.readline() == b"data: %d\n" % number
                assert response.readline() == b"\n"
                doorman.go_on()
            assert response.read() == b"127.0.0.1"
            connection.request("GET", "/stream")
            response = connection.getresponse()
            assert response.readline() == b"data: 0\n"
            response.close()
            connection.close()
            assert doorman.has_left.wait(10), "a caller who leaves is seen to leave"


@pytest.mark.parametrize(("name", "front"), FRONTS)
def test_an_office_behind_one_address_may_have_thirty_streams_and_one_too_many_is_told_when_to_come_back(
    name: str, front: Front, doorman: Doorman, tmp_path: Path
) -> None:
    """The proxy cannot see who holds a valid key: what it refuses, it refuses everybody."""
    with listening(doorman, "127.0.0.1") as upstream, contextlib.ExitStack() as opened:
        text, port, tls = documented(name, tmp_path, upstream)

        def stream() -> http.client.HTTPResponse:
            connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
            opened.callback(connection.close)
            connection.request("GET", "/stream")
            return connection.getresponse()

        (most,) = re.findall(r"(?:limit_conn tidegate_address|sc0_conn_cur gt) (\d+)", text)
        assert int(most) == GateSettings().connections_per_address
        with front(text.replace(f" {most}", " 30"), tmp_path, port):
            assert [stream().status for _ in range(30)] == [200] * 30
            refused = stream()
            assert (refused.status, refused.headers["retry-after"]) == (429, "5")
            assert refused.headers.get_content_type() == "application/json"
            error = json.loads(refused.read())["error"]
            assert (error["code"], error["type"]) == ("too_many_connections", "rate_limit_error")


@pytest.mark.parametrize(("name", "front"), FRONTS)
def test_the_documented_proxy_keeps_the_port_in_host_and_says_that_the_connection_is_protected(
    name: str, front: Front, doorman: Doorman, tmp_path: Path
) -> None:
    """Without the port, the form of a page that is served on another port than 443 looks like another site's."""
    with listening(doorman, "127.0.0.1") as upstream:
        text, port, tls = documented(name, tmp_path, upstream)
        with front(text, tmp_path, port):
            ask(port, tls=tls, headers={"X-Forwarded-Proto": "http"})
            seen = doorman.headers
            assert [value for key, value in seen if key == b"host"] == [f"127.0.0.1:{port}".encode()]
            assert [value for key, value in seen if key == b"x-forwarded-proto"] == [b"https"]


@pytest.mark.parametrize(("name", "front"), FRONTS)
def test_the_documented_proxy_sends_plain_http_on_to_https_and_asks_browsers_to_remember(
    name: str, front: Front, doorman: Doorman, tmp_path: Path
) -> None:
    with listening(doorman, "127.0.0.1") as upstream:
        text, port, tls = documented(name, tmp_path, upstream)
        ports = map(int, re.findall(r"(?:listen|bind) 127\.0\.0\.1:(\d+)", text))
        plain_port = next(one for one in ports if one != port)
        with front(text, tmp_path, port):
            connection = http.client.HTTPConnection("127.0.0.1", plain_port, timeout=10)
            connection.request("POST", "/v1/models?a=b", headers={"Host": "tide.example.org"})
            sent_on = connection.getresponse()
            connection.close()
            assert (sent_on.status, sent_on.headers["location"]) == (308, "https://tide.example.org/v1/models?a=b")
            protected = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
            protected.request("GET", "/")
            assert protected.getresponse().headers["strict-transport-security"] == "max-age=31536000"
            protected.close()
        assert not any(path.startswith("/v1") for path in doorman.paths)


def test_haproxy_finds_the_status_page_also_by_a_host_with_a_port(doorman: Doorman, tmp_path: Path) -> None:
    with listening(doorman, "127.0.0.1") as upstream, listening(other := Doorman(), "127.0.0.1") as status:
        text, port, tls = documented("haproxy.cfg", tmp_path, upstream)
        with haproxy(text.replace("127.0.0.1:8081", f"127.0.0.1:{status}"), tmp_path, port):
            ask(port, "/here", tls=tls, headers={"Host": f"status.example.org:{port}"})
    assert (other.paths, doorman.paths) == (["/here"], [])


@pytest.mark.parametrize(("name", "front"), FRONTS)
def test_who_signs_in_through_the_documented_proxy_with_an_old_browser_is_as_safe_as_with_a_new_one(
    name: str, front: Front, serve: Serve, tmp_path: Path
) -> None:
    """It sends no Sec-Fetch-Site, and Origin with forms only."""
    instance = serve("[server]\ntrusted_proxies = ['127.0.0.1']\n").ready()
    text, port, tls = documented(name, tmp_path, int(instance.public.rpartition(":")[2]))

    def ask(method: str, path: str, body: str = "", **headers: str) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=tls, source_address=(CLIENT, 0))
        given = {"Host": f"tide.example.org:{port}", "Accept": "text/html", **headers}
        connection.request(method, path, body=body, headers=given)
        response = connection.getresponse()
        page = response.read().decode()
        connection.close()
        return response, page

    with front(text, tmp_path, port):
        site = f"https://tide.example.org:{port}"
        _, page = ask("GET", "/")
        assert f"{site}/v1" in page
        assert "not protected" not in page
        form, page = ask("GET", "/sign-in")
        cookie = str(form.headers["set-cookie"])
        assert cookie.startswith("__Host-tidegate-form=")
        assert "Secure" in cookie
        (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', page))
        fields = urlencode({"csrf": token, "email": "nobody@example.org", "password": "not the right one"})
        typed = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie.partition(";")[0]}
        told, page = ask("POST", "/sign-in", fields, Origin=site, **typed)
        assert told.status == 401, "its form is ours, and only the password is wrong"
    assert instance.stop() == 0


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_client_arrives_through_nginx(doorman: Doorman, tmp_path: Path) -> None:
    with listening(doorman, "127.0.0.1") as upstream:
        text, port, tls = documented("nginx.conf", tmp_path, upstream)
        tls.check_hostname = False
        with nginx(text, tmp_path, port):
            assert ask(port, source="::1", host="::1", tls=tls) == "::1"


# ---------------------------------------------------------------- other ways to say it

APPENDING_NGINX = """
server {
    listen 127.0.0.1:PORT;
    location / {
        proxy_pass http://127.0.0.1:%d;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
}
"""
HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend web
    bind 127.0.0.1:PORT
    %s
    default_backend tidegate
backend tidegate
    http-reuse always
    server tidegate 127.0.0.1:%d %s
"""
# What `option forwarded` writes; HAProxy has that since 2.8.
FORWARDED = "http-request set-header forwarded proto=http;for=%[src]"


def test_a_proxy_that_appends_is_believed_in_what_it_appended_only(doorman: Doorman, tmp_path: Path) -> None:
    """A header of the other kind that it lets through makes the caller nobody, never somebody else."""
    with (
        listening(doorman, "127.0.0.1") as upstream,
        plain(nginx, APPENDING_NGINX % upstream, tmp_path) as port,
    ):
        assert ask(port, source=CLIENT) == CLIENT
        for headers in SPOOFED:
            shown = ask(port, source=CLIENT, headers=headers)
            assert shown == ("127.0.0.1" if "Forwarded" in headers else CLIENT), headers


def test_two_proxies_in_a_row_are_looked_through_when_both_are_trusted(doorman: Doorman, tmp_path: Path) -> None:
    """The outer one is the client where it is not."""
    (tmp_path / "inner").mkdir()
    (tmp_path / "outer").mkdir()
    outer_text = HAPROXY % ("option forwardfor", 1, "source 127.0.0.8")
    for trusted, client in ((("127.0.0.1", "127.0.0.8"), CLIENT), (("127.0.0.1",), "127.0.0.8")):
        with (
            listening(doorman, *trusted) as upstream,
            plain(nginx, APPENDING_NGINX % upstream, tmp_path / "inner") as inner,
            plain(haproxy, outer_text.replace(":1 ", f":{inner} "), tmp_path / "outer") as outer,
        ):
            assert ask(outer, source=CLIENT, headers={"X-Forwarded-For": "6.6.6.6"}) == client


def test_forwarded_is_understood_as_haproxy_writes_it(doorman: Doorman, tmp_path: Path) -> None:
    with (
        listening(doorman, "127.0.0.1") as upstream,
        plain(haproxy, HAPROXY % (FORWARDED, upstream, ""), tmp_path) as port,
    ):
        assert ask(port, source=CLIENT) == CLIENT
        assert ask(port, source=CLIENT, headers={"Forwarded": "for=6.6.6.6"}) == CLIENT
        assert ask(port, source=CLIENT, headers={"X-Forwarded-For": "6.6.6.6"}) == "127.0.0.1"


# ---------------------------------------------------------------- PROXY protocol


@pytest.mark.parametrize("option", ["send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])
def test_the_proxy_protocol_brings_the_clients_address(option: str, doorman: Doorman, tmp_path: Path) -> None:
    """HAProxy keeps connections: one that was opened for somebody must not speak for the next."""
    with listening(doorman, "127.0.0.1", expects_proxy_header=True) as upstream:
        text = HAPROXY % ("unique-id-format %[uuid()]", upstream, option)
        with plain(haproxy, text, tmp_path) as port:
            for source in (CLIENT, "127.0.0.10", CLIENT, "127.0.0.10"):
                assert ask(port, source=source) == source
                assert ask(port, source=source, headers={"X-Forwarded-For": "6.6.6.6"}) == source


def test_the_proxys_own_health_check_is_no_client(doorman: Doorman, tmp_path: Path) -> None:
    """It comes as LOCAL (version 2): without an answer HAProxy would call the service dead and answer 503."""
    with listening(doorman, "127.0.0.1", expects_proxy_header=True) as upstream:
        check = "send-proxy-v2 check check-send-proxy inter 100ms fall 1 rise 1 init-addr last"
        # Who is slow to answer is not dead: without a time of its own a check has as much as there is between two.
        options = "    timeout check 10s\n    option httpchk GET /healthz\n    http-check expect status 200\n"
        text = HAPROXY % ("", upstream, check) + options
        with plain(haproxy, text, tmp_path) as port:
            until(lambda: doorman.paths.count("/healthz") >= 3, 10, "HAProxy has checked more than once")
            assert ask(port, source=CLIENT) == CLIENT


def speak(port: int, source: str, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0)) as line:
        line.sendall(data)
        answer = b""
        try:
            while piece := line.recv(65536):
                answer += piece
        except ConnectionError:
            pass
        return answer


REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def test_only_a_trusted_peer_may_and_must_begin_with_a_proxy_header(doorman: Doorman) -> None:
    with listening(doorman, "127.0.0.1", expects_proxy_header=True) as port:
        header = b"PROXY TCP4 6.6.6.6 127.0.0.1 1 2\r\n"
        assert speak(port, "127.0.0.1", header + REQUEST).endswith(b"6.6.6.6\r\n0\r\n\r\n")
        assert speak(port, "127.0.0.1", REQUEST) == b"", "closed without a word"
        assert speak(port, "127.0.0.1", header.replace(b"TCP4", b"TCP5") + REQUEST) == b""
        assert speak(port, CLIENT, header + REQUEST).startswith(b"HTTP/1.1 400 "), "no HTTP, like any other"
        assert CLIENT.encode() in speak(port, CLIENT, REQUEST)
    with listening(doorman, "127.0.0.1") as port:
        assert speak(port, "127.0.0.1", header + REQUEST).startswith(b"HTTP/1.1 400 "), "where it is not expected"
