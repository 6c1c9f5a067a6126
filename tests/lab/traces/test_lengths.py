"""Lengths are drawn as they were seen: prompts and answers together, with the mean that is told."""

from __future__ import annotations

from pathlib import Path
from random import Random
from statistics import fmean, median

import msgspec
import pytest

from tests.lab.traces.packing import CLIENT, tarred
from tidegate.lab.traces import fitting
from tidegate.lab.traces import lengths as module
from tidegate.lab.traces.fitting import fitted
from tidegate.lab.traces.lengths import Lengths, known_lengths, lengths, table_of
from tidegate.lab.traces.rows import TraceRow
from tidegate.lab.traces.sources import TraceError
from tidegate.lab.traces.tables import Table, check


def rows(count: int) -> list[TraceRow]:
    """Long prompts have long answers."""
    dice = Random(4)
    prompts = [dice.randint(100, 2000) for _ in range(count)]
    return [
        TraceRow(at_s=0.0, prompt_tokens=prompt, answer_tokens=prompt // 10 + dice.randint(1, 20)) for prompt in prompts
    ]


@pytest.mark.parametrize("name", known_lengths())
def test_a_table_draws_with_the_mean_that_it_tells(name: str) -> None:
    table, dice = lengths(name), Random(9)
    drawn = [table.draw(dice) for _ in range(20_000)]

    assert fmean(prompt for prompt, _ in drawn) == pytest.approx(table.mean_prompt, rel=0.05)
    assert fmean(answer for _, answer in drawn) == pytest.approx(table.mean_answer, rel=0.05)
    assert min(min(pair) for pair in drawn) >= 1
    assert [table.draw(Random(3)) for _ in range(5)] == [table.draw(Random(3)) for _ in range(5)]


def test_the_tables_in_the_package_tell_where_they_are_from() -> None:
    for name in known_lengths():
        table = lengths(name).table
        assert table.name == name
        assert (table.rows > 0) == bool(table.source) == bool(table.licence) == bool(table.attribution)
    assert {"azure-2023-conversation", "chat-small", "deepseek-r1-servegen", "mooncake", "short"} <= set(
        known_lengths()
    )


def test_short_is_even_and_short() -> None:
    short, dice = lengths("short"), Random(2)
    drawn = [short.draw(dice) for _ in range(5000)]

    assert (short.mean_prompt, short.mean_answer) == (50.0, 24.0)
    assert {prompt for prompt, _ in drawn} == set(range(40, 61))
    assert {answer for _, answer in drawn} == set(range(16, 33))


def test_nine_of_ten_in_a_small_chat_are_of_a_length_that_a_small_engine_can_do() -> None:
    small, dice = lengths("chat-small"), Random(2)
    drawn = [small.draw(dice) for _ in range(5000)]

    assert fmean(30 <= prompt <= 300 for prompt, _ in drawn) == pytest.approx(0.9, abs=0.02)
    assert fmean(40 <= answer <= 200 for _, answer in drawn) == pytest.approx(0.9, abs=0.02)
    assert max(prompt + answer for prompt, answer in drawn) < 2048


def test_a_table_made_of_requests_draws_like_them() -> None:
    seen = rows(5000)
    made, dice = Lengths(fitted(seen, name="x", about="", where="x")), Random(1)
    drawn = [made.draw(dice) for _ in range(20_000)]

    assert made.table.rows == 5000
    assert made.mean_prompt == pytest.approx(fmean(row.prompt_tokens for row in seen), rel=0.01)
    assert made.mean_answer == pytest.approx(fmean(row.answer_tokens for row in seen), rel=0.01)
    assert median(prompt for prompt, _ in drawn) == pytest.approx(median(row.prompt_tokens for row in seen), rel=0.02)
    assert max(abs(answer - prompt / 10) for prompt, answer in drawn) < 40, "they were seen together"


@pytest.mark.parametrize("count", [1, 2, 30])
def test_a_few_requests_are_enough(count: int) -> None:
    made = Lengths(fitted(rows(count), name="x", about="", where="x"))
    check(made.table, "x")

    prompt, answer = made.draw(Random(1))
    assert 100 <= prompt <= 2000
    assert 10 <= answer <= 221


def test_nothing_is_counted_as_of_one_token() -> None:
    nothing = [TraceRow(at_s=0.0, prompt_tokens=0, answer_tokens=0)] * 3

    assert Lengths(fitted(nothing, name="x", about="", where="x")).draw(Random(1)) == (1, 1)


def test_of_a_long_trace_requests_from_all_of_it_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "MOST_ROWS", 400)
    stream = (TraceRow(at_s=0.0, prompt_tokens=place + 1, answer_tokens=1) for place in range(10_000))
    table = fitted(stream, name="x", about="", where="x")

    assert table.rows == 10_000
    assert table.prompts[len(table.prompts) // 2 - 1] == pytest.approx(5000, rel=0.2)


def test_a_trace_of_ones_own_stands_in_place_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"t": 0, "in_tok": 70, "out_tok": 8}\n')
    assert lengths(str(path)).draw(Random(1)) == (70, 8)
    assert lengths(f"file:{path}").table.name == "own.jsonl"

    archive = lengths(str(tarred(tmp_path / "servegen.tar.gz", CLIENT)))
    assert archive.table.rows == pytest.approx(1800, rel=0.2)
    assert {prompt for prompt, _ in (archive.draw(Random(seed)) for seed in range(50))} <= set(range(7, 21))

    own = tmp_path / "own.json"
    own.write_bytes(msgspec.json.encode(lengths("short").table))
    assert lengths(str(own)).mean_prompt == 50.0


def test_a_trace_is_read_once_however_many_ask_by_it_and_anew_when_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def noted(path: Path) -> Table:
        read.append(path)
        return table_of(path)

    monkeypatch.setattr(module, "table_of", noted)
    path = tmp_path / "own.jsonl"
    path.write_text('{"t": 0, "in_tok": 70, "out_tok": 8}\n')
    assert {lengths(str(path)).draw(Random(1)) for _ in range(5)} == {(70, 8)}
    assert read == [path]

    path.write_text('{"t": 0, "in_tok": 700, "out_tok": 80}\n')
    assert lengths(str(path)).draw(Random(1)) == (700, 80)


def test_what_has_no_requests_gives_no_table(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    path.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n")

    with pytest.raises(TraceError, match=r"none\.csv: expected requests, and there is none"):
        table_of(path)


def test_a_name_that_nobody_knows_is_told_with_those_there_are() -> None:
    with pytest.raises(TraceError, match=r"expected one of azure-2023-conversation, chat-small, .*, not shrot"):
        lengths("shrot")
    with pytest.raises(TraceError, match="absent: No such file"):
        lengths("./absent")
    with pytest.raises(TraceError, match="null"):
        lengths("./a\0b")


SHORT = lengths("short").table


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"version": 2}, "version: expected 1, not 2"),
        ({"prompt_parts": (0.0, 0.5)}, "prompt_parts: expected growing parts from 0 to 1"),
        ({"answer_parts": (0.1, 1.0)}, "answer_parts: expected growing parts from 0 to 1"),
        ({"answer_parts": (0.0, 0.5, 0.5, 1.0)}, "answer_parts: expected growing parts from 0 to 1"),
        ({"answers": ((1, 2), (1, 2))}, "answers: expected one row for all prompts, or 1"),
        ({"answers": ((1, 2, 3),)}, "answers: expected 2 lengths, not 3"),
        ({"prompts": (60, 40)}, "prompts: expected lengths that do not shrink"),
        ({"prompts": (0, 40)}, "prompts[0]: Expected `int` >= 1"),
        ({"colour": 1}, "Object contains unknown field `colour`"),
    ],
)
def test_a_table_that_nothing_can_be_drawn_from_is_refused(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    path = tmp_path / "own.json"
    path.write_bytes(msgspec.json.encode({**msgspec.to_builtins(SHORT), **changed}))

    with pytest.raises(TraceError) as caught:
        lengths(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
