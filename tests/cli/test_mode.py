"""The operator's word about registration, given where no service runs: it counts from the next start on."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from tests.cli.verbs import Verb, sentence


@pytest.fixture(autouse=True)
def instance(verb: Verb) -> None:
    assert verb("users", "create", "ana@example.org").code == 0


def test_a_word_is_kept_until_its_time_is_over_or_it_is_taken_back(verb: Verb) -> None:
    assert verb("mode", "get").out == "Registration is open.\n"
    said = verb("mode", "set", "waiting_room", "--for", "30m", "--why", "a talk in town")
    assert said.code == 0
    assert "Registration has a waiting room since" in said.out
    assert "By the operator's word until" in said.out
    assert "a talk in town" in said.out
    assert "Next: open in 30 min (override ended)." in said.out
    assert f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}" in said.out
    assert " UTC: a talk in town." in said.out
    assert "By itself it would be: open." in said.out

    told = msgspec.json.decode(verb("mode", "get", "--json").out)
    assert told["mode"] == "waiting_room"
    assert told["said"]["until"] - told["since"] == pytest.approx(1800, abs=5)
    assert [move["by"] for move in told["moves"]] == ["operator"]

    assert "Registration is open since" in verb("mode", "auto").out


def test_a_length_of_time_that_is_none_and_a_mode_that_is_none_are_refused_in_a_sentence(verb: Verb) -> None:
    assert "write 90s, 30m, 2h" in sentence(verb("mode", "set", "invite", "--for", "soon"), 2)
    assert sentence(verb("mode", "set", "invite", "--for", "31d"), 2).startswith("--for: expected more than 0")
    assert sentence(verb("mode", "set", "invite", "--why", "x" * 301), 2).startswith("--why: at most 300")
    wrong = verb("mode", "set", "ajar")
    assert wrong.code == 2
    assert "'ajar' is no mode" in wrong.err
    assert "waiting_room" in wrong.err
    assert verb("mode", "get").out == "Registration is open.\n"


@pytest.mark.parametrize("written", ["waiting-room", "WAITING_ROOM", "Waiting room"])
def test_a_mode_is_known_however_it_is_written(verb: Verb, written: str) -> None:
    """The log, the metrics and the pages spell it in different ways."""
    assert verb("mode", "set", written).code == 0
    assert verb("mode", "get").out.startswith("Registration has a waiting room")


def test_a_dry_run_says_so(verb: Verb) -> None:
    assert "A dry run. Otherwise it would be: open." in verb("mode", "get", TIDEGATE_REGISTRATION_DRY_RUN="true").out


def test_a_word_for_more_than_the_settings_allow_is_answered_with_what_holds_it(verb: Verb) -> None:
    """Otherwise whoever opens registration reads that it is by invitation, and not why."""
    said = verb("mode", "set", "open", TIDEGATE_ACCOUNTS_SIGN_UP="invite").out
    assert said.startswith(
        'Registration is by invitation only.\naccounts.sign_up = "invite" in the settings: no mode counts that is more '
        "open.\nBy the operator's word until"
    )
    assert "By itself it would be: invite." in said
    assert "Next:" not in said
    assert "accounts.sign_up" not in verb("mode", "get").out
