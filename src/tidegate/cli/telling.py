"""What is said of a service that runs and stops, whichever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from tidegate.services.policy import Change


def say_reloaded(change: Change | None, mistake: str | None) -> None:
    """Say what a signal to read the settings again has led to."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if change is None:
        console.print("[bold red]The settings were not taken[/bold red], all goes on as before:")
        console.print(f"  {mistake}", markup=False)
        return
    console.print("Settings read again: " + (", ".join(change.changed) or "nothing differs") + ".", markup=False)
    if change.needs_restart:
        console.print("Only counts after a restart: " + ", ".join(change.needs_restart) + ".", markup=False)


def say_draining(console: Console, running: int, limit_s: float) -> None:
    """Say what is being waited for, if anything."""
    if running:
        answers = "1 answer is" if running == 1 else f"{running} answers are"
        console.print(f"Stopping: {answers} still running, up to {limit_s:.0f} s. Ctrl-C again ends them now.")


def say_stopped(console: Console, cut: int) -> None:
    """Say that it is over, and what it cost."""
    ended = "" if not cut else " 1 answer was ended." if cut == 1 else f" {cut} answers were ended."
    console.print(f"Stopped.{ended}")
