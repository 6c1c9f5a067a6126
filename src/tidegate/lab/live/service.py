"""A `tidegate serve` of one's own for a rehearsal: isolated, on loopback, with a folder that ends with it.

It is started as an operator would start it, so what is rehearsed is the program. It listens on 127.0.0.1 only,
whatever the settings say, and keeps its data in the folder it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Final, Self

import aiohttp
import msgspec

from tidegate.lab.live import processes

PROGRAM: Final = (sys.executable, "-m", "tidegate")
READY_S: Final = 180.0
STOP_S: Final = 20.0
_POLL_S: Final = 0.05
_OK: Final = 200
_OWN: Final = ("data_dir", "server", "database_url", "engines", "firewall")
"""Settings that are the rehearsal's own: nobody listens elsewhere, writes into a database of somebody's, asks engines
of others or has a firewall shut anybody out, whoever wrote the scenario.
"""


class LiveError(Exception):
    """The live world cannot play this, or not here. The message names what is in the way."""


class LiveService:
    """A running service. Made by `running`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, ports: tuple[int, int, int]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "tidegate.toml"
        self.port, _, self.operator_port = ports
        self._process = process
        self._control = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(self.data / "run" / "control.sock")))
        self._operator = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0))

    @property
    def pid(self) -> int:
        """The service's process."""
        return self._process.pid

    @property
    def engine_pid(self) -> int | None:
        """The engine's process, if there is one now."""
        return processes.engine_of(self.pid)

    @property
    def is_running(self) -> bool:
        """Whether the service itself still runs."""
        return self._process.returncode is None

    @property
    def log_path(self) -> Path:
        """Its structured log."""
        return self.data / "logs" / "events.jsonl"

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask through the control socket, as the command line does. Raises LiveError for what is refused."""
        content = None if body is None else msgspec.json.encode(body)
        try:
            async with self._control.request(method, f"http://control{path}", data=content) as response:
                said = await response.read()
                if response.status != _OK:
                    msg = f"{method} {path}: {response.status} {said[:300].decode('utf-8', 'replace')}"
                    raise LiveError(msg)
                return msgspec.json.decode(said)
        except aiohttp.ClientError as error:
            msg = f"{method} {path}: {type(error).__name__}: {error}"
            raise LiveError(msg) from None

    async def vitals(self) -> dict[str, Any] | None:
        """How it is; None where it does not say so within two seconds."""
        try:
            async with self._operator.get(f"http://127.0.0.1:{self.operator_port}/api/vitals") as response:
                found: dict[str, Any] = msgspec.json.decode(await response.read())
                return found
        except (TimeoutError, aiohttp.ClientError, msgspec.DecodeError):
            return None

    async def reconfigure(self, settings: Mapping[str, Any]) -> None:
        """Have it take these settings while it runs. Raises LiveError with what is wrong with them."""
        await asyncio.to_thread(self.config.write_text, settings_text(settings), "utf-8")
        await self.ask("POST", "/policy/reload")

    async def close(self) -> None:
        """End it, and wait for its end: first by word, then by force. The engine ends with it."""
        await self._control.close()
        await self._operator.close()
        for number, patience_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), patience_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self.close()


@contextlib.asynccontextmanager
async def running(
    settings: Mapping[str, Any], folder: Path, program: Sequence[str] = PROGRAM
) -> AsyncIterator[LiveService]:
    """Run a service with these settings until the block ends. Raises LiveError when it does not start.

    `folder` is made if it is not there, and holds its settings, its data and what it says. `program` is what
    `tidegate` is called by.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    config, ports = folder / "tidegate.toml", _free_ports()
    config.write_text(settings_text(settings), "utf-8")
    command = [*program, "serve", "--config", str(config), "--data", str(folder / "data")]
    for name, port in zip(("--port", "--status-port", "--operator-port"), ports, strict=True):
        command += [name, str(port)]
    with (folder / "said.txt").open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={name: text for name, text in os.environ.items() if not _is_setting(name)},
            start_new_session=True,  # Ctrl-C is for the rehearsal, which ends the service itself.
        )
    async with LiveService(process, folder, ports) as service:
        await _ready(service)
        yield service


def settings_text(settings: Mapping[str, Any]) -> str:
    """Settings as TOML. Raises LiveError for those that a rehearsal sets itself, and for what TOML does not have."""
    for name in _OWN:
        if name in settings:
            msg = f"settings.{name}: the live world has its own, or none"
            raise LiveError(msg)
    mail = settings.get("mail")
    if isinstance(mail, Mapping) and mail.get("delivery") == "smtp":
        msg = "settings.mail.delivery: smtp is not in the live world; disk keeps letters in the rehearsal's own folder"
        raise LiveError(msg)
    log = {"max_bytes": 1 << 32, "kept_files": 1, **settings.get("log", {})}
    return "".join(f"{_key(name)} = {_value(value, name)}\n" for name, value in {**settings, "log": log}.items())


def _value(value: object, where: str) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {_value(one, f'{where}.{name}')}" for name, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(one, where) for one in value)}]"
    if isinstance(value, bool | int | float | str):
        return _key(value)
    msg = f"settings.{where}: expected a value that TOML has, not {type(value).__name__}"
    raise LiveError(msg)


def _key(value: bool | float | str) -> str:  # noqa: FBT001 - a value
    # What JSON writes is the same in TOML 1.0, but for this letter.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_setting(name: str) -> bool:
    """Whether an environment variable would change what is rehearsed. Where models are kept is the machine's."""
    return name.startswith("TIDEGATE_") and name != "TIDEGATE_MODELS"


def _free_ports() -> tuple[int, int, int]:
    probes = [socket.socket() for _ in range(3)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        first, second, third = (probe.getsockname()[1] for probe in probes)
    finally:
        for probe in probes:
            probe.close()
    return first, second, third


async def _ready(service: LiveService) -> None:
    ends_at = monotonic() + READY_S
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5.0)) as session:
        while service.is_running and monotonic() < ends_at:
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{service.port}/readyz") as response:
                    if response.status == _OK:
                        return
            await asyncio.sleep(_POLL_S)
    said = (service.folder / "said.txt").read_text("utf-8", "replace")[-600:].strip()
    msg = f"the service did not start: {said or 'it said nothing'}"
    raise LiveError(msg)
