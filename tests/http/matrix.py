"""Every route of the public port, every way to show who one is, and what must come of it.

The routes come from the tables that are served, the verdicts from rules: an
address is opened by a key, by a session, or by nobody in particular, and what
belongs to another person does not exist for anybody else.
"""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import Any, NamedTuple
from urllib.parse import urlencode

from tests.http.asgi import Visit
from tests.http.conftest import ASSETS, SETUP_CODE, Service
from tests.storage import a_conversation, a_message
from tidegate.core import csrf
from tidegate.core.accounts import Role, Scope, User
from tidegate.core.credentials import Kind, issue
from tidegate.core.reasons import Reason
from tidegate.http import cookies, front, health
from tidegate.http.accounts import routes as account_pages
from tidegate.http.challenge import scripts as challenge
from tidegate.http.chat import routes as chat
from tidegate.http.openai import balance
from tidegate.http.openai import routes as openai
from tidegate.http.routes import Route
from tidegate.http.web import routes as web
from tidegate.services.sessions import SignedIn
from tidegate.testing.clock import until

PASSWORD = "a tide waits for nobody"
_SITE = "https://tide.example"


class Opened(Enum):
    """By what an address is opened."""

    BY_KEY = auto()
    BY_SESSION = auto()
    BY_NOBODY = auto()


class Address(NamedTuple):
    path: str
    route: Route[Any]
    opened: Opened

    @property
    def is_changing(self) -> bool:
        return self.route.method != "GET"


ADDRESSES = [
    *(
        Address(prefix + route.path, route, Opened.BY_KEY)
        for route in (*openai.TABLE, *balance.TABLE)
        for prefix in openai.PREFIXES
    ),
    *(
        Address(route.path, route, Opened.BY_SESSION)
        for route in (*front.TABLE, *account_pages.TABLE, *chat.TABLE, *web.TABLE)
    ),
    *(
        Address(route.path, route, Opened.BY_NOBODY)
        for route in (*health.TABLE, *front.OPEN_TABLE, *web.OPEN_TABLE, *challenge.TABLE)
    ),
]

_BODIES: dict[str, dict[str, str]] = {
    "create_chat_completion": {"model": "tide-1", "messages": [{"role": "user", "content": "Hello"}]},  # type: ignore[dict-item] # alone nested
    "create_completion": {"model": "tide-1", "prompt": "Once"},
    "create_conversation": {"content": "When is high water?"},
    "create_message": {"content": "And tomorrow?"},
    "create_reply": {"parent": "{message}"},
    "rename_conversation": {"title": "Tides"},
    "sign_in": {"email": "{email}", "password": PASSWORD},
    "sign_up": {"email": "new@example.org", "password": PASSWORD},
    "leave_address": {"email": "new@example.org"},
    "accept_invitation": {"email": "new@example.org", "password": PASSWORD},
    "setup": {"email": "new@example.org", "password": PASSWORD},
    "create_key": {"name": "laptop", "scope_chat": "on"},
    "create_invite": {"email": "new@example.org"},
    "answer_requests": {"answer": "approve", "domain": "example.org"},
    "change_password": {"current": PASSWORD, "password": "and the moon pulls on"},
}
_QUERIES = {"search": "?q=water"}


class Person(NamedTuple):
    """Somebody with one of each thing that can be owned."""

    user: User
    key: str
    signed_in: SignedIn
    session: str
    owned: dict[str, str]


class World:
    """A service with two people in it and what is theirs."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.service = Service()

    async def open(self) -> World:
        self.ana = await self._person("ana@example.org", self.role)
        self.bob = await self._person("bob@example.org", Role.USER)
        return self

    async def _person(self, email: str, role: Role) -> Person:
        service = self.service
        user = await service.clerk.create_user(email, role, password=PASSWORD)
        await service.clerk.vouch(email)
        made = await service.clerk.create_key(email)
        signed_in, text = await service.sessions.begin(user)
        other, _ = await service.sessions.begin(user)
        conversation = a_conversation(user.id)
        question = a_message(conversation.id)
        await service.conversations.add_conversation(user.id, conversation)
        await service.conversations.add_message(user.id, question)
        invite, _ = await service.usher.invitations.create(user)
        owned = {
            "invite": str(invite.id),
            "conversation": str(conversation.id),
            "message": str(question.id),
            "key": str(made.key.id),
            "session": str(other.session.id),
            "email": email,
        }
        return Person(user, made.text, signed_in, text, owned)

    def token(self, person: Person) -> str:
        return csrf.token(person.signed_in.digest, self.service.keys)

    async def close(self) -> None:
        await until(lambda: not self.service.replies.remembered)
        await self.service.finish_later()
        self.service.clerk.passwords.close()


class Shown(NamedTuple):
    """What a request shows of who sends it."""

    headers: dict[str, str]
    token: str | None = None


class Carrier(Enum):
    """A way to show who one is, good or bad."""

    NOTHING = auto()
    KEY = auto()
    KEY_WITHOUT_SCOPE = auto()
    REVOKED_KEY = auto()
    FORGED_KEY = auto()
    SESSION_AS_KEY = auto()
    SESSION = auto()
    SESSION_WITHOUT_TOKEN = auto()
    SESSION_WITH_ANOTHERS_TOKEN = auto()
    SESSION_WITH_A_STRANGERS_TOKEN = auto()
    SESSION_FROM_ANOTHER_SITE = auto()
    SESSION_FROM_A_SISTER_SITE = auto()
    SESSION_FROM_THE_SAME_SITE = auto()
    SESSION_FROM_NOWHERE = auto()
    SESSION_BY_THE_PLAIN_NAME = auto()
    KEY_AS_SESSION = auto()
    FORGED_SESSION = auto()
    ENDED_SESSION = auto()
    EXPIRED_SESSION = auto()

    async def show(self, world: World, address: Address) -> Shown:  # noqa: C901, PLR0911, PLR0912 - one case each
        """Make the headers, and whatever must be so in the service."""
        ana, service = world.ana, world.service
        session = {"cookie": f"__Host-{cookies.SESSION}={ana.session}"}
        match self:
            case Carrier.NOTHING:
                return _page({})
            case Carrier.KEY:
                return _page({"authorization": f"Bearer {ana.key}"})
            case Carrier.KEY_WITHOUT_SCOPE:
                others = frozenset(Scope) - {address.route.scope}
                made = await service.clerk.create_key(ana.user.email, "", others)
                return _page({"authorization": f"Bearer {made.text}"})
            case Carrier.REVOKED_KEY:
                await service.clerk.revoke_key(ana.user.email, ana.owned["key"])
                return _page({"authorization": f"Bearer {ana.key}"})
            case Carrier.FORGED_KEY:
                forged = issue(Kind.API_KEY, ana.user.id, _other_keys(service), now=1.0, entropy=bytes(16))
                return _page({"authorization": f"Bearer {forged}"})
            case Carrier.SESSION_AS_KEY:
                return _page({"authorization": f"Bearer {ana.session}"})
            case Carrier.SESSION:
                return _page(session, world.token(ana))
            case Carrier.SESSION_WITHOUT_TOKEN:
                return _page(session)
            case Carrier.SESSION_WITH_ANOTHERS_TOKEN:
                return _page(session, world.token(world.bob))
            case Carrier.SESSION_WITH_A_STRANGERS_TOKEN:
                seed = "5eed" * 8
                both = f"{session['cookie']}; __Host-{cookies.FORM}={seed}"
                return _page({"cookie": both}, csrf.token(seed.encode(), service.keys))
            case Carrier.SESSION_FROM_ANOTHER_SITE:
                given = _page(session, world.token(ana))
                return given._replace(headers={**given.headers, "sec-fetch-site": "cross-site"})
            case Carrier.SESSION_FROM_A_SISTER_SITE:
                headers = {**session, "origin": "https://sister.tide.example"}
                return Shown(headers, world.token(ana))
            case Carrier.SESSION_FROM_THE_SAME_SITE:
                given = _page(session, world.token(ana))
                return given._replace(headers={**given.headers, "sec-fetch-site": "same-site"})
            case Carrier.SESSION_FROM_NOWHERE:
                return Shown(session, world.token(ana))
            case Carrier.SESSION_BY_THE_PLAIN_NAME:
                return _page({"cookie": f"{cookies.SESSION}={ana.session}"}, world.token(ana))
            case Carrier.KEY_AS_SESSION:
                return _page({"cookie": f"__Host-{cookies.SESSION}={ana.key}"}, world.token(ana))
            case Carrier.FORGED_SESSION:
                forged = issue(Kind.SESSION, ana.user.id, _other_keys(service), now=1.0, entropy=bytes(16))
                return _page({"cookie": f"__Host-{cookies.SESSION}={forged}"}, world.token(ana))
            case Carrier.ENDED_SESSION:
                await service.sessions.sign_out(ana.signed_in)
                return _page(session, world.token(ana))
            case Carrier.EXPIRED_SESSION:
                service.clock.advance(service.sessions.session_s)
                return _page(session, world.token(ana))


_NOT_FROM_OUR_PAGE = {
    Carrier.SESSION_FROM_ANOTHER_SITE,
    Carrier.SESSION_FROM_A_SISTER_SITE,
    Carrier.SESSION_FROM_THE_SAME_SITE,
    Carrier.SESSION_FROM_NOWHERE,
}
_WRONG_TOKEN = {
    Carrier.SESSION_WITHOUT_TOKEN,
    Carrier.SESSION_WITH_ANOTHERS_TOKEN,
    Carrier.SESSION_WITH_A_STRANGERS_TOKEN,
}
FORGED = {Carrier.FORGED_KEY, Carrier.FORGED_SESSION, Carrier.SESSION_AS_KEY, Carrier.KEY_AS_SESSION}
SIGNED_IN = {Carrier.SESSION} | _NOT_FROM_OUR_PAGE | _WRONG_TOKEN


def verdict(address: Address, carrier: Carrier, role: Role) -> Reason | None:
    """Why the request must be refused; None when it must be let through."""
    route = address.route
    if address.opened is Opened.BY_KEY:
        if carrier is Carrier.KEY_WITHOUT_SCOPE:
            return Reason.MISSING_SCOPE
        return None if carrier is Carrier.KEY else Reason.INVALID_API_KEY
    if address.opened is Opened.BY_NOBODY:
        return None
    if address.is_changing and carrier in _NOT_FROM_OUR_PAGE:
        return Reason.CROSS_SITE_REQUEST
    if route.role is not None and carrier not in SIGNED_IN:
        return Reason.NOT_SIGNED_IN
    if route.role is Role.OPERATOR and role is not Role.OPERATOR:
        return Reason.OPERATORS_ONLY
    # Nobody but Ana's own browser has the token for Ana's session, and strangers here carry none of their own.
    return Reason.INVALID_CSRF_TOKEN if address.is_changing and carrier is not Carrier.SESSION else None


async def ask(world: World, address: Address, shown: Shown, owner: Person) -> Visit:
    """Send it, with what belongs to `owner` in the address and the body; an endless answer is left once it began."""
    path = address.path.replace("{model:path}", "tide-1").replace("{path:path}", "chat.js")
    path = path.replace("/challenge/{version}/{name}", challenge.Scripts.of(ASSETS).page_path)
    path = path.format(**owner.owned, code=SETUP_CODE, token="AAAA") + _QUERIES.get(address.route.name, "")
    fields = {name: _filled(value, owner) for name, value in _BODIES.get(address.route.name, {}).items()}
    headers = {"host": "tide.example", "accept": "application/json", **shown.headers}
    body = b""
    if address.route.is_form:
        headers["content-type"] = "application/x-www-form-urlencoded"
        body = urlencode({**fields, **({"csrf": shown.token} if shown.token else {})}).encode()
    elif address.is_changing:
        body = json.dumps(fields).encode()
        if shown.token:
            headers["x-csrf-token"] = shown.token
    visit = Visit(
        world.service.apps.public,
        address.route.method,
        path,
        headers=headers,
        body=body,
    ).start()
    assert visit.task is not None
    task = visit.task
    if address.route.path == "/api/events":
        await until(lambda: bool(visit.sent) or task.done())
        visit.leave()
    return await visit.finish()


def reason_of(visit: Visit) -> Reason | None:
    """Why it was refused, if it was."""
    return Reason(visit.error["code"]) if visit.status >= 400 else None


def _page(headers: dict[str, str], token: str | None = None) -> Shown:
    return Shown({**headers, "origin": _SITE, "sec-fetch-site": "same-origin"}, token)


def _other_keys(service: Service) -> Any:
    return type(service.keys)(1, {1: b"x" * 32})


def _filled(value: Any, owner: Person) -> Any:
    return value.format(**owner.owned) if isinstance(value, str) else value
