"""The operator sees how mail is, and reads the letters that were kept instead of delivered, as text."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.core.mail.writing import URL, strangers_letter
from tests.http.asgi import Visit
from tests.http.browsing import HTML, text
from tests.http.conftest import Service, fingerprint
from tidegate.core.mail.budgets import MailBudgets, MailPlan
from tidegate.http.answering import Answering
from tidegate.http.doors import open_door
from tidegate.http.frame import Frame
from tidegate.http.operator import routes as operator
from tidegate.http.operator.mailbox import MailWords, words_of_mail
from tidegate.http.operator.routes import OperatorRoom
from tidegate.http.routes import bind, router
from tidegate.ports.mail import LetterPutOffError, MailUnavailableError
from tidegate.services.letters import Letters
from tidegate.services.outbox import Outbox
from tidegate.testing.mail import MemoryMailer


class Desk:
    """An operator's room whose mail a test has in hand."""

    def __init__(self, service: Service, *, is_on: bool = True, keeps: bool = False) -> None:
        self.mailer = MemoryMailer()
        self.outbox = Outbox(self.mailer, service.journal, fingerprint, service.clock)
        letters = Letters(
            service.clerk, self.outbox if is_on else None, MailBudgets(MailPlan()), "https://t.example", lambda _: None
        )
        self.room = OperatorRoom(
            engine=service.engine,
            admission=service.admission,
            lifecycle=service.lifecycle,
            exposition=bytes,
            letters=letters,
            mailbox=self.mailer if keeps else None,
        )


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = await Service().open()
    yield made
    await made.finish_later()
    made.clerk.passwords.close()


def told(desk: Desk) -> MailWords:
    words = words_of_mail(desk.room)
    assert words is not None
    return words


async def test_without_mail_the_operator_is_told_what_that_means(service: Service) -> None:
    desk = Desk(service, is_on=False)
    words = told(desk)
    assert (words.indicator, words.sentence) == ("minor", "No letters are sent.")
    assert "nobody's address is checked" in words.more[0]
    assert not words.has_mailbox
    assert "No letters are sent." in text(await page(served(service, desk.room), "/"))


async def test_where_mail_is_no_part_of_it_nothing_is_said_of_mail(service: Service) -> None:
    room = msgspec.structs.replace(Desk(service).room, letters=None)

    assert words_of_mail(room) is None
    assert 'id="mail"' not in (await page(served(service, room), "/")).body.decode()


async def test_letters_that_are_sent_are_counted(service: Service) -> None:
    desk = Desk(service)
    assert desk.outbox.put(strangers_letter(now=service.clock()))
    assert "0 sent since the start, 0 not sent, 1 waiting" in told(desk).more[0]
    await desk.outbox.step()

    words = told(desk)
    assert (words.indicator, words.sentence) == ("none", "Letters are sent.")
    assert words.more[0].startswith("1 sent since the start, 0 not sent, 0 waiting")
    assert "100% are left" in words.more[0]


async def test_letters_that_a_budget_withholds_are_counted_as_not_sent(service: Service) -> None:
    desk = Desk(service)
    letters = desk.room.letters
    assert letters is not None
    sent = [letters.post(strangers_letter(now=service.clock())) for _ in range(5)]

    assert sent == [True] * 3 + [False] * 2
    assert "0 sent since the start, 2 not sent (2 of them withheld by their budgets), 3 waiting" in told(desk).more[0]


async def test_a_server_that_is_away_is_told_with_its_reason(service: Service) -> None:
    desk = Desk(service)
    desk.mailer.troubles = [MailUnavailableError("post.example:587: nothing listens there")]
    assert desk.outbox.put(strangers_letter(now=service.clock()))
    await desk.outbox.step()

    words = told(desk)
    assert (words.indicator, words.since_s) == ("major", service.clock())
    assert words.more[0].startswith("post.example:587: nothing listens there.")


async def test_a_server_that_has_put_off_all_there_were_is_told(service: Service) -> None:
    desk = Desk(service)
    desk.mailer.troubles = [LetterPutOffError()]
    assert desk.outbox.put(strangers_letter(now=service.clock()))
    await desk.outbox.step()

    assert told(desk).sentence == "The mail server puts letters off."


async def test_a_server_that_puts_many_letters_off_is_told(service: Service) -> None:
    desk = Desk(service)
    desk.mailer.troubles = [LetterPutOffError()] * 5
    for _ in range(5):
        assert desk.outbox.put(strangers_letter(now=service.clock()))
    for _ in range(5):
        await desk.outbox.step()

    assert told(desk).sentence == "The mail server puts letters off."


def served(service: Service, room: OperatorRoom) -> Frame:
    """The operator's pages over this room."""
    answering = Answering(
        app=router(bind(operator.TABLE, room, open_door)),
        journal=service.journal,
        lifecycle=service.lifecycle,
        clock=service.clock,
    )
    return Frame(
        app=answering, journal=service.journal, fingerprint=fingerprint, clock=service.clock, ticks=service.clock
    )


async def page(app: Frame, path: str) -> Visit:
    return await Visit(app, "GET", path, headers={"host": "localhost", "accept": HTML}).ask()


async def test_kept_letters_are_listed_and_read_as_text_and_nothing_in_them_is_markup(service: Service) -> None:
    desk = Desk(service, keeps=True)
    mailer, apps = desk.mailer, served(service, desk.room)
    assert "There are none yet." in text(await page(apps, "/mail"))
    hostile = msgspec.structs.replace(
        strangers_letter(), subject="<script>alert(1)</script>", before=("<img src=x onerror=alert(1)>",)
    )
    await mailer.send(hostile)
    front = await page(apps, "/")
    assert "Letters are kept on this machine, and reach nobody." in text(front)
    assert 'href="/mail"' in front.body.decode()
    listed = await page(apps, "/mail")
    assert "to ana@example.org" in text(listed)

    name = (await mailer.letters())[0].name
    read = await page(apps, f"/mail/{name}")
    assert read.status == 200
    assert "<img src=x onerror=alert(1)>" in text(read) or "&lt;img src=x onerror=alert(1)&gt;" in read.body.decode()
    assert f'href="{URL}"' in read.body.decode()
    for visit in (listed, read):
        assert b"<script" not in visit.body
        assert b"<img src=x" not in visit.body
        assert "default-src 'none'" in visit.headers["content-security-policy"]
    assert (await page(apps, "/mail/nothing")).status == 404


async def test_where_letters_are_delivered_there_is_no_mailbox(service: Service) -> None:
    apps = served(service, Desk(service).room)

    assert (await page(apps, "/mail")).status == 404
    assert (await page(apps, "/mail/x")).status == 404
