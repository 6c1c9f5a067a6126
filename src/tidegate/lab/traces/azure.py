"""Reads the traces that Azure published of its LLM services.

A table with the columns TIMESTAMP, ContextTokens, GeneratedTokens (https://github.com/Azure/AzurePublicDataset;
Patel et al., "Splitwise", ISCA 2024, section III).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tidegate.lab.traces.rows import Elapsed, TraceRow, moment_of, tokens_of
from tidegate.lab.traces.sources import cells

_COLUMNS: Final = ("timestamp", "contexttokens", "generatedtokens")


def is_azure(first: str) -> bool:
    """Whether a file that begins with this line is one."""
    return first.replace('"', "").replace(" ", "").lower() == ",".join(_COLUMNS)


def azure_rows(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[TraceRow]:
    """Each request. Raises TraceError."""
    elapsed = Elapsed()
    table = cells(path, lines, len(_COLUMNS))
    next(table, None)
    for where, (at, prompt, answer) in table:
        yield TraceRow(
            at_s=elapsed.at_s(moment_of(at, f"{where}: TIMESTAMP"), f"{where}: TIMESTAMP"),
            prompt_tokens=tokens_of(prompt, f"{where}: ContextTokens"),
            answer_tokens=tokens_of(answer, f"{where}: GeneratedTokens"),
        )
