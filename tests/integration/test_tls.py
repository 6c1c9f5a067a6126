"""HTTPS by itself: what is served, what stops the start, and a renewed certificate without a restart."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from starlette.types import Receive, Scope, Send

from tests.certificates import DAY, NOW, Pair, make, trusting
from tests.integration.conftest import Serve
from tests.integration.running import free_ports, run_verb
from tidegate.app import listening
from tidegate.app.certificate import Certificate, CertificateError
from tidegate.app.listening import bind_port, port_of, server
from tidegate.http.gate.protocol import HEAD_LIMIT_BYTES

pytestmark = pytest.mark.integration


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make(tmp_path)


# ---------------------------------------------------------------- what can be used


def test_a_good_certificate_is_taken_without_a_word_and_says_when_it_ends(pair: Pair) -> None:
    certificate = Certificate(*pair)
    assert certificate.warning(NOW.timestamp()) is None
    assert abs(certificate.expires_s - (NOW + DAY).timestamp()) < 2


def _missing_cert(pair: Pair) -> None:
    pair.cert.unlink()


def _missing_key(pair: Pair) -> None:
    pair.key.unlink()


def _other_key(pair: Pair) -> None:
    make(pair.key.parent, "other").key.replace(pair.key)


def _locked_key(pair: Pair) -> None:
    make(pair.cert.parent, locked=BestAvailableEncryption(b"word"))


def _swapped(pair: Pair) -> None:
    text = pair.cert.read_bytes()
    pair.cert.write_bytes(pair.key.read_bytes())
    pair.key.write_bytes(text)


def _cert_for_key(pair: Pair) -> None:
    pair.key.write_bytes(pair.cert.read_bytes())


def _issuer_first(pair: Pair) -> None:
    issuer = make(pair.cert.parent, "issuer")
    pair.cert.write_bytes(issuer.cert.read_bytes() + pair.cert.read_bytes())


def _weak_key(pair: Pair) -> None:
    make(pair.cert.parent, key=rsa.generate_private_key(65537, 1024))  # noqa: S505 - it is refused


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_missing_cert, r"server\.tls_cert = .*tide\.pem: No such file or directory; name a PEM file"),
        (_missing_key, r"server\.tls_key = .*tide\.key: No such file or directory; name a PEM file"),
        (_other_key, r"server\.tls_key = .*: not the key of the first certificate in .*tide\.pem; name the key"),
        (_locked_key, r"server\.tls_key = .*: the key is encrypted.*openssl pkey -in .*tide\.key -out plain\.key"),
        (_swapped, r"server\.tls_cert = .*: no certificate in PEM; name the file with the chain"),
        (_cert_for_key, r"server\.tls_key = .*: no private key in PEM; name the certificate's key"),
        (_issuer_first, r"put the server's own certificate before those of its issuers"),
        (_weak_key, r"server\.tls_cert = .*OpenSSL refuses it \(EE_KEY_TOO_SMALL\); make a new"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_setting_and_the_fix(
    pair: Pair, spoil: Callable[[Pair], None], said: str
) -> None:
    spoil(pair)
    with pytest.raises(CertificateError, match=said):
        Certificate(*pair)


def test_an_expired_or_a_future_certificate_is_served_with_a_warning(tmp_path: Path) -> None:
    """Some have nothing better at the moment; a service that stays away helps nobody."""
    expired = Certificate(*make(tmp_path, begins=NOW - 3 * DAY, ends=NOW - DAY))
    assert "expired on " + (NOW - DAY).date().isoformat() in str(expired.warning(NOW.timestamp()))
    future = Certificate(*make(tmp_path, begins=NOW + DAY, ends=NOW + 3 * DAY))
    assert "not valid before " + (NOW + DAY).date().isoformat() in str(future.warning(NOW.timestamp()))


# ---------------------------------------------------------------- over the wire


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


@contextmanager
def serving(tls: ssl.SSLContext) -> Iterator[int]:
    """A server as the service has it, in a thread of its own."""
    listener = bind_port("127.0.0.1", 0, "server.port")
    port = port_of(listener)
    one = server(greet, tls)
    thread = threading.Thread(target=lambda: asyncio.run(one.serve(sockets=[listener])))
    thread.start()
    try:
        yield port
    finally:
        one.should_exit = True
        thread.join()


def handshake(port: int, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection(("127.0.0.1", port), 10)
    try:
        return context.wrap_socket(plain, server_hostname="localhost")
    except BaseException:
        plain.close()
        raise


def talk(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
        if answer.endswith(b"https"):
            break
    return answer


def shown(connection: ssl.SSLSocket) -> str:
    """The name in the certificate that the server showed."""
    raw = connection.getpeercert(binary_form=True)
    assert raw is not None
    (name,) = x509.load_der_x509_certificate(raw).subject
    return str(name.value)


REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


def test_a_request_is_answered_over_https(pair: Pair) -> None:
    with serving(Certificate(*pair).context) as port, handshake(port, trusting(pair)) as client:
        assert client.version() == "TLSv1.3"
        assert talk(client, REQUEST).startswith(b"HTTP/1.1 200")
        assert talk(client, REQUEST).endswith(b"https"), "the connection is kept"


def test_a_client_that_chooses_http_2_or_1_gets_1(pair: Pair) -> None:
    context = trusting(pair)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with serving(Certificate(*pair).context) as port, handshake(port, context) as client:
        assert client.selected_alpn_protocol() == "http/1.1"


def test_versions_before_1_2_are_refused(pair: Pair) -> None:
    context = trusting(pair)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(Certificate(*pair).context) as port:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(port, context)
        context.maximum_version = context.minimum_version = ssl.TLSVersion.TLSv1_2
        with handshake(port, context) as client:
            assert client.version() == "TLSv1.2"


def test_a_head_that_is_refused_is_refused_over_tls_too(pair: Pair) -> None:
    """Its connection cannot be half-closed there."""
    with serving(Certificate(*pair).context) as port:
        with handshake(port, trusting(pair)) as client:
            answer = talk(client, b"GET / HTTP/1.1\r\na: " + b"a" * HEAD_LIMIT_BYTES)
            assert answer.startswith(b"HTTP/1.1 431 ")
        with handshake(port, trusting(pair)) as client:
            assert talk(client, b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        with handshake(port, trusting(pair)) as client:
            assert talk(client, REQUEST).endswith(b"https"), "and the next one is served"


def test_plain_http_on_the_tls_port_gets_no_answer(pair: Pair) -> None:
    with serving(Certificate(*pair).context) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(REQUEST)
        try:
            answer = client.recv(100)
        except ConnectionError:
            answer = b""
        assert not answer.startswith(b"HTTP")


def test_a_handshake_that_does_not_go_on_is_ended(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_HANDSHAKE_S", 0.2)
    with serving(Certificate(*pair).context) as port, socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(b"\x16\x03\x01")
        assert client.recv(100) == b""


# ---------------------------------------------------------------- renewal


def test_a_renewed_certificate_is_shown_to_new_connections_and_open_ones_go_on(pair: Pair) -> None:
    certificate = Certificate(*pair)
    with serving(certificate.context) as port, handshake(port, trusting(pair)) as early:
        assert shown(early) == "tide"
        renewed = make(pair.cert.parent, "renewed")
        renewed.cert.replace(pair.cert)
        renewed.key.replace(pair.key)
        assert certificate.renew() is True
        assert certificate.renew() is False, "nothing has changed since"
        with handshake(port, trusting(pair)) as late:
            assert shown(late) == "renewed"
            assert talk(late, REQUEST).endswith(b"https")
        assert talk(early, REQUEST).endswith(b"https")


def test_a_renewal_that_is_half_done_or_broken_changes_nothing_until_it_is_whole(pair: Pair) -> None:
    certificate = Certificate(*pair)
    trusted = trusting(pair)
    with serving(certificate.context) as port:
        renewed = make(pair.cert.parent, "renewed", ends=NOW + 2 * DAY)
        renewed.cert.replace(pair.cert)
        for _ in range(2):
            with pytest.raises(CertificateError, match="not the key"):
                certificate.renew()
            with handshake(port, trusted) as client:
                assert shown(client) == "tide"
        assert certificate.expires_s < (NOW + DAY).timestamp() + 2
        renewed.key.replace(pair.key)
        assert certificate.renew() is True
        now_trusted = trusting(pair)
        pair.cert.unlink()
        with pytest.raises(CertificateError, match="No such file"):
            certificate.renew()
        with handshake(port, now_trusted) as client:
            assert shown(client) == "renewed"


# ---------------------------------------------------------------- the whole service


def test_the_service_speaks_https_where_others_reach_it_and_says_so(serve: Serve, tmp_path: Path) -> None:
    pair = make(tmp_path)
    instance = serve(
        "[server]\nhost = '0.0.0.0'\n[engine]\nslots = 1",
        ports=free_ports(3),
        arguments=("--tls-cert", str(pair.cert), "--tls-key", str(pair.key)),
    ).ready()
    assert [url.partition(":")[0] for url in (instance.public, instance.status, instance.operator)] == [
        *("https", "https", "http")
    ]
    assert "plain HTTP" not in instance.output

    def ask(url: str, path: str, **headers: str) -> http.client.HTTPResponse:
        host, _, port = url.removeprefix("https://").partition(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=30, context=trusting(pair))
        connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
        response = connection.getresponse()
        response.body = response.read()  # type: ignore[attr-defined] # kept for the caller; the connection ends
        connection.close()
        return response

    assert ask(instance.public, "/healthz").status == 200
    assert ask(instance.public, "/v1/models", authorization=f"Bearer {instance.key}").status == 200
    assert ask(instance.status, "/api/v2/status.json").status == 200
    assert instance.ask("/metrics", at=instance.operator).status == 200
    for said in ({"sec_fetch_site": "none"}, {}):
        page = ask(instance.public, "/sign-in", host="tide.example.org", **said)
        cookie = str(page.getheader("set-cookie"))
        assert cookie.startswith("__Host-tidegate-form="), "also for a browser that says nothing"
        assert "Secure" in cookie
        assert b"not protected" not in page.body  # type: ignore[attr-defined] # an answer as it came
    assert instance.stop() == 0


def test_a_certificate_that_cannot_be_used_stops_the_start_with_a_sentence(models: Path, tmp_path: Path) -> None:
    cert, key = make(tmp_path)
    key.write_text("no key")
    options = ("--tls-cert", str(cert), "--tls-key", str(key), "--port", "0", "--status-port", "0")
    done = run_verb("serve", *options, "--operator-port", "0", data=tmp_path / "data", models=models)
    assert done.returncode == 2
    assert f"--tls-key {key}: no private key in PEM" in done.stderr, "as it was typed"
    assert "Traceback" not in done.stderr
