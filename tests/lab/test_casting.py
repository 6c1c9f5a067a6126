"""Everybody in a scenario: how much of an engine they are, who they are, and what they ask for in which world."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from tests.lab.actors.playing import Played, play
from tidegate.lab.acts import Ask, Chat, Group, Life, Outcome, Page, Spawn, Wait, last_words
from tidegate.lab.calibration import Calibration
from tidegate.lab.casting import asks_per_s, cast_of, known_people
from tidegate.lab.scenario import Scenario, ScenarioError, parse
from tidegate.lab.traces.lengths import lengths
from tidegate.lab.traces.sources import TraceError

ENGINE = Calibration(name="x", about="x", slots=8, most_tokens=64, batch_s=0.01, write_s=0.001, read_s=0.0005)
ATTACK = """
[[attack]]
family = "expensive_queries"
from_s = 0
until_s = 60
bots = 5
accounts = 5
"""


def a_scenario(more: str = "", people: str = "", worlds: str = '["virtual", "live"]') -> Scenario:
    return parse(
        f'version = 1\nname = "x"\ntitle = "x"\nabout = "x"\nduration_s = 60\nworlds = {worlds}\n'
        f"[people]\nestablished = 4\nnew = 2\nload = 1.0\n{people}\n{more}"
    )


def chats(scenario: Scenario, weight: float = 0.1) -> list[Chat]:
    heard: Played = play(cast_of(scenario, 2.0, weight), until_s=60.0)
    return [one.what for one in heard.asks if isinstance(one.what, Chat)]


# ---------------------------------------------------------------- a load of 1


def test_a_load_of_1_is_what_the_places_of_all_replicas_can_answer() -> None:
    known = lengths("short")
    busy_s = ENGINE.busy_s(known.mean_prompt, known.mean_answer, 8)

    assert asks_per_s(a_scenario(), ENGINE, 8) == pytest.approx(1.0 / busy_s)


def test_places_are_dealt_out_to_the_replicas() -> None:
    known = lengths("short")
    four = a_scenario("[engine]\nreplicas = 4\n")
    each = ENGINE.calls_per_s(known.mean_prompt, known.mean_answer, 2)

    assert asks_per_s(four, ENGINE, 8) == pytest.approx(4 * each)
    assert asks_per_s(four, ENGINE, 1) == pytest.approx(4 * ENGINE.calls_per_s(known.mean_prompt, known.mean_answer, 1))


def test_longer_questions_are_fewer_and_lengths_that_nobody_knows_are_told() -> None:
    longer = a_scenario(people='lengths = "azure-2023-conversation"')
    assert asks_per_s(longer, ENGINE, 8) < asks_per_s(a_scenario(), ENGINE, 8)

    with pytest.raises(TraceError, match="nope"):
        asks_per_s(a_scenario(people='lengths = "nope"'), ENGINE, 8)


# ---------------------------------------------------------------- what is asked for


def test_for_the_live_world_everybody_asks_for_as_many_tokens_as_they_get() -> None:
    live, virtual = chats(a_scenario(ATTACK)), chats(a_scenario(ATTACK, worlds='["virtual"]'))

    assert len(live) > 20
    assert all(chat.max_tokens == chat.answer_tokens for chat in live)
    assert any(chat.max_tokens > chat.answer_tokens for chat in virtual)
    # Nothing else of it is another: who is in the file for one world is in it for both.
    assert [msgspec.structs.replace(chat, max_tokens=min(chat.answer_tokens, chat.max_tokens)) for chat in virtual] == [
        msgspec.structs.replace(chat, max_tokens=chat.max_tokens) for chat in live
    ]


def test_an_answer_that_would_be_cut_is_asked_for_as_long_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Outcome | None] = []

    def talkative() -> Life:
        who = next(known_people(a_scenario(), 1.0))
        heard.append((yield Ask(who, Chat(prompt_tokens=5, answer_tokens=900, max_tokens=70))))
        heard.append((yield Wait(1.0)))
        heard.append((yield Ask(who, Page())))

    monkeypatch.setattr("tidegate.lab.casting.people_cast", lambda *_: [talkative()])
    asks = play(cast_of(a_scenario(), 1.0, 0.1)).asks

    assert [one.what for one in asks] == [Chat(prompt_tokens=5, answer_tokens=900, max_tokens=70), Page()]
    assert heard == [asks[0].outcome, None, asks[1].outcome]


# ---------------------------------------------------------------- attackers, and whom one knows


def test_where_reading_is_dear_a_prompt_is_as_much_of_an_attack_as_it_costs() -> None:
    quiet = a_scenario(ATTACK, people="sign_ups_per_min = 0").people
    alone = msgspec.structs.replace(a_scenario(ATTACK), people=msgspec.structs.replace(quiet, load=0.0))
    cheap, dear = (play(cast_of(alone, 20.0, weight), until_s=60.0).asked(Chat) for weight in (0.01, 10.0))
    known = lengths("short")

    def load(asks: list[Chat], weight: float) -> float:
        """What was offered, as a part of what the engine can do: of the whole minute."""
        cost = sum(chat.prompt_tokens * weight + chat.answer_tokens for chat in asks)
        return cost / (60.0 * 20.0 * (known.mean_prompt * weight + known.mean_answer))

    for asks, weight in ((cheap, 0.01), (dear, 10.0)):
        offered = [one.what for one in asks if isinstance(one.what, Chat)]
        assert load(offered, weight) == pytest.approx(1.0, rel=0.35)


def test_a_variant_that_no_family_has_is_told() -> None:
    with pytest.raises(ScenarioError, match="variant"):
        cast_of(a_scenario(ATTACK + 'variant = "nope"\n'), 1.0, 0.1)


def test_whoever_has_an_account_is_known_beforehand_and_attackers_come_last() -> None:
    people = list(known_people(a_scenario(ATTACK), 1.0))

    assert Counter(who.group for who in people) == {Group.ESTABLISHED: 4, Group.NEW: 2, Group.ATTACKER: 5}
    assert [who.group for who in people[-5:]] == [Group.ATTACKER] * 5
    assert len({who.name for who in people}) == 11
    assert all(who.has_account for who in people)


def test_where_nobody_is_established_nobody_is_known() -> None:
    people = msgspec.structs.replace(a_scenario().people, established=0, new=0)

    assert list(known_people(msgspec.structs.replace(a_scenario(), people=people), 1.0)) == []


def test_a_need_that_is_open_at_the_end_is_told_in_either_world() -> None:
    """
    Also where everybody's questions are made as long as their answers will be.
    """
    refused = Outcome(asked_at_s=1.0, ended_at_s=1.0, status=429, retry_after_s=30.0)

    def told(worlds: str) -> list[list[bool]]:
        lives = cast_of(a_scenario(people="programs = 1.0", worlds=worlds), 2.0, 0.1)
        return [[one.is_open for one in last_words(_refused_once(life, refused))] for life in lives]

    assert [True] in told('["virtual"]')
    assert [True] in told('["virtual", "live"]')


def _refused_once(life: Life, refused: Outcome) -> Life:
    """Play one life, and those that come of it, until somebody was refused and waits."""
    act = next(life)
    while not isinstance(act, Ask):
        if isinstance(act, Spawn):
            return _refused_once(act.life, refused)
        act = next(life)
    life.send(refused)
    return life
