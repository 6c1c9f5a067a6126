"""A test reaches loopback and nothing else, unless it says that it is an integration test."""

from __future__ import annotations

import contextlib
import socket

import pytest
from pytest_socket import SocketConnectBlockedError

# TEST-NET-1 of RFC 5737: no machine has this address.
NOWHERE = ("192.0.2.1", 9)


@pytest.mark.filterwarnings("ignore:A test tried to use")
def test_the_network_is_blocked() -> None:
    with _outward() as outward, pytest.raises(SocketConnectBlockedError):
        outward.connect(NOWHERE)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"x")
        peer, _ = server.accept()
        with peer:
            assert peer.recv(1) == b"x"


@pytest.mark.integration
def test_an_integration_test_is_let_out() -> None:
    # Without a route the kernel may refuse; the block is a RuntimeError and would get through.
    with _outward() as outward, contextlib.suppress(OSError):
        outward.connect(NOWHERE)


def _outward() -> socket.socket:
    # A datagram socket's connect sends nothing, so these tests are quiet even when the block is gone.
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
