"""Moves the bot score's hand-set steps to where made-up sessions want them, for tools/fit_score.py and judge_score.py.

Penalised logistic regression: projected Adagrad, the penalty pulling towards the hand-set
value, and no step below LEAST or above MOST of it. So data can say how much a fact counts
among others, not that it counts for nothing or the other way round.
"""

from __future__ import annotations

import itertools
import math
import random

import msgspec

from tidegate.core.score.features import FEATURES
from tidegate.core.score.model import Curve, Provenance, Weights, weigh
from tools.score_priors import ASK_FROM, CAPS, PRIORS
from tools.score_rows import Facts, Row

LEAST, MOST = 0.4, 2.5
"""What was made up is not to be learnt by heart: of what was set by hand so much stays, and it grows no further."""


def _ramps(facts: Facts) -> list[tuple[int, float]]:
    given, place = list[tuple[int, float]](), 0
    for feature in FEATURES:
        knots, steps, _ = PRIORS[feature.name]
        value = facts[feature.name]
        if value is not None:
            for step, (low, high) in enumerate(itertools.pairwise(knots)):
                given.append((place + step, min(1.0, max(0.0, (value - low) / (high - low)))))
        place += len(steps)
    return given


def fit(fitted: list[Row], seed: int, epochs: int = 12, pull: float = 1e-3) -> Weights:
    """Move the hand-set steps to where the sessions want them."""
    dice = random.Random(seed)
    hand = [step for feature in FEATURES for step in PRIORS[feature.name][1]]
    free = [PRIORS[feature.name][2] for feature in FEATURES for _ in PRIORS[feature.name][1]]
    ramps = [_ramps(row.facts) for row in fitted]
    truths = [float(row.truth != "human") for row in fitted]
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
                moved = steps[place] - 0.3 * slope / math.sqrt(squares[place])
                steps[place] = min(MOST * hand[place], max(LEAST * hand[place], moved))
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
    nothing = Provenance(source="", fitted_on="", sessions=0, families=(), left_out_auc={}, note="")
    return Weights(
        format=1, provenance=nothing, prior=round(prior, 3), slope=1.0, ask_from=ASK_FROM, caps=CAPS, curves=curves
    )


def calibrated(weights: Weights, others: list[Row]) -> Weights:
    """Set slope and prior (Platt) by other sessions of all families, people and programs weighing the same."""
    logits = [(_logit(weigh(row.facts, weights)[0]), row.truth != "human") for row in others]
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
    return msgspec.structs.replace(weights, slope=round(slope, 3), prior=round(weights.prior + shift / slope, 3))


def _logit(score: float) -> float:
    return math.log(score / (1 - score))
