"""Whatever a file holds, it is read or told to be wrong: never anything else, never without end."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lab.traces.packing import CLIENT, tarred
from tidegate.lab.traces.counts import read_counts, read_windows
from tidegate.lab.traces.histograms import histogram_of
from tidegate.lab.traces.lengths import lengths
from tidegate.lab.traces.requests import read_requests
from tidegate.lab.traces.servegen import read_clients
from tidegate.lab.traces.shapes import shape
from tidegate.lab.traces.sources import TraceError

LINES = (
    "TIMESTAMP,ContextTokens,GeneratedTokens",
    "2023-11-16 18:15:46.6805900,374,44",
    "0001-01-01,1,1",
    "timestamp,value",
    "2014-04-10 00:04:00,94.0",
    "t,count",
    "1,2",
    "2,2",
    '{"t": 1, "in_tok": 5, "out_tok": 3}',
    '{"t": 2, "in_tok": 5, "out_tok": 3, "cached_tok": 9}',
    '{"t": 2, "count": 3}',
    '{"kind": "request", "route": "chat", "t": 3, "in_tok": 1, "out_tok": null}',
    '{"timestamp": 5, "input_length": 600, "output_length": 3, "hash_ids": [1, 2]}',
    '{"timestamp": -1e308, "input_length": 1e400, "hash_ids": [99999999999999999999]}',
)
FILES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20)), max_size=6).map(
        lambda lines: "\n".join(lines).encode()
    ),
)
PACKINGS: tuple[Callable[[bytes], bytes], ...] = (bytes, gzip.compress, bz2.compress)
PACKED = st.tuples(FILES, st.sampled_from(PACKINGS)).map(lambda pair: pair[1](pair[0]))
TRIES = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read_all(path: Path) -> None:
    readers: tuple[Callable[[], object], ...] = (
        lambda: list(read_requests(path)),
        lambda: read_counts(path),
        lambda: read_windows(path, "x"),
        lambda: read_clients(path),
        lambda: lengths(f"file:{path}"),
        lambda: shape(f"file:{path}"),
    )
    for reader in readers:
        try:
            reader()
        except TraceError as error:
            assert str(error).startswith(str(path)), "a mistake names its file"  # noqa: PT017 - most files have mistakes


@TRIES
@given(content=PACKED)
def test_no_file_can_do_more_than_be_refused(tmp_path: Path, content: bytes) -> None:
    for name in ("any", "any.json"):
        path = tmp_path / name
        path.write_bytes(content)
        read_all(path)


@TRIES
@given(
    place=st.integers(0, 4000), byte=st.integers(0, 255), cut=st.integers(0, 6000), packing=st.sampled_from(["", "gz"])
)
def test_no_damage_to_an_archive_can_do_more(tmp_path: Path, place: int, byte: int, cut: int, packing: str) -> None:
    content = bytearray(tarred(tmp_path / "whole", CLIENT, packing).read_bytes())
    content[place % len(content)] = byte
    path = tmp_path / "damaged"
    path.write_bytes(content[: max(1, len(content) - cut)])
    read_all(path)


@TRIES
@given(text=st.text(alphabet="{}[]():,.+-0123456789e'\"na\0\u00b2\u0661", max_size=60))
def test_no_text_can_do_more_than_be_no_histogram(text: str) -> None:
    try:
        histogram_of(text, 100, "here")
    except TraceError as error:
        assert str(error).startswith("here: ")  # noqa: PT017 - most texts are none


def test_a_bomb_is_given_up_long_before_its_end(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(bytes(8 << 20)))

    with pytest.raises(TraceError, match="longer than a line can be"):
        list(read_requests(path))
