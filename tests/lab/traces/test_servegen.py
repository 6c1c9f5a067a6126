"""What ServeGen tells of clients: how often they ask, how bursty, and what."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import fmean, pstdev, pvariance

import pytest

from tests.lab.traces.packing import CLIENT, tarred
from tidegate.lab.traces import servegen
from tidegate.lab.traces.arrivals import arrivals, drawn_requests
from tidegate.lab.traces.histograms import Histogram, histogram_of
from tidegate.lab.traces.servegen import LEAST_SHAPE, Client, Spoken, Window, read_clients
from tidegate.lab.traces.sources import TraceError

TRACE, DATASET = CLIENT
ONE = Histogram({1.0: 1.0})


def asking(law: str, shape: float, rate_rps: float = 1.0, windows: int = 20, step_s: float = 200.0) -> Client:
    held = tuple(Window(500.0 + place * step_s, rate_rps, 1.0, law, shape, 1.0) for place in range(windows))
    return Client("made-up", held, (Spoken(0.0, ONE, ONE),))


def test_a_client_is_read_with_its_windows_and_what_it_said_in_them(tmp_path: Path) -> None:
    (client,) = read_clients(tarred(tmp_path / "x.tar.gz", {"readme.md": "hello", **CLIENT}))

    assert client.name == "chunk-7"
    assert [(window.start_s, window.rate_rps, window.law) for window in client.windows] == [
        (0.0, 2.0, "Gamma"),
        (600.0, 0.0, ""),
        (1200.0, 1.0, "Weibull"),
    ]
    assert client.step_s == 600.0
    assert client.asked == 1800.0
    first, last = client.spoken
    assert (first.prompt.mean, first.answer.mean) == (15.0, 5.0)
    assert first.thinking is not None
    assert first.thinking.mean == 0.5
    assert last.prompt.mean == pytest.approx(8.8)
    assert last.thinking is None


def test_where_nothing_was_seen_a_client_speaks_as_before_or_as_it_will() -> None:
    early, late = Spoken(600.0, ONE, ONE), Spoken(1200.0, ONE, ONE)
    client = Client("x", (Window(0.0, 1.0, 1.0, "", 0.0, 0.0), Window(600.0, 1.0, 1.0, "", 0.0, 0.0)), (early, late))

    assert client.spoken_at(10.0) is early
    assert client.spoken_at(1199.0) is early
    assert client.spoken_at(1200.0) is late


def test_clients_that_never_ask_are_left_out(tmp_path: Path) -> None:
    silent = {"chunk-8-trace.csv": "0,0,0,,0,0\n600,0,0,,0,0\n", "chunk-8-dataset.json": "{}"}

    assert len(read_clients(tarred(tmp_path / "x.tar.gz", {**CLIENT, **silent}))) == 1
    with pytest.raises(TraceError, match=r"expected files chunk-N-trace\.csv and chunk-N-dataset\.json"):
        read_clients(tarred(tmp_path / "x.tar.gz", silent))


@pytest.mark.parametrize(
    ("law", "shape"),
    [("Gamma", 0.05), ("Gamma", 1.0), ("Gamma", 9.0), ("Weibull", 0.45), ("Weibull", 3.0), ("", 0.0)],
)
def test_as_many_requests_come_as_the_rate_says_however_bursty(law: str, shape: float) -> None:
    """Windows that began with a fresh gap would have 5 % too many at a coefficient of variation of 4.5."""
    client = asking(law, shape, windows=400)
    counts = [0] * 400
    for at_s in arrivals(client, Random(5)):
        counts[int(at_s // client.step_s)] += 1

    slack = 4.0 * pstdev(counts) / math.sqrt(len(counts))
    assert fmean(counts) == pytest.approx(200.0, abs=slack)
    assert slack < 20.0


@pytest.mark.parametrize(
    ("law", "shape", "cv"), [("Gamma", 0.25, 2.0), ("Gamma", 4.0, 0.5), ("Weibull", 0.5, 2.236), ("", 0.0, 1.0)]
)
def test_gaps_vary_as_much_as_their_law_says(law: str, shape: float, cv: float) -> None:
    times = list(arrivals(asking(law, shape, windows=2, step_s=20_000.0), Random(3)))
    gaps = [later - at_s for at_s, later in pairwise(times)]

    assert math.sqrt(pvariance(gaps)) / fmean(gaps) == pytest.approx(cv, rel=0.06)


@pytest.mark.parametrize(("law", "shape"), LEAST_SHAPE.items())
def test_the_burstiest_that_may_be_is_drawn_to_its_end(law: str, shape: float) -> None:
    for seed in range(50):
        times = list(arrivals(asking(law, shape), Random(seed)))
        assert times == sorted(times)


def test_a_factor_asks_so_many_times_as_often() -> None:
    times = list(arrivals(asking("Gamma", 1.0), Random(2), factor=3.0))

    assert len(times) == pytest.approx(12_000, rel=0.05)
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] < 4000.0


def test_requests_are_the_same_for_a_seed_and_those_of_one_client_whoever_else_asks(tmp_path: Path) -> None:
    other = {name.replace("-7-", "-8-"): text for name, text in CLIENT.items()}
    alone = read_clients(tarred(tmp_path / "one.tar.gz", CLIENT))
    both = read_clients(tarred(tmp_path / "two.tar.gz", {**CLIENT, **other}))
    rows = list(drawn_requests(both, 11))

    assert list(drawn_requests(alone, 11)) == [row for row in rows if row.client == "chunk-7"]
    assert list(drawn_requests(alone, 12)) != list(drawn_requests(alone, 11))
    assert [row.at_s for row in rows] == sorted(row.at_s for row in rows)
    assert {row.client for row in rows} == {"chunk-7", "chunk-8"}
    assert {row.prompt_tokens for row in rows if row.at_s < 600} == {10, 20}
    assert {row.answer_tokens for row in rows if row.at_s >= 1200} == {3}
    assert not [row for row in rows if 600 <= row.at_s < 1200]


def test_a_histogram_is_drawn_as_often_as_it_was_seen() -> None:
    seen = histogram_of("{3: 0.2, 5: 0.6, 40: 0.2}", 100, "here")
    assert seen is not None
    assert len(seen) == 3
    dice = Random(1)
    drawn = [seen.draw(dice) for _ in range(10_000)]

    assert drawn.count(5.0) == pytest.approx(6000, rel=0.05)
    assert fmean(drawn) == pytest.approx(seen.mean, rel=0.05)
    assert histogram_of("{}", 100, "here") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{1: 2", "here: Input data was truncated"),
        ("{'a': 1}", "here: JSON is malformed"),
        ("{a: 1}", "here: expected values from 0 to 100, not a"),
        ("{101: 1}", "here: expected values from 0 to 100, not 101"),
        ("{nan: 1}", "here: expected values from 0 to 100, not nan"),
        ("{1: -1}", "here: expected no part below 0"),
        ("{1: 0}", "here: expected parts that come to more than 0"),
        ("{1: 1e300}", "here: expected parts that come to more than 0"),
        ("__import__('os').system('true')", "here: JSON is malformed"),
        ("{1: " + "[" * 9000, "here: "),
    ],
)
def test_a_histogram_is_read_and_never_run(text: str, said: str) -> None:
    with pytest.raises(TraceError) as caught:
        histogram_of(text, 100, "here")
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({TRACE: CLIENT[TRACE]}, "chunk-7: expected both of"),
        (
            {**CLIENT, TRACE: "0,1,1,Gamma,1\n"},
            "chunk-7-trace.csv:1: expected start_s, rate_rps, cv, law, shape, scale_s: ",
        ),
        ({**CLIENT, TRACE: "0,x,1,Gamma,1,1\n"}, "chunk-7-trace.csv:1: expected start_s"),
        ({**CLIENT, TRACE: "0,1,1,Gauss,1,1\n"}, "chunk-7-trace.csv:1: expected start_s"),
        ({**CLIENT, TRACE: "0,nan,1,Gamma,1,1\n"}, "chunk-7-trace.csv:1: expected start_s"),
        ({**CLIENT, TRACE: "0,1,1,Gamma,0,1\n"}, "chunk-7-trace.csv:1: shape: expected at least 0.001, not 0.0"),
        ({**CLIENT, TRACE: "0,1,1,Weibull,0.04,1\n"}, "chunk-7-trace.csv:1: shape: expected at least 0.05, not 0.04"),
        ({**CLIENT, TRACE: "0,1,1,Gamma,1,1\n"}, "chunk-7-trace.csv: start_s: expected two or more windows"),
        ({**CLIENT, TRACE: "0,1,1,,1,1\n9,1,1,,1,1\n9,1,1,,1,1\n"}, "start_s: expected two or more windows"),
        ({**CLIENT, TRACE: "0,1,1,,1,1\n" * 9}, "chunk-7-trace.csv:9: expected at most 8 windows"),
        ({**CLIENT, DATASET: "[]"}, "chunk-7-dataset.json: Expected `object`, got `array`"),
        ({**CLIENT, DATASET: "{}"}, "chunk-7-dataset.json: expected histograms of a client that asks"),
        ({**CLIENT, DATASET: b"\xff"}, "chunk-7-dataset.json: not UTF-8"),
        ({**CLIENT, DATASET: " " * 5000}, "chunk-7-dataset.json: larger than 4096 bytes"),
        ({**CLIENT, DATASET: CLIENT[DATASET].replace("0.25", "1.25")}, "0.reason_ratio: expected values from 0 to 1"),
        (
            {**CLIENT, "chunk-8-trace.csv": CLIENT[TRACE], "chunk-9-trace.csv": CLIENT[TRACE]},
            "holds more than 2 clients",
        ),
    ],
)
def test_what_is_wrong_with_an_archive_is_told_by_its_file(
    tmp_path: Path, files: dict[str, str | bytes], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servegen, "MOST_CLIENTS", 2)
    monkeypatch.setattr(servegen, "MOST_WINDOWS", 8)
    monkeypatch.setattr(servegen, "MOST_TEXT_BYTES", 4096)

    with pytest.raises(TraceError) as caught:
        read_clients(tarred(tmp_path / "x.tar.gz", files))
    assert str(caught.value).startswith(str(tmp_path / "x.tar.gz"))
    assert said in str(caught.value)
