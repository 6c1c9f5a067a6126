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
