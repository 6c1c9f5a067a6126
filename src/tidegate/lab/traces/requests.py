"""Reads a trace of requests, whichever form it has: the file's first line tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import msgspec

from tidegate.lab.traces.azure import azure_rows, is_azure
from tidegate.lab.traces.jsonlines import event_rows, plain_rows
from tidegate.lab.traces.mooncake import mooncake_rows
from tidegate.lab.traces.rows import TraceRow
from tidegate.lab.traces.sources import TraceError, decoded, numbered_lines


def read_requests(path: Path, left_out: Counter[str] | None = None) -> Iterator[TraceRow]:
    """Each request of a trace, plain or packed, in the order of time; the file is read as far as rows are asked for.

    Knows Azure's and Mooncake's traces, an event log, and the plain JSON lines of `docs/traces.md`. Lines of an event
    log that tell of no request with its tokens are counted in `left_out`. Raises TraceError.
    """
    lines = numbered_lines(path)
    first = next(lines, None)
    if first is None:
        msg = f"{path}: expected a trace, and it is empty"
        raise TraceError(msg)
    number, line = first
    rest = chain((first,), lines)
    if is_azure(line):
        yield from azure_rows(path, rest)
        return
    fields = _fields(line, f"{path}:{number}")
    if "kind" in fields:
        yield from event_rows(path, rest, Counter() if left_out is None else left_out)
    elif "input_length" in fields:
        yield from mooncake_rows(path, rest)
    else:
        yield from plain_rows(path, rest)


def _fields(line: str, where: str) -> dict[str, msgspec.Raw]:
    if not line.startswith("{"):
        msg = f"{where}: expected the header TIMESTAMP,ContextTokens,GeneratedTokens, or JSON objects, one a line"
        raise TraceError(msg)
    return decoded(msgspec.json.Decoder(dict[str, msgspec.Raw]), line, where)
