"""`tidegate serve`: the whole service on one machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tidegate.cli.invocation import command
from tidegate.cli.options import ConfigOption, DataOption, datadir_of, settings_of
from tidegate.cli.output import NOT_SO, WRONG_USAGE, byte_bar, refuse

if TYPE_CHECKING:
    from tidegate.adapters.models import Manifest, ModelLibrary
    from tidegate.app import Listeners
    from tidegate.config import Settings


def serve(
    *,
    config: ConfigOption = None,
    data: DataOption = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="P", help="Public port (default 8080).")] = None,
    status_port: Annotated[int | None, typer.Option(metavar="P", help="Status page (default 8081).")] = None,
    operator_port: Annotated[int | None, typer.Option(metavar="P", help="Operator's port (default 8082).")] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Model to serve; pulled when missing.")] = None,
) -> None:
    """Run the service until it is told to stop (Ctrl-C or SIGTERM), then let running answers finish."""
    settings = settings_of(
        config,
        data,
        server__host=host,
        server__port=port,
        server__status_port=status_port,
        server__operator_port=operator_port,
        engine__model=model,
    )
    datadir = datadir_of(settings)
    # Imported here: other verbs should not wait for the server's libraries.
    import uvloop

    from tidegate.adapters.disk.datadir import DataDirLocked
    from tidegate.adapters.disk.secrets import SecretsError
    from tidegate.app import Listeners, PortTakenError, ServePlan, card_of, run

    is_first = datadir.is_empty()
    try:
        with datadir.lock():
            listeners = Listeners.bind(settings)
            library, manifest = _model(settings)
            plan = ServePlan(
                settings=settings,
                datadir=datadir,
                model=card_of(manifest, settings.engine.context_tokens),
                model_path=library.path(manifest),
            )
            greeting = _Greeting(settings, listeners, manifest, is_first=is_first)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run(plan, listeners, greeting))
    except (DataDirLocked, PortTakenError, SecretsError) as error:
        refuse(str(error), WRONG_USAGE)


def _model(settings: Settings) -> tuple[ModelLibrary, Manifest]:
    from tidegate.adapters.models import ModelLibrary
    from tidegate.ports.models import ModelCorrupt, ModelUnavailable

    given = settings.models
    library = ModelLibrary(given.cache_dir, given.index_url, given.hub_endpoint, given.hub_token)
    try:
        with byte_bar(f"Model {settings.engine.model}") as progress:
            return library, library.ensure(settings.engine.model, progress)
    except (ModelUnavailable, ModelCorrupt) as error:
        refuse(str(error), NOT_SO)
    except ValueError as error:
        refuse(f"engine.model: {error}", WRONG_USAGE)


class _Greeting:
    """What a person at the terminal is told."""

    def __init__(self, settings: Settings, listeners: Listeners, manifest: Manifest, *, is_first: bool) -> None:
        self._settings = settings
        self._urls = listeners.urls(settings.server.host)
        self._manifest = manifest
        self._is_first = is_first
        self._last_words: list[str] = []
        self._console = Console(highlight=False, soft_wrap=True)
        # Drawn only on a terminal; a large model takes minutes to load.
        self._loading = self._console.status(f"Loading {escape(manifest.id)}")
        self._loading.start()

    def ready(self, start_s: float) -> None:
        """Say where to go."""
        self._loading.stop()
        public, status, operator = self._urls
        engine = self._settings.engine
        say = self._console.print
        say(f"\n[bold]Tidegate is ready[/bold] after {start_s:.1f} s.\n")
        say(f"  API       {public}/v1   (OpenAI-compatible; in a browser: {public})")
        say(f"  Status    {status}")
        say(f"  Operator  {operator}/metrics   (this machine only)")
        answers = "1 answer at a time" if engine.slots == 1 else f"{engine.slots} answers at once"
        size = f"{answers}, {engine.context_tokens} tokens each"
        say(f"  Model     {escape(self._manifest.id)}, {size}")
        say(f"  Data      {escape(str(self._settings.data_dir))}\n")
        self._advise()
        say("Make a key:")
        say(f"  {command(self._settings, 'users create you@example.org')}")
        say(f"  {command(self._settings, 'keys create --user you@example.org')}\n")
        say("Stop with Ctrl-C.")

    def trouble(self, restarts: int, last_words: list[str]) -> None:
        """Pass on what the engine said when it could not load, or that it has to be started again."""
        self._loading.stop()
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        if not last_words:
            err.print(f"[bold red]The engine stopped[/bold red] and is being started again (restart {restarts}).")
            return
        if last_words == self._last_words:
            return  # It goes on trying; the same words again would tell nothing new.
        self._last_words = last_words
        err.print("[bold red]The model could not be loaded[/bold red]; trying again. The engine's last words:")
        for line in last_words:
            err.print(f"  {line}", markup=False)
        err.print("If memory is short, lower engine.slots or engine.context_tokens, or serve a smaller model.")

    def draining(self, running: int, limit_s: float) -> None:
        """Say what is being waited for, if anything."""
        self._loading.stop()
        if running:
            answers = "1 answer is" if running == 1 else f"{running} answers are"
            self._console.print(
                f"Stopping: {answers} still running, up to {limit_s:.0f} s. Ctrl-C again ends them now."
            )

    def stopped(self, cut: int) -> None:
        """Say that it is over, and what it cost."""
        ended = "" if not cut else " 1 answer was ended." if cut == 1 else f" {cut} answers were ended."
        self._console.print(f"Stopped.{ended}")

    def _advise(self) -> None:
        from tidegate.cli.models import machine_memory_bytes
        from tidegate.core.models.catalogue import CATALOGUE, recommend

        if not any(entry.id == self._manifest.id and entry.is_demonstration for entry in CATALOGUE):
            return
        say = self._console.print
        say("[bold yellow]This is a demonstration model[/bold yellow]: it is tiny, and often wrong.")
        if not self._is_first:
            say("  Better ones: 'tidegate models list'.\n")
            return
        memory_bytes = machine_memory_bytes()
        better = recommend(memory_bytes)
        if better:
            fits = f"fit this machine's {memory_bytes / 1e9:.0f} GB of memory"
            say(f"  Better open models that {fits}; how fast they are depends on its cores:")
        for entry in better:
            say(f"  {escape(entry.title)} ({entry.licence}, {entry.size_bytes / 1e9:.1f} GB)")
            say(f"    {command(self._settings, f'serve --model {entry.id}')}")
        say("")
