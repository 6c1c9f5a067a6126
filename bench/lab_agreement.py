"""Do the two worlds of the lab agree? The same people ask a real service with a real engine, and the virtual one.

The engine is measured first, by calls of other sizes than are played here (`tidegate lab calibrate`). Then each case is
played over HTTP and in virtual time, with the same actors and the same dice: at 50, 95, 120 and 200 % of what the
engine can do, with a crowd of newcomers, and in a flood. How fast the engine's core is changes on a shared machine
from minute to minute: it is measured around each live run, and the virtual engine is as much slower or faster. What
other programs took of the machine meanwhile is told as `others`, in cores: of a live run that was disturbed nothing
can be said.

    .venv/bin/python bench/lab_agreement.py [--seconds 240] [--calibration FILE] [--only half,edge]

Goodput is of all questions of legitimate people together; so is the first token's 95th percentile, of answers that
came whole. `chance` is how far the virtual world alone is apart with other dice: the spread of five plays.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import psutil
import uvloop
from load import quantile
from service import report

from tidegate.app.lab import calibrate, rules_of, settings_of
from tidegate.app.reputation import standings_beside
from tidegate.lab.acts import Ask, Ended, Group, Need, Outcome
from tidegate.lab.calibration import Calibration, read
from tidegate.lab.casting import asks_per_s, cast_of, known_people
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.judge.verdicts import first_s, is_good
from tidegate.lab.live import processes
from tidegate.lab.live.world import play as play_live
from tidegate.lab.rules import Rules
from tidegate.lab.scenario import Scenario, parse
from tidegate.lab.simulator.openings import open_whole
from tidegate.lab.simulator.world import play

GOODPUT_POINTS: Final = 5.0
FIRST_PART: Final = 0.2
CHANCES: Final = 5
LAST_S: Final = 30.0

HEAD: Final = """
version = 1
name = "agreement"
title = "Agreement"
about = "The same people in both worlds."
duration_s = {seconds}
warm_s = 20
worlds = ["virtual", "live"]
[settings.engine]
threads = 1
fingerprint_s = 0
"""
PEOPLE: Final = """
[people]
established = {established}
new = {new}
anonymous = 0
load = {load}
new_part = {new_part}
lengths = "short"
turns = 1
programs = 0.0
sign_ups_per_min = 0
sign_ins_per_min = 0
page_views_per_min = 0
"""
FLOOD: Final = """
[[attack]]
family = "request_flood"
from_s = 30
until_s = {seconds}
intensity = 3.0
bots = 64
accounts = 32
"""
CASES: Final = {
    "half": PEOPLE.format(established=30, new=5, load=0.5, new_part=0.15),
    "edge": PEOPLE.format(established=30, new=5, load=0.95, new_part=0.15),
    "over": PEOPLE.format(established=45, new=15, load=1.2, new_part=0.3),
    "double": PEOPLE.format(established=60, new=0, load=2.0, new_part=0.0),
    "newcomers": PEOPLE.format(established=20, new=60, load=1.3, new_part=0.7),
    "flood": PEOPLE.format(established=30, new=5, load=0.5, new_part=0.3) + FLOOD,
}


class Needs:
    """Every question of legitimate people: was it good, and how soon did it begin."""

    def __init__(self, scenario: Scenario) -> None:
        """None yet."""
        self._scenario = scenario
        self.good = 0
        self.all = 0
        self.firsts: list[float] = []

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        """Nothing: tries do not count."""

    def ended(self, ended: Ended) -> None:
        """Count a question."""
        if ended.who.group is Group.ATTACKER or ended.need is not Need.CHAT:
            return
        # What begins shortly before the end is cut at its end, in either world in its own way.
        if not self._scenario.warm_s <= ended.since_s <= self._scenario.duration_s - LAST_S:
            return
        self.all += 1
        self.good += is_good(ended, self._scenario.slo)
        if ended.outcome.is_complete and (soon_s := first_s(ended)) is not None:
            self.firsts.append(soon_s)

    def sampled(self, sample: Sampled) -> None:
        """Nothing."""

    def happened(self, happened: Happened) -> None:
        """Nothing."""

    @property
    def goodput(self) -> float:
        """The part that was good."""
        return self.good / max(1, self.all)

    @property
    def first_p95_s(self) -> float:
        """How soon 95 % began."""
        return quantile(self.firsts, 0.95)


class Row(msgspec.Struct, kw_only=True):
    """One case in both worlds.

    `speed` is the core's while it was played live, against that of the calibration; `others` the cores that programs
    of others took meanwhile.
    """

    case: str
    load: float
    questions: int
    speed: float
    others: float
    live_goodput: float
    virtual_goodput: float
    live_first_p95_s: float
    virtual_first_p95_s: float
    chance_points: float
    chance_first: float

    @property
    def off_points(self) -> float:
        """Points of goodput."""
        return 100 * (self.virtual_goodput - self.live_goodput)

    @property
    def off_first(self) -> float:
        """A part of the live world's."""
        return self.virtual_first_p95_s / max(1e-9, self.live_first_p95_s) - 1.0

    @property
    def agrees(self) -> bool:
        """Whether both targets are met."""
        return abs(self.off_points) <= GOODPUT_POINTS and abs(self.off_first) <= FIRST_PART


def scaled(calibration: Calibration, speed: float) -> Calibration:
    """The same engine on a core that is so many times as fast."""
    names = ("batch_s", "write_s", "read_s", "begin_s", "end_s", "free_s")
    return msgspec.structs.replace(calibration, **{name: getattr(calibration, name) / speed for name in names})


def in_virtual(scenario: Scenario, rules: Rules, engine: Calibration, per_s: float) -> Needs:
    """Play it in virtual time."""
    needs = Needs(scenario)
    play(
        scenario,
        rules,
        engine,
        lambda one: cast_of(one, per_s, engine.prompt_weight(rules.admission.slots)),
        [needs],
        opening=open_whole,
    )
    return needs


class Others:
    """What others take of this machine's cores. Begins when it is made."""

    def __init__(self) -> None:
        """Nothing was taken."""
        self._began = time.monotonic(), self._busy_s()

    def cores(self) -> float:
        """How many, in the mean since it began; programs of ours that still run count as others'."""
        began_at, busy_s = self._began
        return max(0.0, self._busy_s() - busy_s) / (time.monotonic() - began_at)

    @staticmethod
    def _busy_s() -> float:
        spent, ours = psutil.cpu_times(), os.times()
        busy_s = sum(getattr(spent, kind, 0.0) for kind in ("user", "system", "irq", "softirq", "steal"))
        return float(busy_s - ours.user - ours.system - ours.children_user - ours.children_system)


def compared(case: str, seconds: float, calibration: Calibration) -> Row:
    """Play one case in both worlds."""
    scenario = parse(HEAD.format(seconds=seconds) + CASES[case].replace("{seconds}", str(seconds)), case)
    rules = rules_of(settings_of(scenario, None))
    per_s = asks_per_s(scenario, calibration, rules.admission.slots)
    live = Needs(scenario)
    core = processes.cores()[-1]
    before = processes.speed_of_core(core)
    others = Others()
    run = uvloop.run(
        play_live(
            scenario,
            cast_of(scenario, per_s, calibration.prompt_weight(rules.admission.slots)),
            [live],
            people=known_people(scenario, per_s),
            standings=standings_beside,
        )
    )
    others_cores = others.cores()
    speed = max(before, processes.speed_of_core(core)) / calibration.speed  # A dip of a moment says nothing.
    if not run.is_complete or run.lateness.is_bottleneck:
        print(f"  {case}: {run.ended}; {run.lateness.in_words()}", flush=True)
    engine = scaled(calibration, speed)
    virtual = in_virtual(scenario, rules, engine, per_s)
    by_chance = [
        in_virtual(msgspec.structs.replace(scenario, seed=seed), rules, engine, per_s)
        for seed in range(101, 101 + CHANCES)
    ]
    return Row(
        case=case,
        load=scenario.people.load,
        questions=live.all,
        speed=speed,
        others=others_cores,
        live_goodput=live.goodput,
        virtual_goodput=virtual.goodput,
        live_first_p95_s=live.first_p95_s,
        virtual_first_p95_s=virtual.first_p95_s,
        chance_points=100 * statistics.stdev(one.goodput for one in by_chance),
        chance_first=statistics.stdev(one.first_p95_s for one in by_chance)
        / statistics.mean(one.first_p95_s for one in by_chance),
    )


def rows(cases: list[str], seconds: float, calibration: Calibration) -> Iterator[Row]:
    """Play them one after the other."""
    for case in cases:
        row = compared(case, seconds, calibration)
        print(f"  {case}: live {row.live_goodput:.1%}, virtual {row.virtual_goodput:.1%}", flush=True)
        yield row


def main() -> None:
    """Measure, play, compare."""
    wish = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    wish.add_argument("--seconds", type=float, default=240.0, help="how long each case is played")
    wish.add_argument("--calibration", type=Path, help="a file of `tidegate lab calibrate`; without it one is measured")
    wish.add_argument("--only", default=",".join(CASES), help="cases, with commas between")
    given = wish.parse_args()
    if given.calibration is None:
        found = calibrate("agreement", None, lambda doing: print(f"  {doing} ...", flush=True))
        calibration = found.calibration
        for check in found.checks:
            print(f"  {check.what}: predicted {check.predicted_s:.3f} s, measured {check.measured_s:.3f} s")
    else:
        calibration = read(given.calibration)
    played = list(rows(given.only.split(","), given.seconds, calibration))
    table = [
        (
            "case",
            "load",
            "questions",
            "speed",
            "others",
            "goodput live",
            "virtual",
            "off (chance)",
            "p95 live",
            "virtual",
            "off",
        )
    ]
    table += [
        (
            row.case,
            f"{row.load:.0%}",
            str(row.questions),
            f"{row.speed:.2f}",
            f"{row.others:.2f}",
            f"{row.live_goodput:.1%}",
            f"{row.virtual_goodput:.1%}",
            f"{row.off_points:+.1f} ({row.chance_points:.1f})",
            f"{row.live_first_p95_s:.2f} s",
            f"{row.virtual_first_p95_s:.2f} s",
            f"{row.off_first:+.0%} ({row.chance_first:.0%})",
        )
        for row in played
    ]
    figures = {
        "cases": [{**msgspec.structs.asdict(row), "agrees": row.agrees} for row in played],
        "calibration": msgspec.to_builtins(calibration),
        "agree": sum(row.agrees for row in played),
    }
    report(f"Both worlds: {figures['agree']} of {len(played)} cases agree", figures, table)


if __name__ == "__main__":
    main()
