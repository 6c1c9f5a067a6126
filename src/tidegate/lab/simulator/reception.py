"""What decides at the door, put together as the service does it (app/registration.py, app/wiring.py).

Only what would reach into the world is other: passwords are not hashed (worker.py), work is not
solved (toil.py), letters are counted (post.py), accounts are names (`Directory`). Nothing is
drawn but from the rehearsal's seed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2s, sha256
from operator import methodcaller
from random import Random
from typing import Final, Protocol

import msgspec

from tidegate.adapters.lists.carried import disposable_list, name_model
from tidegate.core.accounts import Role, Session, User
from tidegate.core.admission.facts import Facts, Lane, Refused
from tidegate.core.admission.gate import Gate
from tidegate.core.challenge.effort import EffortControl
from tidegate.core.challenge.plan import EffortPlan
from tidegate.core.credentials import ServerKeys
from tidegate.core.entering.entering import Entering
from tidegate.core.events import AnyEvent
from tidegate.core.identifiers import Fingerprint, SessionId, UserId
from tidegate.core.quotas.budget import Budget
from tidegate.core.quotas.ledger import Ledger
from tidegate.core.registration.baseline import Baseline, BaselinePlan
from tidegate.core.registration.calm import Calm
from tidegate.core.registration.disposable import DisposableList
from tidegate.core.registration.machine import Machine
from tidegate.core.registration.names import Letters
from tidegate.core.registration.waiting import WaitingPlan
from tidegate.core.registration.waiting_room import WaitingRoom
from tidegate.core.standing.register import Register
from tidegate.lab.acts import Who
from tidegate.lab.rules import Rules
from tidegate.lab.simulator.accounts import Accounts
from tidegate.lab.simulator.errands import Errands
from tidegate.lab.simulator.post import Post, UntaggedNames
from tidegate.lab.simulator.toil import VirtualWorks
from tidegate.lab.simulator.worker import VirtualLane
from tidegate.services.accounts import Clerk
from tidegate.services.joining import Joining
from tidegate.services.quotas import Quotas
from tidegate.services.registration import Registration, Sources
from tidegate.services.reputation import Reputation
from tidegate.services.sessions import NOTHING_SAID, Said, Sessions, SignedIn, Trace
from tidegate.testing.accounts import MemoryAccountStore
from tidegate.testing.quotas import MemoryQuotaStore
from tidegate.testing.standing import MemoryStandingStore

RIGHT: Final = "a tide waits for nobody"
WRONG: Final = "perhaps it is this one"
_SESSION_S: Final = 30 * 86_400.0
_ACCOUNTS: Final = "accounts.example"


class House(Protocol):
    """The rest of the service, as far as the door needs it. Times are seconds since the beginning."""

    @property
    def gate(self) -> Gate:
        """What decides by heads."""

    @property
    def register(self) -> Register:
        """What is known of accounts."""

    @property
    def accounts(self) -> Accounts:
        """Who has which account."""

    def facts(self, who: Who, lane: Lane) -> Facts:
        """What a request's head tells of somebody: an account that is known to be theirs, or nothing."""

    def judge(self, facts: Facts, now: float) -> Refused | None:
        """Have the gate decide, and count what tells of a flood; None lets it go on."""

    def joined(self, who: Who, now: float, *, is_verified: bool = True) -> None:
        """Hear that somebody has made their account."""

    def headroom(self, now: float) -> float | None:
        """The part of the engine (0-1) that known people left for others lately."""

    def is_flooded(self, now: float) -> bool:
        """Whether a flood runs: accounts made now start at the bottom."""


class _Nowhere:
    """Keeps no events: what became of an ask is told by its outcome."""

    def record(self, event: AnyEvent) -> None:
        del event


class Directory(MemoryAccountStore):
    """Everybody whose name is asked for has an account, with the password RIGHT. Keeps nobody.

    An address stands for a name: `address_of`, or what a newcomer typed, for as long as they are at it.
    """

    def __init__(self, principal: Callable[[str], UserId]) -> None:
        """Nobody types."""
        super().__init__()
        self.typed: dict[str, str] = {}
        self._principal = principal

    def id_of(self, email: str) -> UserId:
        """The account that an address stands for."""
        name = self.typed.get(email)
        return self._principal(bytes.fromhex(email.partition("@")[0]).decode() if name is None else name)

    async def add_user(self, user: User, password_hash: str | None) -> None:
        """There is one account more."""

    async def user_with_password(self, email: str) -> tuple[User, str | None] | None:
        """Whoever it is, with the right password."""
        return User(id=self.id_of(email), email=email, role=Role.USER, created_at_s=0.0, member_since_s=0.0), RIGHT

    async def add_session(
        self, session: Session, digest: bytes, *, most: int, if_password_hash: str | None = None
    ) -> list[SessionId]:
        """Somebody is signed in: what they do then is their own ask."""
        del session, digest, most, if_password_hash
        return []


class _Sessions(Sessions, frozen=True, kw_only=True):
    """Makes each account under the id that its owner's name stands for."""

    accounts: Directory

    async def join(
        self,
        email: str,
        password: str,
        role: Role,
        trace: Trace,
        *,
        user_id: UserId | None = None,
        inviter: UserId | None = None,
        said: Said = NOTHING_SAID,
    ) -> tuple[SignedIn, str]:
        user_id = user_id or self.accounts.id_of(email)
        return await super().join(email, password, role, trace, user_id=user_id, inviter=inviter, said=said)


class Reception(msgspec.Struct, frozen=True, kw_only=True):
    """Those who decide at the door; `turned_away` counts the sign-ups that the gate refused by their heads."""

    keys: ServerKeys
    accounts: Directory
    sessions: Sessions
    joining: Joining
    registration: Registration
    post: Post | None
    turned_away: Callable[[int], None]


def address_of(name: str) -> str:
    """The address with which somebody signs in."""
    return f"{name.encode().hex()}@{_ACCOUNTS}"


def fingerprint(text: str) -> Fingerprint:
    """Sixteen digits that stand for a text."""
    return Fingerprint(sha256(text.encode()).hexdigest()[:16])


def open_reception(rules: Rules, seed: int, errands: Errands, house: House) -> Reception:
    """Put it together, in calm."""
    secret = blake2s(f"door {seed}".encode()).digest()
    dice = Random(secret)  # noqa: S311 - a rehearsal is to be repeated
    keys = ServerKeys(1, {1: secret})
    journal = _Nowhere()
    accounts = Directory(house.accounts.principal)
    lane = VirtualLane(rules.line, errands, dice.random)
    clerk = Clerk(
        accounts=accounts,
        server_keys=keys,
        journal=journal,
        fingerprint=fingerprint,
        clock=errands.unix,
        passwords=lane,
        reputation=Reputation(MemoryStandingStore(accounts), house.register, errands.unix),
        quotas=Quotas(MemoryQuotaStore(accounts), Ledger(Budget(), 1), errands.unix),
    )
    sessions = _Sessions(
        clerk=clerk,
        session_s=_SESSION_S,
        later=methodcaller("close"),  # Only what is written for other processes to read is done later.
        is_flooded=lambda: house.is_flooded(errands.now),
        dead=lambda digest: house.gate.note_dead(digest, errands.steady()),
        entering=Entering(rules.entering),
        accounts=accounts,
    )
    lane.is_attacked = sessions.is_attacked
    post = Post(rules.mail, errands) if rules.is_mail_on else None
    turned_away = [0]

    def take_turned_away() -> int:
        taken, turned_away[0] = turned_away[0], 0
        return taken

    def turn_away(times: int) -> None:
        turned_away[0] += times

    registration = Registration(
        Machine(rules.modes),
        Baseline(BaselinePlan()),
        Calm(*rules.calm),
        journal=journal,
        clock=errands.unix,
        sources=Sources(
            headroom=lambda: house.headroom(errands.now),
            mail_left=lambda: None if post is None else post.budget_left(),
            verified=lambda since: None if post is None else post.share(since),
            turned_away=take_turned_away,
        ),
        floor=rules.sign_up,
    )
    joining = Joining(
        registration=registration,
        room=WaitingRoom(WaitingPlan(), secret),
        works=VirtualWorks(journal, errands.steady),
        effort=EffortControl(EffortPlan()),
        sessions=sessions,
        letters=post,
        recent=UntaggedNames(_letters(), listed(), secret),
        invitations=None,
        plan=rules.joining,
        clock=errands.unix,
        steady=errands.steady,
        entropy=dice.randbytes,
    )
    return Reception(
        keys=keys,
        accounts=accounts,
        sessions=sessions,
        joining=joining,
        registration=registration,
        post=post,
        turned_away=turn_away,
    )


@lru_cache(maxsize=1)
def listed() -> DisposableList:
    """The domains that hand out addresses for minutes."""
    return disposable_list()


@lru_cache(maxsize=1)
def _letters() -> Letters:
    return Letters(name_model())
