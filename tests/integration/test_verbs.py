"""The operator's verbs: the same with and without a running service, for people and for programs."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.people import Person
from tests.integration.running import Instance, run_verb

pytestmark = pytest.mark.integration

Verb = Callable[..., subprocess.CompletedProcess[str]]
_numbers = itertools.count(1)


@pytest.fixture(params=["alone", "through the service"])
def verb(request: pytest.FixtureRequest, models: Path, tmp_path: Path) -> Verb:
    """Runs a verb on a data directory: one that only this verb uses, or one that a service runs on."""
    if request.param == "alone":
        data = tmp_path / "data"
    else:
        service: Instance = request.getfixturevalue("service")
        data = service.data

    def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return run_verb(*arguments, data=data, models=models, stdin=stdin)

    return run


def _email() -> str:
    return f"grace-{next(_numbers)}@example.org"


def _printed(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert (done.returncode, done.stdout) == (code, ""), done
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, "one sentence"
    return done.stderr


def test_users_and_keys_are_made_listed_and_revoked_in_json(verb: Verb) -> None:
    email = _email()
    arguments = ("users", "create", email, "--role", "operator", "--since", "2024-05-31", "--password-stdin", "--json")
    made = _printed(verb(*arguments, stdin="correct horse battery staple\n"))
    assert (made["email"], made["role"], made["member_since_s"]) == (email, "operator", 1717113600.0)
    assert made["created_at_s"] > made["member_since_s"]
    assert made in _printed(verb("users", "list", "--json"))

    key = _printed(verb("keys", "create", "--user", email, "--name", "laptop", "--json"))
    assert key["key"].startswith("tg_")
    (listed,) = _printed(verb("keys", "list", "--user", email, "--json"))
    assert (listed["id"], listed["name"], listed["revoked_at_s"]) == (key["id"], "laptop", None)
    assert key["key"] not in json.dumps(listed), "a key is shown once"

    assert _printed(verb("keys", "revoke", key["id"], "--user", email, "--json")) == {"id": key["id"], "revoked": True}
    (listed,) = _printed(verb("keys", "list", "--user", email, "--json"))
    assert listed["revoked_at_s"] > 0


def test_what_is_not_so_ends_with_1_and_a_sentence(verb: Verb) -> None:
    email = _email()
    assert verb("users", "create", email).returncode == 0
    assert "email" in _refused(verb("users", "create", email.upper()), 1)
    assert "nobody@example.org" in _refused(verb("keys", "create", "--user", "nobody@example.org"), 1)
    unknown = "key_0123456789abcdef"
    assert unknown in _refused(verb("keys", "revoke", unknown, "--user", email), 1)


def test_wrong_usage_ends_with_2_and_a_sentence(verb: Verb) -> None:
    email = _email()
    assert "password" in _refused(verb("users", "create", email, "--password-stdin", stdin="short\n"), 2)
    assert "email" in _refused(verb("users", "create", "not an address"), 2)
    assert "2024-05-31" in _refused(verb("users", "create", email, "--since", "yesterday"), 2)
    assert "since" in _refused(verb("users", "create", email, "--since", "2999-01-01"), 2)
    assert verb("users", "create", email, "--role", "king").returncode == 2
    assert email not in {user["email"] for user in _printed(verb("users", "list", "--json"))}, "nothing was made"


def test_a_key_works_on_the_running_service_at_once_and_stops_working_at_once(service: Instance) -> None:
    email = _email()
    assert service.verb("users", "create", email).returncode == 0
    made = _printed(service.verb("keys", "create", "--user", email, "--json"))
    assert service.ask("/v1/models", key=made["key"]).status == 200
    assert service.verb("keys", "revoke", made["id"], "--user", email).returncode == 0
    refused = service.ask("/v1/models", key=made["key"])
    assert (refused.status, refused.error["code"]) == (401, "invalid_api_key")
    never = service.ask("/v1/models", key=made["key"][:-6] + "aaaaaa")
    assert never.error == refused.error, "whether a key was ever real is nobody's business"


def test_people_get_words_and_a_key_alone_on_standard_output(service: Instance) -> None:
    email = _email()
    assert email in service.verb("users", "create", email).stdout
    made = service.verb("keys", "create", "--user", email)
    assert service.ask("/v1/models", key=made.stdout.strip()).status == 200, "it can be piped"
    assert "once" in made.stderr
    assert email in service.verb("users", "list").stdout
    assert "live" in service.verb("keys", "list", "--user", email).stdout


def test_a_forgotten_password_is_replaced_and_a_first_one_given(verb: Verb) -> None:
    email = _email()
    made = verb("users", "create", email)
    assert made.returncode == 0
    assert f"users password {email}" in made.stderr

    given = verb("users", "password", email, "--password-stdin", "--json", stdin="a first one that is long\n")
    assert _printed(given) == {"email": email, "password": "set"}

    short = verb("users", "password", email, "--password-stdin", stdin="short\n")
    assert _refused(short, 2).startswith("password: ")
    nobody = verb("users", "password", _email(), "--password-stdin", stdin="a first one that is long\n")
    assert "nobody here" in _refused(nobody, 1)
    assert "--password-stdin" in _refused(verb("users", "password", email), 2)


def test_an_operator_can_vouch_for_somebody_and_take_it_back(verb: Verb) -> None:
    email = _email()
    made = _printed(verb("users", "create", email, "--json"))
    assert made["standing"] == "newcomer"

    vouched = _printed(verb("users", "vouch", email, "--json"))
    assert vouched == {**made, "standing": "established", "is_vouched": True}
    assert vouched in _printed(verb("users", "list", "--json"))

    assert _printed(verb("users", "vouch", email, "--withdraw", "--json")) == made
    assert "nobody here" in _refused(verb("users", "vouch", _email()), 1)


def test_a_password_that_an_operator_sets_opens_the_account(service: Instance) -> None:
    email = _email()
    assert service.verb("users", "create", email).returncode == 0
    ana = Person(service.public, email, "a first one that is long")
    assert ana.sign_in().status == 401

    given = service.verb("users", "password", email, "--password-stdin", stdin="a first one that is long\n")

    assert given.returncode == 0, given.stderr
    assert ana.sign_in().status == 303
    assert ana.session().json["email"] == email
