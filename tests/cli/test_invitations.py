"""An operator invites people and answers those who ask, whether the service runs or not."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.cli.verbs import Verb
from tidegate.adapters.disk import DataDir
from tidegate.app.operate import open_usher
from tidegate.config import load_settings
from tidegate.core.credentials import SCANNER_PATTERN
from tidegate.core.registration.requests import Left, RequestKind

BO = "bo@example.org"


@pytest.fixture
def begun(verb: Verb) -> None:
    """There is a data directory, with one account."""
    assert verb("users", "create", "ana@example.org").code == 0


def _ask(data: Path, *emails: str, note: str = "") -> None:
    """Ask to be let in, as a page would."""

    async def ask() -> None:
        settings = load_settings(None, {"TIDEGATE_DATA": str(data), "HOME": str(data)})
        async with open_usher(settings, DataDir(data)) as usher:
            for email in emails:
                assert await usher.requests.leave(email, RequestKind.APPROVAL, note=note) is Left.LEFT

    with DataDir(data).lock():
        asyncio.run(ask())


@pytest.mark.usefixtures("begun")
def test_an_invitation_is_printed_once_listed_and_revoked(verb: Verb) -> None:
    """The list names it by its id."""
    made = verb("invites", "create", "--email", " Bo@Example.org")
    assert re.fullmatch(SCANNER_PATTERN, made.out.strip())
    assert "It makes one account for bo@example.org until" in " ".join(made.err.split())
    assert f"https://YOUR-SERVICE/invitation/{made.out.strip()}" in made.err

    listed = verb("invites", "list", COLUMNS="200").out
    assert made.out.strip() not in listed
    assert "(an operator)" in listed
    (told,) = json.loads(verb("invites", "list", "--json").out)
    assert (told["email"], told["is_now"], told["made_by"]) == (BO, "open", None)

    assert verb("invites", "revoke", told["id"]).out == f"{told['id']} is revoked.\n"
    assert json.loads(verb("invites", "list", "--json").out)[0]["is_now"] == "revoked"
    again = verb("invites", "revoke", told["id"])
    assert (again.code, again.err.strip()) == (1, f"invite: there is no unused invitation {told['id']}")


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("invites", "create", "--days", "0"), "days: expected from a minute to 90 days"),
        (("invites", "create", "--email", "nonsense"), "email: expected an address such as ana@example.org"),
        (("invites", "revoke", "tg_invt_0"), "invite: expected the id that 'invites list' shows"),
        (("requests", "approve"), "request: say which: ids, a domain, or a network"),
        (("requests", "refuse", "nonsense"), "request: expected the id that 'requests list' shows"),
    ],
)
def test_what_nobody_can_mean_is_wrong_usage(verb: Verb, arguments: tuple[str, ...], said: str) -> None:
    """In a sentence."""
    result = verb(*arguments)

    assert result.code == 2
    assert " ".join(result.err.split()).startswith(said)


@pytest.mark.usefixtures("begun")
def test_those_who_ask_are_listed_and_answered(verb: Verb, data: Path) -> None:
    """One by one and many at once; each who is let in has an invitation."""
    assert verb("requests", "list").out == "Nobody waits for an answer.\n"
    _ask(data, BO, "cy@example.org", "dan@other.example", "ana@example.org", note="I teach")
    waiting = json.loads(verb("requests", "list", "--json").out)
    ids = {one["request"]["email"]: one["request"]["id"] for one in waiting}
    assert {one["request"]["email"]: one["has_account"] for one in waiting}["ana@example.org"] is True
    assert "I teach" in verb("requests", "list", COLUMNS="200").out

    let_in = verb("requests", "approve", ids[BO], ids["ana@example.org"])
    (line,) = let_in.out.splitlines()
    assert line.split()[0] == BO
    assert "ana@example.org has an account already." in let_in.err
    assert [one["email"] for one in json.loads(verb("invites", "list", "--json").out)] == [BO]

    assert verb("requests", "refuse", "--domain", "Example.org").out == "Refused: 1.\n"
    assert verb("requests", "refuse", "--domain", "example.org").code == 1
    assert verb("requests", "approve", ids["cy@example.org"]).code == 1
    answered = json.loads(verb("requests", "approve", "--domain", "other.example", "--json").out)
    assert [one["email"] for one in answered["approved"]] == ["dan@other.example"]


def test_without_a_data_directory_nothing_is_made(verb: Verb, data: Path) -> None:
    """Whoever mistyped it is told."""
    assert verb("invites", "list").code != 0
    assert not data.exists()


@pytest.mark.usefixtures("begun")
def test_an_invitation_comes_with_its_link_where_the_settings_tell_the_address(verb: Verb) -> None:
    """It can be passed on as it is."""
    made = verb("invites", "create", TIDEGATE_MAIL_PUBLIC_URL="https://tide.example/")
    assert f"opens https://tide.example/invitation/{made.out.strip()}\n" in made.err
