"""Looking, joining and signing in."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

import msgspec
import pytest

from tests.lab.actors.playing import in_turn, play, refused, well
from tests.lab.actors.scenarios import dice
from tidegate.lab.actors.habits import habits
from tidegate.lab.actors.visitors import VIRAL_REFERRERS, effort_of, form, join_and_ask, join_and_wait, look, sign_in
from tidegate.lab.acts import Chat, Group, Need, NetKind, Page, SignIn, SignUp, Who
from tidegate.lab.scenario import People

VISITOR = Who(name="visitor", group=Group.ANONYMOUS, address=11 << 24)
MEMBER = Who(name="member", group=Group.ESTABLISHED, address=11 << 24, has_account=True)
MEMBER_NOW = msgspec.structs.replace(VISITOR, group=Group.NEW, has_account=True)
HABITS = habits(People())


def test_whoever_joins_reads_signs_up_and_asks_as_a_new_account() -> None:
    played = play([join_and_ask(VISITOR, HABITS, dice())])

    kinds = [type(heard.what) for heard in played.asks]
    at = kinds.index(SignUp)
    assert set(kinds[:at]) == {Page}
    assert set(kinds[at + 1 :]) == {Chat}
    assert {heard.who.group for heard in played.asks[: at + 1]} == {Group.ANONYMOUS}
    assert {heard.who for heard in played.asks[at + 1 :]} == {MEMBER_NOW}
    assert [ended.need for ended in played.ends if ended.need not in {Need.PAGE, Need.CHAT}] == [Need.SIGN_UP]


def test_whoever_was_turned_away_tries_twice_more_and_asks_nothing() -> None:
    joined: list[Who] = []
    lives = [join_and_wait(VISITOR, joined, dice()), join_and_ask(VISITOR, HABITS, dice())]
    played = play(lives, refused(429, 600.0), until_s=1e5)

    tries = played.asked(SignUp)
    assert len(tries) == 6
    assert all(later.at_s - before.at_s > 600.0 for before, later in pairwise(tries[::2]))
    assert not played.asked(Chat)
    assert joined == []


def test_whoever_joins_and_waits_is_told_of_and_asks_nothing() -> None:
    joined: list[Who] = []
    played = play([join_and_wait(VISITOR, joined, dice())])

    assert joined == [MEMBER_NOW]
    assert not played.asked(Chat)


def test_people_come_from_where_they_heard_of_it() -> None:
    def referrers(*given: tuple[tuple[str, float], ...]) -> list[str]:
        lives = [look(VISITOR, dice(seed), *given) for seed in range(400)]
        return [
            heard.what.referrer
            for heard in play(lives).asks
            if isinstance(heard.what, Page) and not heard.what.is_asset
        ]

    common, viral = referrers(), referrers(VIRAL_REFERRERS)

    assert len(common) == len(viral) == 400
    assert common.count("none") / 400 == pytest.approx(0.5, abs=0.08)
    assert viral.count("social") / 400 == pytest.approx(0.6, abs=0.08)
    assert {*common, *viral} == {"none", "search", "social"}


def test_forms_are_those_of_people() -> None:
    rolled = dice()
    forms = [form(VISITOR, rolled) for _ in range(600)]

    assert median(one.reads_mail_after_s or 0.0 for one in forms) == pytest.approx(25.0, rel=0.2)
    assert median(one.gives_up_after_s for one in forms) == pytest.approx(1800.0, rel=0.2)
    assert all(one.heeds and one.effort_s and not one.is_disposable for one in forms)
    assert len({one.local_part for one in forms}) > 550
    assert sum(one.mail_domain.startswith("d") for one in forms) / 600 == pytest.approx(0.25, abs=0.06)


def test_work_takes_a_phone_longer() -> None:
    phone = msgspec.structs.replace(VISITOR, net_kind=NetKind.MOBILE)
    desk_s, phone_s = (median(effort_of(who, dice(seed)) for seed in range(400)) for who in (VISITOR, phone))

    assert desk_s == pytest.approx(0.04, rel=0.15)
    assert phone_s == pytest.approx(0.15, rel=0.15)


def test_people_sign_in_rightly_in_the_end_mostly_on_a_known_device() -> None:
    played = play([sign_in(MEMBER, dice(seed)) for seed in range(600)])
    tries = [heard.what for heard in played.asks if isinstance(heard.what, SignIn)]
    right = [one for one in tries if one.is_right]

    assert {one.account for one in tries} == {"member"}
    assert len(right) == 600
    assert len(tries) / 600 == pytest.approx(1.0 / 0.94, abs=0.03)
    assert sum(one.is_known_device for one in right) / 600 == pytest.approx(0.9, abs=0.04)
    assert sum(ended.need is Need.SIGN_IN for ended in played.ends) == 600
    assert all(ended.outcome.is_complete for ended in played.ends)


def test_mistyping_is_no_need_of_its_own_and_costs_seconds() -> None:
    played = play([sign_in(MEMBER, dice(seed), mistypes=0.5, known=0.0) for seed in range(100)])
    wrong = [heard for heard in played.asks if isinstance(heard.what, SignIn) and not heard.what.is_right]

    assert len(wrong) == pytest.approx(100, abs=40)
    assert not any(heard.what.is_known_device for heard in wrong if isinstance(heard.what, SignIn))
    assert {ended.tries for ended in played.ends if ended.need is Need.SIGN_IN} == {1}


def test_whoever_is_told_to_come_back_signs_in_then() -> None:
    played = play([sign_in(MEMBER, dice(), mistypes=0.0, known=1.0)], in_turn(well, refused(429, 20.0), well))

    (first, second) = played.asked(SignIn)
    assert second.at_s > first.at_s + 20.0
    assert played.ends[-1].tries == 2
