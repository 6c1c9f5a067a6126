"""Sessions out of a stream of events."""

from __future__ import annotations

import pytest

from tests.core.score.stories import START, call, request, scored
from tidegate.core.score.gathering import SHARED_BY, Gathering, GatheringPlan, Subject
from tidegate.core.score.observed import Observed


def test_a_session_is_what_is_named_or_one_source_until_it_is_quiet() -> None:
    told = [
        request(0), request(5000),
        request(5000, sess=None, src="x", ua="chrome"), request(5001, sess=None, src="x", ua="firefox"),
        request(8000, sess=None, src="x", ua="chrome"),
        request(8001, sess=None),
        request(8002, sess=None, key="k"), request(8003, sess=None, acct="a"),
    ]  # fmt: skip
    gathering = Gathering(Subject.SESSION)
    ended = [one for event in told for one in gathering.note(event)]
    assert [(one.name, one.events) for one in ended] == [("x/chrome", 1)]
    left = {one.name: one.events for one in gathering.rest()}
    assert left == {"one": 2, "x/firefox": 1, "x/chrome": 1, "k": 1, "a": 1}


def test_a_named_session_ends_after_a_day_of_quiet() -> None:
    gathering = Gathering(Subject.SESSION)
    assert list(gathering.note(request(0))) == []
    assert list(gathering.note(request(80_000, sess="two"))) == []
    (ended,) = gathering.note(request(90_000, sess="three"))
    assert ended.name == "one"
    assert [one.name for one in gathering.note(request(900_000, sess="four"))] == ["two", "three"]


@pytest.mark.parametrize(("by", "name"), [(Subject.ACCOUNT, "a"), (Subject.SOURCE, "x")])
def test_accounts_and_sources_can_be_judged_instead(by: Subject, name: str) -> None:
    told = [request(place, sess=f"s{place}", acct="a", src="x") for place in range(3)]
    judged = scored([*told, request(9, sess="none")], by)
    assert {one: judged[one].events for one in judged} == {name: 3}


def test_a_flood_of_sessions_is_bounded_and_the_longest_quiet_goes_first() -> None:
    gathering = Gathering(Subject.SESSION, GatheringPlan(most_sessions=2))
    told = [request(0, sess="a"), request(1, sess="b"), request(2, sess="a"), request(3, sess="c")]
    ended = [one for event in told for one in gathering.note(event)]
    assert [one.name for one in ended] == ["b"]
    assert gathering.early == 1


def test_kinds_that_no_client_causes_are_passed_over() -> None:
    assert (
        scored([Observed(t=START, kind="engine", sess="one"), Observed(t=START, kind="from_the_future", sess="one")])
        == {}
    )


def test_events_behind_later_ones_are_counted() -> None:
    gathering = Gathering(Subject.SESSION)
    for event in (request(5), request(3), request(6)):
        assert list(gathering.note(event)) == []
    assert gathering.backward == 1
    (session,) = gathering.rest()
    assert min(session.visit.pauses) == 0.0


def test_what_strangers_name_is_remembered_up_to_a_bound() -> None:
    gathering = Gathering(Subject.SESSION, GatheringPlan(most_names=3))
    for place in range(50):
        made = Observed(t=START + place, kind="signup", acct=f"a{place}", src=f"x{place}", family=f"f{place}")
        asked = call(place, acct=f"a{place}", tmpl=f"t{place}")
        for event in (made, asked):
            assert list(gathering.note(event)) == []
    for kept in (gathering._sign_ups, gathering._families, gathering._sources, gathering._senders):
        assert len(kept) == 3


def test_a_template_needs_no_more_memory_however_many_send_it() -> None:
    gathering = Gathering(Subject.SESSION)
    for place in range(100):
        assert list(gathering.note(call(place, sess=f"s{place}", tmpl="same"))) == []
    assert len(gathering._senders["same"]) == SHARED_BY + 1
