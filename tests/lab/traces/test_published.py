"""The published traces, read to the facts that were published of them. Skipped where they are not at hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median, pvariance

import pytest

from tidegate.lab.traces.arrivals import drawn_requests
from tidegate.lab.traces.counts import read_counts, read_windows
from tidegate.lab.traces.lengths import lengths
from tidegate.lab.traces.requests import read_requests
from tidegate.lab.traces.servegen import read_clients
from tidegate.lab.traces.shapes import shape_of

Find = Callable[[str], Path]


def at(values: list[int], part: float) -> int:
    return sorted(values)[math.ceil(part * len(values)) - 1]


def test_azures_conversations_are_those_that_were_published(published: Find) -> None:
    rows = list(read_requests(published("traces/azure_2023_conv.csv.gz")))
    prompts, answers = [row.prompt_tokens for row in rows], [row.answer_tokens for row in rows]
    gaps = [later.at_s - row.at_s for row, later in pairwise(rows)]

    assert len(rows) == 19_366
    assert rows[-1].at_s == pytest.approx(3502, abs=1)
    assert [at(prompts, part) for part in (0.5, 0.95, 0.99)] == pytest.approx([1020, 4083, 4142], abs=1)
    assert [at(answers, part) for part in (0.5, 0.95, 0.99)] == pytest.approx([129, 451, 601], abs=1)
    assert math.sqrt(pvariance(gaps)) / fmean(gaps) == pytest.approx(1.09, abs=0.01)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("azure-2023-conversation", "traces/azure_2023_conv.csv.gz"),
        ("mooncake", "traces/mooncake_synthetic_trace.jsonl.gz"),
    ],
)
def test_the_tables_in_the_package_are_like_the_traces_that_they_are_of(published: Find, name: str, file: str) -> None:
    rows, table = list(read_requests(published(file))), lengths(name)

    assert table.table.rows == len(rows)
    assert table.mean_prompt == pytest.approx(fmean(row.prompt_tokens for row in rows), rel=0.03)
    assert table.mean_answer == pytest.approx(fmean(row.answer_tokens for row in rows), rel=0.03)


def test_mooncakes_prompts_begin_alike(published: Find) -> None:
    rows = list(read_requests(published("traces/mooncake_synthetic_trace.jsonl.gz")))

    assert len(rows) == 3993
    assert rows[-1].at_s == pytest.approx(1022, abs=1)
    cached = sum(row.cached_tokens for row in rows) / sum(row.prompt_tokens for row in rows)
    assert 0.3 < cached < 0.9


@pytest.mark.slow
def test_half_of_deepseeks_clients_ask_as_much_as_is_told_of_them(published: Find) -> None:
    clients = read_clients(published("traces/servegen_deepseek_r1_clients.tar.gz"))
    asked = sum(client.asked for client in clients)
    rates = [sum(client.windows[place].rate_rps for client in clients) for place in range(144)]

    assert len(clients) == 37
    assert len(clients[0].windows) == 144
    assert 2.0 < max(rates) / median(rates) < 6.0
    drawn = sum(1 for _ in drawn_requests(clients, 1, 0.05))
    assert drawn == pytest.approx(0.05 * asked, rel=0.05)


@pytest.mark.slow
def test_nasas_seconds_are_all_there(published: Find) -> None:
    """Its logs of July and August 1995 hold 1,891,714 and 1,569,898 requests; two are in no second."""
    counts = read_counts(published("web/nasa.workload.tbz2"))

    assert sum(counts.values) == 1_891_714 + 1_569_898 - 2
    assert len(counts.values) == pytest.approx(5.06e6, rel=0.001)
    assert shape_of(counts, 3600.0).peak < 10.0


def test_nabs_labels_hold_the_surges_of_its_counts(published: Find) -> None:
    counts = read_counts(published("web/nab_Twitter_volume_FB.csv.gz"))
    windows = read_windows(published("web/nab_combined_windows.json"), "realTweets/Twitter_volume_FB.csv")
    top = max(range(len(counts.values)), key=counts.values.__getitem__)

    assert counts.step_s == 300.0
    assert len(windows) == 2
    assert any(since <= counts.start_s + top * counts.step_s <= until for since, until in windows)
