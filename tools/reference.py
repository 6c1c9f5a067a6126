"""Writes docs/reference/ from the code: settings, errors, events, metrics, command line, OpenAPI.

`python tools/reference.py` writes the pages; `--check` only says which differ and ends with 1.
A test runs the check, so a page cannot fall behind what it describes.
"""

from __future__ import annotations

import enum
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import typer
import typer.cli

from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.cli.program import app
from tidegate.config.settings import Settings
from tidegate.core import events
from tidegate.core.capacity.health import EngineState
from tidegate.core.generation.call import FinishReason
from tidegate.http import openapi
from tidegate.http.refusals import WIRE

PLACE = Path(__file__).parents[1] / "docs" / "reference"
_NOTE = "<!-- Written by tools/reference.py from the code; `make reference` renews it. -->\n\n"


def configuration() -> str:
    """Every setting with its default and meaning."""
    lines = [
        "# Settings",
        "",
        (
            "Read in this order, the later winning: defaults, the TOML file named with `--config` or "
            "`TIDEGATE_CONFIG`, the environment (lists separated by commas), options on the command line. A setting "
            "that is unknown or out of range stops the start, naming the key, the value and the fix."
        ),
        "",
        "| key | environment | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for key, default, text in _settings(Settings(), ""):
        variable = "TIDEGATE_" + key.replace(".", "_").upper()
        lines.append(f"| `{key}` | `{variable}` | `{default}` | {text} |")
    return "\n".join(lines) + "\n"


def _settings(table: msgspec.Struct, prefix: str) -> Iterator[tuple[str, str, str]]:
    hints = typing.get_type_hints(type(table), include_extras=True)
    for name in table.__struct_fields__:
        value = getattr(table, name)
        if isinstance(value, msgspec.Struct):
            yield from _settings(value, f"{name}.")
            continue
        metas = [meta for meta in typing.get_args(hints[name]) if isinstance(meta, msgspec.Meta)]
        text = " ".join(meta.description for meta in metas if meta.description)
        shown = "" if value is None else ",".join(value) if isinstance(value, tuple) else str(value)
        yield prefix + name, shown or "(none)", text


def errors() -> str:
    """Every reason with its status."""
    lines = [
        "# Errors",
        "",
        (
            "Every refusal carries OpenAI's error object: `code` is one of these reasons, `param` names the field at "
            "fault, `message` says what to do. The same words stand in the log's `reason` and the metrics' label. "
            "`retry-after` and `retry-after-ms` are sent when waiting helps, `x-should-retry: false` when it does not."
        ),
        "",
        "| reason | status | type | meaning |",
        "| --- | --- | --- | --- |",
        *(f"| `{reason}` | {wire.status} | `{wire.type}` | {wire.meaning} |" for reason, wire in WIRE.items()),
    ]
    return "\n".join(lines) + "\n"


def event_log() -> str:
    """Every kind of log line with its fields."""
    lines = [
        "# Events",
        "",
        (
            "The log, `logs/events.jsonl` in the data directory, holds one JSON object a line. `kind` tells the form, "
            "`event` what happened, `t` when (Unix seconds), `level` how much to care (absent: info). Fields are "
            "numbers, booleans, words of a fixed list, ids and keyed fingerprints: no field can hold text that a "
            "person or a program sent. Absent fields were not known. Where standard error is not a terminal, the "
            "lines go there too."
        ),
        "",
    ]
    for kind in typing.get_args(events.AnyEvent):
        first = (kind.__doc__ or "").strip().splitlines()[0]
        fields = ", ".join(f"`{name}`" for name in kind.__struct_fields__)
        lines += [f"## `{kind.__struct_config__.tag}`", "", first, "", f"Fields: {fields}.", ""]
    lines += ["## Tags", "", ", ".join(f"`{tag}`" for tag in events.Tag) + ".", ""]
    lines += ["## Words", ""]
    for words in (events.Level, events.RouteKind, EngineState, FinishReason):
        lines.append(f"- {words.__name__}: " + ", ".join(f"`{word}`" for word in _words(words)) + ".")
    return "\n".join(lines) + "\n"


def _words(kind: type[enum.StrEnum]) -> Iterator[str]:
    return (str(word) for word in kind)


def metrics() -> str:
    """Every metric."""
    lines = [
        "# Metrics",
        "",
        "At `/metrics` on the operator's port, in Prometheus' text format. Labels come from fixed lists.",
        "",
        "| name | type | meaning |",
        "| --- | --- | --- |",
    ]
    found = sorted(Metrics().collect(), key=lambda metric: metric.name)
    lines += [f"| `{metric.name}` | {metric.type} | {metric.documentation} |" for metric in found]
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """Every verb and option."""
    command = typer.main.get_command(app)
    context: Any = command.make_context("tidegate", [], resilient_parsing=True)
    text: str = typer.cli.get_docs_for_click(obj=command, ctx=context, name="tidegate", title="Command line")
    return text.strip() + "\n\nExit status: 0 done, 1 the thing asked about is not so, 2 wrong usage or settings.\n"


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "errors.md": errors,
    "events.md": event_log,
    "metrics.md": metrics,
    "command-line.md": command_line,
}


def pages() -> Iterator[tuple[Path, str]]:
    """Every file of the reference with what it must contain."""
    for name, write in PAGES.items():
        yield PLACE / name, _NOTE + write()
    yield PLACE / "openapi.json", openapi.document().decode() + "\n"


def main() -> int:
    """Write or check."""
    is_check = "--check" in sys.argv[1:]
    stale = [path for path, text in pages() if not path.exists() or path.read_text("utf-8") != text]
    if is_check:
        for path in stale:
            print(f"{path.name} is out of date: run 'make reference'")
        return 1 if stale else 0
    PLACE.mkdir(parents=True, exist_ok=True)
    for path, text in pages():
        path.write_text(text, "utf-8")
    print(f"{len(stale)} pages renewed in {PLACE.name}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
