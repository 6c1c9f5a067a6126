"""A trace of requests reads the same whoever wrote it; what is wrong with one is told by line and field."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from tests.lab.traces.packing import written
from tidegate.lab.traces.mooncake import SeenBlocks, mooncake_rows
from tidegate.lab.traces.requests import read_requests
from tidegate.lab.traces.rows import MOST_BLOCKS, TraceRow
from tidegate.lab.traces.sources import LONGEST_LINE_BYTES, TraceError, numbered_lines

AZURE = ("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:50.9,396,9")


def test_azures_trace_is_read_with_times_from_its_first_request(tmp_path: Path) -> None:
    rows = list(read_requests(written(tmp_path / "azure.csv", *AZURE)))

    assert [(row.prompt_tokens, row.answer_tokens) for row in rows] == [(374, 44), (396, 9)]
    assert rows[0].at_s == 0.0
    assert rows[1].at_s == pytest.approx(4.21941)


def test_a_packed_trace_reads_as_an_unpacked_one(tmp_path: Path) -> None:
    plain = written(tmp_path / "azure.csv", *AZURE)
    packed = tmp_path / "azure.csv.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))

    assert list(read_requests(packed)) == list(read_requests(plain))


def test_times_with_a_zone_are_times_in_that_zone(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", AZURE[0], "2024-05-10 00:00:00+00:00,1,1", "2024-05-10 02:00:09+02:00,1,1")

    assert [row.at_s for row in read_requests(path)] == [0.0, 9.0]


def test_mooncakes_trace_tells_what_a_cache_would_have_held(tmp_path: Path) -> None:
    path = written(
        tmp_path / "moon.jsonl",
        '{"timestamp": 1000, "input_length": 1100, "output_length": 5, "hash_ids": [1, 2, 3]}',
        '{"timestamp": 3500, "input_length": 1500, "output_length": 6, "hash_ids": [1, 2, 9]}',
        '{"timestamp": 3500, "input_length": 1100, "output_length": 7, "hash_ids": [1, 2, 3]}',
        '{"timestamp": 3500, "input_length": 1100, "output_length": 7, "hash_ids": [8, 2, 3]}',
    )

    rows = list(read_requests(path))
    assert [row.cached_tokens for row in rows] == [0, 1024, 1100, 0]
    assert [row.at_s for row in rows] == [0.0, 2.5, 2.5, 2.5]
    assert rows[1].prefix == (1, 2, 9)


def test_of_a_long_prompt_the_first_blocks_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    blocks = list(range(MOST_BLOCKS + 100))
    said = {"timestamp": 0, "input_length": 512 * len(blocks), "output_length": 1, "hash_ids": blocks}
    first, second = read_requests(written(tmp_path / "moon.jsonl", json.dumps(said), json.dumps(said)))

    assert first.prefix == tuple(blocks[:MOST_BLOCKS])
    assert second.cached_tokens == second.prompt_tokens


def test_a_cache_forgets_what_was_asked_for_longest_ago() -> None:
    seen = SeenBlocks(3)
    assert seen.known((1, 2)) == 0
    assert seen.known((1, 3)) == 1
    assert seen.known((4,)) == 0
    assert seen.known((2,)) == 0, "2 was asked for longest ago when 4 came"
    assert seen.known((3,)) == 1


def test_how_much_a_cache_holds_is_the_readers_choice() -> None:
    line = '{"timestamp": 0, "input_length": 1024, "output_length": 5, "hash_ids": [1, 2]}'
    rows = list(mooncake_rows(Path("moon"), iter([(1, line), (2, line)]), most_known=1))

    assert [row.cached_tokens for row in rows] == [0, 0]


def test_the_plain_form_needs_three_fields_and_takes_two_more(tmp_path: Path) -> None:
    path = written(
        tmp_path / "own.jsonl",
        "",
        '{"t": 5.5, "in_tok": 10, "out_tok": 2, "colour": "blue"}',
        '{"t": 7, "in_tok": 30, "out_tok": 4, "cached_tok": 20, "client": "ana"}',
    )

    assert list(read_requests(path)) == [
        TraceRow(at_s=0.0, prompt_tokens=10, answer_tokens=2),
        TraceRow(at_s=1.5, prompt_tokens=30, answer_tokens=4, cached_tokens=20, client="ana"),
    ]


def test_an_event_log_gives_its_requests_and_counts_what_else_it_holds(tmp_path: Path) -> None:
    path = written(
        tmp_path / "events.jsonl",
        '{"t": 1, "kind": "engine", "running": 1}',
        '{"t": 2, "kind": "request", "route": "page", "status": 200}',
        '{"t": 3, "kind": "request", "route": "chat", "in_tok": 9, "out_tok": 4, "cached_tok": null, "sess": "s1"}',
        '{"t": 4, "kind": "request", "route": "chat", "status": 429, "reason": "busy"}',
        '{"t": 5, "kind": "request", "route": "chat", "in_tok": 9, "out_tok": 4, "cached_tok": 3, "acct": "a"}',
    )

    left_out: Counter[str] = Counter()
    assert list(read_requests(path, left_out)) == [
        TraceRow(at_s=0.0, prompt_tokens=9, answer_tokens=4, client="s1"),
        TraceRow(at_s=2.0, prompt_tokens=9, answer_tokens=4, cached_tokens=3, client="a"),
    ]
    assert left_out == {"not a request to the model": 2, "in_tok or out_tok is not known": 1}
    assert len(list(read_requests(path))) == 2


def test_rows_a_little_out_of_order_never_step_back(tmp_path: Path) -> None:
    path = written(tmp_path / "o.jsonl", *(f'{{"t": {t}, "in_tok": 1, "out_tok": 1}}' for t in (100, 130, 90, 131)))

    assert [row.at_s for row in read_requests(path)] == [0.0, 30.0, 30.0, 31.0]


def test_a_trace_is_read_no_further_than_asked(tmp_path: Path) -> None:
    rows = read_requests(written(tmp_path / "o.jsonl", '{"t": 0, "in_tok": 1, "out_tok": 1}', "not read"))

    assert next(rows).prompt_tokens == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "expected a trace, and it is empty"),
        (("a,b,c",), ":1: expected the header TIMESTAMP,ContextTokens,GeneratedTokens, or JSON objects"),
        ((AZURE[0], "yesterday,1,1"), ":2: TIMESTAMP: expected a date and time such as"),
        ((AZURE[0], "2023-11-16 18:15:46,x,1"), ":2: ContextTokens: expected a number of tokens"),
        ((AZURE[0], "2023-11-16 18:15:46,1,-1"), ":2: GeneratedTokens: expected a number of tokens"),
        ((AZURE[0], f"2023-11-16 18:15:46,1,{'9' * 9000}"), ":2: GeneratedTokens: expected a number of tokens"),
        ((AZURE[0], "2023-11-16 18:15:46,1"), ":2: expected 3 fields, not 2"),
        ((AZURE[0], '"2023-11-16'), ":2: not comma-separated values"),
        ((*AZURE, "2023-11-16 17:00:00,1,1"), ":4: TIMESTAMP: expected rows in the order of time"),
        (('{"t": 0, "in_tok": 1, "out_tok": "x"}',), ":1: out_tok: Expected `int`, got `str`"),
        (('{"t": 0, "in_tok": 1, "out_tok": 1}', "{"), ":2: Input data was truncated"),
        (('{"t": 0, "in_tok": 1}',), ":1: Object missing required field `out_tok`"),
        (
            ('{"t": 0, "in_tok": 1, "out_tok": 1, "cached_tok": 2}',),
            ":1: cached_tok: expected at most in_tok (1), not 2",
        ),
        (('{"t": 1e999, "in_tok": 1, "out_tok": 1}',), ":1: "),
        (('{"t": 0, "in_tok": 1, "out_tok": 1, "x": ' + "[" * 9000,), ":1: "),
        (('{"kind": "request", "t": 0, "in_tok": 10000001}',), ":1: in_tok: Expected `int` <= 10000000"),
        (('{"timestamp": 0, "input_length": 1.5, "output_length": 1}',), ":1: input_length: Expected `int`"),
        (("[1]",), ":1: expected the header"),
        (("{1}",), ":1: JSON is malformed"),
        (("é" * LONGEST_LINE_BYTES,), ":1: longer than a line can be"),
    ],
)
def test_what_is_wrong_is_told_by_file_line_and_field(tmp_path: Path, lines: tuple[str, ...], said: str) -> None:
    path = written(tmp_path / "bad", *lines)

    with pytest.raises(TraceError) as caught:
        list(read_requests(path))
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_damaged_file_is_told_from_a_whole_one(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join([AZURE[0], *[AZURE[1]] * 5000]).encode())
    path = tmp_path / "cut.gz"
    path.write_bytes(whole[:-20])
    with pytest.raises(TraceError, match=r"cut\.gz: damaged"):
        list(read_requests(path))

    path.write_bytes(whole[:12] + b"\xff" * 40)
    with pytest.raises(TraceError, match=r"cut\.gz: damaged"):
        list(read_requests(path))


def test_a_file_that_cannot_be_read_is_an_error_of_the_trace(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file"):
        list(read_requests(tmp_path / "absent"))
    with pytest.raises(TraceError, match="null"):
        list(read_requests(Path("a\0b")))
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    with pytest.raises(TraceError, match="latin:1: not UTF-8"):
        list(read_requests(tmp_path / "latin"))


def test_a_file_that_is_endless_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = written(tmp_path / "long", "a", "b", "c")

    with pytest.raises(TraceError, match="long:3: larger than a trace can be"):
        list(numbered_lines(path, most_bytes=5))
