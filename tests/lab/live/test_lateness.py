"""A generator that does not keep up says so."""

from __future__ import annotations

from pathlib import Path

from tidegate.lab.acts import Group, Who
from tidegate.lab.causes import truth_of
from tidegate.lab.live.lateness import Lateness, LatenessMeter
from tidegate.lab.live.truth import TruthFile


def lateness(late_p95_s: float = 0.001, core_share: float = 0.3, connections_waited: int = 0) -> Lateness:
    return Lateness(
        asks=100,
        late_p50_s=0.0,
        late_p95_s=late_p95_s,
        late_most_s=1.0,
        core_share=core_share,
        connections_waited=connections_waited,
    )


def test_it_is_the_bottleneck_when_it_is_late_or_busy_or_out_of_connections() -> None:
    assert not lateness().is_bottleneck
    assert lateness(late_p95_s=0.06).is_bottleneck
    assert lateness(core_share=0.95).is_bottleneck
    assert lateness(connections_waited=3).is_bottleneck
    assert "THE GENERATOR WAS THE BOTTLENECK" in lateness(connections_waited=3).in_words()
    assert "3 asks waited" in lateness(connections_waited=3).in_words()
    assert "BOTTLENECK" not in lateness().in_words()


def test_what_was_late_is_told_in_quantiles() -> None:
    meter = LatenessMeter()
    assert meter.told().late_p95_s == 0.0
    for number in range(100):
        meter.asked(number / 100)
    meter.asked(-1.0)
    told = meter.told()

    assert told.asks == 101
    assert 0.93 <= told.late_p95_s <= 0.96
    assert told.late_most_s > 0.98
    assert told.core_share >= 0.0


def test_truth_is_written_for_requests_that_have_a_name(tmp_path: Path) -> None:
    eve = Who(name="e", group=Group.ATTACKER, address=1, family="slow_clients")
    with TruthFile(tmp_path / "t") as truth:
        for number in range(300):
            truth.note(f"req_{number}", eve)
        truth.note("", eve)
        truth.episode(1.0, 2.0, "request_flood", 1.0)
    lines = (tmp_path / "t").read_text().splitlines()

    assert len(lines) == 301
    assert lines[0] == '{"id":"req_0","truth":"request_flood","group":"attacker","family":"slow_clients"}'
    assert truth_of(Who(name="a", group=Group.NEW, address=1)) == "human"
    with TruthFile(None) as nothing:
        nothing.note("req_1", eve)
        nothing.episode(1.0, 2.0, "x", 1.0)
