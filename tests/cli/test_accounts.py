"""What an operator reads of how well somebody is known, and says for them."""

from __future__ import annotations

import json

from tests.cli.verbs import Verb, sentence

ANA, OPERATOR = "ana@example.org", "olga@example.org"


def test_a_list_of_users_says_how_well_each_is_known(verb: Verb) -> None:
    verb("users", "create", ANA)
    verb("users", "create", OPERATOR, "--role", "operator")

    heading, ana, operator = verb("users", "list").out.splitlines()

    assert "Standing" in heading
    assert ana.split()[:3] == [ANA, "user", "newcomer"]
    assert operator.split()[:3] == [OPERATOR, "operator", "operator"]
    listed = json.loads(verb("users", "list", "--json").out)
    assert [(user["email"], user["standing"]) for user in listed] == [(ANA, "newcomer"), (OPERATOR, "operator")]


def test_an_operators_word_establishes_until_it_is_taken_back(verb: Verb) -> None:
    """Each verb is a process of its own here: the word is kept."""
    made = json.loads(verb("users", "create", ANA, "--since", "2020-01-01", "--json").out)
    assert made["standing"] == "newcomer", "to have been somewhere else for long is not to be known here"

    said = verb("users", "vouch", ANA)
    assert (said.code, said.out) == (0, f"You vouch for {ANA}. They count as established.\n")
    assert json.loads(verb("users", "list", "--json").out) == [{**made, "standing": "established", "is_vouched": True}]

    assert f"{ANA}  user  established (vouched)" in verb("users", "list").out

    assert json.loads(verb("users", "vouch", ANA, "--json").out) == {
        **made,
        "standing": "established",
        "is_vouched": True,
    }
    withdrawn = verb("users", "vouch", ANA, "--withdraw")
    assert withdrawn.out == f"Nobody vouches for {ANA} any more. They count as newcomer.\n"
    assert json.loads(verb("users", "list", "--json").out) == [made]


def test_nobody_can_be_vouched_for_who_is_not_there(verb: Verb) -> None:
    verb("users", "create", ANA)
    assert "nobody here has the address bo@example.org" in sentence(verb("users", "vouch", "bo@example.org"), 1)
    assert "email: " in sentence(verb("users", "vouch", "bo"), 2)


def test_an_operator_gives_a_user_a_budget_and_looks_at_it(verb: Verb) -> None:
    """What is not named stays; 'default' undoes what was set; each verb is a process of its own here."""
    verb("users", "create", ANA)
    given = json.loads(verb("users", "quota", ANA, "--per-day", "5000", "--per-month", "0", "--json").out)
    by_window = {window["window"]: window for window in given["windows"]}
    assert (given["email"], given["key"], by_window["day"]["limit"], by_window["day"]["is_own"]) == (
        ANA,
        None,
        5000,
        True,
    )

    shown = verb("users", "quota", ANA, "--per-month", "default", TIDEGATE_QUOTAS_PER_MONTH="90000")
    lines = [line.split() for line in shown.out.splitlines()]
    assert lines[0] == ["One", "Tokens", "Set", "by", "Used", "Left", "Begins", "anew"]
    assert lines[1][:4] == ["minute", "no", "limit", "0"]
    assert lines[3][:6] == ["day", "5,000", "its", "own", "0", "5,000"]
    assert lines[4][:5] == ["month", "90,000", "default", "0", "90,000"]
    assert "Tokens this month" in verb("users", "list").out


def test_a_key_gets_a_budget_when_it_is_made_or_later(verb: Verb) -> None:
    """By its id, as 'keys list' shows it."""
    verb("users", "create", ANA)
    made = json.loads(verb("keys", "create", "--user", ANA, "--quota-per-day", "50", "--json").out)

    changed = json.loads(verb("keys", "quota", made["id"], "--user", ANA, "--per-hour", "9", "--json").out)

    limits = {window["window"]: window["limit"] for window in changed["windows"]}
    assert (changed["key"], limits) == (made["id"], {"minute": 0, "hour": 9, "day": 50, "month": 0})


def test_a_budget_that_nobody_can_mean_is_refused(verb: Verb) -> None:
    """By the name of the option."""
    verb("users", "create", ANA)
    assert "--per-day 'many'" in sentence(verb("users", "quota", ANA, "--per-day", "many"), 2)
    assert "per_day: expected" in sentence(verb("users", "quota", ANA, "--per-day", "9" * 18), 2)
    assert "has no key" in sentence(verb("keys", "quota", "key_" + "0" * 16, "--user", ANA, "--per-day", "1"), 1)
