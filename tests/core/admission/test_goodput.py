"""What people are left with under each attack that the threat model names, in virtual time.

The same people ask the same questions with and without the flood. With the engine
itself, sockets and all, `bench/goodput.py` measures the same.
"""

from __future__ import annotations

import pytest

from tests.core.admission.town import Flood, Served, Town
from tidegate.core.standing.classes import Standing

SECONDS = 300.0
SEEDS = (11, 21, 31)
KNOWN, NEW, VISITOR = Standing.ESTABLISHED, Standing.NEWCOMER, Standing.VISITOR

FLOODS = {
    "fresh accounts": Flood(standing=VISITOR, accounts=64),
    "fresh accounts, short answers": Flood(standing=VISITOR, accounts=64, output_tokens=30),
    "one fresh key": Flood(standing=VISITOR, accounts=1),
    "fresh accounts, long prompts": Flood(standing=VISITOR, accounts=64, prompt_tokens=1500),
    "sleepers": Flood(standing=NEW, accounts=64),
    "one stolen key": Flood(standing=KNOWN, accounts=1),
    "two stolen keys": Flood(standing=KNOWN, accounts=2),
}
KEPT_BUSY = {
    1: Flood(standing=KNOWN, accounts=1, is_patient=True, at_once=2),
    2: Flood(standing=KNOWN, accounts=2, is_patient=True, at_once=2),
}


def served(flood: Flood | None) -> dict[Standing, Served]:
    both = {KNOWN: Served(), NEW: Served()}
    for seed in SEEDS:
        for standing, one in Town(flood, seed).run(SECONDS).items():
            both[standing].asked += one.asked
            both[standing].done += one.done
            both[standing].good += one.good
    return both


@pytest.fixture(scope="module")
def calm() -> dict[Standing, Served]:
    found = served(None)
    assert found[KNOWN].part >= 0.95, "a town that is badly served in calm tells nothing"
    assert found[NEW].part >= 0.8
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", FLOODS)
def test_whoever_presses_costs_established_people_hardly_anything_and_leaves_newcomers_most(
    calm: dict[Standing, Served], name: str
) -> None:
    found = served(FLOODS[name])
    assert found[KNOWN].done == found[KNOWN].asked, "nobody established is refused or cut"
    assert found[KNOWN].part >= 0.98 * calm[KNOWN].part
    assert found[NEW].part >= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("keys", KEPT_BUSY)
def test_stolen_keys_whose_thieves_heed_everything_cost_others_little(calm: dict[Standing, Served], keys: int) -> None:
    """They are their owners within what is usual: one request at once, and so much of the engine."""
    found = served(KEPT_BUSY[keys])
    assert found[KNOWN].done == found[KNOWN].asked
    assert found[KNOWN].part >= (0.92 if keys == 1 else 0.83) * calm[KNOWN].part


def test_a_crowd_that_heeds_what_it_is_told_is_served_and_costs_established_people_little(
    calm: dict[Standing, Served],
) -> None:
    """What it has begun to be told is not taken back: most of it is told to its end."""
    crowd = Town(Flood(standing=VISITOR, accounts=300, output_tokens=24, is_patient=True), seed=11)
    found = crowd.run(SECONDS)
    assert found[KNOWN].part >= 0.95 * calm[KNOWN].part
    begun = [job for job in crowd.flooding if job.first_token_at is not None and job.ended_at is not None]
    done = [job for job in begun if job.how == "served"]
    assert len(done) >= 0.9 * len(begun)
    assert len(done) >= 0.5 * LEFT_PER_S * SECONDS


LEFT_PER_S = 0.6
"""Answers a second that established people and newcomers leave of the engine."""
