"""`tidegate gate`: only the gate, before a server that others run."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.options import ConfigOption, DataOption, datadir_of
from tidegate.cli.output import WRONG_USAGE, refuse
from tidegate.cli.serve import certificate_of, dotted, held
from tidegate.config import SettingsError, load_settings
from tidegate.config.engines import keys_of, shows_own_keys
from tidegate.config.exposure import check

if TYPE_CHECKING:
    from tidegate.config import Settings


def gate(
    *,
    upstream: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="An OpenAI-compatible server to pass requests on to, such as http://127.0.0.1:8000; may be given "
            "several times for servers of the same models.",
        ),
    ] = None,
    upstream_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Environment variable with the key of these servers; callers then show keys that 'tidegate callers "
            "create' makes. By default callers' keys are passed on.",
        ),
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="P", help="Public port (default 8080).")] = None,
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
        bool, typer.Option("--allow-plain-http", help="Let other machines in without TLS: keys travel readable.")
    ] = False,
) -> None:
    """Stand before a server of models: known callers first, cheap refusals, the answers as they come."""
    if upstream_key_env is not None and not upstream:
        refuse("--upstream-key-env: of which server? Name it with --upstream URL", WRONG_USAGE)
    engines = [{"url": url, **({"key_env": upstream_key_env} if upstream_key_env else {})} for url in upstream or ()]
    overrides = dotted(
        server__host=host,
        server__port=port,
        server__operator_port=operator_port,
        server__tls_cert=tls_cert,
        server__tls_key=tls_key,
        server__trusted_proxies=trusted_proxy or None,
        server__allow_plain_http=allow_plain_http or None,
        engine__enabled=False,
        engines=engines or None,
    )

    def read() -> Settings:
        return load_settings(config, overrides={"data_dir": data, **overrides})

    try:
        settings = read()
        if not settings.engines:
            refuse(
                "--upstream: which server shall be protected? Name it, as in --upstream http://127.0.0.1:8000",
                WRONG_USAGE,
            )
        check(settings)
        shows_own_keys(settings)
        keys = keys_of(settings.engines, os.environ)
    except SettingsError as error:
        refuse(str(error), WRONG_USAGE)
    datadir = datadir_of(settings, may_make=True)
    # Imported here: other verbs should not wait for the server's libraries.
    import uvloop

    from tidegate.adapters.disk.datadir import DataDirError
    from tidegate.adapters.disk.secrets import SecretsError
    from tidegate.app import CertificateError, GateListeners, GateRun, PortTakenError, run_gate
    from tidegate.cli.gate_greeting import GateGreeting
    from tidegate.cli.storage import STORAGE_FAULTS, refuse_storage

    try:
        with held(datadir):
            plan = GateRun(
                settings=settings,
                datadir=datadir,
                keys=keys,
                read_settings=read,
                certificate=certificate_of(settings),
            )
            listeners = GateListeners.bind(settings)
            greeting = GateGreeting(settings, listeners)
            with greeting.on_screen(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run_gate(plan, listeners, greeting))
    except STORAGE_FAULTS as error:
        refuse_storage(error)
    except (CertificateError, DataDirError, PortTakenError, SecretsError) as error:
        refuse(str(error), WRONG_USAGE)
