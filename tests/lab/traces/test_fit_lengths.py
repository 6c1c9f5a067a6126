"""The tables in the package are what the tool makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from tests.lab.traces.packing import written
from tidegate.lab.traces.lengths import lengths
from tools import fit_lengths
from tools.fit_lengths import FILES, chat_small, made_of, short


def test_the_tables_made_by_hand_are_made_as_the_tool_says() -> None:
    assert lengths("short").table == short()
    assert lengths("chat-small").table == chat_small()


@pytest.mark.parametrize("name", [name for name in FILES if "servegen" not in name])
def test_the_tables_made_of_traces_are_made_of_these(published: Callable[[str], Path], name: str) -> None:
    assert lengths(name).table == made_of(name, published(f"traces/{FILES[name]}").parent)


@pytest.mark.slow
def test_the_table_drawn_from_clients_is_drawn_from_these(published: Callable[[str], Path]) -> None:
    name = "deepseek-r1-servegen"
    assert lengths(name).table == made_of(name, published(f"traces/{FILES[name]}").parent)


def test_a_table_is_written_a_row_a_line_and_read_back(tmp_path: Path) -> None:
    path = written(tmp_path / "own.jsonl", '{"t": 0, "in_tok": 70, "out_tok": 8}')
    table = lengths(str(path)).table
    text = fit_lengths.written(table)

    assert msgspec.json.decode(text, type=type(table)) == table
    assert len(text.splitlines()) == len(table.answers) + len(type(table).__struct_fields__) + 3
