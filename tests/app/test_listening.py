"""Sockets that cannot be made are said with the setting that decides them."""

from __future__ import annotations

import asyncio
from http.client import HTTPConnection
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from tidegate.app.listening import PortTakenError, bind_path, bind_port, port_of, server


def test_a_socket_whose_path_the_kernel_cannot_take_is_refused_with_the_setting_and_the_fix(tmp_path: Path) -> None:
    with pytest.raises(PortTakenError, match=r"data_dir: .* choose a data directory with a shorter path"):
        bind_path(tmp_path / ("long" * 30))
    with bind_path(tmp_path / "short") as listener:
        assert listener.getsockname() == str(tmp_path / "short")


async def test_a_connection_that_rested_is_not_closed_under_its_next_answer() -> None:
    """Streams go on for hours on connections that had a request before."""
    resting: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        resting.extend(one.timeout_keep_alive_task is not None for one in running.server_state.connections)  # type: ignore[union-attr] # it speaks httptools
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def ask(port: int) -> None:
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(2):
            connection.request("GET", "/")
            connection.getresponse().read()
        connection.close()

    running = server(app)
    with bind_port("127.0.0.1", 0, "server.port") as listener:
        serving = asyncio.create_task(running.serve(sockets=[listener]))
        await asyncio.to_thread(ask, port_of(listener))
        running.should_exit = True
        await serving
    assert resting == [False, False]
