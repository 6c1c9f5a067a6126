"""What a person at the terminal is told while the gate starts, runs and stops."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from tidegate.cli.invocation import command
from tidegate.cli.telling import say_draining, say_reloaded, say_stopped
from tidegate.config.engines import root_of, shows_own_keys

if TYPE_CHECKING:
    from tidegate.app.gate import GateListeners
    from tidegate.config import Settings
    from tidegate.services.policy import Change


class GateGreeting:
    """Says it on standard output, and trouble on standard error.

    `callers_left` are known by keys that count no more.
    """

    def __init__(self, settings: Settings, listeners: GateListeners, callers_left: int = 0) -> None:
        self._settings = settings
        self._callers_left = callers_left
        self._urls = listeners.urls(settings.server.host, is_tls=settings.server.tls_cert is not None)
        self._servers = [root_of(engine.url) for engine in settings.engines]
        self._console = Console(highlight=False, soft_wrap=True)
        self._waiting = self._console.status("Asking " + ", ".join(self._servers))

    @contextlib.contextmanager
    def on_screen(self) -> Iterator[None]:
        """Show that it is starting, and leave the terminal as it was, however it ends."""
        self._waiting.start()
        if not self._console.is_terminal:  # There nothing moves, and a server may be silent for long.
            self._console.print("Asking " + ", ".join(self._servers) + ".", markup=False)
        try:
            yield
        finally:
            self._waiting.stop()

    def ready(self, start_s: float, setup_path: str | None) -> None:
        """Say where to go."""
        del setup_path
        self._waiting.stop()
        public, operator = self._urls
        say = self._console.print
        say(f"\n[bold]The gate is open[/bold] after {start_s:.1f} s.\n")
        say(f"  API       {public}/v1   (give this address to your programs)", markup=False)
        say(f"  Before    {', '.join(self._servers)}", markup=False)
        if shows_own_keys(self._settings):
            say(f"  Keys      {command(self._settings, 'callers create')}   (no other key counts)", markup=False)
        else:
            say("  Keys      passed on; the server behind judges them", markup=False)
        say(f"  Operator  {operator}/metrics   (this machine only)", markup=False)
        say(f"  Data      {self._settings.data_dir}\n", markup=False)
        self._warn_of_those_left()
        say("Close the server itself to everybody but this gate, or they will go around it.")
        say("Stop with Ctrl-C.")

    def _warn_of_those_left(self) -> None:
        if not self._callers_left:
            return
        say = self._console.print
        is_own = shows_own_keys(self._settings)
        who = "1 caller is" if self._callers_left == 1 else f"{self._callers_left} callers are"
        whose, what = (
            ("the server's", "count no more") if is_own else ("the gate's own", "are passed on now as any other")
        )
        say(
            f"[bold yellow]{who} known here by keys of {whose}[/bold yellow], which {what}: what was learned of them "
            "is not carried over."
        )
        if is_own:
            say("Make each a key, and vouch for those who must not begin anew:")
            say(f"  {command(self._settings, 'callers create --name NAME')}", markup=False)
            say(f"  {command(self._settings, 'callers vouch PRINCIPAL')}", markup=False)
        say("")

    def lost(self, replica: str, why: str) -> None:
        """Say that a server does not answer any more."""
        # Imported here, with the server's libraries, which other verbs do not wait for.
        from tidegate.app.causes import in_words

        self._waiting.stop()
        url = next((url for url in self._servers if url.endswith(f"//{replica}")), "")
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print(
            f"[bold red]The server at {escape(replica)} does not answer[/bold red] ({escape(in_words(why, url))}). "
            "Trying again."
        )

    def trouble(self, restarts: int, last_words: list[str]) -> None:
        """Say that no server answers, and what callers are told meanwhile."""
        del restarts, last_words
        self._waiting.stop()
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print("[bold red]No server answers[/bold red]: callers are refused with 503 until one does.")

    def reloaded(self, change: Change | None, mistake: str | None) -> None:
        """Say what a signal to read the settings again has led to."""
        say_reloaded(change, mistake)

    def draining(self, running: int, limit_s: float) -> None:
        """Say what is being waited for, if anything."""
        self._waiting.stop()
        say_draining(self._console, running, limit_s)

    def stopped(self, cut: int) -> None:
        """Say that it is over, and what it cost."""
        say_stopped(self._console, cut)
