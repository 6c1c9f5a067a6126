"""What of a session is evidence, and what is not."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest

from tests.core.score.stories import START, WEIGHTS, call, only, pages, request, scored, value, weight
from tidegate.core.score.gathering import Gathering, Subject
from tidegate.core.score.observed import Observed
from tidegate.core.score.session import LogTraits, Session
from tidegate.core.score.talk import MOST_TURNS
from tidegate.core.score.visit import MOST_PATHS, MOST_PAUSES, MOST_VIEWS

READING = [3, 41, 2, 118, 9, 25, 1, 260, 14, 6, 77, 33]


def test_even_pauses_speak_for_a_program_and_readers_pauses_against() -> None:
    timer = only(pages([5.0] * 12))
    person = only(pages(READING))
    assert timer.score > 0.8
    assert person.score < 0.4
    assert weight(timer, "steady_pauses") > 1 > -1 > weight(person, "steady_pauses")
    assert weight(timer, "same_pause") > 0


def test_what_scripts_ask_for_along_with_a_page_hides_no_timer() -> None:
    timer = pages([5.0] * 12)
    told = [one for event in timer for one in (event, request(event.t - START + 0.4, path="/pulse"))]
    assert weight(only(told), "steady_pauses") == pytest.approx(weight(only(timer), "steady_pauses"))
    assert weight(only(told), "quick_pages") == pytest.approx(weight(only(timer), "quick_pages"), abs=0.1)


@pytest.mark.parametrize("more", [{"path": "/beat"}, {"path": "/beat", "method": "POST"}])
def test_what_scripts_send_while_a_page_is_open_is_no_view(more: dict[str, str]) -> None:
    """Who reads with scripts on would pause like a timer else."""
    person = pages(READING)
    beats = [request(at, **more) for before, after in itertools.pairwise(person)
             for at in range(int(before.t - START) + 5, int(after.t - START), 5)]  # fmt: skip
    told = only(sorted([*person, *beats], key=lambda event: event.t))
    assert weight(told, "steady_pauses") == pytest.approx(weight(only(person), "steady_pauses"))
    assert told.score < 0.5


def test_what_a_script_sends_once_a_page_is_no_view_either() -> None:
    """Here it is sent half-way through each stay, and would make two even pauses of each."""
    person = pages(READING)
    sent = [request((before.t + after.t) / 2 - START, path="/seen", method="POST")
            for before, after in itertools.pairwise(person)]  # fmt: skip
    told = only(sorted([*person, *sent], key=lambda event: event.t))
    assert value(told, "steady_pauses") == value(only(person), "steady_pauses")
    assert value(told, "never_returns") == value(only(person), "never_returns")


def test_who_asks_for_one_page_or_only_sends_is_judged_by_that() -> None:
    assert weight(only(pages([5.0] * 12, path="/same")), "steady_pauses") > 1
    assert weight(only(pages([5.0] * 12, method="POST")), "steady_pauses") > 1


def test_pictures_are_told_by_their_names_in_a_log_without_routes() -> None:
    told = pages(READING, route=None)
    dressed = [request(event.t - START + 1, route=None, path=f"/{place}.PNG?v=2") for place, event in enumerate(told)]
    judged = only(sorted([*told, *dressed], key=lambda event: event.t))
    assert weight(judged, "assets_missing") <= 0
    assert weight(judged, "steady_pauses") == pytest.approx(weight(only(told), "steady_pauses"))


def test_who_goes_on_from_earlier_pages_speaks_for_a_person() -> None:
    def ways(back: int) -> float:
        told = pages(READING, referrer="same")
        paths = [event.path for event in told]
        return weight(
            only(
                msgspec.structs.replace(event, referrer_path=paths[max(0, place - (back if place % 2 else 1))])
                for place, event in enumerate(told)
            ),
            "straight_on",
        )

    assert ways(1) > 0 > ways(3)


def test_who_never_asks_whether_something_changed_is_told_where_others_do() -> None:
    told = pages(READING[:4])
    assert weight(only(told), "kept_nothing") == 0
    again = [request(2000 + place, sess="two", path=f"/{place}", status=304) for place in range(4)]
    judged = scored([*told, *again, request(9000)])
    assert weight(judged["one"], "kept_nothing") > 0 > weight(judged["two"], "kept_nothing")


def test_a_name_that_is_no_browsers_counts_and_less_than_a_tools() -> None:
    strange, tool = only(pages(READING, ua="newsreader")), only(pages(READING, ua="curl"))
    assert 0 < weight(strange, "agent_other") < weight(tool, "agent_tool")


def test_the_same_figure_says_more_from_more_pauses() -> None:
    assert weight(only(pages([5.0] * 30)), "steady_pauses") > weight(only(pages([5.0] * 4)), "steady_pauses")


def test_who_signed_up_a_moment_ago_with_an_honest_name_and_was_quick_with_the_letter_is_no_program() -> None:
    made = Observed(t=START, kind="signup", sess="one", acct="a", outcome="ok", name_entropy=4.4, disposable=False)
    letter = Observed(t=START + 7, kind="verify", sess="one", acct="a", outcome="ok", latency_s=7.0)
    judged = only([made, letter, call(20, acct="a", age_s=20.0)])
    assert weight(judged, "random_name") <= 0
    assert weight(judged, "quick_verify") <= 0
    assert judged.score < 0.5


def test_who_is_fast_throughout_is_judged_by_it() -> None:
    assert weight(only(pages([0.3] * 12)), "quick_pages") > 0


def test_a_log_without_routes_is_taken_for_pages() -> None:
    assert weight(only(pages([5.0] * 12, route=None)), "steady_pauses") > 1


def test_pauses_that_follow_what_there_is_to_read_speak_for_a_person() -> None:
    following = [request(t, bytes_out=size) for t, size in ((0, 10), (5, 20), (16, 40), (60, 15), (68, 25), (81, 45),
                 (140, 11), (146, 21), (158, 41), (210, 16), (219, 12), (224, 90))]  # fmt: skip
    assert weight(only(following), "pause_ignores_length") < 0


def test_an_agent_that_admits_to_be_a_program_is_believed() -> None:
    for agent in ("curl/8.1", "Googlebot/2.1", "headless-chrome", ""):
        assert only(pages(READING[:3], ua=agent)).score > only(pages(READING[:3], ua="firefox")).score
    turning = [request(place, ua=agent) for place, agent in enumerate(("chrome", "firefox", "safari"))]
    assert weight(only(turning), "agent_changes") > 0


def test_robots_headers_alone_and_what_is_not_there_speak_for_a_program() -> None:
    judged = only([
        request(0, path="/robots.txt", route="other"),
        *(request(9 + 7 * place, method="HEAD", status=404, path=f"/x{place}") for place in range(6)),
    ])  # fmt: skip
    assert {"robots_txt", "heads", "errors"} <= {cause.feature for cause in judged.reasons if cause.log_odds > 0}


def test_a_refusal_of_ours_is_not_held_against_anybody() -> None:
    assert value(only(pages(READING, status=429)), "errors") in {None, 0.0}


def test_pages_without_what_belongs_to_them_count_only_where_the_log_has_such_things() -> None:
    bare = pages(READING[:5])
    dressed = [request(1000 + place, sess="two", route="asset", path=f"/{place}.css") for place in range(4)]
    assert weight(scored(bare)["one"], "assets_missing") == 0
    assert weight(scored([*bare, *dressed])["one"], "assets_missing") > 0


def test_a_site_whose_icon_nobody_asks_for_is_no_evidence() -> None:
    shown = [*pages(READING[:3]), request(2000, route="asset", path="/a.png")]
    with_icon = [*shown, request(2001, sess="two", route="asset", path="/favicon.ico")]
    assert weight(scored(shown)["one"], "favicon_missing") == 0
    assert weight(scored(with_icon)["one"], "favicon_missing") > 0
    own = [*shown, request(2001, route="asset", path="/favicon.ico")]
    assert weight(only(own), "favicon_missing") < 0


def test_what_browsers_keep_and_a_program_fetches_again_is_seen() -> None:
    again = [request(place, route="asset", path="/a.css") for place in range(13)]
    unchanged = [request(place, route="asset", path="/a.css", status=304) for place in range(13)]
    assert weight(only(again), "assets_again") > 0 > weight(only(unchanged), "assets_again")


@pytest.mark.parametrize(
    ("paths", "feature"),
    [
        ([f"/item?id={number}" for number in range(100, 112)], "counts_up"),
        ([f"/{letter}" for letter in "abcdefghijkl"], "sorted_paths"),
        (["/same"] * 12, "one_page"),
        ([f"/{letter}" for letter in "dzkbxqfmawut"], "never_returns"),
    ],
)
def test_the_order_and_the_choice_of_pages_are_evidence(paths: list[str], feature: str) -> None:
    told = [request(place * 9 + place**2, path=path) for place, path in enumerate(paths)]
    assert weight(only(told), feature) > 0


def test_numbers_that_do_not_go_up_one_by_one_are_not_counted_up() -> None:
    paths = ["/a/1/b/1", "/a/2/b/2", "/a/9/b/2", "/a/9/b/2", "/c/3"]
    assert weight(only([request(place, path=path) for place, path in enumerate(paths)]), "counts_up") <= 0


def test_pages_from_nowhere_speak_for_a_program_where_referrers_are_known() -> None:
    assert weight(only(pages(READING[:4], referrer="none")), "bare_referrer") > 0
    assert weight(only(pages(READING[:4], referrer="same")), "bare_referrer") < 0
    assert weight(only(pages(READING[:4])), "bare_referrer") == 0


def test_forwarding_is_no_page_of_its_own() -> None:
    told = [request(0), request(4, status=302), request(4.1), request(60)]
    gathering = Gathering(Subject.SESSION)
    assert [*(one for event in told for one in gathering.note(event))] == []
    (session,) = gathering.rest()
    assert session.visit.pages == 3
    assert session.visit.pauses == pytest.approx([4.1, 55.9])


def test_who_never_sleeps_is_no_person() -> None:
    hourly = [request(3600 * hour) for hour in range(24)]
    assert weight(only(hourly), "no_sleep") > 1
    broken = [request(3600 * hour) for hour in (0, 1, 2, 9, 10, 11, 20, 21, 22)]
    assert weight(only(broken), "no_sleep") == 0


def test_a_session_of_any_length_takes_bounded_memory() -> None:
    many = [request(place, path=f"/{place}", body=f"b{place}") for place in range(3000)]
    many += [request(3000 + place, path=f"/{place}.css", route="asset") for place in range(3000)]
    many += [call(6000 + place, tmpl=f"t{place}", body=f"b{place}", in_tok=9, out_tok=9, read_s=3, user=f"u{place}",
                  ua=f"agent{place}", net_kind=f"n{place}") for place in range(5000)]  # fmt: skip
    gathering = Gathering(Subject.SESSION)
    assert [one for event in many for one in gathering.note(event)] == []
    (session,) = gathering.rest()
    assert len(session.visit.page_paths) == MOST_PATHS
    assert len(session.visit.pauses) == len(session.visit.sizes) == MOST_PAUSES
    assert len(session.visit.views) == MOST_VIEWS
    assert len(session.talk.reads) == len(session.talk.rates) == len(session.talk.prompt_tokens) == MOST_TURNS
    assert len(session.talk.templates) <= MOST_TURNS
    assert len(session.talk.bodies) <= MOST_TURNS
    assert len(session.entry.agents) <= 64
    assert len(session.entry.net_kinds) <= 64


def reads(waits: list[float], out_tok: float = 300.0, **more: Any) -> list[Observed]:
    t, told = 0.0, []
    for place, wait in enumerate(waits):
        t += wait + 5
        told.append(call(t, out_tok=out_tok, service_s=5.0, in_tok=20 + 17 * place, **more))
    return told


def test_answers_that_nobody_can_have_read_speak_for_a_program() -> None:
    hasty, patient = only(reads([0.1] * 10)), only(reads([20, 65, 31, 8, 90, 44, 12, 120, 30, 25]))
    assert hasty.score > 0.8
    assert patient.score < 0.35
    assert weight(hasty, "hasty") > 0
    assert weight(hasty, "instant") > 0 > weight(patient, "hasty")


def test_a_time_of_reading_that_the_log_tells_is_taken_as_it_is() -> None:
    told = [call(10.0 * place, out_tok=400, read_s=0.2) for place in range(8)]
    assert weight(only(told), "instant") > 0


def test_questions_while_an_answer_is_being_written_speak_for_a_program() -> None:
    told = [call(place * 1.0, service_s=30.0) for place in range(8)]
    assert weight(only(told), "overlapping") > 0


@pytest.mark.parametrize(
    ("more", "feature"),
    [
        ({"tmpl": "t1"}, "same_template"),
        ({"body": "b1"}, "same_body"),
        ({"max_tok": 256, "out_tok": 256}, "pegged"),
        ({"stream": False}, "unstreamed"),
        ({"status": 429}, "presses_on"),
        ({"abandoned": True}, "abandons"),
        ({"in_tok": 400}, "even_prompts"),
        ({"net_kind": "hosting"}, "network"),
    ],
)
def test_each_habit_of_programs_at_a_chat_service_counts(more: dict[str, object], feature: str) -> None:
    rng = random.Random(4)
    told = [call(60.0 * place + rng.uniform(0, 40), **more) for place in range(12)]
    judged = only(told)
    assert weight(judged, feature) > 0
    assert judged.score > only([call(event.t - START) for event in told]).score


def test_retries_and_answers_without_a_length_do_no_harm() -> None:
    judged = only([call(60.0 * place, retry=1, max_tok=100, stream=True) for place in range(4)])
    assert weight(judged, "unstreamed") < 0


def test_one_template_from_many_accounts_is_told() -> None:
    told = [call(place * 5.0, sess=f"s{place}", acct=f"a{place}", tmpl="same") for place in range(8)]
    told += [call(100 + place, sess="s9", acct="a9", tmpl="same") for place in range(2)]
    judged = scored(told)
    assert weight(judged["s9"], "shared_template") > 0
    assert weight(judged["s0"], "shared_template") <= 0


def test_challenges_solved_faster_than_browsers_failed_and_passed_by_count() -> None:
    def asked(outcome: str, solve_s: float | None = None, effort: float | None = None) -> Observed:
        return Observed(t=START, kind="challenge", sess="one", outcome=outcome, solve_s=solve_s, effort=effort)

    assert weight(only([asked("solved", solve_s=0.01, effort=8)]), "fast_solve") > 0
    assert weight(only([asked("solved", solve_s=9.0, effort=8), asked("solved")]), "fast_solve") == 0
    assert weight(only([asked("failed")] * 5), "failed_challenges") > 0
    assert weight(only([asked("persisted")] * 5), "passed_by") > 0
    assert only([asked("issued")]).reasons == ()


def test_passwords_tried_on_many_names_count() -> None:
    tried = [
        Observed(t=START + place, kind="login", sess="one", outcome="bad_password", user=f"u{place}")
        for place in range(9)
    ]
    judged = only(tried)
    assert weight(judged, "failed_logins") > 0
    assert weight(judged, "many_names") > 0
    fine = only([Observed(t=START, kind="login", sess="one", outcome="ok")])
    assert weight(fine, "failed_logins") == 0


def test_how_an_account_was_made_counts_in_its_sessions() -> None:
    made = [
        Observed(
            t=START + place, kind="signup", acct=f"a{place}", src="farm", disposable=True, name_entropy=7.1, family="f"
        )
        for place in range(20)
    ]
    made.append(Observed(t=START + 21, kind="verify", acct="a19", latency_s=0.6))
    judged = scored([*made, call(60, acct="a19", age_s=40.0)])["one"]
    for feature in ("disposable_mail", "random_name", "name_family", "crowded_source", "quick_verify", "youth"):
        assert weight(judged, feature) > 0, feature
    old = scored([Observed(t=START, kind="signup", acct="b"), call(60, acct="b", age_s=4e7)])["one"]
    assert weight(old, "youth") < 0
    assert weight(old, "name_family") == 0


def test_nobody_is_asked_twice() -> None:
    told = pages([5.0] * 12, ua="curl")
    assert only(told).is_asked
    solved = Observed(t=START + 30, kind="challenge", sess="one", outcome="solved")
    assert not only(sorted([*told, solved], key=lambda event: event.t)).is_asked


def test_fields_that_a_log_lacks_are_told_and_not_held_against_anybody() -> None:
    judged = only([request(0)])
    assert {"ua", "referrer", "path", "net_kind"} <= set(judged.lacking)
    assert not {"ua", "referrer"} & set(only([request(0, ua="chrome", referrer="none")]).lacking)
    assert "steady_pauses" in judged.too_short_for
    whole = Session("one", START, frozenset({"path"}))
    for event in (request(0, path="/"), request(1)):
        whole.note(event, LogTraits())
    assert whole.lacking == frozenset()
    assert judged.score < WEIGHTS.ask_from
