"""Fits the bot score's weights on made-up sessions, judges them on families it has not seen, and writes them.

usage: python -m tools.fit_score [--write] [--logs N] [--seed N]

Every curve starts from steps set by hand (PRIORS, from what the literature found to matter)
and is moved from there by penalised logistic regression: projected Adagrad, no step below
zero, the penalty pulling towards the hand-set value. So data can say how much a fact
counts, not that it counts the other way round. Only the standard library is needed.
"""

from __future__ import annotations

import argparse
import datetime
import heapq
import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import msgspec

from tidegate.core.score import features
from tidegate.core.score.features import FEATURES
from tidegate.core.score.gathering import Gathering, Subject
from tidegate.core.score.model import Curve, Provenance, Weights, weigh
from tidegate.core.score.session import Session
from tools import synthetic_chats, synthetic_sessions

WRITTEN = Path("src/tidegate/core/score/weights.json")
CAPS = {
    "protocol": 0.5,
    "network": 0.3,
    "timing": 4.0,
    "shape": 3.0,
    "reading": 4.0,
    "prompts": 2.0,
    "challenge": 0.5,
    "account": 3.0,
}
ASK_FROM = 0.9

# name: (knots, steps set by hand, how freely data may move them)
PRIORS: dict[str, tuple[tuple[float, ...], tuple[float, ...], float]] = {
    "agent_tool": ((0.0, 0.5), (4.0,), 0.3),
    "agent_declared": ((0.0, 0.5), (5.0,), 0.0),
    "agent_headless": ((0.0, 0.5), (4.0,), 0.3),
    "agent_missing": ((0.0, 0.5), (3.0,), 0.3),
    "agent_changes": ((0.0, 1.0, 4.0), (0.5, 1.5), 0.0),
    "robots_txt": ((0.0, 1.0), (3.0,), 0.1),
    "heads": ((0.0, 0.3), (2.0,), 0.3),
    "errors": ((0.0, 0.1, 0.5), (0.5, 1.5), 0.5),
    "network": ((0.0, 1.0, 2.0), (0.3, 0.9), 0.2),
    "steady_pauses": ((-1.8, -1.2, -0.9, -0.6, -0.3, 0.0), (0.6, 0.6, 0.6, 0.5, 0.5), 1.0),
    "no_long_pause": ((-2.5, -1.5, -0.9, -0.5, -0.2), (0.5, 0.5, 0.5, 0.4), 1.0),
    "no_quick_look": ((-2.5, -1.5, -0.9, -0.5, -0.2), (0.3, 0.3, 0.3, 0.3), 1.0),
    "same_pause": ((0.1, 0.25, 0.5, 0.9), (0.4, 0.6, 0.8), 1.0),
    "pause_ignores_length": ((-0.6, -0.3, 0.0, 0.2), (0.5, 0.4, 0.1), 1.0),
    "quick_pages": ((-4.0, -3.0, -2.0, -1.0, 0.0, 0.7), (0.2, 0.2, 0.4, 0.8, 1.0), 1.0),
    "no_sleep": ((4.0, 10.0, 20.0), (0.7, 2.0), 0.0),
    "assets_missing": ((-2.5, -1.5, -0.7, -0.2, 0.0), (0.2, 0.3, 0.7, 2.0), 1.0),
    "assets_again": ((0.05, 0.2, 0.5, 0.9), (0.2, 0.4, 0.4), 0.3),
    "favicon_missing": ((0.0, 1.0), (0.4,), 0.2),
    "never_returns": ((0.5, 0.8, 0.95, 1.0), (0.2, 0.3, 0.4), 0.5),
    "one_page": ((0.55, 0.75, 1.0), (0.8, 1.5), 0.3),
    "counts_up": ((0.1, 0.3, 0.7), (1.0, 1.5), 0.3),
    "sorted_paths": ((0.4, 0.7, 1.0), (0.5, 1.5), 0.5),
    "bare_referrer": ((0.1, 0.4, 0.8, 1.0), (0.2, 0.4, 0.6), 0.3),
    "many_pages": ((2.5, 4.0, 5.5, 7.5), (0.1, 0.4, 0.6), 0.3),
    "hasty": ((1.5, 2.5, 3.3, 4.5), (0.5, 1.0, 1.5), 1.0),
    "instant": ((0.05, 0.2, 0.5, 0.9), (0.5, 1.0, 1.5), 1.0),
    "overlapping": ((0.0, 0.2, 0.6), (1.0, 1.0), 0.5),
    "chat_pace": ((0.0, 1.0, 2.0, 3.5), (0.3, 0.7, 1.2), 1.0),
    "abandons": ((0.3, 0.7, 1.0), (0.2, 0.8), 0.0),
    "even_prompts": ((-1.0, -0.6, -0.3, 0.0), (0.4, 0.6, 0.6), 1.0),
    "same_template": ((0.25, 0.5, 0.9), (0.6, 1.2), 1.0),
    "shared_template": ((0.1, 0.4, 0.9), (0.8, 1.2), 0.5),
    "same_body": ((0.1, 0.4, 0.9), (0.5, 1.2), 1.0),
    "pegged": ((0.05, 0.3, 0.8), (0.6, 1.0), 1.0),
    "unstreamed": ((0.2, 0.9), (0.8,), 0.3),
    "presses_on": ((0.1, 0.4, 0.9), (0.4, 1.0), 0.0),
    "fast_solve": ((1.0, 2.0, 3.0), (1.0, 1.0), 0.0),
    "failed_challenges": ((0.0, 1.0, 2.5), (0.3, 1.2), 0.0),
    "passed_by": ((0.0, 1.0, 2.5), (0.5, 2.0), 0.0),
    "failed_logins": ((0.0, 1.4, 3.0), (0.1, 2.0), 0.0),
    "many_names": ((0.0, 0.7, 2.5), (0.4, 2.5), 0.0),
    "youth": ((-5.0, -4.0, -3.0, -1.0), (0.8, 0.5, 0.5), 0.2),
    "disposable_mail": ((0.0, 1.0), (1.2,), 0.2),
    "random_name": ((2.6, 3.1, 3.8), (0.3, 0.9), 0.3),
    "name_family": ((0.7, 1.6, 3.0), (0.7, 1.2), 0.2),
    "crowded_source": ((1.1, 2.3, 4.5), (0.3, 1.2), 0.0),
    "quick_verify": ((-1.2, -0.7, 0.0), (0.6, 0.8), 0.3),
}
Row = tuple[dict[str, float | None], str, str, bool]


def rows(seed: int, logs: int) -> list[Row]:
    """Make sessions, and measure them as `tidegate score` would: (facts, family, truth, is held out)."""
    dice = random.Random(seed)
    made = [*synthetic_sessions.web_logs(dice, logs, 3), *synthetic_chats.chat_logs(dice, logs, 2)]
    by_log: dict[str, list[tuple[str, str, list[Any]]]] = {}
    for log, family, truth, events in made:
        by_log.setdefault(log, []).append((family, truth, events))
    measured: list[Row] = []
    held = synthetic_sessions.HELD_OUT | synthetic_chats.HELD_OUT
    for log, sessions in by_log.items():
        gathering = Gathering(Subject.SESSION)
        known = {events[0].sess: (family, truth) for family, truth, events in sessions}
        ended: list[Session] = []
        for event in heapq.merge(*(events for _, _, events in sessions), key=lambda event: event.t):
            ended += gathering.note(event)
        for session in (*ended, *gathering.rest()):
            facts = features.facts(session, gathering.traits)
            family, truth = known[session.name]
            measured.append((facts, ("chat: " if log.startswith("c") else "web: ") + family, truth, family in held))
    return measured


def _ramps(facts: dict[str, float | None]) -> list[tuple[int, float]]:
    given, place = list[tuple[int, float]](), 0
    for feature in FEATURES:
        knots, steps, _ = PRIORS[feature.name]
        value = facts[feature.name]
        if value is not None:
            for step, (low, high) in enumerate(itertools.pairwise(knots)):
                given.append((place + step, min(1.0, max(0.0, (value - low) / (high - low)))))
        place += len(steps)
    return given


def fit(fitted: list[Row], seed: int, epochs: int = 25, pull: float = 1e-2) -> Weights:
    """Move the hand-set steps to where the sessions want them."""
    dice = random.Random(seed)
    hand = [step for feature in FEATURES for step in PRIORS[feature.name][1]]
    free = [PRIORS[feature.name][2] for feature in FEATURES for _ in PRIORS[feature.name][1]]
    ramps = [_ramps(facts) for facts, *_ in fitted]
    truths = [float(truth != "human") for _, _, truth, _ in fitted]
    weight = [0.5 / sum(truths) if truth else 0.5 / (len(truths) - sum(truths)) for truth in truths]
    scale = len(truths)
    means = _means(ramps, truths, len(hand))
    steps, prior, squares, prior_squares = list(hand), 0.0, [1e-2] * len(hand), 1e-2
    averaged, averaged_prior, counted = [0.0] * len(hand), 0.0, 0
    order = list(range(len(ramps)))
    for epoch in range(epochs):
        dice.shuffle(order)
        for row in order:
            total = prior + sum(steps[place] * (ramp - means[place]) for place, ramp in ramps[row])
            error = (1 / (1 + math.exp(-max(-30.0, min(30.0, total)))) - truths[row]) * weight[row] * scale
            prior_squares += error * error
            prior -= 0.3 * error / math.sqrt(prior_squares)
            for place, ramp in ramps[row]:
                if not free[place]:
                    continue
                slope = error * (ramp - means[place]) + pull * (steps[place] - hand[place]) / free[place]
                squares[place] += slope * slope
                steps[place] = max(0.05 * hand[place], steps[place] - 0.3 * slope / math.sqrt(squares[place]))
        if epoch >= epochs // 2:
            averaged = [sum_ + step for sum_, step in zip(averaged, steps, strict=True)]
            averaged_prior += prior
            counted += 1
    return _weights([sum_ / counted for sum_ in averaged], averaged_prior / counted, means)


def _means(ramps: list[list[tuple[int, float]]], truths: list[float], places: int) -> list[float]:
    """The middle between people's and programs' mean, where a fact says nothing."""
    sums, counts = [[0.0] * places, [0.0] * places], [[1e-9] * places, [1e-9] * places]
    for given, truth in zip(ramps, truths, strict=True):
        for place, ramp in given:
            sums[int(truth)][place] += ramp
            counts[int(truth)][place] += 1
    return [(sums[0][place] / counts[0][place] + sums[1][place] / counts[1][place]) / 2 for place in range(places)]


def _weights(steps: list[float], prior: float, means: list[float]) -> Weights:
    curves, place = {}, 0
    for feature in FEATURES:
        knots, hand, free = PRIORS[feature.name]
        here = range(place, place + len(hand))
        # What only speaks against somebody says nothing where it is absent.
        base = -sum(steps[at] * means[at] for at in here) if free else 0.0
        curves[feature.name] = Curve(knots=knots, base=round(base, 3), steps=tuple(round(steps[at], 3) for at in here))
        place += len(hand)
    nothing = Provenance(
        source="", fitted_on="", sessions=0, families_fitted=(), families_held_out=(), held_out_auc=0.0, note=""
    )
    return Weights(
        format=1, provenance=nothing, prior=round(prior, 3), slope=1.0, ask_from=ASK_FROM, caps=CAPS, curves=curves
    )


def calibrated(weights: Weights, others: list[Row]) -> Weights:
    """Set slope and prior (Platt) by other sessions of all families, people and programs weighing the same."""
    logits = [(_logit(weigh(facts, weights)[0]), truth != "human") for facts, _, truth, _ in others]
    humans, programs = sum(not bot for _, bot in logits), sum(bot for _, bot in logits)
    slope, shift = 1.0, 0.0
    for _ in range(400):
        to_slope = to_shift = 0.0
        for logit, bot in logits:
            error = (
                (1 / (1 + math.exp(-max(-30.0, min(30.0, slope * logit + shift)))) - bot)
                / (programs if bot else humans)
                / 2
            )
            to_slope += error * logit
            to_shift += error
        slope, shift = max(0.1, slope - 0.5 * to_slope), shift - 0.5 * to_shift
    return replace(weights, slope=round(slope, 3), prior=round(weights.prior + shift / slope, 3))


def replace(weights: Weights, **more: Any) -> Weights:
    """The same weights with something else in them."""
    return Weights(**({name: getattr(weights, name) for name in weights.__struct_fields__} | more))


def _logit(score: float) -> float:
    return math.log(score / (1 - score))


def auc(people: list[float], programs: list[float]) -> float:
    """How often a program scores above a person."""
    ranked = sorted([(score, 0) for score in people] + [(score, 1) for score in programs])
    rank, total, start = 0.0, 0.0, 0
    while start < len(ranked):
        end = start
        while end < len(ranked) and ranked[end][0] == ranked[start][0]:
            end += 1
        rank = (start + 1 + end) / 2
        total += rank * sum(bot for _, bot in ranked[start:end])
        start = end
    count = len(programs)
    return (total - count * (count + 1) / 2) / (count * len(people))


def report(weights: Weights, judged: list[Row]) -> dict[str, float]:
    """Print how each family is told apart from all people of its kind of log, and give the means."""
    scores: dict[tuple[str, str, bool], list[float]] = {}
    for facts, family, truth, held in judged:
        scores.setdefault((family, truth, held), []).append(weigh(facts, weights)[0])
    found: dict[str, float] = {}
    for kind in ("web", "chat"):
        people = [
            one
            for (family, truth, _), many in scores.items()
            if truth == "human" and family.startswith(kind)
            for one in many
        ]
        for (family, truth, held), many in sorted(scores.items(), key=lambda item: item[0][1:]):
            if not family.startswith(kind):
                continue
            asked = sum(one >= weights.ask_from for one in many) / len(many)
            one = "" if truth == "human" else f"AUC {auc(people, many):.3f}"
            print(f"{family:<24} {truth:<9} {'held out' if held else 'fitted':<9} {one:<10} asked {asked:6.1%}")
        for truth in ("moderate", "advanced", "program"):
            for held in (False, True):
                many = [
                    one
                    for (family, kind_, is_held), all_ in scores.items()
                    if kind_ == truth and is_held == held and family.startswith(kind)
                    for one in all_
                ]
                if many:
                    found[f"{kind} {truth} {'held out' if held else 'fitted'}"] = round(auc(people, many), 4)
    for name, value in found.items():
        print(f"{name}: AUC {value}")
    error = calibration_error([(weigh(facts, weights)[0], truth != "human") for facts, _, truth, _ in judged])
    print(f"calibration error (10 bins): {error:.3f}")
    return found


def calibration_error(pairs: list[tuple[float, bool]]) -> float:
    """The mean distance of what was said from what was so."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for score, bot in pairs:
        bins.setdefault(min(9, int(score * 10)), []).append((score, bot))
    return sum(abs(sum(score for score, _ in many) - sum(bot for _, bot in many)) for many in bins.values()) / len(
        pairs
    )


def main() -> None:
    """Fit, judge on another seed, and write on request."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--logs", type=int, default=40)
    options.add_argument("--seed", type=int, default=20)
    options.add_argument("--write", action="store_true")
    asked = options.parse_args()
    made = rows(asked.seed, asked.logs)
    fitted = [row for row in made if not row[3]]
    weights = fit(fitted, asked.seed)
    weights = calibrated(weights, rows(asked.seed + 2, max(10, asked.logs // 2)))
    fresh = rows(asked.seed + 1, max(10, asked.logs // 2))
    found = report(weights, fresh)
    families = sorted({(family, held) for _, family, _, held in made})
    held_out = [row for row in fresh if row[3] or row[2] == "human"]
    weights = replace(
        weights,
        provenance=Provenance(
            source=f"tools/fit_score.py --seed {asked.seed} --logs {asked.logs}: sessions made up by "
            "tools/synthetic_sessions.py and tools/synthetic_chats.py, hand-set steps from the literature",
            fitted_on=datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
            sessions=len(fitted),
            families_fitted=tuple(name for name, held in families if not held),
            families_held_out=tuple(name for name, held in families if held),
            held_out_auc=round(
                auc(
                    [weigh(facts, weights)[0] for facts, _, truth, _ in held_out if truth == "human"],
                    [weigh(facts, weights)[0] for facts, _, truth, _ in held_out if truth != "human"],
                ),
                4,
            ),
            note=f"No labelled log of real people went into this. On fresh made-up sessions: {json.dumps(found)}",
        ),
    )
    if asked.write:
        WRITTEN.write_bytes(msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n")


if __name__ == "__main__":
    main()
