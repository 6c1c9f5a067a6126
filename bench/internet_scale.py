"""An hour of a million people and ten million bots in the virtual world: how long does it take one core?

Plays the shipped scenario `internet-scale`: a hundred services side by side, each of which is an engine, the service's
own gate, line and door before it, and a hundredth of everybody. Whoever is not active is a number from which they can
be drawn. All of it runs in this process, one service after the other, so four of them say what all would take.

    .venv/bin/python bench/internet_scale.py [--only 4 | --all] [--json FILE]
    .venv/bin/python bench/internet_scale.py --agreement [--seeds 3] [--gate off]
    .venv/bin/python bench/internet_scale.py --twice

`--agreement` plays one service with everybody drawn, and with every person and every bot an actor of their own, and
says by how many points goodput differs; behind Tidegate nearly all is good, so `--gate off` shows more of it. `--twice`
plays one service in two processes with the same seed, and says whether they found the same, byte for byte. Both end
with 1 where it is not so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean
from typing import Any, Final, TypeVar

import msgspec

from tidegate.app.lab import RehearsalWish, rehearse
from tidegate.lab.actors.attackers.cast import BY_LOAD
from tidegate.lab.acts import Group
from tidegate.lab.gates import GateKind
from tidegate.lab.judge.findings import Findings, encoded
from tidegate.lab.library import find
from tidegate.lab.scenario import Scenario, World
from tidegate.lab.simulator.world import part_of

NAME: Final = "internet-scale"
CELLS: Final = 4
POINTS: Final = 2.0
GROUPS: Final = (Group.ESTABLISHED, Group.NEW)

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What `cells` of `of` services took, and what was found. `peak_mib` is the most memory that the process had."""

    cells: int
    of: int
    cpu_s: float
    wall_s: float
    peak_mib: float
    findings: Findings


def few(whole: Scenario, cells: int) -> Scenario:
    """So many of a scenario's services, each with as much of everybody as it has among all of them."""
    replace, people, part = msgspec.structs.replace, whole.people, cells / whole.scale.cells

    def heads(count: int) -> int:
        return round(count * part)

    def flows(table: Any) -> dict[str, float]:
        return {name: getattr(table, name) * part for name in table.__struct_fields__ if name.endswith("_per_min")}

    return replace(
        whole,
        scale=replace(whole.scale, cells=cells),
        people=replace(
            people,
            established=heads(people.established),
            new=heads(people.new),
            anonymous=heads(people.anonymous),
            **flows(people),
        ),
        crowd=tuple(replace(crowd, people=heads(crowd.people), **flows(crowd)) for crowd in whole.crowd),
        attack=tuple(
            replace(
                attack,
                bots=max(1, heads(attack.bots)),
                accounts=heads(attack.accounts),
                intensity=attack.intensity * (1.0 if attack.family in BY_LOAD else part),
            )
            for attack in whole.attack
        ),
    )


def found(scenario: Scenario, gate: GateKind = GateKind.TIDEGATE) -> Findings:
    """Play it in this process."""
    wish = RehearsalWish(scenario=scenario, scenario_text="", world=World.VIRTUAL, seed=scenario.seed, gate=gate)
    return rehearse(wish).findings


def played(whole: Scenario, cells: int) -> Played:
    """Play so many services, and measure it."""
    scenario = whole if cells == whole.scale.cells else few(whole, cells)
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    findings = found(scenario)
    return Played(
        cells=cells,
        of=whole.scale.cells,
        cpu_s=round(time.process_time() - began_cpu_s, 1),
        wall_s=round(time.perf_counter() - began_s, 1),
        peak_mib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0, 1),
        findings=findings,
    )


def show(one: Played) -> None:
    """Print what it took, and what people got."""
    findings, times = one.findings, one.of / one.cells
    print(f"{one.cells} of {one.of} services, {findings.duration_s:g} s, {findings.requests:,} requests")
    print(f"  CPU             {one.cpu_s:10.1f} s     {1e6 * one.cpu_s / findings.requests:.1f} us a request")
    print(f"  wall            {one.wall_s:10.1f} s")
    print(f"  memory, at most {one.peak_mib:10.1f} MiB")
    if one.cells < one.of:
        print(
            f"  all {one.of}, extrapolated and not played: {times * one.cpu_s / 60.0:.0f} minutes of one core, "
            f"{times * findings.requests:,.0f} requests; memory as above, for each goes when it was played"
        )
    print(f"  requests from second {findings.warm_s:g} on:")
    for group, figures in findings.people.items():
        good = "" if figures.goodput is None else f"{100 * figures.goodput:6.2f} % of {figures.needs:,} questions good"
        print(f"    {group:22} {figures.tries:10,}   {good}")
    for family, got in findings.attackers.items():
        print(f"    {family:22} {got.tries:10,}   {100 * (got.cost_share or 0.0):6.2f} % of all work")
    told = {name: getattr(one, name) for name in ("cells", "of", "cpu_s", "wall_s", "peak_mib")}
    tries = {group: figures.tries for group, figures in (findings.people | findings.attackers).items()}
    goodput = {group: figures.goodput for group, figures in findings.people.items()}
    print(json.dumps({**told, "requests": findings.requests, "tries": tries, "goodput": goodput}))


def forms(whole: Scenario, seeds: int) -> list[Scenario]:
    """One service for each seed, drawn and individual."""
    replace = msgspec.structs.replace
    made = []
    for seed in range(1, seeds + 1):
        part = part_of(replace(whole, seed=seed), 0)
        made += [replace(part, scale=replace(part.scale, is_drawn=is_drawn)) for is_drawn in (True, False)]
    return made


def agree(whole: Scenario, seeds: int, gate: GateKind) -> bool:
    """Play both forms, print goodput in both, and say whether they agree."""
    results = _apart(partial(found, gate=gate), forms(whole, seeds))
    pairs = list(zip(results[::2], results[1::2], strict=True))
    is_near, part = True, part_of(whole, 0)
    heads = part.people.established + part.people.new, sum(attack.bots for attack in part.attack)
    print(f"one service of {whole.scale.cells}, gate {gate}: {heads[0]:,} people with an account, {heads[1]:,} bots")
    for group in GROUPS:
        print(f"  {group}: seed, questions drawn and individual, goodput, first token p95")
        apart = []
        for seed, both in enumerate(pairs, 1):
            drawn, individual = (one.people[group] for one in both)
            parts = [100.0 * (one.goodput or 0.0) for one in (drawn, individual)]
            apart.append(parts[0] - parts[1])
            print(
                f"    {seed:3} {drawn.needs:8,} {individual.needs:8,}   {parts[0]:6.2f} % {parts[1]:6.2f} %"
                f"   {drawn.first_s.p95} s {individual.first_s.p95} s"
            )
        print(
            f"    apart {fmean(apart):+.2f} points in the mean, {max(map(abs, apart)):.2f} at most; wanted {POINTS:g}"
        )
        is_near = is_near and abs(fmean(apart)) <= POINTS
    for family in sorted(pairs[0][0].attackers):
        told = (" and ".join(f"{one.attackers[family].tries:,}" for one in both) for both in pairs)
        print(f"  tries of {family}, drawn and individual: {'; '.join(told)}")
    return is_near


def is_same_twice(whole: Scenario) -> bool:
    """Play one service in two processes, and say whether both found the same bytes."""
    bytes_ = [encoded(findings) for findings in _apart(found, [few(whole, 1)] * 2)]
    for each in bytes_:
        print(f"{hashlib.sha256(each).hexdigest()}  {len(each):,} bytes")
    return bytes_[0] == bytes_[1]


def _apart(work: Callable[[_Given], _Found], given: Iterable[_Given]) -> list[_Found]:
    """Each in a process of its own, which hashes strings in its own way; as many at once as there are cores."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), max_tasks_per_child=1) as pool:
        return list(pool.map(work, given))


def main() -> int:
    """Play it, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=int, default=CELLS, metavar="CELLS")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--agreement", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--gate", type=GateKind, default=GateKind.TIDEGATE)
    parser.add_argument("--twice", action="store_true")
    given = parser.parse_args()
    whole = find(NAME).scenario
    if given.agreement:
        return 0 if agree(whole, given.seeds, given.gate) else 1
    if given.twice:
        return 0 if is_same_twice(whole) else 1
    one = played(whole, whole.scale.cells if given.all else min(given.only, whole.scale.cells))
    show(one)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(one, order="deterministic"), indent=2) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
