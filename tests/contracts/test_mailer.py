"""What every Mailer and every Mailbox promises; SMTP is spoken with a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.core.mail.writing import NOW, SITE, URL, accounts_letter, strangers_letter
from tests.posting import post_office
from tidegate.adapters.mail.mailbox import DiskMailbox
from tidegate.adapters.mail.smtp import SmtpMailer, SmtpPlan
from tidegate.core.mail import wording
from tidegate.ports.mail import KeptLetter, Mailbox, Mailer
from tidegate.testing.mail import MemoryMailer


class Post:
    """A mailer, and how to see what came of it."""

    def __init__(self, mailer: Mailer, arrived: Callable[[], Awaitable[list[KeptLetter]]]) -> None:
        self.mailer = mailer
        self.arrived = arrived


@pytest.fixture(params=["memory", "disk", "smtp"])
async def post(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Post]:
    if request.param == "smtp":
        async with post_office() as office:
            plan = SmtpPlan(
                host="127.0.0.1",
                port=office.port,
                security="none",
                from_address="tide@tide.example",
                from_name="Tide, the",
            )

            async def arrived() -> list[KeptLetter]:
                found = []
                for message in reversed(office.messages):
                    body = message.get_body(("plain",))
                    assert body is not None
                    found.append(
                        KeptLetter(
                            name="",
                            recipient=str(message["To"]),
                            subject=message["Subject"],
                            sent_at_s=0.0,
                            text=body.get_content().replace("\r\n", "\n"),
                        )
                    )
                return found

            yield Post(SmtpMailer(plan), arrived)
        return
    kept = MemoryMailer() if request.param == "memory" else DiskMailbox(tmp_path / "mail", "tide@tide.example", "Tide")
    yield Post(kept, kept.letters)


async def test_a_letter_arrives_as_it_was_written(post: Post) -> None:
    letter = strangers_letter()
    await post.mailer.send(letter)
    await post.mailer.close()
    (found,) = await post.arrived()

    assert (found.recipient, found.subject) == (letter.recipient, letter.subject)
    assert found.text == letter.text()
    assert URL in found.text.splitlines()


async def test_letters_arrive_in_their_order_and_in_letters_of_every_script(post: Post) -> None:
    recipients = ["ana@example.org", "änne+潮@example.org", "ana@xn--bcher-kva.example"]
    for recipient in recipients:
        await post.mailer.send(wording.confirm(recipient, f"{URL}?{'x' * 400}", SITE, NOW))
    found = await post.arrived()

    assert [letter.recipient for letter in reversed(found)] == recipients
    assert all(f"{URL}?{'x' * 400}" in letter.text.splitlines() for letter in found)


@pytest.fixture(params=["memory", "disk"])
def mailbox(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryMailer | DiskMailbox:
    return MemoryMailer() if request.param == "memory" else DiskMailbox(tmp_path / "mail", "tide@tide.example", "Tide")


async def test_a_mailbox_shows_its_letters_newest_first_and_each_by_its_name(
    mailbox: MemoryMailer | DiskMailbox,
) -> None:
    read: Mailbox = mailbox
    assert await read.letters() == []
    await mailbox.send(strangers_letter())
    await mailbox.send(accounts_letter())
    newest, oldest = await read.letters()

    assert (newest.subject, oldest.subject) == ("Choose a new password", "Finish creating your account")
    assert await read.letter(oldest.name) == oldest
    for name in ("", "..", "../secrets/kek", f"{oldest.name}\n", f"{oldest.name[:-1]}z", "0" * 20 + "-00000009"):
        assert await read.letter(name) is None
