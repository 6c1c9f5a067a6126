"""Letters of the real program, handed to a real SMTP server: an account is made, a server is away and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.people import PASSWORD, Person
from tests.integration.running import Instance, free_port, until
from tests.posting import PostOffice, post_office

NEW_PASSWORD = "and the moon pulls on it"
ARRIVAL_S = 30.0


class Post:
    """An SMTP server in a thread, that opens and closes; letters that came stay."""

    def __init__(self) -> None:
        self.port = free_port()
        self.offices: list[PostOffice] = []

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        stop = asyncio.Event()

        async def serve(opened: threading.Event) -> None:
            async with post_office(port=self.port) as office:
                self.offices.append(office)
                opened.set()
                await stop.wait()

        opened = threading.Event()
        serving = asyncio.run_coroutine_threadsafe(serve(opened), loop)
        try:
            assert opened.wait(10)
            yield
        finally:
            loop.call_soon_threadsafe(stop.set)
            serving.result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    def link(self, to: str, subject: str) -> str:
        """The path of the link in the letter; waits for it."""
        found: list[str] = []

        def has_come() -> bool:
            for office in self.offices:
                for message in office.messages:
                    body = message.get_body(("plain",))
                    if message["To"] == to and message["Subject"] == subject and body is not None:
                        paths = re.findall(r"^https://chat\.example(/\S+)", body.get_content(), re.MULTILINE)
                        found[:] = paths
            return bool(found)

        until(has_come, ARRIVAL_S, f"the letter {subject!r}")
        return found[0]


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def instance(models: Path, tmp_path: Path, post: Post) -> Iterator[Instance]:
    config = f"""
[mail]
delivery = "smtp"
smtp_host = "127.0.0.1"
smtp_port = {post.port}
security = "none"
from_address = "tide@tide.example"
public_url = "https://chat.example"
"""
    running = Instance(tmp_path, models, config=config)
    try:
        yield running.ready()
    finally:
        running.kill()


def test_an_account_is_made_by_letter_and_its_password_replaced_by_one(instance: Instance, post: Post) -> None:
    assert f"sent through 127.0.0.1:{post.port}, as tide@tide.example" in instance.output
    ana = Person(instance.public, "ana@example.org")
    with post.open():
        assert ana.fill_in("/sign-up", email=ana.email).status == 200
        path = post.link(ana.email, "Finish creating your account")
        assert ana.fill_in(path, password=PASSWORD).status == 303
        assert ana.session().status == 200
        assert Person(instance.public, ana.email).fill_in("/sign-up", email=ana.email).status == 200
        assert post.link(ana.email, "You have an account already") == "/sign-in"

        again = Person(instance.public, ana.email, NEW_PASSWORD)
        assert again.fill_in("/forgot", email=ana.email).status == 200
        path = post.link(ana.email, "Choose a new password")
        assert again.fill_in(path, password=NEW_PASSWORD).status == 303
        assert again.fill_in(path, password=NEW_PASSWORD).status == 410
        assert again.session().status == 200
        assert Person(instance.public, ana.email).sign_in().status == 401
        assert post.link(ana.email, "Your password was changed") == "/forgot"
    log = (instance.data / "logs" / "events.jsonl").read_text()
    assert '"kind":"verify"' in log
    assert '"kind":"mail"' in log
    assert "example.org" not in log
    assert path not in log


def test_letters_wait_for_a_server_that_is_away_and_the_operator_is_told(instance: Instance, post: Post) -> None:
    person = Person(instance.public, "ana@example.org")
    assert person.fill_in("/sign-up", email=person.email).status == 200

    def operator_page() -> str:
        return instance.ask("/", at=instance.operator, headers={"accept": "text/html"}).body.decode()

    until(lambda: "Letters cannot be handed over since" in operator_page(), ARRIVAL_S, "the operator is told")
    assert f"127.0.0.1:{post.port}: nothing listens there." in operator_page()
    with post.open():
        assert person.fill_in(post.link(person.email, "Finish creating your account"), password=PASSWORD).status == 303
        # It has the letter before it says that it took it.
        until(lambda: "Letters are sent." in operator_page(), ARRIVAL_S, "the operator is told that it is over")


def test_a_stop_is_not_held_up_by_a_server_that_is_away_and_says_what_is_lost(instance: Instance, post: Post) -> None:
    person = Person(instance.public, "ana@example.org")
    assert person.fill_in("/sign-up", email=person.email).status == 200

    assert instance.stop() == 0
    assert "1 letter that waited to be sent is lost: whoever was promised one has to ask again." in instance.output
    assert [event["outcome"] for event in instance.events() if event["kind"] == "mail"] == ["lost"]
