"""The four applications that servers are given, one per audience, made of the rooms' tables."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from tidegate.core.registration.disposable import DisposableList
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.standing.classes import STRANGERS
from tidegate.http import front, health
from tidegate.http.accounts import routes as account_pages
from tidegate.http.accounts.room import AccountsRoom, Mail
from tidegate.http.answering import Answering
from tidegate.http.challenge import scripts as challenge
from tidegate.http.chat import calls as chat_calls
from tidegate.http.chat import routes as chat
from tidegate.http.control import firewall as firewall_control
from tidegate.http.control import mode as mode_control
from tidegate.http.control import people as people_control
from tidegate.http.control import pin as pin_control
from tidegate.http.control import policy as policy_control
from tidegate.http.control import routes as control
from tidegate.http.cross_origin import CrossOrigin
from tidegate.http.doors import KeyDoor, open_door
from tidegate.http.frame import Frame
from tidegate.http.openai import balance
from tidegate.http.openai import routes as openai
from tidegate.http.operator import routes as operator
from tidegate.http.routes import bind, router
from tidegate.http.status import routes as status
from tidegate.http.status.newcomers import sentence
from tidegate.http.visitors import SessionDoor
from tidegate.http.web import routes as web
from tidegate.http.web.assets import Asset
from tidegate.ports.engine import ReplicaReport
from tidegate.ports.mail import Mailbox
from tidegate.services.accounts import Clerk
from tidegate.services.asking import Asking
from tidegate.services.handover import Handover
from tidegate.services.joining import Joining
from tidegate.services.keyring import Keyring
from tidegate.services.letters import Letters
from tidegate.services.lookout import Lookout
from tidegate.services.models import Served, Together
from tidegate.services.policy import Policy
from tidegate.services.replies import Replies
from tidegate.services.sessions import Sessions
from tidegate.services.setup import Setup
from tidegate.services.usher import Usher
from tidegate.services.writing import Desk


class Applications(msgspec.Struct, frozen=True, kw_only=True):
    """ASGI applications, each complete with its frame."""

    public: ASGIApp
    status: ASGIApp
    operator: ASGIApp
    control: ASGIApp


def build_applications(
    *,
    desk: Desk,
    aliases: tuple[str, ...],
    clerk: Clerk,
    keyring: Keyring,
    sessions: Sessions,
    setup: Setup,
    replies: Replies,
    assets: dict[str, Asset],
    status_url: str | None,
    local_status_url: str,
    max_body_bytes: int,
    exposition: Callable[[], bytes],
    later: Callable[[Coroutine[Any, Any, None]], None],
    joining: Joining,
    asking: Asking | None = None,
    policy: Policy | None = None,
    others: tuple[Served, ...] = (),
    replicas: Callable[[], list[ReplicaReport]] = list,
    lookout: Lookout | None = None,
    letters: Letters | None = None,
    mailbox: Mailbox | None = None,
    handover: Handover | None = None,
    usher: Usher | None = None,
    disposable: DisposableList | None = None,
) -> Applications:
    """Bind every room to what it works with. `later` runs what nobody waits for; without a `policy` none is live.

    The chat speaks with the desk's model; programs may ask for the `others`, too.
    """
    engine, admission, lifecycle, ticks = desk.engine, desk.admission, desk.lifecycle, desk.ticks
    served = (Served(engine=engine, admission=admission, aliases=aliases), *others)
    together = Together(served)
    door = KeyDoor(
        keyring=keyring,
        server_keys=clerk.server_keys,
        fingerprint=clerk.fingerprint,
        clock=clerk.clock,
        later=later,
    )
    session_door = SessionDoor(sessions=sessions, server_keys=clerk.server_keys, fingerprint=clerk.fingerprint)
    openai_room = openai.OpenAiRoom(
        served=served,
        lifecycle=lifecycle,
        max_body_bytes=max_body_bytes,
        clock=clerk.clock,
        ticks=ticks,
    )
    operator_room = operator.OperatorRoom(
        engine=together,
        admission=admission,
        lifecycle=lifecycle,
        exposition=exposition,
        served=served,
        replicas=replicas,
        lookout=lookout,
        disposable=disposable,
        clock=clerk.clock,
        letters=letters,
        mailbox=mailbox,
        registration=joining.registration,
    )
    mail = Mail.of(letters, sessions) if letters is not None and letters.is_on else None
    health_routes = bind(health.TABLE, health.HealthRoom(together, lifecycle), open_door)
    front_room = front.FrontRoom(
        together,
        engine.card.id,
        is_sign_up_open=lambda: joining.mode is not RegistrationMode.CLOSED,
        status_url=status_url,
        local_status_url=local_status_url,
        newcomers=lambda: sentence(joining),
    )
    chat_room = chat_calls.ChatRoom(
        engine=engine,
        replies=replies,
        sessions=sessions,
        conversations=desk.conversations,
        searches=chat_calls.search_lanes(ticks, lambda user: admission.claimant(user)[0] in STRANGERS),
        lifecycle=lifecycle,
        clock=clerk.clock,
    )
    web_room = web.WebRoom(assets)
    scripts = challenge.Scripts.of(assets)
    accounts_room = AccountsRoom(
        sessions=sessions,
        setup=setup,
        admission=admission,
        joining=joining,
        asking=asking,
        usher=usher,
        mail=mail,
        script=scripts.page_path,
        public_status_url=status_url,
        local_status_url=local_status_url,
    )
    for_programs = [
        *health_routes,
        *bind(openai.TABLE, openai_room, door, openai.PREFIXES),
        *bind(balance.TABLE, admission, door, openai.PREFIXES),
        *bind(front.OPEN_TABLE, front_room, open_door),
    ]
    for_people = [
        *bind(front.TABLE, front_room, session_door),
        *bind(account_pages.TABLE, accounts_room, session_door),
        *bind(chat.TABLE, chat_room, session_door),
        *bind(web.TABLE, web_room, session_door),
        *bind(web.OPEN_TABLE, web_room, open_door),
        *bind(challenge.TABLE, scripts, open_door),
    ]
    status_routes = bind(status.TABLE, status.StatusRoom(together, lifecycle, clerk.clock, joining), open_door)
    operator_routes = [*health_routes, *bind(operator.TABLE, operator_room, open_door)]
    control_routes = bind(control.TABLE, clerk, open_door)
    if policy is not None:
        control_routes += bind(policy_control.TABLE, policy, open_door)
    control_routes += bind(mode_control.TABLE, joining.registration, open_door)
    control_routes += bind(pin_control.TABLE, pin_control.PinRoom(lookout), open_door)
    if usher is not None:
        control_routes += bind(people_control.TABLE, usher, open_door)
    if handover is not None:
        control_routes += bind(firewall_control.TABLE, handover, open_door)

    def answering(routes: list[Route], *, stays_open: bool = False) -> Answering:
        return Answering(
            app=router(routes), journal=clerk.journal, lifecycle=lifecycle, clock=clerk.clock, stays_open=stays_open
        )

    def frame(app: ASGIApp, *, is_counted: bool = True) -> Frame:
        return Frame(
            app=app,
            journal=clerk.journal,
            fingerprint=clerk.fingerprint,
            clock=clerk.clock,
            ticks=ticks,
            is_counted=is_counted,
        )

    public_app = CrossOrigin.around(answering([*for_programs, *for_people]), for_programs)
    # A page in the operator's browser must not read this port under a name that it made to point here.
    operator_app = TrustedHostMiddleware(answering(operator_routes, stays_open=True), _LOCAL_NAMES, www_redirect=False)
    return Applications(
        public=frame(public_app),
        # A stop is when people look at the status page, and the operator at the figures.
        status=frame(answering(status_routes, stays_open=True)),
        operator=frame(operator_app),
        control=frame(answering(control_routes), is_counted=False),
    )


_LOCAL_NAMES = ["127.0.0.1", "localhost"]
