"""Letters are handed over beside the requests; what goes wrong is told, and tried again while that makes sense."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.core.mail.writing import accounts_letter, strangers_letter
from tests.services.mailing import fingerprint
from tidegate.core.events import LetterHandled, Level, MailOutcome, MailServerChanged, Tag
from tidegate.core.mail.letter import Letter, LetterKind
from tidegate.ports.mail import LetterPutOffError, LetterRefusedError, LetterUnansweredError, MailUnavailableError
from tidegate.services.outbox import Outbox
from tidegate.testing.clock import HandClock
from tidegate.testing.journal import RecordingJournal
from tidegate.testing.mail import MemoryMailer

NOW = 1_000_000.0


class Bench:
    def __init__(self, most: int = 10) -> None:
        self.clock = HandClock(NOW)
        self.journal = RecordingJournal()
        self.mailer = MemoryMailer()
        self.outbox = Outbox(self.mailer, self.journal, fingerprint, self.clock, most=most)

    def outcomes(self) -> list[MailOutcome]:
        return [event.outcome for event in self.journal.of(LetterHandled)]


async def test_a_letter_that_was_handed_over_is_told_and_its_writer_too() -> None:
    bench, told = Bench(), list[Letter]()
    bench.outbox.sent = told.append
    letter = strangers_letter()
    assert bench.outbox.put(letter)
    bench.clock.advance(2.5)

    assert await bench.outbox.step()
    assert not await bench.outbox.step()
    assert bench.mailer.sent == told == [letter]
    (event,) = bench.journal.of(LetterHandled)
    assert (event.event, event.letter, event.wait_s, event.tries) == (Tag.MAIL_SENT, LetterKind.CONFIRM, 2.5, 1)
    assert event.mail_domain == fingerprint("example.org")


async def test_a_letter_that_is_refused_is_not_tried_again() -> None:
    bench = Bench()
    bench.mailer.troubles = [LetterRefusedError()]
    assert bench.outbox.put(strangers_letter())

    assert await bench.outbox.step()
    assert not await bench.outbox.step()
    assert bench.outcomes() == [MailOutcome.REFUSED]
    report = bench.outbox.report()
    assert (report.waiting, report.sent, report.not_sent) == (0, 0, 1)


async def test_a_letter_that_is_put_off_is_tried_later_and_others_go_on() -> None:
    bench = Bench()
    bench.mailer.troubles = [LetterPutOffError()]
    assert bench.outbox.put(accounts_letter("late@example.org"))
    assert bench.outbox.put(accounts_letter("next@example.org"))

    assert await bench.outbox.step()
    assert await bench.outbox.step()
    assert [letter.recipient for letter in bench.mailer.sent] == ["next@example.org"]
    assert bench.outbox.report().put_off == 1
    assert not await bench.outbox.step()
    bench.clock.advance(5.0)
    assert await bench.outbox.step()
    assert [letter.recipient for letter in bench.mailer.sent] == ["next@example.org", "late@example.org"]


async def test_a_letter_that_may_have_been_taken_is_handed_over_once_more_and_then_told() -> None:
    """A server that delivers and never says so would fill a mailbox with the same letter for a day."""
    bench = Bench()
    bench.mailer.troubles = [LetterUnansweredError()] * 50
    assert bench.outbox.put(strangers_letter())

    assert await bench.outbox.step()
    bench.clock.advance(299.0)
    assert not await bench.outbox.step(), "not while the server may still be at it"
    bench.clock.advance(1.0)
    assert await bench.outbox.step()
    bench.clock.advance(3600.0)
    assert not await bench.outbox.step()
    assert bench.mailer.tried == 2
    assert bench.outcomes() == [MailOutcome.UNANSWERED]
    assert bench.outbox.report().waiting == 0


async def test_a_server_that_is_away_is_told_once_with_its_reason_and_again_when_it_is_back() -> None:
    bench = Bench()
    bench.mailer.troubles = [MailUnavailableError("post.example: nothing listens there")] * 2
    assert bench.outbox.put(strangers_letter())

    assert await bench.outbox.step()
    report = bench.outbox.report()
    assert (report.failing_since_s, report.trouble) == (NOW, "post.example: nothing listens there")
    bench.clock.advance(5.0)
    assert await bench.outbox.step()
    bench.clock.advance(10.0)
    assert await bench.outbox.step()

    told = [(event.event, event.level) for event in bench.journal.of(MailServerChanged)]
    assert told == [(Tag.MAIL_FAILING, Level.ERROR), (Tag.MAIL_WORKING, Level.INFO)]
    assert bench.outcomes() == [MailOutcome.SENT]
    report = bench.outbox.report()
    assert (report.failing_since_s, report.trouble, report.waiting) == (None, None, 0)


@pytest.mark.parametrize("trouble", [LetterPutOffError(), MailUnavailableError("away")])
async def test_a_letter_whose_link_has_run_out_meanwhile_is_given_up(trouble: Exception) -> None:
    bench = Bench()
    bench.mailer.troubles = [trouble]
    assert bench.outbox.put(accounts_letter(now=NOW - 3596.0))

    assert await bench.outbox.step()
    bench.clock.advance(10.0)
    assert not await bench.outbox.step()
    assert bench.outcomes() == [MailOutcome.GIVEN_UP]
    assert bench.outbox.report().waiting == 0


async def test_a_letter_that_is_too_old_when_its_turn_comes_is_given_up() -> None:
    bench = Bench()
    bench.mailer.troubles = [MailUnavailableError("away")]
    assert bench.outbox.put(accounts_letter(now=NOW))
    assert await bench.outbox.step()
    bench.clock.advance(3600.0)

    assert not await bench.outbox.step()
    assert bench.outcomes() == [MailOutcome.GIVEN_UP]
    assert bench.mailer.tried == 1


async def test_an_unavailable_server_does_not_keep_a_letter_beyond_its_end() -> None:
    bench = Bench()
    slow = asyncio.Event()

    async def send(letter: Letter) -> None:
        bench.clock.advance(3600.0)
        slow.set()
        msg = "away"
        raise MailUnavailableError(msg)

    bench.mailer.send = send  # type: ignore[method-assign]  # a server that answers when it is too late
    assert bench.outbox.put(accounts_letter(now=NOW))
    assert await bench.outbox.step()

    assert bench.outcomes() == [MailOutcome.GIVEN_UP]


async def test_what_there_is_no_room_for_is_told() -> None:
    bench = Bench(most=1)
    assert bench.outbox.put(accounts_letter())

    assert not bench.outbox.put(accounts_letter())
    assert bench.outcomes() == [MailOutcome.NO_ROOM]


async def test_a_defect_costs_one_letter_and_not_all_that_come_after_it(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.mailer.troubles = [KeyError("ours")]
    assert bench.outbox.put(accounts_letter())
    assert bench.outbox.put(strangers_letter())

    with caplog.at_level(logging.ERROR):
        assert await bench.outbox.step()
    assert await bench.outbox.step()
    assert bench.outcomes() == [MailOutcome.GIVEN_UP, MailOutcome.SENT]
    assert "a letter could not be handed over" in caplog.text


async def test_letters_go_by_themselves_while_it_runs_also_those_that_come_later() -> None:
    bench = Bench()
    arrived = asyncio.Event()
    bench.outbox.sent = lambda letter: arrived.set()
    running = asyncio.create_task(bench.outbox.run())
    for _ in range(2):
        arrived.clear()
        assert bench.outbox.put(strangers_letter())
        async with asyncio.timeout(10):
            await arrived.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert len(bench.mailer.sent) == 2


async def test_a_stop_waits_for_what_is_on_its_way() -> None:
    bench = Bench()
    running = asyncio.create_task(bench.outbox.run())
    for _ in range(5):
        assert bench.outbox.put(accounts_letter())

    async with asyncio.timeout(10):
        assert await bench.outbox.finish(within_s=60.0) == 0
        await running
    assert len(bench.mailer.sent) == 5
    assert bench.mailer.is_closed


async def test_a_stop_does_not_wait_for_a_server_that_is_away_and_says_what_is_lost() -> None:
    bench = Bench()
    bench.mailer.troubles = [MailUnavailableError("away")] * 10
    running = asyncio.create_task(bench.outbox.run())
    assert bench.outbox.put(accounts_letter())
    assert bench.outbox.put(strangers_letter())

    async with asyncio.timeout(10):
        assert await bench.outbox.finish(within_s=60.0) == 2
        await running
    assert bench.outcomes() == [MailOutcome.LOST] * 2
    assert {event.event for event in bench.journal.of(LetterHandled)} == {Tag.MAIL_NOT_SENT}
    report = bench.outbox.report()
    assert (report.waiting, report.not_sent) == (0, 2)


async def test_a_stop_does_not_wait_for_a_letter_that_is_due_only_later() -> None:
    """The server put it off: nothing that a stop could wait for makes it take it."""
    bench = Bench()
    bench.mailer.troubles = [LetterPutOffError()]
    running = asyncio.create_task(bench.outbox.run())
    assert bench.outbox.put(accounts_letter())

    async with asyncio.timeout(10):
        assert await bench.outbox.finish(within_s=4.0) == 1
        await running
    (lost,) = bench.journal.of(LetterHandled)
    assert (lost.outcome, lost.tries) == (MailOutcome.LOST, 1)


async def test_a_stop_does_not_wait_for_ever_and_a_letter_half_handed_over_is_lost() -> None:
    bench = Bench()

    async def send(letter: Letter) -> None:
        await asyncio.Event().wait()

    bench.mailer.send = send  # type: ignore[method-assign]  # a server that never answers
    running = asyncio.create_task(bench.outbox.run())
    assert bench.outbox.put(accounts_letter())

    async with asyncio.timeout(10):
        assert await bench.outbox.finish(within_s=0.05) == 1
        await running
    assert bench.outcomes() == [MailOutcome.LOST]
