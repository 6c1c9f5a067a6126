"""What looks odd and is harmless."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.lab.actors.playing import Played, Service, play, refused, well
from tests.lab.actors.scenarios import a_scenario, chats
from tidegate.lab.actors.cast import people_cast
from tidegate.lab.acts import LEGITIMATE, Asked, Chat, Group, NetKind, Outcome, SignIn, SignUp, Who
from tidegate.lab.scenario import Oddity


def played(
    kind: str, service: Service = well, *, people: int = 40, intensity: float = 1.0, until_s: float = 900.0
) -> Played:
    odd = f"""
    [[odd]]
    kind = "{kind}"
    from_s = 300
    until_s = {until_s}
    people = {people}
    intensity = {intensity}
    """
    scenario = a_scenario("established = 0\nnew = 0\nanonymous = 0", odd)
    return play(people_cast(scenario, 4.0, 1), service, until_s=1800.0)


def slow(who: Who, what: Asked, now: float) -> Outcome:
    """Answer nobody: whoever asks leaves."""
    patience_s = what.patience_s if isinstance(what, Chat) else 1.0
    return Outcome(asked_at_s=now, ended_at_s=now + patience_s)


@pytest.mark.parametrize("kind", Oddity)
def test_everybody_in_it_is_legitimate_and_has_its_name(kind: Oddity) -> None:
    heard = played(kind)

    assert heard.asks
    assert {one.who.family for one in heard.asks} == {kind.value}
    assert {one.who.group for one in heard.asks} <= set(LEGITIMATE)
    assert all(one.at_s >= 300.0 for one in heard.asks)
    assert played(kind).asks == heard.asks


@pytest.mark.parametrize("kind", [Oddity.VIRAL_PROMPT, Oddity.PASSWORD_RESET])
def test_a_wave_comes_mostly_soon(kind: Oddity) -> None:
    asks = played(kind, people=400).asks

    assert sum(one.at_s < 500.0 for one in asks) / len(asks) > 0.6


def test_a_viral_prompt_is_the_same_to_the_letter_from_old_and_new() -> None:
    heard = chats(played("viral_prompt", people=300, intensity=2.0).asks)
    ((same, times),) = Counter(chat.body for _, chat in heard).most_common(1)
    with_it = [one for one, chat in heard if chat.body == same]

    assert times == pytest.approx(600, rel=0.15)
    assert len({chat.prompt_tokens for _, chat in heard if chat.body == same}) == 1
    assert {one.who.group for one in with_it} == {Group.ESTABLISHED, Group.NEW}
    assert sum(one.who.group is Group.NEW for one in with_it) / times == pytest.approx(0.4, abs=0.07)
    assert len(heard) == pytest.approx(3 * times, rel=0.15)


def test_a_class_sits_behind_one_address_and_begins_at_once() -> None:
    heard = played("classroom")
    first: dict[str, float] = {}
    for one in heard.asks:
        first.setdefault(one.who.name, one.at_s)

    assert len(first) == 40
    assert len({one.who.address for one in heard.asks}) == 1
    assert max(first.values()) < 361.0
    assert len({chat.template for _, chat in chats(heard.asks)}) == 1
    assert len(chats(heard.asks)) == pytest.approx(240, rel=0.35)
    signs_in = {one.who.name for one in heard.asked(SignIn)}
    assert len(signs_in) / 40 == pytest.approx(0.3, abs=0.2)
    assert len(chats(played("classroom", intensity=3.0).asks)) > 1.8 * len(chats(heard.asks))


def test_a_password_reset_is_a_wave_of_people_on_devices_that_are_mostly_known() -> None:
    tries = [one.what for one in played("password_reset", people=500).asks if isinstance(one.what, SignIn)]
    right = [one for one in tries if one.is_right]

    assert len(right) == pytest.approx(500, abs=60)
    assert len({one.account for one in right}) == min(500, len(right))
    assert sum(one.is_known_device for one in right) / len(right) == pytest.approx(0.85, abs=0.05)
    assert len(tries) / len(right) == pytest.approx(1.0 / 0.75, abs=0.1)
    twice = Counter(one.who.name for one in played("password_reset", people=50, intensity=4.0).asked(SignIn))
    assert max(twice.values()) > 3
    assert len(twice) == 50


def test_a_retry_bug_is_quiet_until_something_is_refused() -> None:
    calm, shed = chats(played("sdk_retry_bug").asks), chats(played("sdk_retry_bug", refused(429, 30.0)).asks)

    assert len({one.who.name for one, _ in calm}) == 1
    assert len(calm) < 90
    assert len(shed) > 30 * len(calm)
    assert all(one.who.is_program and one.who.group is Group.ESTABLISHED for one, _ in shed)


def test_a_retry_bug_gives_up_waiting_soon_and_asks_again() -> None:
    heard = chats(played("sdk_retry_bug", slow).asks)

    assert {chat.patience_s for _, chat in heard} == {2.0}
    assert len(heard) > 200
    assert len({one.who.name for one, _ in chats(played("sdk_retry_bug", intensity=3.0).asks)}) == 3
    assert len({one.who.name for one, _ in chats(played("sdk_retry_bug", intensity=3.0, people=2).asks)}) == 2


def test_a_new_region_signs_up_from_networks_of_its_own_and_asks() -> None:
    heard = played("new_region", people=60)

    assert {one.who.country for one in heard.asks} == {"VN"}
    assert sum(one.who.net_kind is NetKind.MOBILE for one in heard.asks) / len(heard.asks) > 0.5
    assert len(heard.asked(SignUp)) == pytest.approx(60, abs=20)
    assert {one.who.group for one, _ in chats(heard.asks)} == {Group.NEW}


def test_a_faster_launch_is_over_sooner() -> None:
    hurried = played("new_region", people=60, intensity=6.0).asked(SignUp)

    assert len(hurried) == 60
    assert max(one.at_s for one in hurried) < 500.0


def test_a_shared_key_is_one_account_at_many_addresses() -> None:
    heard = chats(played("shared_key", intensity=2.0).asks)

    assert len({one.who.name for one, _ in heard}) == 1
    assert len({one.who.address for one, _ in heard}) > 15
    assert len(heard) / 10.0 == pytest.approx(80.0, rel=0.12)
    assert all(one.who.is_program for one, _ in heard)
