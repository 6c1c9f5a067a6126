"""The operator's view of mail: how it is, and the letters that were kept instead of delivered.

Letters are shown as plain text. Nothing in them is run, loaded or drawn.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.events import RouteKind
from tidegate.core.reasons import Reason
from tidegate.http.pages import render
from tidegate.http.refusals import Refusal
from tidegate.http.routes import Route
from tidegate.http.status.verdict import Indicator
from tidegate.ports.mail import Mailbox
from tidegate.services.letters import Letters

_MANY: Final = 5
"""Letters that are put off; a few always are (greylisting)."""


class MailWords(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator's page says of mail: since when where that matters, and whether there is a mailbox to read."""

    indicator: Indicator
    sentence: str
    since_s: float | None = None
    more: tuple[str, ...] = ()
    has_mailbox: bool = False


class HasMail(Protocol):
    """A room that knows of mail."""

    @property
    def letters(self) -> Letters | None:
        """What sends them."""

    @property
    def mailbox(self) -> Mailbox | None:
        """Where they are kept instead."""


def words_of_mail(room: HasMail) -> MailWords | None:
    """How mail is, in words, and what to do; None where mail is no part of it."""
    letters = room.letters
    if letters is None:
        return None
    if letters.outbox is None:
        return MailWords(
            indicator="minor",
            sentence="No letters are sent.",
            more=(
                (
                    "So nobody's address is checked when they sign up, and forgotten passwords are for you to replace "
                    "(tidegate users password). Set mail.delivery to change that; see docs/operate.md."
                ),
            ),
        )
    report = letters.outbox.report()
    left = letters.budget_left() or 0.0
    withheld = f" ({report.withheld} of them withheld by their budgets)" if report.withheld else ""
    counted = (
        (
            f"{report.sent} sent since the start, {report.not_sent} not sent{withheld}, {report.waiting} waiting, "
            f"{report.put_off} of them put off. Of the letters "
            f"that strangers may cause, {left:.0%} are left."
        ),
    )
    if report.failing_since_s is not None:
        return MailWords(
            indicator="major",
            sentence="Letters cannot be handed over since",
            since_s=report.failing_since_s,
            more=(f"{report.trouble}. It is tried again by itself; letters wait until their links run out.", *counted),
        )
    if room.mailbox is not None:
        return MailWords(
            indicator="minor",
            sentence="Letters are kept on this machine, and reach nobody.",
            more=("That is for development (mail.delivery = disk).", *counted),
            has_mailbox=True,
        )
    if report.put_off >= _MANY or (report.put_off and not report.sent):
        return MailWords(
            indicator="minor",
            sentence="The mail server puts letters off.",
            more=(
                "It answers, but takes many letters only later: it may be slow, or not yet trust this sender.",
                *counted,
            ),
        )
    return MailWords(indicator="none", sentence="Letters are sent.", more=counted)


async def mailbox_page(room: HasMail, request: Request) -> Response:
    """All letters, newest first."""
    return render(request, "mailbox.html", letters=await _mailbox(room).letters())


async def letter_page(room: HasMail, request: Request) -> Response:
    """One letter, as text."""
    letter = await _mailbox(room).letter(request.path_params["name"])
    if letter is None:
        raise Refusal(Reason.ROUTE_NOT_FOUND, "There is no such letter any more: only the newest ones are kept.")
    links = [line for line in letter.text.splitlines() if line.startswith(("http://", "https://"))]
    return render(request, "letter.html", letter=letter, links=links)


def _mailbox(room: HasMail) -> Mailbox:
    if room.mailbox is None:
        raise Refusal(Reason.ROUTE_NOT_FOUND, "No letters are kept here: mail.delivery is not 'disk'.")
    return room.mailbox


TABLE: Final[tuple[Route[HasMail], ...]] = (
    Route(
        method="GET",
        path="/mail",
        summary="Letters that were kept instead of delivered",
        endpoint=mailbox_page,
        kind=RouteKind.PAGE,
        media_type="text/html",
        reasons=(Reason.ROUTE_NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/mail/{name}",
        summary="One of them",
        endpoint=letter_page,
        kind=RouteKind.PAGE,
        media_type="text/html",
        reasons=(Reason.ROUTE_NOT_FOUND,),
    ),
)
