"""What an SMTP server says decides whether a letter is tried again, and the operator is told in our own words."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import make
from tests.core.mail.writing import strangers_letter
from tests.posting import PostOffice, post_office
from tidegate.adapters.mail.smtp import SmtpMailer, SmtpPlan
from tidegate.ports.mail import LetterPutOffError, LetterRefusedError, LetterUnansweredError, MailUnavailableError


def a_mailer(office: PostOffice, tls: ssl.SSLContext | None = None, **given: Any) -> SmtpMailer:
    values = {"security": "none", "timeout_s": 10.0, **given}
    plan = SmtpPlan(
        host="localhost" if tls else "127.0.0.1",
        port=office.port,
        from_address="tide@tide.example",
        from_name="Tide",
        **values,
    )
    return SmtpMailer(plan, tls)


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(conversation: Conversation) -> AsyncIterator[PostOffice]:
    """A server that does with its one caller what it is told, and is done with it in the end."""
    over = asyncio.Event()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await conversation(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    office = PostOffice()
    office.port = server.sockets[0].getsockname()[1]
    yield office
    server.close()
    await over.wait()


@pytest.fixture
def trust(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side of TLS, and a client's that knows its certificate."""
    pair = make(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pair.cert, pair.key)
    return server, ssl.create_default_context(cafile=str(pair.cert))


async def test_the_message_says_who_wrote_it_and_that_a_machine_did() -> None:
    async with post_office() as office:
        await a_mailer(office).send(strangers_letter())
    (message,) = office.messages

    assert message["From"] == "Tide <tide@tide.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@tide.example>")
    assert message["Date"].datetime.tzinfo is not None
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert office.greeted == ["tide.example"], "not this machine's name"
    assert office.recipients == [["ana@example.org"]]


@pytest.mark.parametrize("is_tls_from_the_start", [False, True])
async def test_letters_and_the_password_go_over_tls(
    trust: tuple[ssl.SSLContext, ssl.SSLContext], is_tls_from_the_start: bool
) -> None:
    security = "tls" if is_tls_from_the_start else "starttls"
    account = {} if is_tls_from_the_start else {"username": "tide", "password": "in and out"}
    async with post_office(
        tls=trust[0], is_tls_from_the_start=is_tls_from_the_start, is_locked=bool(account)
    ) as office:
        await a_mailer(office, trust[1], security=security, **account).send(strangers_letter())

    assert len(office.messages) == 1
    assert is_tls_from_the_start or office.was_tls == [True]


async def test_a_certificate_that_is_not_good_ends_it_before_anything_is_said(
    trust: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with post_office(tls=trust[0]) as office:
        mailer = a_mailer(office, ssl.create_default_context(), security="starttls")
        with pytest.raises(MailUnavailableError, match="certificate is not good"):
            await mailer.send(strangers_letter())

    assert office.messages == []


async def test_a_server_without_tls_gets_no_letter_where_tls_was_asked_for() -> None:
    async with post_office() as office:
        for security in ("starttls", "tls"):
            mailer = a_mailer(office, ssl.create_default_context(), security=security)
            with pytest.raises(MailUnavailableError, match=r"no STARTTLS|TLS could not be agreed on"):
                await mailer.send(strangers_letter())

    assert office.messages == []


async def test_a_wrong_password_is_told_without_quoting_it(trust: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with post_office(tls=trust[0], is_locked=True) as office:
        mailer = a_mailer(office, trust[1], security="starttls", username="tide", password="not the right one")
        with pytest.raises(MailUnavailableError, match=r"does not accept mail\.username") as told:
            await mailer.send(strangers_letter())

    assert "not the right one" not in str(told.value)
    assert "not the right one" not in repr(mailer.plan)


@pytest.mark.parametrize(
    ("at", "answer", "trouble"),
    [
        ("ana@example.org", "550 no such mailbox", LetterRefusedError),
        ("ana@example.org", "450 greylisted, come back", LetterPutOffError),
        ("ana@example.org", "421 closing", MailUnavailableError),
        ("DATA", "554 looks like spam", LetterRefusedError),
        ("DATA", "451 local error", LetterPutOffError),
        ("DATA", "421 too many letters today", MailUnavailableError),
        ("MAIL", "550 who are you", MailUnavailableError),
        ("MAIL", "450 not now", MailUnavailableError),
    ],
)
async def test_what_the_server_answers_decides_what_becomes_of_a_letter(
    at: str, answer: str, trouble: type[Exception]
) -> None:
    async with post_office() as office:
        office.answers[at] = answer
        with pytest.raises(trouble) as told:
            await a_mailer(office).send(strangers_letter())

        assert answer[4:] not in str(told.value)
        office.answers.clear()
        await a_mailer(office).send(strangers_letter())
    assert len(office.messages) == 1


async def test_an_address_that_the_server_has_no_letters_for_is_refused() -> None:
    async with post_office(enable_SMTPUTF8=False) as office:
        with pytest.raises(LetterRefusedError):
            await a_mailer(office).send(strangers_letter("änne@example.org"))


async def test_nobody_there_is_told() -> None:
    async with post_office() as office:
        mailer = a_mailer(office)

    with pytest.raises(MailUnavailableError, match="nothing listens there"):
        await mailer.send(strangers_letter())


async def test_a_letter_over_which_the_server_stalls_is_put_off_and_the_others_are_not() -> None:
    """Whoever can make the server slow for one recipient must not make it look as if it were away."""
    async with post_office() as office:
        office.stall = True
        with pytest.raises(LetterUnansweredError):
            await a_mailer(office, timeout_s=1.5).send(strangers_letter())
        office.stall = False
        await a_mailer(office).send(strangers_letter())

    assert len(office.messages) == 1


async def test_a_server_that_accepts_a_connection_and_says_nothing_is_away() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(say_nothing) as office:
        with pytest.raises(MailUnavailableError, match="no answer in time"):
            await a_mailer(office, timeout_s=0.3).send(strangers_letter())


async def test_a_connection_that_breaks_in_the_middle_puts_the_letter_off() -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 post.example\r\n")
        await reader.readline()
        writer.write(b"250 post.example\r\n")
        await reader.readline()

    async with listening(break_off) as office:
        with pytest.raises(LetterPutOffError) as broken:
            await a_mailer(office).send(strangers_letter())
    assert not isinstance(broken.value, LetterUnansweredError), "nothing was given yet"


@pytest.mark.parametrize("last", [b"", b"what?\r\n"])
async def test_a_server_that_took_a_letter_and_does_not_say_so_may_have_it(last: bytes) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 post.example\r\n")
        for answer in (b"250 post.example\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
            await reader.readline()
            writer.write(answer)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(last)

    async with listening(take) as office:
        with pytest.raises(LetterUnansweredError):
            await a_mailer(office).send(strangers_letter())


async def test_a_letter_that_is_handed_over_again_has_its_name_still() -> None:
    async with post_office() as office:
        for letter in (strangers_letter(), strangers_letter(), strangers_letter("bob@example.org")):
            await a_mailer(office).send(letter)

    first, again, other = (message["Message-ID"] for message in office.messages)
    assert first == again != other


async def test_what_is_no_mail_server_is_told() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(babble) as office:
        with pytest.raises(MailUnavailableError, match=r"^127\.0\.0\.1:\d+: what it says is not SMTP"):
            await a_mailer(office).send(strangers_letter())


async def test_a_recipient_that_would_be_a_header_more_reaches_no_server() -> None:
    async with post_office() as office:
        with pytest.raises(LetterRefusedError):
            await a_mailer(office).send(strangers_letter("ana@example.org\r\nBcc: bob@example.org"))

    assert office.greeted == []
