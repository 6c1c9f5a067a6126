"""What the gate is told of a request when its headers are read, and what it answers."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing


class Lane(StrEnum):
    """What kind of work a route is: each lane has budgets of its own.

    `inference`: asks the model. `sign_in`: checks a password. `sign_up`: asks for an
    account. `account`: anything else about passwords. `call`:
    reads or writes records. `page`: a page or anything else that is cheap.
    `asset`: a file from memory. `health`: is never refused.
    """

    INFERENCE = "inference"
    SIGN_IN = "sign_in"
    SIGN_UP = "sign_up"
    ACCOUNT = "account"
    CALL = "call"
    PAGE = "page"
    ASSET = "asset"
    HEALTH = "health"


class Bearing(StrEnum):
    """What a request shows of who sends it.

    `device`: the mark of a device that an account has signed in on, which opens nothing.
    `turn`: the ticket of somebody whose turn to sign up has come.
    `untried`: a key that only the server behind the gate can judge, and has not yet.
    `keyless`: nothing, where that server is not known to want anything.
    """

    NOTHING = "nothing"
    FORGED = "forged"
    GENUINE = "genuine"
    DEVICE = "device"
    TURN = "turn"
    UNTRIED = "untried"
    KEYLESS = "keyless"


# They hold nothing that could hold them, so the collector need not look: one of each is made for every refusal.
class Facts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request, as far as its headers tell.

    `address` is the client's, packed (4 or 16 bytes), None when it is not known
    (a Unix socket). `principal` and `digest` belong to a `genuine` credential:
    one that this service has made, or that has proved itself, which says nothing
    about whether it still counts; or to a `device`, by its own bytes. An `untried`
    one and a `turn` have a `digest`. `requires_credential`: the route is for holders of one only.
    """

    address: bytes | None
    lane: Lane
    bearing: Bearing = Bearing.NOTHING
    principal: UserId | None = None
    digest: bytes | None = None
    requires_credential: bool = False
    size_bytes: int = 0


class Passed(msgspec.Struct, frozen=True, gc=False):
    """Go on. `would` is why it would be refused if this were not a dry run."""

    standing: Standing
    would: Reason | None = None


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Refuse. `retry_after_s` is None when trying again will not help.

    `lifts_at`: until then (Unix seconds) the same facts are refused the same way, by the same edition of
    the gate; `key` is what their wait is spread by.
    """

    reason: Reason
    retry_after_s: float | None
    standing: Standing
    lifts_at: float = 0.0
    key: bytes = b""
