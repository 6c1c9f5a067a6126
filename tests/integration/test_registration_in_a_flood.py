"""While programs sign up from everywhere, people sign in, get accounts by work or by waiting, and programs get none.

The short form of bench/registration.py, with the shipped settings and timers.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

from tests.integration.conftest import Serve
from tests.integration.people import PASSWORD, Person
from tests.integration.running import Instance, run_verb, until
from tests.integration.speaking import Answer

CALM_ALLOWANCE = 11
"""Five at once and six in the minute that the flood does not last."""
TURN_S = 40.0
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
_OWN_PAGE = {"sec-fetch-site": "same-origin"}
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_CHALLENGE = re.compile(r'name="challenge" value="([^"]+)"')


class Programs:
    """Post the form from 240 addresses, half of them in four /24, without looking at what they are asked for."""

    def __init__(self, instance: Instance) -> None:
        scout = Person(instance.public, "")
        self._csrf = _CSRF.findall(scout.get("/sign-up", accept="text/html").body.decode())[0]
        self._cookie = "; ".join(f"{name}={value}" for name, value in scout.cookies.items())
        self._url = urlsplit(instance.public)
        self._is_over = threading.Event()
        self.statuses: Counter[int] = Counter()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        thread = threading.Thread(target=self._flood)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join(30)

    def _flood(self) -> None:
        for number in itertools.count():
            if self._is_over.is_set():
                return
            near, far = f"127.40.{number % 4}.{number // 4 % 30 + 1}", f"127.41.{number % 120}.1"
            self.statuses[self._post(number, far if number % 2 else near)] += 1

    def _post(self, number: int, source: str) -> int:
        fields = {"email": f"bot{number}@example.org", "password": PASSWORD, "csrf": self._csrf}
        line = http.client.HTTPConnection(
            self._url.hostname or "", self._url.port, timeout=30, source_address=(source, 0)
        )
        try:
            line.request("POST", "/sign-up", urlencode(fields), {**_FORM, "cookie": self._cookie, **_OWN_PAGE})
            return line.getresponse().status
        finally:
            line.close()


def open_page(person: Person, path: str = "/sign-up") -> str:
    return person.get(path, accept="text/html").body.decode()


def post(person: Person, path: str, page: str, **fields: str) -> Answer:
    """Send the page's form, again when it is refused for now."""
    body = urlencode({**fields, "csrf": _CSRF.findall(page)[0]}).encode()
    answers: list[Answer] = []

    def is_heard() -> bool:
        answers.append(person.request("POST", path, body, _FORM))
        return answers[-1].status != 429

    until(is_heard, TURN_S, "the gate lets somebody from another network in")
    return answers[-1]


def has_signed_up_from_the_line(person: Person) -> bool:
    """Wait for the turn, as the page does by itself, and send the form then."""
    until(lambda: person.get("/sign-up/line", accept="text/html").status == 303, TURN_S, "their turn")
    return post(person, "/sign-up", open_page(person), email=person.email, password=PASSWORD).status == 303


class Forgers:
    """Send the form with forged work, each head and body in one piece, from many addresses of one network."""

    def __init__(self, instance: Instance, person: Person, page: str) -> None:
        self._url = urlsplit(instance.public)
        challenge = _CHALLENGE.findall(page)[0]
        mac = "0" * 32 if not challenge.endswith("0" * 32) else "1" * 32
        fields = {"csrf": _CSRF.findall(page)[0], "challenge": f"{challenge[:-32]}{mac}", "answer": "0" * 72}
        cookie = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
        body = urlencode({"email": "bot@example.org", "password": PASSWORD, **fields})
        self._sent = (
            f"POST /sign-up HTTP/1.1\r\nhost: {self._url.netloc}\r\nsec-fetch-site: same-origin\r\n"
            "accept: text/html\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            f"cookie: {cookie}\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def send(self, times: int) -> Counter[int]:
        """So often on each of ten connections; the statuses of the answers."""
        statuses: Counter[int] = Counter()
        for number in range(10):
            source = (f"127.42.0.{number + 1}", 0)
            with socket.create_connection((self._url.hostname, self._url.port), 30, source_address=source) as line:
                for _ in range(times):
                    line.sendall(self._sent)
                    answer = http.client.HTTPResponse(line, method="POST")
                    answer.begin()
                    answer.read()
                    statuses[answer.status] += 1
        return statuses


def test_forged_work_is_refused_and_takes_nothing_from_a_newcomer_beside_it(serve: Serve) -> None:
    """Far more of it than strangers may send: the newcomer, from the same network, never hears that it is too much."""
    settings = "[gate]\naccount_strangers_rate = 0.01\naccount_strangers_burst = 4\n"
    instance = serve(f"{settings}[registration]\ncalm_per_min = 0.1\ncalm_at_once = 1\n").ready()
    for number in range(2):  # The second is more than calm.
        assert Person(instance.public, f"early{number}@example.org").sign_up().status in {303, 403}
    person = Person(instance.public, "working@example.org")
    page = open_page(person)

    assert Forgers(instance, person, page).send(100) == {403: 1000}

    challenge = _CHALLENGE.findall(page)[0]
    solved = run_verb("solve", challenge, models=instance.models)
    work = {"challenge": challenge, "answer": solved.stdout.strip()}
    fields = {"email": person.email, "password": PASSWORD, **work, "csrf": _CSRF.findall(page)[0]}
    answer = person.request("POST", "/sign-up", urlencode(fields).encode(), _FORM)
    assert answer.status == 303, "at the first try: nothing of what strangers share was used up"


def test_in_a_flood_people_sign_in_and_get_accounts_by_work_or_a_wait_and_programs_get_none(serve: Serve) -> None:
    instance = serve("[registration]\n").ready()
    known = Person(instance.public, "known@example.org")
    assert known.sign_up().status == 303
    known.sign_out()
    programs = Programs(instance)
    with programs.at_work():
        until(lambda: programs.statuses[403] > 20 and programs.statuses[429] > 200, 30, "work is asked for")

        assert known.sign_in().status == 303, "a device that is known signs in at once"
        assert known.session().status == 200

        working = Person(instance.public, "working@example.org")
        page = open_page(working)
        challenge = _CHALLENGE.findall(page)[0]
        solved = run_verb("solve", challenge, models=instance.models)
        assert solved.returncode == 0, solved.stderr
        work = {"challenge": challenge, "answer": solved.stdout.strip()}
        answer = post(working, "/sign-up", page, email=working.email, password=PASSWORD, **work)
        assert answer.status == 303
        assert working.session().status == 200 or has_signed_up_from_the_line(working)
        assert working.session().status == 200

        waiting = Person(instance.public, "waiting@example.org")
        assert post(waiting, "/sign-up/line", open_page(waiting), instead="1").status == 303
        assert has_signed_up_from_the_line(waiting), "without any work"
        assert waiting.session().status == 200

    assert programs.statuses[303] <= CALM_ALLOWANCE, programs.statuses
    assert programs.statuses[503] == 0, programs.statuses
