"""Getting an account: the form, the line, a place in it, an invitation. All of it works without JavaScript."""

from __future__ import annotations

import datetime
import math
from typing import Any, Final, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tidegate.core.challenge.challenges import Why
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.requests import Left, RequestKind
from tidegate.http import cookies, forms
from tidegate.http.accounts.arriving import enter, letter_sent
from tidegate.http.accounts.asking import ADDRESS, asked, offered, refused_to_keep
from tidegate.http.accounts.room import CHAT, FORM_ERRORS, AccountsRoom, problem, see_other, trace, visitor
from tidegate.http.accounts.wording import length, span, why
from tidegate.http.challenge.wire import Answered
from tidegate.http.exchange import Exchange
from tidegate.http.pages import CHALLENGE_HEADERS, HEADERS, render
from tidegate.http.refusals import WIRE, Refusal
from tidegate.services.asking import Wish as AskingFor
from tidegate.services.joining import (
    ByInvitation,
    Form,
    InLine,
    Line,
    Made,
    Shown,
    Shut,
    Step,
    TurnedAwayError,
    Written,
)
from tidegate.services.passwords import PASSWORD_LENGTH
from tidegate.services.work import Answer, Work

LINE: Final = "/sign-up/line"


class Wish(msgspec.Struct, frozen=True):
    """The form: an address, a password where no letter is sent, and work where some is asked for."""

    email: str
    password: str = ""
    challenge: str = ""
    answer: str = ""
    solve_ms: str = ""


class LiningUp(msgspec.Struct, frozen=True):
    """The form that leads into the line. With `instead`, without work."""

    challenge: str = ""
    answer: str = ""
    solve_ms: str = ""
    instead: str = ""


class Address(msgspec.Struct, frozen=True):
    """The form that leaves an address: to be written to, or with a word to the operator to be let in by them."""

    email: str
    kind: RequestKind = RequestKind.WAITING
    note: str = ""
    challenge: str = ""
    answer: str = ""
    solve_ms: str = ""


class Acceptance(msgspec.Struct, frozen=True):
    """The form that an invitation leads to."""

    email: str
    password: str


async def sign_up_page(room: AccountsRoom, request: Request) -> Response:
    """The form, or what there is instead of it now."""
    if visitor(request).signed_in:
        return see_other(CHAT)
    step = room.joining.look(_shown(request))
    reason = _REASONS.get(type(step))
    if reason is None:
        return _page(room, request, step)
    exchange: Exchange = request.state.exchange
    exchange.reason = reason
    return _page(room, request, step, status=WIRE[reason].status)


async def sign_up(room: AccountsRoom, request: Request) -> Response:
    """Make an account and begin a session, or send the letter that leads to one."""
    wish = forms.decode(request.state.form, Wish)
    joining, shown = room.joining, _shown(request)
    try:
        ticket = joining.admit(shown, _answer(wish), trace(request))
    except TurnedAwayError as error:
        return _turned_away(room, request, error, email=wish.email)
    if ticket is not None and not joining.is_pass(ticket):
        return _with_ticket(see_other(LINE), request, ticket)
    try:
        outcome = await joining.sign_up(ticket, wish.email, wish.password, trace(request))
    except FORM_ERRORS as error:
        found = problem(request, error, wrong=("", ""))
        step = joining.look(_shown(request, ticket))
        values = {"errors": found.errors, "email": wish.email, "status": found.status, "headers": found.headers}
        return _with_ticket(_page(room, request, step, **values), request, ticket)
    match outcome:
        case Made(signed_in=signed_in, text=text):
            return await enter(room, request, (signed_in, text), CHAT)
        case Written(email=email):
            return _with_ticket(letter_sent(request, email, again="/sign-up"), request, ticket)


async def line_page(room: AccountsRoom, request: Request) -> Response:
    """How one's place in line is; on to the form once it is one's turn."""
    step = room.joining.look(_shown(request))
    if not isinstance(step, InLine):
        return see_other("/sign-up")
    return _with_ticket(_line_page(room, request, step), request, step.place.renewed)


async def line_up(room: AccountsRoom, request: Request) -> Response:
    """Get in line."""
    asked = forms.decode(request.state.form, LiningUp)
    answer = Answer() if asked.instead else _answer(asked)
    try:
        ticket = room.joining.line_up(_shown(request), answer, trace(request))
    except TurnedAwayError as error:
        return _turned_away(room, request, error)
    return _with_ticket(see_other(LINE), request, ticket)


async def leave_line(room: AccountsRoom, request: Request) -> Response:
    """Give one's place up."""
    room.joining.leave(_shown(request))
    response = see_other("/")
    cookies.clear(response, cookies.TICKET)
    return response


async def address_page(room: AccountsRoom, request: Request) -> Response:
    """The form that gives a place in line for a letter; where there is none, whatever there is instead."""
    shown = _shown(request)
    step = room.joining.look(shown)
    if not isinstance(step, InLine):
        return see_other("/sign-up")
    return _with_ticket(_address_page(room, request, step), request, step.place.renewed)


async def leave_address(room: AccountsRoom, request: Request) -> Response:
    """Take an address, or a request to the operator. What is said does not tell who has an account."""
    given, shown = forms.decode(request.state.form, Address), _shown(request)
    exchange: Exchange = request.state.exchange
    if room.asking is None:
        raise _nobody_to_ask()
    wish = AskingFor(email=given.email, kind=given.kind, note=given.note)
    typed: dict[str, Any] = {"email": given.email, "kind": given.kind, "note": given.note}
    try:
        left = await room.asking.leave(shown, wish, _answer(given), exchange.network, trace(request))
    except TurnedAwayError as error:
        return _turned_away(room, request, error, **typed)
    except ValueError as error:
        found = problem(request, error, wrong=("", ""))
        return _asking_again(room, request, errors=found.errors, status=found.status, **typed)
    if left is not Left.LEFT:
        return _asking_again(room, request, **refused_to_keep(request, left), **typed)
    return asked(room, request, given.email, given.kind)


def _asking_again(room: AccountsRoom, request: Request, **shown: Any) -> Response:
    step = room.joining.look(_shown(request))
    return (
        _address_page(room, request, step, **shown) if isinstance(step, InLine) else _page(room, request, step, **shown)
    )


def _nobody_to_ask() -> Refusal:
    return Refusal(Reason.ROUTE_NOT_FOUND, "Nobody can be asked to be let in here.", page="/sign-up")


def _address_page(room: AccountsRoom, request: Request, step: InLine, **shown: Any) -> Response:
    offer = offered(room, _shown(request), step)
    if not offer["kinds"]:
        return see_other(LINE)  # A place that does not count yet is no price, and without letters nothing is to be had.
    return render(request, "address.html", action=ADDRESS, **_said({**offer, "kept": _kept(room, step)}, shown))


def _kept(room: AccountsRoom, step: InLine) -> str:
    return length(room.joining.kept_s(step.place))


async def sign_up_state(room: AccountsRoom, request: Request) -> Response:
    """The same for programs: what there is to do now, and how one's place in line is."""
    step = room.joining.look(_shown(request))
    return Response(msgspec.json.encode(_state(room, request, step)), headers=HEADERS, media_type="application/json")


async def invitation_page(room: AccountsRoom, request: Request) -> Response:
    """The form that an invitation leads to."""
    invite = await room.joining.invited(request.path_params["code"])
    if invite is None:
        raise _no_invitation(room)
    return _invitation_form(request, email=invite.email or "")


async def accept_invitation(room: AccountsRoom, request: Request) -> Response:
    """Make an account by an invitation, and begin a session."""
    entry, code = forms.decode(request.state.form, Acceptance), request.path_params["code"]
    try:
        made = await room.joining.accept(code, entry.email, entry.password, trace(request))
    except FORM_ERRORS as error:
        found = problem(request, error, wrong=("", ""))
        shown = {"errors": found.errors, "status": found.status, "headers": found.headers}
        return _invitation_form(request, email=entry.email, **shown)
    if made is None:
        raise _no_invitation(room)
    return await enter(room, request, (made.signed_in, made.text), CHAT)


def _invitation_form(request: Request, **shown: Any) -> Response:
    least, most = PASSWORD_LENGTH
    values = {"heading": "You are invited", "explanation": "Choose a password, and your account is there."}
    values["button"] = "Create my account"
    settled = {"action": request.url.path, "is_sign_in_offered": True, "least": least, "most": most, "errors": {}}
    return render(request, "sign_up.html", **{**values, **settled, **shown})


# Nothing is told of the invitation while none counts: whoever has a good one should not throw it away.
def _no_invitation(room: AccountsRoom) -> Refusal:
    if room.joining.mode is RegistrationMode.CLOSED:
        return Refusal(
            Reason.SIGN_UP_CLOSED,
            "There are no new accounts for now, not by invitation either. Keep the link: while it has not ended, it "
            "works once registration is open again.",
            page="/sign-up",
        )
    return Refusal(
        Reason.LINK_INVALID,
        "This invitation was used, has ended, or is for another address. Whoever sent it can send you another.",
        page="/sign-up",
    )


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """Work to do, as `tidegate solve` takes it."""

    text: str
    effort: int


class SignUpState(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/sign-up`. Times are seconds, moments RFC 3339."""

    mode: RegistrationMode
    state: Literal["form", "line", "waiting", "invitation", "closed"]
    reason: str | None = None
    challenge: Challenge | None = None
    position: int | None = None
    ahead: int | None = None
    wait_p50_s: float | None = None
    wait_p90_s: float | None = None
    wait_known: bool | None = None
    refresh_s: float | None = None
    pass_until: str | None = None
    updated_at: str
    status_url: str | None = None


def _state(room: AccountsRoom, request: Request, step: Step) -> SignUpState:
    mode = room.joining.mode
    state = SignUpState(
        mode=mode,
        state=_STATES[type(step)],
        reason=None if room.joining.is_calm else _why(room),
        updated_at=_moment(room.joining.now),
        status_url=room.status_url(request) or None,
    )
    match step:
        case Form(work=Work(text=text, effort=effort)) | Line(work=Work(text=text, effort=effort)):
            return msgspec.structs.replace(state, challenge=Challenge(text=text, effort=effort))
        case Form(until_s=float() as until_s):
            return msgspec.structs.replace(state, pass_until=_moment(until_s))
        case InLine(place=place):
            estimate = place.estimate
            return msgspec.structs.replace(
                state,
                position=place.position,
                ahead=place.ahead,
                wait_p50_s=estimate.p50_s if estimate.is_known else None,
                wait_p90_s=estimate.p90_s if estimate.is_known else None,
                wait_known=estimate.is_known,
                refresh_s=place.refresh_s,
            )
        case _:
            return state


_STATES: Final[dict[type[Step], Literal["form", "line", "waiting", "invitation", "closed"]]] = {
    Form: "form",
    Line: "line",
    InLine: "waiting",
    ByInvitation: "invitation",
    Shut: "closed",
}


def _page(room: AccountsRoom, request: Request, step: Step, **shown: Any) -> Response:
    match step:
        case InLine():
            return see_other(LINE)
        case Form(work=work, until_s=until_s):
            least, most = PASSWORD_LENGTH
            values: dict[str, Any] = {
                "explanation": _explanation(room, work, until_s),
                "is_mail_on": room.joining.is_mail_on,
                "least": least,
                "most": most,
                **_working(room, work),
            }
            return render(request, "join.html", **_said(values, shown))
        case Line(work=work):
            return render(request, "line.html", **_said({**_limited(room, request), **_working(room, work)}, shown))
        case ByInvitation():
            offer = offered(room, _shown(request), step)
            values = {"heading": _INVITED, "action": ADDRESS, **offer, **_limited(room, request)}
            return render(request, "limited.html", **_said(values, shown))
        case Shut():
            values = {"heading": _CLOSED, "kinds": (), "work": None, "is_invitation_good": False}
            values |= _limited(room, request)
            return render(request, "limited.html", **_said(values, shown))


def _said(values: dict[str, Any], shown: dict[str, Any]) -> dict[str, Any]:
    headers = {**values.pop("headers", {}), **shown.pop("headers", {})}
    return {"errors": {}, "email": "", **values, **shown, "headers": headers}


def _working(room: AccountsRoom, work: Work | None) -> dict[str, Any]:
    """What a page is made of that may have work in it."""
    if work is None:
        return {"work": None, "script": ""}
    return {"work": work, "script": room.script, "headers": CHALLENGE_HEADERS}


_INVITED: Final = "New accounts need an invitation for now"
_CLOSED: Final = "There are no new accounts for now"


def _explanation(room: AccountsRoom, work: Work | None, until_s: float | None) -> str:
    if until_s is not None:
        return f"It is your turn. This form is kept for you for {length(until_s - room.joining.now)}."
    return "" if work is None else f"{_why(room)} While you fill in the form, your device does a little work."


def _line_page(room: AccountsRoom, request: Request, step: InLine) -> Response:
    place, now = step.place, room.joining.now
    span_told = None if step.stands_still else span(place.estimate)
    if step.stands_still:
        outlook = "The line stands still for now. Your place is kept."
    elif not place.is_counted:
        outlook = "Your place counts as soon as this page has asked once more."
    elif span_told is None:
        outlook = "How long it takes cannot be told yet; this page says so as soon as it can."
    else:
        outlook = f"It should be your turn in {span_told}."
    refresh_s = max(1, math.ceil(place.refresh_s))
    return render(
        request,
        "waiting.html",
        outlook=outlook,
        stands_still=step.stands_still,
        short="In line" if span_told is None else f"In line, {span_told}",
        ahead=place.ahead if place.is_counted else None,
        now_s=now,
        refresh_s=refresh_s,
        is_still="still" in request.query_params,
        kept=_kept(room, step),
        address=ADDRESS if offered(room, _shown(request), step)["kinds"] else "",
        **_limited(room, request),
    )


def _turned_away(room: AccountsRoom, request: Request, error: TurnedAwayError, **typed: Any) -> Response:
    exchange: Exchange = request.state.exchange
    exchange.reason = reason = _REASONS.get(type(error.step), Reason.CHALLENGE_REQUIRED)  # As `problem` does it.
    errors = {"": _AGAIN[error.why]} if error.why in _AGAIN else {}
    if isinstance(error.step, Form) and error.why is None:
        errors = {"": _WORK_FIRST}
    return _page(room, request, error.step, errors=errors, status=WIRE[reason].status, **typed)


_WORK_FIRST: Final = (
    "More people than usual came meanwhile, so your device does a little work first. It has begun; please send the "
    "form once more."
)
_REASONS: Final[dict[type[Step], Reason]] = {
    ByInvitation: Reason.INVITATION_REQUIRED,
    Shut: Reason.SIGN_UP_CLOSED,
}
_STALE = "The work of your device came too late to count. It begins anew now; please send the form once more."
_WRONG = "The work of your device did not come out right. It begins anew now; please send the form once more."
_AGAIN: Final[dict[Why | None, str]] = {
    Why.EXPIRED: _STALE,
    Why.SPENT: _STALE,
    Why.FORGED: _STALE,
    Why.OTHER_SCOPE: _STALE,
    Why.MALFORMED: _WRONG,
    Why.WRONG: _WRONG,
    Why.EXHAUSTED: _WRONG,
}


def _limited(room: AccountsRoom, request: Request) -> dict[str, Any]:
    return {"why": _why(room), "status_url": room.status_url(request)}


def _why(room: AccountsRoom) -> str:
    return why(room.joining.mode, room.joining.registration.causes())


def _shown(request: Request, ticket: str | None = None) -> Shown:
    exchange: Exchange = request.state.exchange
    return Shown(
        seed=visitor(request).seed,
        ticket=ticket or cookies.read(request, cookies.TICKET) or "",
        network=(exchange.network or "").encode(),
    )


def _answer(given: Wish | LiningUp | Address) -> Answer:
    read = Answered.of_fields(given.challenge, given.answer, given.solve_ms)
    return Answer(challenge=read.challenge, answer=read.answer, took_s=read.solve_ms / 1000.0)


def _with_ticket(response: Response, request: Request, ticket: str | None) -> Response:
    if ticket is not None:
        cookies.write(response, request, cookies.TICKET, ticket, lasts_s=_TICKET_S)
    return response


def _moment(unix_s: float) -> str:
    return datetime.datetime.fromtimestamp(unix_s, datetime.UTC).isoformat("T", "seconds")


_TICKET_S: Final = 2 * 86_400.0
