"""What counts once counts once: used by many at the same moment, and again after the service was killed."""

from __future__ import annotations

import json
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

from tests.integration.conftest import Serve
from tests.integration.people import PASSWORD, Person
from tests.integration.running import A_TOWN_BEHIND_ONE_ADDRESS, Instance, until
from tests.integration.speaking import Answer, UnixConnection, exchange
from tidegate.core.challenge.solving import solve

AT_ONCE = 12
TURN_S = 30.0
CONFIG = f"[registration]\n{A_TOWN_BEHIND_ONE_ADDRESS}"
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_CHALLENGE = re.compile(r'name="challenge" value="([^"]+)"')
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
_TICKET = "place"


def like(person: Person, *, without: str = "?") -> Person:
    """The same browser in another window."""
    other = Person(person.url, person.email)
    other.cookies = {name: value for name, value in person.cookies.items() if without not in name}
    return other


def send(person: Person, path: str, page: str, **fields: str) -> Answer:
    return person.request("POST", path, urlencode({**fields, "csrf": _CSRF.findall(page)[0]}).encode(), _FORM)


def all_at_once(people: list[Person], path: str, page: str, **fields: str) -> list[Answer]:
    """Each with an address of their own where an address is asked for."""

    def one(number: int) -> Answer:
        own = {"email": f"{number}.{fields['email']}"} if "email" in fields else {}
        return send(people[number], path, page, **{**fields, **own})

    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(one, range(len(people))))


def leads_in(answer: Answer) -> bool:
    return answer.status == 303 and not answer.headers["location"].startswith("/sign-up")


def mode(instance: Instance, wish: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the operator is told of registration, after what they said."""
    control = UnixConnection(instance.data / "run" / "control.sock", 30)
    body = None if wish is None else json.dumps(wish).encode()
    return dict(exchange(control, "GET" if wish is None else "POST", "/mode", body, {}).json)


def state(person: Person) -> str:
    return str(person.get("/api/sign-up").json["state"])


def test_a_pass_work_and_an_invitation_count_once_also_after_a_crash_and_nobody_loses_a_place(serve: Serve) -> None:
    instance = serve(CONFIG).ready()
    until_s = mode(instance, {"mode": "waiting_room", "for_s": 3000.0})["said"]["until"]
    invited = instance.verb("invites", "create", "--json")
    assert invited.returncode == 0, invited.stderr
    invitation = f"/invitation/{json.loads(invited.stdout)['text']}"

    ana = Person(instance.public, "ana@example.org")
    page = ana.get("/sign-up", accept="text/html").body.decode()
    challenge = _CHALLENGE.findall(page)[0]
    work = {"challenge": challenge, "answer": solve(challenge)}
    told = all_at_once([like(ana) for _ in range(AT_ONCE)], "/sign-up/line", page, **work)
    in_line = [answer for answer in told if answer.status == 303]
    assert len(in_line) == 1, "one piece of work, one place"
    (ticket,) = re.findall(r"[^ =;]*place=[^;]+", in_line[0].headers["set-cookie"])
    ana.cookies |= dict([ticket.split("=", 1)])
    until(lambda: state(ana) == "form", TURN_S, "ana's turn")

    made = all_at_once(
        [like(ana) for _ in range(AT_ONCE)], "/sign-up", page, email="ana@example.org", password=PASSWORD
    )
    assert sum(map(leads_in, made)) == 1, "one pass, one account"
    guest = Person(instance.public, "")
    form = guest.get(invitation, accept="text/html").body.decode()
    taken = all_at_once(
        [like(guest) for _ in range(AT_ONCE)], invitation, form, email="guest@example.org", password=PASSWORD
    )
    assert sum(map(leads_in, taken)) == 1, "one invitation, one account"

    bo = Person(instance.public, "bo@example.org")
    send(bo, "/sign-up/line", bo.get("/sign-up", accept="text/html").body.decode(), instead="1")
    instance.stop(signal.SIGKILL)
    again = serve(CONFIG, data=instance.data).ready()

    for person in (ana, bo, guest):
        person.url = again.public
    assert mode(again)["said"]["until"] == until_s
    assert state(bo) in {"waiting", "form"}, "who waited has the place"
    assert state(ana) == "line", "who had a turn has no other"
    assert send(like(ana, without=_TICKET), "/sign-up/line", page, **work).status != 303, (
        "nor does the work count again"
    )
    assert guest.get(invitation, accept="text/html").status == 410
