"""Very many at once."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cache

import pytest

from tests.lab.actors.playing import FORMS, Played, Service, play, refused, well
from tests.lab.actors.scenarios import a_scenario, chats, per_s
from tidegate.lab.actors.cast import people_cast
from tidegate.lab.acts import Asked, Chat, Group, Need, Outcome, Page, SignUp, Who

CROWD = """
[[crowd]]
from_s = 300
until_s = 1500
load = 1.0
new_part = 0.7
people = 400
sign_ups_per_min = 120
page_views_per_min = 60
"""


@cache
def played(crowd: str = CROWD, service: Service = well, *, people: str = "load = 0", is_drawn: bool = True) -> Played:
    scenario = a_scenario(f"established = 100\nnew = 0\n{people}", crowd, is_drawn=is_drawn)
    return play(people_cast(scenario, 2.0, 1), service, until_s=1800.0)


def newcomers_refused(who: Who, what: Asked, now: float) -> Outcome:
    return (refused(403) if isinstance(what, SignUp) else well)(who, what, now)


@FORMS
def test_a_crowd_reaches_its_load_and_is_gone_again(is_drawn: bool) -> None:
    heard = played(is_drawn=is_drawn)

    assert per_s(heard.asks, Chat, 0.0, 300.0) == 0.0
    assert per_s(heard.asks, Chat, 600.0, 1500.0) == pytest.approx(2.0, rel=0.2)
    assert per_s(heard.asks, Chat, 1700.0, 1800.0) < 0.5


def test_newcomers_have_their_part_and_accounts_that_they_made() -> None:
    heard = played()
    joined: dict[str, float] = {}
    for ended in heard.ends:
        if ended.need is Need.SIGN_UP:
            joined[ended.who.name] = ended.outcome.ended_at_s
    late = [one for one, _ in chats(heard.asks) if one.at_s > 600.0]

    assert sum(one.who.group is Group.NEW for one in late) / len(late) == pytest.approx(0.7, abs=0.06)
    newcomers = [one for one, _ in chats(heard.asks) if one.who.group is Group.NEW]
    assert all(one.at_s >= joined[one.who.name] for one in newcomers)
    assert {one.who.family for one in newcomers} == {"crowd"}
    assert {one.who.family for one in late if one.who.group is Group.ESTABLISHED} == {""}


def test_people_is_how_many_sign_up() -> None:
    names = Counter(heard.who.name for heard in played().asked(SignUp))

    assert len(names) == 400
    assert set(names.values()) == {1}
    assert len(played(CROWD.replace("people = 400", "people = 7")).asked(SignUp)) == 7


def test_who_was_not_let_in_does_not_ask() -> None:
    heard = chats(played(service=newcomers_refused).asks)

    assert {one.who.group for one, _ in heard} == {Group.ESTABLISHED}


def test_crowds_come_from_where_people_talk() -> None:
    views = [heard.what for heard in played().asks if isinstance(heard.what, Page) and not heard.what.is_asset]

    assert sum(view.referrer == "social" for view in views) / len(views) > 0.25


def test_few_newcomers_have_several_tabs_and_many_have_one() -> None:
    def most_at_once(people: int) -> int:
        """How many sessions one had at most, told by how close their questions are to each other's answers."""
        open_until: dict[str, list[float]] = defaultdict(list)
        most = 0
        for one, _ in chats(played(CROWD.replace("people = 400", f"people = {people}")).asks):
            if one.who.group is Group.NEW:
                open_until[one.who.name] = [*filter(lambda end: end > one.at_s, open_until[one.who.name])]
                open_until[one.who.name].append(one.outcome.ended_at_s)
                most = max(most, len(open_until[one.who.name]))
        return most

    assert most_at_once(400) == 1
    assert most_at_once(3) > 2


def test_a_crowd_of_nobody_new_is_regulars() -> None:
    heard = played(CROWD.replace("people = 400", "people = 0").replace("new_part = 0.7", "new_part = 0.2"))

    assert {one.who.group for one, _ in chats(heard.asks)} == {Group.ESTABLISHED}
    assert not heard.asked(SignUp)
    assert per_s(heard.asks, Chat, 600.0, 1500.0) == pytest.approx(1.6, rel=0.15)


def test_a_crowd_without_regulars_is_newcomers() -> None:
    scenario = a_scenario("established = 0\nnew = 0", CROWD)
    heard = play(people_cast(scenario, 2.0, 1), until_s=1800.0).asks

    assert {one.who.group for one, _ in chats(heard)} == {Group.NEW}
    assert per_s(heard, Chat, 700.0, 1500.0) == pytest.approx(2.0, rel=0.15)
