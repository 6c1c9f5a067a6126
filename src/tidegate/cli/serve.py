"""`tidegate serve`: the whole service on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tidegate.cli.invocation import command, program, typed_here
from tidegate.cli.options import ConfigOption, DataOption, datadir_of, settings_of
from tidegate.cli.output import NOT_SO, WRONG_USAGE, byte_bar, refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidegate.adapters.disk.datadir import DataDir
    from tidegate.adapters.models import Manifest, ModelLibrary
    from tidegate.app import Listeners
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
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Model to serve; pulled when missing.")] = None,
    alias: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name to ask for the model by; may be given several times."),
    ] = None,
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
        engine__aliases=alias or None,
    )
    datadir = datadir_of(settings, may_make=True)
    # Imported here: other verbs should not wait for the server's libraries.
    import uvloop

    from tidegate.adapters.disk.datadir import DataDirError
    from tidegate.adapters.disk.secrets import SecretsError
    from tidegate.app import Listeners, PortTakenError, ServePlan, card_of, run
    from tidegate.cli.storage import STORAGE_FAULTS, refuse_storage

    is_first = datadir.is_empty()
    try:
        with _held(datadir):
            listeners = Listeners.bind(settings)
            library, manifest = _model(settings)
            plan = ServePlan(
                settings=settings,
                datadir=datadir,
                model=card_of(manifest, settings.engine.context_tokens),
                model_path=library.path(manifest),
            )
            greeting = _Greeting(settings, listeners, manifest, is_first=is_first)
            with greeting.on_screen(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run(plan, listeners, greeting))
    except STORAGE_FAULTS as error:
        refuse_storage(error)
    except (DataDirError, PortTakenError, SecretsError) as error:
        refuse(str(error), WRONG_USAGE)


@contextlib.contextmanager
def _held(datadir: DataDir) -> Iterator[None]:
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

    @contextlib.contextmanager
    def on_screen(self) -> Iterator[None]:
        """Show that it is loading, and leave the terminal as it was, however it ends."""
        self._loading.start()
        try:
            yield
        finally:
            self._loading.stop()

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
        self._warn()
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

    def _warn(self) -> None:
        from tidegate.core.models.catalogue import CATALOGUE

        made_for = next((entry.context_tokens for entry in CATALOGUE if entry.id == self._manifest.id), None)
        given = self._settings.engine.context_tokens
        if made_for is not None and given > made_for:
            self._console.print(
                f"[bold yellow]engine.context_tokens = {given} is more than this model was made for[/bold yellow]: "
                f"beyond {made_for} tokens it loses the thread. Lower the setting, or serve another model.\n"
            )

    def _advise(self) -> None:
        from tidegate.cli.models import machine_memory_bytes
        from tidegate.core.models.catalogue import CATALOGUE, recommend

        if not any(entry.id == self._manifest.id and entry.is_demonstration for entry in CATALOGUE):
            return
        say = self._console.print
        say("[bold yellow]This is a demonstration model[/bold yellow]: it is tiny, and often wrong.")
        if not self._is_first:
            say(f"  Better ones: {program()} models list\n")
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
