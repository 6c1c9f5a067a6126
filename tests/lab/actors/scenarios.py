"""Scenarios for actors, in one line; and figures of what they did."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random
from statistics import fmean, pstdev

from tests.lab.actors.playing import Heard
from tidegate.lab.acts import Asked, Chat
from tidegate.lab.scenario import Scenario, parse

ASKS_PER_S = 4.0


def a_scenario(people: str = "", more: str = "", *, duration_s: float = 1800.0, is_drawn: bool = True) -> Scenario:
    """Nobody signs in or up or looks at pages, unless `people` says so."""
    quiet = {"sign_ups_per_min": 0, "sign_ins_per_min": 0, "page_views_per_min": 0}
    lines = [f"{key} = {value}" for key, value in quiet.items() if key not in people]
    return parse(
        f"""
        version = 1
        name = "a-test"
        title = "A test"
        about = "A test."
        duration_s = {duration_s}
        scale.is_drawn = {str(is_drawn).lower()}
        [people]
        {people}
        {chr(10).join(lines)}
        {more}
        """
    )


def dice(seed: int = 1) -> Random:
    return Random(seed)


def chats(asks: list[Heard]) -> list[tuple[Heard, Chat]]:
    return [(heard, heard.what) for heard in asks if isinstance(heard.what, Chat)]


def per_s(asks: list[Heard], kind: type[Asked], from_s: float, until_s: float) -> float:
    return sum(isinstance(heard.what, kind) and from_s <= heard.at_s < until_s for heard in asks) / (until_s - from_s)


def gini(counts: Counter[str], size: int) -> float:
    """How unevenly so many people share what was counted; those who have none count, too."""
    values = sorted([0] * (size - len(counts)) + list(counts.values()))
    ranked = sum(rank * value for rank, value in enumerate(values, 1))
    return 2.0 * ranked / (size * sum(values)) - (size + 1) / size


def variation(times: list[float]) -> float:
    """The coefficient of variation of what lies between them."""
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return pstdev(gaps) / fmean(gaps)
