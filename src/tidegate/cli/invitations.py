"""`tidegate invites` and `tidegate requests`: who may join by somebody's word, and who asked to."""

from __future__ import annotations

import datetime
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from tidegate.cli.accounts import print_table
from tidegate.cli.desk import perform_at
from tidegate.cli.invocation import command
from tidegate.cli.options import ConfigOption, DataOption, JsonOption, Known, known_of
from tidegate.cli.output import NOT_SO, print_json, refuse
from tidegate.core.registration.requests import RequestKind
from tidegate.ports.invitations import Waiting
from tidegate.services.usher import (
    MOST_LISTED,
    Answered,
    AnswerRequests,
    CreateInvite,
    ListedInvite,
    ListInvites,
    ListRequests,
    MadeInvite,
    RevokeInvite,
    Usher,
    UsherAct,
)

if TYPE_CHECKING:
    from tidegate.adapters.disk.datadir import DataDir
    from tidegate.config import Settings

T = TypeVar("T")

invites_app = typer.Typer(
    help="Invite people, and see whom others invite.", no_args_is_help=True, rich_markup_mode=None
)
requests_app = typer.Typer(help="Answer those who asked to be let in.", no_args_is_help=True, rich_markup_mode=None)

Limit = Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="How many at the most.")]
KindOption = Annotated[RequestKind, typer.Option(help="Those who ask for approval, or who wait for their turn.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="The ids that 'requests list' shows.")]
DomainOption = Annotated[
    str | None, typer.Option("--domain", metavar="DOMAIN", help="All with an address of this domain.")
]
NetworkOption = Annotated[
    str | None, typer.Option("--network", metavar="NETWORK", help="All from this network, as 'requests list' names it.")
]


@invites_app.command("create")
def create_invite(
    *,
    email: Annotated[str | None, typer.Option(metavar="EMAIL", help="For somebody with this address only.")] = None,
    days: Annotated[
        float | None, typer.Option(metavar="N", help="How long it can be used; by default as the settings say.")
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an invitation and print it, once. One account can be made with it."""
    known = known_of(config, data)
    made = _perform(known, CreateInvite(email=email, days=days), MadeInvite)
    if as_json:
        print_json(made)
        return
    typer.echo(made.text)
    end = command(known.settings, f"invites revoke {made.id}")
    whom = "" if made.email is None else f" for {made.email}"
    typer.echo(f"This is shown once. It makes one account{whom} until {_moment(made.expires_at_s)}.", err=True)
    typer.echo(f"Whoever has it opens {_service(known.settings)}/invitation/{made.text}\nTo end it: {end}", err=True)


@invites_app.command("list")
def list_invites(
    *, limit: Limit = 100, config: ConfigOption = None, data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List invitations, newest first: who made them, and what became of them."""
    known = known_of(config, data)
    invites = _perform(known, ListInvites(limit=limit), list[ListedInvite])
    if as_json:
        print_json(invites)
        return
    rows = [
        (
            invite.id,
            invite.made_by_email or ("(an account that is gone)" if invite.made_by else "(an operator)"),
            invite.email or "anybody",
            _moment(invite.expires_at_s),
            invite.is_now if invite.used_by_email is None else f"used by {invite.used_by_email}",
        )
        for invite in invites
    ]
    create = command(known.settings, "invites create")
    print_table(("Id", "Made by", "For", "Until", "State"), rows, f"No invitations yet. Make one: {create}")


@invites_app.command("revoke")
def revoke_invite(
    invite_id: Annotated[str, typer.Argument(metavar="INVITE_ID", help="The id that 'invites list' shows.")],
    *,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an invitation that nobody used yet."""
    _perform(known_of(config, data), RevokeInvite(invite_id=invite_id), type(None))
    if as_json:
        print_json({"id": invite_id, "revoked": True})
    else:
        typer.echo(f"{invite_id} is revoked.")


@requests_app.command("list")
def list_requests(
    *,
    kind: KindOption = RequestKind.APPROVAL,
    limit: Limit = 100,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List those whom nobody has answered, in their order."""
    found = _perform(known_of(config, data), ListRequests(kind=kind, limit=limit), list[Waiting])
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one.request.id,
            f"{one.request.email} (has an account)" if one.has_account else one.request.email,
            _moment(one.request.asked_at_s),
            one.request.net or "",
            one.request.note,
        )
        for one in found
    ]
    print_table(("Id", "Email", "Asked", "Network", "Note"), rows, "Nobody waits for an answer.")


@requests_app.command("approve")
def approve_requests(
    ids: Ids = None,
    *,
    domain: DomainOption = None,
    network: NetworkOption = None,
    kind: KindOption = RequestKind.APPROVAL,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let people in: an invitation for each, mailed where the service sends mail, and printed otherwise."""
    act = AnswerRequests(is_approved=True, ids=tuple(ids or ()), domain=domain, net=network, kind=kind)
    answered = _answer(known_of(config, data), act, as_json=as_json)
    for one in answered.approved:
        if one.text is None:
            typer.echo(f"{one.email} has an account already.", err=True)
        elif one.email in answered.mailed:
            typer.echo(f"{one.email} is invited by mail.")
        else:
            typer.echo(f"{one.email} {one.text}")


@requests_app.command("refuse")
def refuse_requests(
    ids: Ids = None,
    *,
    domain: DomainOption = None,
    network: NetworkOption = None,
    kind: KindOption = RequestKind.APPROVAL,
    config: ConfigOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse people. They are not told, and asking again changes nothing for as long as a request is kept."""
    act = AnswerRequests(is_approved=False, ids=tuple(ids or ()), domain=domain, net=network, kind=kind)
    typer.echo(f"Refused: {_answer(known_of(config, data), act, as_json=as_json).refused}.")


def _answer(known: Known, act: AnswerRequests, *, as_json: bool) -> Answered:
    """Have those answered. Ends the program here where that was nobody, or where it was to be told as JSON."""
    answered = _perform(known, act, Answered)
    if as_json:
        print_json(answered)
        raise typer.Exit
    if not (answered.approved or answered.refused):
        refuse("nobody of those waits for an answer", NOT_SO)
    return answered


def _perform(known: Known, act: UsherAct, kind: type[T]) -> T:
    def opened(settings: Settings, datadir: DataDir) -> AbstractAsyncContextManager[Usher]:
        from tidegate.app.operate import open_usher

        return open_usher(settings, datadir)

    return perform_at("/people", opened, known, act, kind)


def _service(settings: Settings) -> str:
    """Where people reach the service, as far as the settings tell."""
    return (settings.mail.public_url or "https://YOUR-SERVICE").rstrip("/")


def _moment(moment_s: float) -> str:
    return f"{datetime.datetime.fromtimestamp(moment_s, datetime.UTC):%Y-%m-%d %H:%M} UTC"
