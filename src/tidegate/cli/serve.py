"""`tidegate serve`: the whole service on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.greeting import Greeting
from tidegate.cli.invocation import typed_here
from tidegate.cli.options import ConfigOption, DataOption, datadir_of
from tidegate.cli.output import NOT_SO, WRONG_USAGE, byte_bar, refuse
from tidegate.config import SettingsError, load_settings
from tidegate.config.exposure import check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.disk.datadir import DataDir
    from tidegate.adapters.models import Manifest, ModelLibrary
    from tidegate.app import Certificate
    from tidegate.config import Settings


_LOCK_WAIT_S = 3.0
_LOCK_RETRY_S = 0.05


def serve(
    *,
    config: ConfigOption = None,
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="P", help="Public port (default 8080).")] = None,
    status_port: Annotated[int | None, typer.Option(metavar="P", help="Status page (default 8081).")] = None,
    operator_port: Annotated[int | None, typer.Option(metavar="P", help="Operator's port (default 8082).")] = None,
    tls_cert: Annotated[
        Path | None, typer.Option("--tls-cert", metavar="FILE", help="Speak HTTPS with this certificate chain (PEM).")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="The certificate's private key (PEM).")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Address or network of a proxy in front; may be given several times."),
    ] = None,
    allow_plain_http: Annotated[
        bool, typer.Option("--allow-plain-http", help="Let other machines in without TLS: passwords travel readable.")
    ] = False,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Model to serve; pulled when missing.")] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name to ask for the model by; may be given several times."),
    ] = None,
) -> None:
    """Run the service until it is told to stop (Ctrl-C or SIGTERM), then let running answers finish."""
    overrides = dotted(
        server__host=host,
        server__port=port,
        server__status_port=status_port,
        server__operator_port=operator_port,
        server__tls_cert=tls_cert,
        server__tls_key=tls_key,
        server__trusted_proxies=trusted_proxy or None,
        server__allow_plain_http=allow_plain_http or None,
        engine__model=model,
        engine__aliases=alias or None,
    )

    def read() -> Settings:
        return load_settings(config, overrides={"data_dir": data, **overrides})

    try:
        settings = read()
        check(settings)
    except SettingsError as error:
        refuse(str(error), WRONG_USAGE)
    datadir = datadir_of(settings, may_make=True)
    # Imported here: other verbs should not wait for the server's libraries.
    import uvloop

    from tidegate.adapters.disk.datadir import DataDirError
    from tidegate.adapters.disk.secrets import SecretsError
    from tidegate.app import (
        CertificateError,
        Lineup,
        Listeners,
        PortTakenError,
        ServePlan,
        card_of,
        discover,
        run,
        survey,
    )
    from tidegate.cli.storage import STORAGE_FAULTS, refuse_storage
    from tidegate.http.web.assets import NotBuiltError, load

    is_first = datadir.is_empty()
    try:
        with held(datadir):
            assets = load()
            certificate = certificate_of(settings)
            lineup = asyncio.run(survey(settings, os.environ)) if settings.engines else Lineup()
            listeners = Listeners.bind(settings)
            library, manifest = _model(settings) if settings.engine.enabled else (None, None)
            if manifest is not None and manifest.id in lineup.models:
                listeners.close()
                refuse(
                    f"engines: serve {manifest.id}, which is the embedded engine's model; leave it out of their "
                    "models, or set engine.enabled = false",
                    WRONG_USAGE,
                )
            plan = ServePlan(
                settings=settings,
                datadir=datadir,
                model=card_of(manifest, settings.engine.context_tokens) if manifest else None,
                model_path=library.path(manifest) if library and manifest else None,
                assets=assets,
                read_settings=read,
                certificate=certificate,
                lineup=lineup,
                model_sha256=manifest.sha256 if manifest else "",
            )
            # Only offered, and only once: whoever has named engines knows what they want.
            offers = asyncio.run(discover(listeners.ports)) if is_first and not settings.engines else ()
            greeting = Greeting(settings, listeners, manifest, lineup, offers, is_first=is_first)
            with greeting.on_screen(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run(plan, listeners, greeting))
    except STORAGE_FAULTS as error:
        refuse_storage(error)
    except (CertificateError, DataDirError, NotBuiltError, PortTakenError, SecretsError, SettingsError) as error:
        refuse(str(error), WRONG_USAGE)


def dotted(**overrides: object) -> dict[str, object]:
    """Settings by their dotted names, from names in which two underscores stand for a dot."""
    return {name.replace("__", "."): value for name, value in overrides.items()}


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
    from tidegate.app import Certificate

    given = settings.server
    if given.tls_cert is None or given.tls_key is None:
        return None
    certificate = Certificate(given.tls_cert, given.tls_key)
    warning = certificate.warning(time.time())
    if warning:
        typer.echo(f"Warning: {warning}", err=True)
    return certificate


def _model(settings: Settings) -> tuple[ModelLibrary, Manifest]:
    from tidegate.adapters.models import ModelLibrary
    from tidegate.ports.models import ModelCorrupt, ModelUnavailable

    given = settings.models
    library = ModelLibrary(given.cache_dir, given.index_url, given.hub_endpoint, given.hub_token)
    try:
        with byte_bar(f"Model {settings.engine.model}") as progress:
            return library, library.ensure(settings.engine.model, progress)
    except (ModelUnavailable, ModelCorrupt) as error:
        refuse(typed_here(str(error)), NOT_SO)
    except ValueError as error:
        refuse(f"engine.model: {error}", WRONG_USAGE)
