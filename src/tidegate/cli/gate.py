"""`tidegate gate`: only the gate, before a server that others run."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.options import ConfigOption, DataOption, datadir_of
from tidegate.cli.output import WRONG_USAGE, refuse
from tidegate.cli.starting import (
    Given,
    HostOption,
    OperatorPortOption,
    PortOption,
    TlsCertOption,
    TlsKeyOption,
    TrustedProxyOption,
    certificate_of,
    held,
    refusing,
)
from tidegate.config.engines import keys_of, root_of, shows_own_keys
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
    host: HostOption = None,
    port: PortOption = None,
    operator_port: OperatorPortOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    trusted_proxy: TrustedProxyOption = None,
    allow_plain_http: Annotated[
        bool, typer.Option("--allow-plain-http", help="Let other machines in without TLS: keys travel readable.")
    ] = False,
) -> None:
    """Stand before a server of models: known callers first, cheap refusals, the answers as they come."""
    if upstream_key_env is not None and not upstream:
        refuse("--upstream-key-env: of which server? Name it with --upstream URL", WRONG_USAGE)
    engines = [{"url": url, **({"key_env": upstream_key_env} if upstream_key_env else {})} for url in upstream or ()]
    given = Given(
        config,
        data,
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
    with refusing(given):
        settings = given.read()
        _check_servers(given, settings, is_said=bool(engines))
        check(settings)
        shows_own_keys(settings)
        keys = keys_of(settings.engines, os.environ)
    datadir = datadir_of(settings, may_make=True)
    # Imported here: other verbs should not wait for the server's libraries.
    import uvloop

    from tidegate.app.gate import GateListeners, GateRun, run_gate
    from tidegate.app.operate import callers_left
    from tidegate.cli.gate_greeting import GateGreeting

    with refusing(given), held(datadir):
        plan = GateRun(
            settings=settings,
            datadir=datadir,
            keys=keys,
            read_settings=given.read,
            certificate=certificate_of(settings),
        )
        listeners = GateListeners.bind(settings)
        greeting = GateGreeting(settings, listeners, asyncio.run(callers_left(settings, datadir)))
        with greeting.on_screen(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_gate(plan, listeners, greeting))


def _check_servers(given: Given, settings: Settings, *, is_said: bool) -> None:
    """Have it clear which servers are meant: those of the options, or those of the settings."""
    if not settings.engines:
        refuse(
            "--upstream: which server shall be protected? Name it, as in --upstream http://127.0.0.1:8000", WRONG_USAGE
        )
    written = given.read(but="engines").engines if is_said else ()
    if written:
        # Not one in the other's place: whose keys count would change with it, and nobody would have said so.
        where = ", ".join(root_of(engine.url) for engine in written)
        refuse(
            f"--upstream: the settings name servers already, as [[engines]] ({where}); name all of them there, or "
            "take them out",
            WRONG_USAGE,
        )
