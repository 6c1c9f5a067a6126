"""What actors do and what becomes of it: the words that actors, both worlds and the judge share.

An actor is a generator (`Life`). It yields acts and is sent the outcome of each `Ask`;
of any other act it is sent None. It reads no clock: an outcome tells when it was.

    def curious(who: Who) -> Life:
        outcome = yield Ask(who, Chat(prompt_tokens=50, answer_tokens=30))
        yield Ended(who, Need.CHAT, outcome.asked_at_s, 1, outcome)
        yield Wait(20.0)

So an actor runs under a virtual clock as over HTTP, and many that are not active need no
actor: a source waits for the next arrival, draws who it is, and spawns a life of a session.
Times are seconds since the rehearsal began.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from enum import StrEnum
from typing import final

import msgspec


class Group(StrEnum):
    """Whom somebody belongs to, in truth: the service is never told.

    `established`: an account that was served for weeks. `new`: an account of this week. `anonymous`:
    none yet. `attacker`: everybody whom the service is not for.
    """

    ESTABLISHED = "established"
    NEW = "new"
    ANONYMOUS = "anonymous"
    ATTACKER = "attacker"


UNREACHED = "unreached"
"""The reason of who had no answer because a firewall dropped what they sent. The service itself never heard of it."""

LEGITIMATE = (Group.ESTABLISHED, Group.NEW, Group.ANONYMOUS)
"""Those whom a service is for."""


class NetKind(StrEnum):
    """What kind of network an address belongs to, as the event log names it."""

    RESIDENTIAL = "residential"
    MOBILE = "mobile"
    HOSTING = "hosting"
    VPN = "vpn"
    TOR = "tor"


class Who(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Somebody: a person with a device, or a program.

    `name` is theirs alone in a rehearsal, and names their account if they have one. `address` is an IPv4
    address as a number. `family` tells which attack, or which organic oddity, they are part of. `fleet` names
    those who are the same attacker's. The rest is what a log would show of them.
    """

    name: str
    group: Group
    address: int
    has_account: bool = False
    family: str = ""
    fleet: str = ""
    country: str = "US"
    lang: str = "en"
    net_kind: NetKind = NetKind.RESIDENTIAL
    agent: str = "chrome"
    is_program: bool = False


class Chat(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A question to the model.

    `cached_tokens` of the prompt are what the same caller's last question ended with, `answer_tokens` what the answer
    comes to if nothing ends it, `max_tokens` what is asked for at most. Who has no word of an answer
    after `patience_s` leaves. Prompts with the same `body` are the same to the letter, those with the same
    `template` nearly. `flags` are what the prompt truly is: jailbreak, extraction. `bytes_per_token` is None for
    text as people write it. `is_key_forged`: it is sent with a key that nobody was ever given.
    """

    prompt_tokens: int
    answer_tokens: int
    max_tokens: int = 1024
    cached_tokens: int = 0
    is_stream: bool = True
    patience_s: float = 10.0
    template: int = 0
    body: int = 0
    retry: int = 0
    read_s: float | None = None
    flags: tuple[str, ...] = ()
    bytes_per_token: float | None = None
    is_key_forged: bool = False


class Page(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A page or a file of the web chat."""

    path: str = "/"
    is_asset: bool = False
    referrer: str = "none"


class SignIn(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A password for the account `account` (its owner's name), right or wrong, on a device known to it or not.

    `effort_s` is how long one unit of a challenge's effort takes them; None is a program that does no work.
    """

    account: str
    is_right: bool = True
    is_known_device: bool = False
    effort_s: float | None = 0.1


class SignUp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All the way to an account: the form, the work, the line, the letter. Ends with the account, or without.

    `effort_s` as for `SignIn`. Who is not in after `gives_up_after_s` gives up; `reads_mail_after_s` is None for
    who never opens the link. `heeds` tells whether they come back when they were told to. The last four are
    facts about the address that is given.
    """

    effort_s: float | None = 0.1
    gives_up_after_s: float = 1800.0
    reads_mail_after_s: float | None = 20.0
    heeds: bool = True
    mail_domain: str = "mail.example"
    is_disposable: bool = False
    local_part: str = "person"
    name_family: str = ""


class Hold(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A connection that is opened and held: a head that never ends, or an answer that is not read."""

    for_s: float
    reads_nothing: bool = False


Asked = Chat | Page | SignIn | SignUp | Hold
"""What may be asked."""


class Need(StrEnum):
    """What somebody wanted, however many tries it took."""

    CHAT = "chat"
    PAGE = "page"
    SIGN_IN = "sign_in"
    SIGN_UP = "sign_up"


class Outcome(msgspec.Struct, kw_only=True, gc=False):
    """What became of one ask.

    `status` is HTTP's, 0 where none came; `reason` the service's word for a refusal. `first_s` is from asking to the
    first token (for what is no chat: to the answer), `gap_s` the 95th percentile and `stall_s` the longest of the
    gaps between two. `is_complete`: the answer came whole, the page was shown, the account is there.
    `promised_s` is what a refusal or a line told first, `waited_s` the wait that it came to (None: nobody knows,
    as of who left before it was over; see lab/promises.py). `is_final`: the service said that trying again is no
    use (`x-should-retry: false`). `is_whole`: the answer comes in one piece, so that its first token is told with
    its last. `effort` is the work asked for, 0 none. `standing` is the class they were served in, where that shows.
    """

    asked_at_s: float
    ended_at_s: float
    status: int = 0
    reason: str = ""
    first_s: float | None = None
    gap_s: float = 0.0
    stall_s: float = 0.0
    is_complete: bool = False
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    queue_s: float = 0.0
    retry_after_s: float | None = None
    is_final: bool = False
    is_whole: bool = False
    promised_s: float | None = None
    waited_s: float | None = None
    effort: int = 0
    standing: str = ""
    replica: int = 0


@final
class Wait(msgspec.Struct, frozen=True, gc=False):
    """Do nothing for so long."""

    for_s: float


@final
class Ask(msgspec.Struct, frozen=True, gc=False):
    """Ask the service something; the outcome is sent back."""

    who: Who
    what: Asked


@final
class Ended(msgspec.Struct, frozen=True, gc=False):
    """Tell the judge: what somebody wanted since `since_s` ended with `outcome`, after so many tries.

    The first token of a need is at `outcome.asked_at_s + outcome.first_s`, judged from `since_s`. `is_open`: they
    would have tried again, and the rehearsal's end came before that. `whole_tokens` is how long an answer was to
    be that was asked for in one piece.
    """

    who: Who
    need: Need
    since_s: float
    tries: int
    outcome: Outcome
    is_open: bool = False
    whole_tokens: int = 0


class Spawn(msgspec.Struct, frozen=True, gc=False):
    """Begin another life, at once."""

    life: Life


Act = Wait | Ask | Ended | Spawn
"""What an actor yields."""

Life = Generator[Act, Outcome | None, None]
"""An actor."""


class OverError(Exception):
    """The rehearsal is over: thrown into a life that waits, which ends of it and may tell of a need that is open."""


def last_words(life: Life) -> Iterator[Ended]:
    """End a life that waits, because all is over; gives what it has to tell yet, and heeds nothing else of it."""
    try:
        act = life.throw(OverError())
        while isinstance(act, Ended):
            yield act
            act = next(life)
    except (OverError, StopIteration):
        pass
    finally:
        life.close()
