"""What `serve` and `gate` have in common: options that are settings, the directory's lock, and how a start fails."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tidegate.cli.output import WRONG_USAGE, refuse
from tidegate.config import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir
    from tidegate.app.certificate import Certificate

HostOption = Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Address to listen on.")]
PortOption = Annotated[int | None, typer.Option("--port", metavar="P", help="Public port (default 8080).")]
OperatorPortOption = Annotated[
    int | None, typer.Option("--operator-port", metavar="P", help="Operator's port (default 8082).")
]
TlsCertOption = Annotated[
    Path | None, typer.Option("--tls-cert", metavar="FILE", help="Speak HTTPS with this certificate chain (PEM).")
]
TlsKeyOption = Annotated[
    Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's private key (PEM).")
]
TrustedProxyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-proxy",
        metavar="ADDRESS",
        help="Address or network of a proxy in front; may be given several times.",
    ),
]

_OPTIONS: Final = {
    "data_dir": "--data",
    "server.host": "--host",
    "server.port": "--port",
    "server.status_port": "--status-port",
    "server.operator_port": "--operator-port",
    "server.tls_cert": "--tls-cert",
    "server.tls_key": "--tls-key",
    "server.trusted_proxies": "--trusted-proxy",
    "server.allow_plain_http": "--allow-plain-http",
    "engine.model": "--model",
    "engine.aliases": "--alias",
    "engines[].url": "--upstream",
    "engines[].key_env": "--upstream-key-env",
}
"""What the settings that a command line can say are called there; `[]` stands for any number."""

_LOCK_WAIT_S = 3.0
_LOCK_RETRY_S = 0.05


class Given:
    """The settings as they stand, with what this command line says of them; two underscores stand for a dot."""

    def __init__(self, config: Path | None, data: Path | None, **said: object) -> None:
        """Read nothing yet. Whatever is None was not said."""
        self._config = config
        self._overrides = {"data_dir": data, **{name.replace("__", "."): value for name, value in said.items()}}

    def read(self, *, but: str | None = None) -> Settings:
        """Read all settings anew, `but` for one as if this command line did not say it. Raises SettingsError."""
        overrides = {key: value for key, value in self._overrides.items() if key != but}
        try:
            return load_settings(self._config, overrides=overrides)
        except SettingsError as error:
            raise SettingsError(self.as_typed(str(error))) from None

    def as_typed(self, sentence: str) -> str:
        """Name settings that this command line says as they are called there."""
        for key, option in _OPTIONS.items():
            if self._overrides.get(key.partition("[")[0]) is not None:
                name = re.escape(key).replace(re.escape("[]"), r"\[\d+\]")
                sentence = re.sub(rf"\b{name}(?![\w.])(?:\[\d+\])?( =)?", option, sentence)
        return sentence


@contextlib.contextmanager
def refusing(given: Given) -> Iterator[None]:
    """End the program in a sentence when what is begun here cannot be."""
    # Imported here: other verbs should not wait for the server's libraries.
    from tidegate.adapters.disk.datadir import DataDirError
    from tidegate.adapters.disk.secrets import SecretsError
    from tidegate.app.certificate import CertificateError
    from tidegate.app.listening import PortTakenError
    from tidegate.cli.storage import STORAGE_FAULTS, refuse_storage

    try:
        yield
    except STORAGE_FAULTS as error:
        refuse_storage(error)
    except (CertificateError, DataDirError, PortTakenError, SecretsError, SettingsError) as error:
        refuse(given.as_typed(str(error)), WRONG_USAGE)


@contextlib.contextmanager
def held(datadir: DataDir) -> Iterator[None]:
    """Hold the directory's lock; a verb that holds it is waited for, a service is not."""
    from tidegate.adapters.disk.datadir import DataDirLocked

    give_up_at = time.monotonic() + _LOCK_WAIT_S
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(datadir.lock())
                break
            except DataDirLocked:
                if time.monotonic() > give_up_at or _is_served(datadir):
                    raise
            time.sleep(_LOCK_RETRY_S)
        yield


def _is_served(datadir: DataDir) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(datadir.run_path / "control.sock"))
        except OSError:
            return False
        return True


def certificate_of(settings: Settings) -> Certificate | None:
    """Read the certificate that is to be spoken HTTPS with, if one is; says what browsers will not like about it."""
    from tidegate.app.certificate import Certificate

    given = settings.server
    if given.tls_cert is None or given.tls_key is None:
        return None
    certificate = Certificate(given.tls_cert, given.tls_key)
    warning = certificate.warning(time.time())
    if warning:
        typer.echo(f"Warning: {warning}", err=True)
    return certificate
