"""What a person at the terminal is told while the service starts, runs and stops."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from tidegate.cli.invocation import command, program
from tidegate.cli.telling import say_draining, say_reloaded, say_stopped
from tidegate.config import load_settings
from tidegate.config.exposure import is_loopback

if TYPE_CHECKING:
    from tidegate.adapters.models import Manifest
    from tidegate.app.discovery import Offer
    from tidegate.app.serve import Listeners
    from tidegate.app.survey import Lineup
    from tidegate.config import Settings
    from tidegate.services.policy import Change


_SIGN_UP = {
    "open": "sign up there",
    "invite": "sign up there, by invitation",
    "closed": "registration is closed",
}


class Greeting:
    """Says it on standard output, and trouble on standard error."""

    def __init__(
        self,
        settings: Settings,
        listeners: Listeners,
        manifest: Manifest | None,
        lineup: Lineup,
        offers: Sequence[Offer] = (),
        *,
        is_first: bool,
    ) -> None:
        self._settings = settings
        self._urls = listeners.urls(settings.server.host, is_tls=settings.server.tls_cert is not None)
        self._manifest = manifest
        self._lineup = lineup
        self._offers = offers
        self._is_first = is_first
        self._last_words: list[str] = []
        self._console = Console(highlight=False, soft_wrap=True)
        # Drawn only on a terminal; a large model takes minutes to load.
        self._loading = self._console.status(f"Loading {escape(manifest.id)}" if manifest else "Asking the engines")

    @contextlib.contextmanager
    def on_screen(self) -> Iterator[None]:
        """Show that it is loading, and leave the terminal as it was, however it ends."""
        self._loading.start()
        try:
            yield
        finally:
            self._loading.stop()

    def ready(self, start_s: float, setup_path: str | None) -> None:
        """Say where to go."""
        self._loading.stop()
        public, status, operator = self._urls
        say = self._console.print
        say(f"\n[bold]Tidegate is ready[/bold] after {start_s:.1f} s.\n")
        say(f"  Chat      {public}   ({self._who_may_sign_up(setup_path)})")
        say(f"  API       {public}/v1   (OpenAI-compatible)")
        say(f"  Status    {status}")
        say(f"  Operator  {operator}   (this machine only)")
        for line in self._models():
            say(f"  Model     {escape(line)}")
        say(f"  Mail      {escape(self._mail())}")
        say(f"  Data      {escape(str(self._settings.data_dir))}\n")
        for warning in self._lineup.warnings:
            say(f"[bold yellow]{escape(warning)}[/bold yellow]\n")
        self._warn()
        self._warn_of_plain_http()
        self._advise()
        self._offer()
        if setup_path is not None:
            say("There is no operator yet. This link makes one, once; give it to nobody else:")
            say(f"  {public}{setup_path}\n")
        say("Keys for programs: on your account's page, or")
        say(f"  {command(self._settings, 'users create program@example.org')}")
        say(f"  {command(self._settings, 'keys create --user program@example.org')}\n")
        say("Stop with Ctrl-C.")

    def _models(self) -> Iterator[str]:
        """Each model that is served: how many answers at once, how long, and where."""
        if self._manifest is not None:
            given = self._settings.engine
            yield f"{self._manifest.id}, {_answers(given.slots)}, {given.context_tokens} tokens each"
        for name, tokens in self._lineup.context_tokens.items():
            servers = [server for server in self._lineup.servers if name in server.models]
            where = ", ".join(server.replica for server in servers)
            yield f"{name}, {_answers(sum(server.places for server in servers))}, {tokens} tokens each, at {where}"

    def _mail(self) -> str:
        """Whether people get letters, and what that means."""
        given = self._settings.mail
        if given.delivery == "smtp":
            return f"sent through {given.smtp_host}:{given.smtp_port}, as {given.from_address}"
        if given.delivery == "disk":
            return f"kept in {self._settings.data_dir / 'mail'}, to be read at {self._urls[2]}/mail; nobody gets any"
        return "off: addresses are not checked, passwords not reset by letter (docs/operate.md)"

    def lost(self, replica: str, why: str) -> None:
        """Say that an engine does not answer any more."""
        from tidegate.app.causes import in_words

        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print(
            f"[bold red]The engine at {escape(replica)} does not answer[/bold red] ({escape(in_words(why))}); trying "
            "again."
        )

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

    def reloaded(self, change: Change | None, mistake: str | None) -> None:
        """Say what a signal to read the settings again has led to."""
        say_reloaded(change, mistake)

    def draining(self, running: int, limit_s: float) -> None:
        """Say what is being waited for, if anything."""
        self._loading.stop()
        say_draining(self._console, running, limit_s)

    def stopped(self, cut: int) -> None:
        """Say that it is over, and what it cost."""
        say_stopped(self._console, cut)

    def lost_letters(self, letters: int) -> None:
        """Say that letters are lost, and what people will do about it."""
        were = "1 letter that waited to be sent is" if letters == 1 else f"{letters} letters that waited to be sent are"
        err = Console(stderr=True, highlight=False, soft_wrap=True)
        err.print(f"[bold yellow]{were} lost[/bold yellow]: whoever was promised one has to ask again.")

    def _warn(self) -> None:
        from tidegate.core.models.catalogue import CATALOGUE

        served = self._manifest.id if self._manifest else None
        made_for = next((entry.context_tokens for entry in CATALOGUE if entry.id == served), None)
        given = self._settings.engine.context_tokens
        if made_for is not None and given > made_for:
            self._console.print(
                f"[bold yellow]engine.context_tokens = {given} is more than this model was made for[/bold yellow]: "
                f"beyond {made_for} tokens it loses the thread. Lower the setting, or serve another model.\n"
            )

    def _who_may_sign_up(self, setup_path: str | None) -> str:
        if setup_path is not None:
            return "first make yourself the operator, with the link below"
        return _SIGN_UP[self._settings.accounts.sign_up]

    def _warn_of_plain_http(self) -> None:
        given = self._settings.server
        # With a proxy in front it is the proxy's connection that people's browsers see.
        if is_loopback(given.host) or given.tls_cert is not None or given.trusted_proxies:
            return
        self._console.print(
            "[bold yellow]Tidegate speaks plain HTTP, and other machines can reach it.[/bold yellow] Passwords and "
            "chats can be read on the way:\nput a proxy with TLS before it (docs/operate.md). People who come without "
            "are warned on every page.\n"
        )

    def _advise(self) -> None:
        from tidegate.cli.models import machine_memory_bytes
        from tidegate.core.models.catalogue import CATALOGUE, recommend

        served = self._manifest.id if self._manifest else None
        if not any(entry.id == served and entry.is_demonstration for entry in CATALOGUE):
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
            say(f"    {command(self._settings, f'serve --model {entry.id}')}{self._ports()}")
        say("")

    def _offer(self) -> None:
        say = self._console.print
        for offer in self._offers:
            few = ", ".join(offer.models[:5]) + (", ..." if len(offer.models) > len(offer.models[:5]) else "")
            say(
                f"[bold]{escape(offer.name)} runs on this machine[/bold], with {escape(few)}. Tidegate leaves it alone."
            )
            say(
                "  To have it answer instead of the embedded engine, put into tidegate.toml, and serve with --config:\n"
            )
            lines = ("[engine]", "enabled = false", "", "[[engines]]", f'url = "{offer.url}"')
            for line in (*lines, f"models = {json.dumps(list(offer.models[:1]), ensure_ascii=False)}"):
                say(f"    {line}", markup=False)
            say("")

    def _ports(self) -> str:
        """The ports as options, as far as this start has others than the next one would have."""
        given, usual = self._settings.server, load_settings().server
        names = [
            name for name in ("port", "status_port", "operator_port") if getattr(given, name) != getattr(usual, name)
        ]
        return "".join(f" --{name.replace('_', '-')} {getattr(given, name)}" for name in names)


def _answers(slots: int) -> str:
    return "1 answer at a time" if slots == 1 else f"{slots} answers at once"
