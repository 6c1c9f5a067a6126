"""What somebody asks in one visit, and when."""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, median

import msgspec
import pytest

from tests.lab.actors.playing import Played, Service, in_turn, play, refused, well
from tests.lab.actors.scenarios import chats, dice
from tidegate.lab.actors.habits import SDK_TIMEOUT_S, Habits, body, habits
from tidegate.lab.actors.retrying import CURRENT, EARLIER
from tidegate.lab.actors.sessions import questions, sdk_of, session
from tidegate.lab.acts import Asked, Chat, Group, Need, Outcome, Page, Who
from tidegate.lab.scenario import People
from tidegate.lab.traces.lengths import lengths

PERSON = Who(name="person", group=Group.ESTABLISHED, address=11 << 24, has_account=True)
PROGRAM = msgspec.structs.replace(PERSON, name="program", is_program=True)
HABITS = habits(People(lengths="chat-small", think_s=30.0, turns=5.0))


def played(who: Who = PERSON, service: Service = well, many: int = 30, seed: int = 1, own: Habits = HABITS) -> Played:
    return play([questions(who, own, dice(seed), many)], service, until_s=1e9)


def broken(who: Who, what: Asked, now: float) -> Outcome:
    return Outcome(asked_at_s=now, ended_at_s=now + 1.0, status=200, first_s=0.5)


def test_a_person_arrives_asks_and_leaves() -> None:
    heard = play([session(PERSON, HABITS, dice(3))], until_s=1e9)

    kinds = [type(one.what) for one in heard.asks]
    assert kinds[0] is Page
    assert set(kinds[1:]) == {Chat}
    assert len(heard.ends) == len(heard.asks)
    assert {ended.need for ended in heard.ends} == {Need.PAGE, Need.CHAT}
    assert heard.asks[1].at_s > heard.asks[0].outcome.ended_at_s


def test_a_new_browser_fetches_the_files_of_the_page_too() -> None:
    visits = [play([session(PERSON, HABITS, dice(seed))], until_s=1e9).asked(Page) for seed in range(300)]
    fetched = [len(pages) for pages in visits]

    assert set(fetched) == {1, 3}
    assert fetched.count(3) / 300 == pytest.approx(0.1, abs=0.05)


def test_a_program_looks_at_no_page() -> None:
    heard = play([session(PROGRAM, HABITS, dice())], until_s=1e9)

    assert {type(one.what) for one in heard.asks} == {Chat}


def test_sessions_have_as_many_questions_as_said_in_the_mean() -> None:
    rolled = dice()
    counts = [HABITS.questions(rolled) for _ in range(8000)]

    assert fmean(counts) == pytest.approx(5.0, rel=0.05)
    assert counts.count(1) / 8000 == pytest.approx(0.2, abs=0.02)
    assert msgspec.structs.replace(HABITS, turns=1.0).questions(rolled) == 1


def test_a_conversation_grows_and_begins_with_what_was_said() -> None:
    asked = [chat for seed in range(40) for _, chat in chats(played(seed=seed, many=4).asks)]

    for before, chat in pairwise(asked):
        assert chat.cached_tokens in {0, before.prompt_tokens + before.answer_tokens}
        assert chat.cached_tokens < chat.prompt_tokens
    assert sum(chat.cached_tokens > 0 for chat in asked) / len(asked) > 0.2


def test_a_very_long_visit_has_all_its_questions() -> None:
    assert len(played(many=520).ends) == 520
    assert len(played(PROGRAM, many=120).ends) == 120


def test_what_was_not_answered_is_not_part_of_the_conversation() -> None:
    asked = [chat for seed in range(20) for _, chat in chats(played(service=refused(400), seed=seed).asks)]

    assert len(asked) > 40
    assert {chat.cached_tokens for chat in asked} == {0}


def test_prompts_are_as_long_as_the_scenario_says_however_long_sessions_are() -> None:
    drawn = lengths("chat-small")
    asked = [chat for seed in range(60) for _, chat in chats(played(seed=seed, many=50).asks)]

    assert fmean(chat.prompt_tokens for chat in asked) == pytest.approx(drawn.mean_prompt, rel=0.05)
    assert fmean(chat.answer_tokens for chat in asked) == pytest.approx(drawn.mean_answer, rel=0.05)


def test_a_program_s_questions_are_of_one_template_and_no_conversation() -> None:
    asked = [chat for _, chat in chats(played(PROGRAM).asks)]

    assert {chat.cached_tokens for chat in asked} == {0}
    assert len({chat.template for chat in asked}) == 1
    assert len({chat.body for chat in asked}) > 25
    assert {chat.patience_s for chat in asked} == {SDK_TIMEOUT_S}


def test_a_person_s_questions_are_their_own_but_for_greetings() -> None:
    rolled = dice()
    bodies = [body(rolled) for _ in range(20_000)]
    own = [one for one in bodies if one > 1 << 61]

    assert len(set(own)) == len(own)
    assert 1.0 - len(own) / 20_000 == pytest.approx(0.01, abs=0.004)
    assert {chat.patience_s for _, chat in chats(played().asks)} == {HABITS.patience_s}


@pytest.mark.parametrize("think_s", [10.0, 60.0])
def test_between_an_answer_and_the_next_question_lies_what_the_scenario_says_in_the_median(think_s: float) -> None:
    own = habits(People(lengths="chat-small", think_s=think_s))
    rolled = dice()
    pauses = [own.pause_s(own.lengths.draw(rolled)[1], rolled) for _ in range(8000)]

    assert median(pauses) == pytest.approx(think_s, rel=0.1)
    assert fmean(pauses) == pytest.approx(own.mean_pause_s(), rel=0.04)


def test_a_longer_answer_is_read_for_longer_and_a_program_does_not_read() -> None:
    def mean(answer: int, *, is_program: bool) -> float:
        rolled = dice()
        return fmean(HABITS.pause_s(answer, rolled, is_program=is_program) for _ in range(4000))

    assert mean(200, is_program=False) > mean(20, is_program=False) + 5.0
    assert (
        mean(200, is_program=True)
        == mean(20, is_program=True)
        == pytest.approx(HABITS.mean_pause_s(is_program=True), rel=0.05)
    )


def test_no_answers_to_read_is_all_thinking() -> None:
    own = habits(People(lengths="short", think_s=1000.0))

    assert own.read_part == 1.0
    assert own.rest_s == pytest.approx(1000.0 - 24 * 0.75 / 4.0)


def test_read_s_is_how_long_ago_the_last_answer_ended() -> None:
    heard = chats(played().asks)

    assert heard[0][1].read_s is None
    for (before, _), (after, chat) in pairwise(heard):
        assert chat.read_s == pytest.approx(after.at_s - before.outcome.ended_at_s)


def test_who_gets_no_answer_gives_up_the_visit_in_three_of_ten_cases() -> None:
    ends = [len(played(service=refused(403, 1e9), seed=seed, many=2).ends) for seed in range(600)]

    assert ends.count(1) / 600 == pytest.approx(0.3, abs=0.06)


def test_a_broken_answer_is_asked_for_again_by_hand() -> None:
    tries = [played(service=in_turn(broken, well), seed=seed, many=1).ends[0] for seed in range(100)]

    assert {ended.tries for ended in tries} == {1, 2}
    assert all(ended.outcome.is_complete for ended in tries if ended.tries == 2)


def test_who_is_met_in_between_asks_after_what_is_left_of_a_pause() -> None:
    visits = [play([session(PERSON, HABITS, dice(seed), is_under_way=True)], until_s=1e9) for seed in range(400)]
    left = [visit.asks[0].at_s for visit in visits]

    assert all(isinstance(visit.asks[0].what, Chat) for visit in visits)
    # What is left of a pause has the mean E[g^2] / 2 E[g], the inspection paradox.
    rolled = dice()
    pauses = [HABITS.pause_s(HABITS.lengths.draw(rolled)[1], rolled) for _ in range(20_000)]
    expected = fmean(pause * pause for pause in pauses) / (2.0 * fmean(pauses))
    assert fmean(left) == pytest.approx(expected, rel=0.15)


def test_half_of_all_programs_have_a_current_sdk() -> None:
    kinds = [sdk_of(msgspec.structs.replace(PROGRAM, name=f"program-{number}")) for number in range(400)]

    assert kinds.count(CURRENT) / 400 == pytest.approx(0.5, abs=0.1)
    assert set(kinds) == {CURRENT, EARLIER}


def test_equal_dice_make_equal_sessions() -> None:
    assert played(seed=9).asks == played(seed=9).asks
    assert played(seed=9).asks != played(seed=10).asks
