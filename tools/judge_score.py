"""Judges how well the bot score carries over to what it was not fitted to: families and sites left out in turn.

usage: python -m tools.judge_score [--logs N] [--seeds N] [--quick]

Each family of people and of programs is left out of a fit of its own and judged by it on
fresh logs of another seed; likewise each kind of site. `apart` judges people and programs
as if each had stood in a log alone, so that nothing can be learnt from who stands beside
whom. `--quick` leaves families out only.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterable

from tidegate.core.score.model import Weights, weigh
from tools.score_fitting import fit
from tools.score_rows import Row, rows

GRADES = ("moderate", "advanced", "program")


def auc(people: list[float], programs: list[float]) -> float:
    """How often a program scores above a person."""
    ranked = sorted([(score, 0) for score in people] + [(score, 1) for score in programs])
    total, start = 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        total += (start + 1 + end) / 2 * sum(bot for _, bot in ranked[start:end])
        start = end
    count = len(programs)
    return (total - count * (count + 1) / 2) / (count * len(people))


def scores(weights: Weights, judged: Iterable[Row]) -> list[float]:
    """The scores of these sessions."""
    return [weigh(row.facts, weights)[0] for row in judged]


def is_web(row: Row) -> bool:
    """Whether it was made up for a web site and not for a chat."""
    return row.family.startswith("web")


def by_log(weights: Weights, judged: list[Row], grade: str) -> list[float]:
    """The AUC of a grade of programs within each log, against that log's people."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row, score in zip(judged, scores(weights, judged), strict=True):
        if row.truth in {"human", grade}:
            found.setdefault(row.log, ([], []))[row.truth != "human"].append(score)
    return [auc(people, programs) for people, programs in found.values() if people and programs]


def left_out(
    fitted: list[Row], fresh: list[Row], of: Callable[[Row], str], names: Iterable[str], seed: int
) -> dict[str, Weights]:
    """Weights that were fitted without the sessions of one name, for each of the names."""
    return {name: fit([row for row in fitted if of(row) != name], seed, epochs=6) for name in names if fresh}


def families(fitted: list[Row], fresh: list[Row], seed: int) -> dict[str, tuple[str, float, float]]:
    """For each family left out: its truth, AUC against people (people: against all programs), share above 0.9."""
    truths = {row.family: row.truth for row in fresh}
    found = {}
    for name, weights in left_out(fitted, fresh, lambda row: row.family, sorted(truths), seed).items():
        kind = name.split(":", maxsplit=1)[0]
        own = scores(weights, (row for row in fresh if row.family == name))
        is_person = truths[name] == "human"
        others = scores(
            weights, (row for row in fresh if row.family.startswith(kind) and (row.truth == "human") != is_person)
        )
        value = auc(own, others) if is_person else auc(others, own)
        found[name] = truths[name], value, sum(score >= weights.ask_from for score in own) / len(own)
    return found


def summed_up(values: list[float]) -> str:
    """Median, lowest tenth and worst."""
    ordered = sorted(values)
    return f"median {statistics.median(ordered):.3f}, tenth {ordered[len(ordered) // 10]:.3f}, worst {ordered[0]:.3f}"


def report(weights: Weights, fresh: list[Row]) -> dict[str, float]:
    """Print how grades are told apart with these weights, in all logs and in each, and give the first."""
    found: dict[str, float] = {}
    for kind in ("web", "chat"):
        here = [row for row in fresh if row.family.startswith(kind)]
        people = scores(weights, (row for row in here if row.truth == "human"))
        for grade in GRADES:
            programs = scores(weights, (row for row in here if row.truth == grade))
            if programs:
                found[f"{kind} {grade}"] = value = round(auc(people, programs), 4)
                print(f"{kind} {grade}: AUC {value}; in each log {summed_up(by_log(weights, here, grade))}")
        asked = sum(score >= weights.ask_from for score in people)
        print(f"{kind} people: {asked} of {len(people)} asked, middle score {statistics.median(people):.2f}")
    pairs = [(score, row.truth != "human") for score, row in zip(scores(weights, fresh), fresh, strict=True)]
    print(f"calibration error (10 bins): {calibration_error(pairs):.3f}")
    return found


def calibration_error(pairs: list[tuple[float, bool]]) -> float:
    """The mean distance of what was said from what was so, people and programs weighing the same."""
    programs = sum(bot for _, bot in pairs)
    weight = (0.5 / (len(pairs) - programs), 0.5 / programs)
    bins: dict[int, float] = {}
    for score, bot in pairs:
        place = min(9, int(score * 10))
        bins[place] = bins.get(place, 0.0) + (score - bot) * weight[bot]
    return sum(abs(value) for value in bins.values())


def main() -> None:
    """Leave out in turn, judge, and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--logs", type=int, default=40)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--quick", action="store_true")
    asked = options.parse_args()
    by_family: dict[str, tuple[str, list[float], list[float]]] = {}
    by_site: dict[tuple[str, str], list[float]] = {}
    for seed in range(100, 100 + 10 * asked.seeds, 10):
        fitted, fresh = rows(seed, asked.logs), rows(seed + 1, asked.logs)
        for name, (truth, value, share) in families(fitted, fresh, seed).items():
            _, values, shares = by_family.setdefault(name, (truth, [], []))
            values.append(value)
            shares.append(share)
        if not asked.quick:
            for site, weights in left_out(
                fitted, fresh, lambda row: row.site, sorted({row.site for row in fresh}), seed
            ).items():
                here = [row for row in fresh if row.site == site]
                for grade in GRADES:
                    by_site.setdefault((site, grade), []).extend(by_log(weights, here, grade))
            report(fit(fitted, seed), rows(seed + 1, asked.logs, is_apart=True))
    for name, (truth, values, shares) in sorted(by_family.items(), key=lambda item: (item[1][0], item[0])):
        print(f"{name:<22} {truth:<9} left out: AUC {summed_up(values)}; asked {statistics.mean(shares):.1%}")
    for truth in ("human", *GRADES):
        medians = [statistics.median(values) for kind, values, _ in by_family.values() if kind == truth]
        print(f"{truth} families left out: {summed_up(medians)}")
    for (site, grade), values in sorted(by_site.items()):
        if values:
            print(f"site {site:<6} left out, {grade:<9} in each log: {summed_up(values)}")


if __name__ == "__main__":
    main()
