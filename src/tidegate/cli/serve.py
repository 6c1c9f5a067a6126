"""`tidegate serve`: the whole service on one machine."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.greeting import Greeting
from tidegate.cli.invocation import typed_here
from tidegate.cli.options import ConfigOption, DataOption, datadir_of
from tidegate.cli.output import NOT_SO, WRONG_USAGE, byte_bar, refuse
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
from tidegate.config.exposure import check

if TYPE_CHECKING:
    from tidegate.adapters.models import Manifest, ModelLibrary
    from tidegate.config import Settings


def serve(
    *,
    config: ConfigOption = None,
    data: DataOption = None,
    host: HostOption = None,
    port: PortOption = None,
    status_port: Annotated[int | None, typer.Option(metavar="P", help="Status page (default 8081).")] = None,
    operator_port: OperatorPortOption = None,
    tls_cert: TlsCertOption = None,
    tls_key: TlsKeyOption = None,
    trusted_proxy: TrustedProxyOption = None,
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
    given = Given(
        config,
        data,
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
    with refusing(given):
        settings = given.read()
        check(settings)
    datadir = datadir_of(settings, may_make=True)
    # Imported here: other verbs should not wait for the server's libraries.
    import uvloop

    from tidegate.app.discovery import discover
    from tidegate.app.serve import Listeners, ServePlan, card_of, run
    from tidegate.app.survey import Lineup, survey
    from tidegate.http.web.assets import NotBuiltError, load

    is_first = datadir.is_empty()
    with refusing(given), held(datadir):
        try:
            assets = load()
        except NotBuiltError as error:
            refuse(str(error), WRONG_USAGE)
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
            read_settings=given.read,
            certificate=certificate,
            lineup=lineup,
            model_sha256=manifest.sha256 if manifest else "",
        )
        # Only offered, and only once: whoever has named engines knows what they want.
        offers = asyncio.run(discover(listeners.ports)) if is_first and not settings.engines else ()
        greeting = Greeting(settings, listeners, manifest, lineup, offers, is_first=is_first)
        with greeting.on_screen(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(plan, listeners, greeting))


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
