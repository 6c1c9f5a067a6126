"""Sockets and the HTTP servers on them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Generator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from tidegate.http.gate.protocol import GateProtocol
from tidegate.http.gate.sockets import tune

_BACKLOG = 2048
_HANDSHAKE_S = 10.0
_SOCKET_PATH_BYTES = 107  # unix(7): sun_path, less its closing NUL.


class PortTakenError(Exception):
    """The address cannot be listened on. The message names the setting and the fix."""


def bind_port(host: str, port: int, setting: str) -> socket.socket:
    """Listen on a TCP port; 0 takes any free one. Raises PortTakenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        is_host = error.errno in {errno.EADDRNOTAVAIL, None} or isinstance(error, socket.gaierror)
        key = "server.host" if is_host else setting
        option = "--" + key.rpartition(".")[2].replace("_", "-")
        msg = f"{key}: cannot listen on {host}:{port} ({error.strerror or error}); choose another with {option}"
        raise PortTakenError(msg) from error
    listener.setblocking(False)
    tune(listener)
    return listener


def bind_path(path: Path) -> socket.socket:
    """Listen on a Unix socket, in place of a dead one. The caller holds the directory's lock."""
    check_path(path)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    tune(listener)
    return listener


def check_path(path: Path) -> None:
    """Raise PortTakenError when the kernel could not take this path for a socket."""
    if len(bytes(path)) > _SOCKET_PATH_BYTES:
        msg = f"data_dir: {path} is too long for a Unix socket; choose a data directory with a shorter path"
        raise PortTakenError(msg)


def port_of(listener: socket.socket) -> int:
    """The port that was really taken."""
    return int(listener.getsockname()[1])


def url_of(host: str, listener: socket.socket, *, is_tls: bool = False) -> str:
    """Where a person on this machine would go to be answered by this socket of `host`."""
    shown = f"[{host}]" if ":" in host else host
    if shown in {"0.0.0.0", "[::]"}:  # noqa: S104 - compared, not bound
        shown = "127.0.0.1"
    return f"{'https' if is_tls else 'http'}://{shown}:{port_of(listener)}"


class Server(uvicorn.Server):
    """One HTTP server of several in this process: signals are the service's, not its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections.

        With TLS by ourselves: uvicorn would let a handshake that does not go on hold its
        connection for a minute, before any protocol of ours can see it.
        """
        if self.config.ssl is None:
            await super().startup(sockets)
            return
        await super().startup([])

        def connection() -> asyncio.Protocol:
            return self.config.http_protocol_class(  # type: ignore[call-arg] # as uvicorn makes it
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )

        for listener in sockets or ():
            accepting = await asyncio.get_running_loop().create_server(
                connection,
                sock=listener,
                ssl=self.config.ssl,
                ssl_handshake_timeout=_HANDSHAKE_S,
                backlog=self.config.backlog,
            )
            self.servers.append(accepting)


def server(app: ASGIApp, tls: ssl.SSLContext | None = None, *, protocol: type[GateProtocol] = GateProtocol) -> Server:
    """Make a server for an application; it gets its socket when it serves. With `tls` it speaks HTTPS.

    `protocol` is GateProtocol, or a subclass of it with the guard and the table of the port.
    """
    return Server(
        uvicorn.Config(
            app,
            http=protocol,
            ssl_context_factory=None if tls is None else lambda _config, _default: tls,
            ws="none",
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
        )
    )
