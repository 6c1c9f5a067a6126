"""What happened, as values that cannot hold what must not be logged.

An event's fields are numbers, booleans, enums and identifiers that check their
own shape. No field takes a plain string, so a prompt, a password, a key or an
address cannot be logged by mistake: there is nowhere to put it. Request events
carry the fields of the event-log contract (docs/reference/events.md), which
other Tidegate commands read.

Once published, a tag keeps its meaning for ever.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import ClassVar, Self

import msgspec

from tidegate.core.capacity.health import EngineState
from tidegate.core.firewall.elements import EndedBy, Mode, OffloadReason, Spared
from tidegate.core.generation.call import FinishReason
from tidegate.core.identifiers import Fingerprint, Replica, RequestId
from tidegate.core.mail.budgets import Bound
from tidegate.core.mail.letter import LetterKind
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import Cause, MovedBy, RegistrationMode
from tidegate.core.standing.classes import Standing


class Level(StrEnum):
    """How much an operator should care."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Tag(StrEnum):
    """`subject:action` of every event."""

    SERVICE_STARTING = "service:starting"
    SERVICE_READY = "service:ready"
    SERVICE_DRAINING = "service:draining"
    SERVICE_STOPPED = "service:stopped"
    REQUEST_FINISHED = "request:finished"
    REQUEST_CRASHED = "request:crashed"
    ENGINE_CHANGED = "engine:changed"
    ACCOUNT_CREATED = "account:created"
    ACCOUNT_PASSWORD_CHANGED = "account:password_changed"  # noqa: S105 - a tag
    ACCOUNT_SESSIONS_ENDED = "account:sessions_ended"
    ACCOUNT_VOUCHED = "account:vouched"
    ACCOUNT_VOUCH_WITHDRAWN = "account:vouch_withdrawn"
    ACCOUNT_QUOTA_CHANGED = "account:quota_changed"
    LOGIN_TRIED = "login:tried"
    SIGN_UP_TRIED = "sign_up:tried"
    KEY_CREATED = "key:created"
    KEY_REVOKED = "key:revoked"
    KEY_QUOTA_CHANGED = "key:quota_changed"
    INVITE_MADE = "invite:made"
    INVITE_USED = "invite:used"
    INVITE_GIVEN_BACK = "invite:given_back"
    INVITE_REVOKED = "invite:revoked"
    JOIN_REQUESTS_APPROVED = "join_requests:approved"
    JOIN_REQUESTS_REFUSED = "join_requests:refused"
    LIBRARY_SPOKE = "library:spoke"
    POLICY_CHANGED = "policy:changed"
    MODEL_PINNED = "model:pinned"
    MODEL_CHANGED = "model:changed"
    MODEL_RESTORED = "model:restored"
    MODEL_NOT_COMPARABLE = "model:not_comparable"
    REGISTRATION_MOVED = "registration:moved"
    CHALLENGE_TRIED = "challenge:tried"
    GATE_REFUSED = "gate:refused"
    FIREWALL_ADDED = "firewall:added"
    FIREWALL_ENDED = "firewall:ended"
    FIREWALL_SPARED = "firewall:spared"
    FIREWALL_FAILED = "firewall:failed"
    MAIL_SENT = "mail:sent"
    MAIL_NOT_SENT = "mail:not_sent"
    MAIL_FAILING = "mail:failing"
    MAIL_WORKING = "mail:working"
    VERIFY_TRIED = "verify:tried"
    RECORD_STOPPED = "record:stopped"


class RouteKind(StrEnum):
    """What a request was for, as the event-log contract counts it."""

    CHAT = "chat"
    PAGE = "page"
    STATUS = "status"
    OTHER = "other"


class Site(str):
    """A place in code, `module:line`: what a crash or a library's log call is known by."""

    __slots__ = ()
    _module: ClassVar[re.Pattern[str]] = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\Z")

    def __new__(cls, module: str, line: int) -> Self:
        """Take a dotted name. Anything else is `unknown`: cutting words out of a text would still quote it."""
        is_name = len(module) <= 120 and cls._module.match(module)  # noqa: PLR2004 - longer than any module's
        return super().__new__(cls, f"{module if is_name else 'unknown'}:{line:d}")


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Any event: `t` is Unix seconds. What equals its default is left out, so tags come from factories."""

    t: float
    level: Level = Level.INFO


class ServiceChanged(Event, frozen=True, kw_only=True, tag_field="kind", tag="service"):
    """The service starts, is ready, drains or has stopped."""

    event: Tag
    running: int | None = None
    start_s: float | None = None


class RequestFinished(Event, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="request"):
    """One request, whatever became of it."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.REQUEST_FINISHED)
    id: RequestId
    route: RouteKind
    status: int
    total_s: float
    bytes_in: int = 0
    bytes_out: int = 0
    reason: Reason | None = None
    src: Fingerprint | None = None
    net: Fingerprint | None = None
    acct: Fingerprint | None = None
    sess: Fingerprint | None = None
    key: Fingerprint | None = None
    standing: Standing | None = None
    stream: bool | None = None
    in_tok: int | None = None
    cached_tok: int | None = None
    out_tok: int | None = None
    max_tok: int | None = None
    cost: float | None = None
    queue_s: float | None = None
    ttft_s: float | None = None
    service_s: float | None = None
    gap_s: float | None = None
    finish: FinishReason | None = None
    abandoned: bool | None = None
    retry: int | None = None
    replica: Replica | None = None
    attempts: int | None = None
    is_sample: bool | None = None


class RequestCrashed(Event, frozen=True, kw_only=True, tag_field="kind", tag="crash"):
    """Our own defect: the exception's class and where it rose, never its message."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.REQUEST_CRASHED)
    id: RequestId
    error: Site
    raised_at: Site


class EngineChanged(Event, frozen=True, kw_only=True, tag_field="kind", tag="engine"):
    """The engine moved to another state; one of several is named by its `replica`."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.ENGINE_CHANGED)
    state: EngineState
    healthy: bool
    restarts: int
    load_s: float | None = None
    replica: Replica | None = None
    running: int | None = None


class AccountChanged(Event, frozen=True, kw_only=True, tag_field="kind", tag="account"):
    """An account or a key was made or ended."""

    event: Tag
    acct: Fingerprint
    key: Fingerprint | None = None


class LoginOutcome(StrEnum):
    """What became of a sign-in, as the event-log contract counts it."""

    OK = "ok"
    REFUSED = "refused"
    BAD_PASSWORD = "bad_password"  # noqa: S105 - a word of the event log
    UNKNOWN_USER = "unknown_user"
    LOCKED = "locked"


class LoginTried(Event, frozen=True, kw_only=True, tag_field="kind", tag="login"):
    """Somebody tried to sign in. `user` stands for the address that was typed, known here or not.

    `locked`: strangers have missed so often for that address that another stranger must bring an effort first;
    its holder's own devices need not. `known_device`: the try came from one of these.
    """

    event: Tag = msgspec.field(default_factory=lambda: Tag.LOGIN_TRIED)
    id: RequestId
    outcome: LoginOutcome
    src: Fingerprint | None = None
    net: Fingerprint | None = None
    acct: Fingerprint | None = None
    sess: Fingerprint | None = None
    user: Fingerprint | None = None
    known_device: bool | None = None
    reason: Reason | None = None


class SignUpOutcome(StrEnum):
    """What became of a sign-up, as the event-log contract counts it."""

    OK = "ok"
    REFUSED = "refused"
    WAITING = "waiting"


class SignUpTried(Event, frozen=True, kw_only=True, tag_field="kind", tag="signup"):
    """Somebody tried to make an account, with an address of which the last four fields tell."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.SIGN_UP_TRIED)
    id: RequestId
    outcome: SignUpOutcome
    src: Fingerprint | None = None
    net: Fingerprint | None = None
    acct: Fingerprint | None = None
    reason: Reason | None = None
    mail_domain: Fingerprint | None = None
    disposable: bool | None = None
    name_entropy: float | None = None
    family: Fingerprint | None = None


class InviteChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="invite"):
    """An invitation was made, used for the account `acct` or not after all, or revoked; `inviter` is who made it."""

    event: Tag
    inviter: Fingerprint | None = None
    acct: Fingerprint | None = None


class JoinRequestsAnswered(Event, frozen=True, kw_only=True, tag_field="kind", tag="join_requests"):
    """So many of those who asked to be let in were let in, or were not."""

    event: Tag
    number: int


class VerifyOutcome(StrEnum):
    """What became of a link that confirms an address, as the event-log contract counts it."""

    OK = "ok"
    REFUSED = "refused"


class AddressVerified(Event, frozen=True, kw_only=True, tag_field="kind", tag="verify"):
    """Somebody used the link in a letter to their address; `latency_s` is from sign-up to then."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.VERIFY_TRIED)
    id: RequestId
    outcome: VerifyOutcome
    src: Fingerprint | None = None
    net: Fingerprint | None = None
    acct: Fingerprint | None = None
    mail_domain: Fingerprint | None = None
    latency_s: float | None = None
    reason: Reason | None = None


class MailOutcome(StrEnum):
    """What became of a letter: not sent are all but `sent`.

    The server or a budget refused them, too many waited, their link ran out, or they waited when the service stopped.
    `unanswered` was given to the server twice, which never said whether it took it: it may have arrived.
    """

    SENT = "sent"
    REFUSED = "refused"
    WITHHELD = "withheld"
    NO_ROOM = "no_room"
    GIVEN_UP = "given_up"
    LOST = "lost"
    UNANSWERED = "unanswered"


class LetterHandled(Event, frozen=True, kw_only=True, tag_field="kind", tag="mail"):
    """A letter was handed over, or was not. `bound` is the budget that withheld it, `wait_s` how long it waited."""

    event: Tag
    outcome: MailOutcome
    letter: LetterKind
    mail_domain: Fingerprint | None = None
    bound: Bound | None = None
    wait_s: float | None = None
    tries: int | None = None


class MailServerChanged(Event, frozen=True, kw_only=True, tag_field="kind", tag="mail_server"):
    """Letters can no longer be handed over, or can be again; so many wait."""

    event: Tag
    waiting: int


class SettingName(str):
    """A setting's dotted name."""

    __slots__ = ()
    _shape: ClassVar[re.Pattern[str]] = re.compile(r"[a-z_]{1,40}(?:\.[a-z_]{1,40})?\Z")

    def __new__(cls, text: str) -> Self:
        """Take `text` if it has the shape of a setting's name; raise ValueError otherwise."""
        if not cls._shape.match(text):
            msg = "not the name of a setting"
            raise ValueError(msg)
        return super().__new__(cls, text)


class ChangeKind(StrEnum):
    """What an operator changed, as the event-log contract counts it."""

    LIMIT = "limit"
    MODEL = "model"


class PolicyDetail(StrEnum):
    """How a policy came into force."""

    RELOADED = "reloaded"
    ROLLED_BACK = "rolled_back"


class PolicyChanged(Event, frozen=True, kw_only=True, tag_field="kind", tag="change"):
    """Limits, shares or lists were exchanged while the service ran. Names only: values may be addresses."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.POLICY_CHANGED)
    what: ChangeKind = msgspec.field(default_factory=lambda: ChangeKind.LIMIT)
    detail: PolicyDetail
    settings: tuple[SettingName, ...]


class ModelDetail(StrEnum):
    """What was found of the model that answers. After a change: where it may lie."""

    PINNED = "pinned"
    WEIGHTS = "weights"
    TEMPLATE = "template"
    SAME = "same"
    NO_LOGPROBS = "no_logprobs"
    UNSTEADY = "unsteady"


class ModelChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="change"):
    """Answers are no longer the pinned model's, or are again, or it was pinned or cannot be compared.

    One of several engines is named by its `replica`.
    """

    event: Tag
    what: ChangeKind = msgspec.field(default_factory=lambda: ChangeKind.MODEL)
    detail: ModelDetail
    distance: float | None = None
    replica: Replica | None = None


class RegistrationMoved(Event, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="mode"):
    """The registration mode moved, or would have in a dry run; with what it rests on and what was measured then."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.REGISTRATION_MOVED)
    was: RegistrationMode = msgspec.field(name="from")
    to: RegistrationMode
    by: MovedBy
    causes: tuple[Cause, ...]
    unjudged: tuple[Cause, ...] = ()
    is_dry: bool = False
    attempts_per_min: float | None = None
    baseline_per_min: float | None = None
    headroom: float | None = None
    abuse_share: float | None = None
    verified_share: float | None = None
    mail_left: float | None = None
    queue_s: float | None = None


class ChallengeOutcome(StrEnum):
    """What became of a challenge, as the event-log contract counts it."""

    SOLVED = "solved"
    FAILED = "failed"


class ChallengeTried(Event, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="challenge"):
    """An answer to a challenge was handed in. Of those that fail, only some have a line of their own."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.CHALLENGE_TRIED)
    id: RequestId
    outcome: ChallengeOutcome
    src: Fingerprint | None = None
    net: Fingerprint | None = None
    effort: int | None = None
    solve_s: float | None = None


class GateRefused(Event, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="gate"):
    """How many requests were refused, or would have been in a dry run, by their headers alone in `over_s` seconds.

    Only some of them have a line of their own; all of them are counted here.
    """

    event: Tag = msgspec.field(default_factory=lambda: Tag.GATE_REFUSED)
    over_s: float
    refused: dict[Reason, int]
    would: dict[Reason, int] = {}


class FirewallChanged(Event, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="firewall"):
    """A source was handed to a firewall, or would have been in a dry run; or was let go before its end.

    `src` is the address that tipped the scale, `bits` the length of the prefix around it.
    """

    event: Tag
    src: Fingerprint
    bits: int
    why: OffloadReason
    mode: Mode
    until_s: float
    times: int
    by: EndedBy | None = None


class FirewallSpared(Event, frozen=True, kw_only=True, tag_field="kind", tag="firewall_spared"):
    """How often a source that kept sending was not handed to a firewall in `over_s` seconds, by why."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.FIREWALL_SPARED)
    over_s: float
    spared: dict[Spared, int]


class FirewallFailed(Event, frozen=True, kw_only=True, tag_field="kind", tag="firewall_failed"):
    """The firewall could not be told; nobody is kept out meanwhile, and it is tried again."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.FIREWALL_FAILED)
    failures: int
    unsent: int


class RecordStopped(Event, frozen=True, kw_only=True, tag_field="kind", tag="record"):
    """Decisions are not written down any more: the disk refused, with this error number (errno)."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.RECORD_STOPPED)
    errno: int


class LibrarySpoke(Event, frozen=True, kw_only=True, tag_field="kind", tag="library"):
    """A library logged something. Where and what kind of error, never its words."""

    event: Tag = msgspec.field(default_factory=lambda: Tag.LIBRARY_SPOKE)
    site: Site
    error: Site | None = None


AnyEvent = (
    ServiceChanged
    | RequestFinished
    | RequestCrashed
    | EngineChanged
    | AccountChanged
    | LoginTried
    | SignUpTried
    | InviteChanged
    | JoinRequestsAnswered
    | AddressVerified
    | LetterHandled
    | MailServerChanged
    | PolicyChanged
    | ModelChanged
    | RegistrationMoved
    | ChallengeTried
    | GateRefused
    | FirewallChanged
    | FirewallSpared
    | FirewallFailed
    | RecordStopped
    | LibrarySpoke
)
