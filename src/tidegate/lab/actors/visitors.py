"""Looking at pages, signing up and signing in, as people do who mean no harm.

Whoever signs up reads the page first, does what work there is, waits in the line, opens the letter, and
then asks what they came for: when the next newcomer of the scenario's load is due, the latest to join first.
Whoever signs in does so mostly on a device that the service knows, and now and then mistypes.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from random import Random
from typing import Final

import msgspec

from tidegate.lab.actors.habits import Habits
from tidegate.lab.actors.retrying import Hand, asking
from tidegate.lab.actors.sessions import arriving, questions
from tidegate.lab.acts import Act, Ask, Group, Life, Need, NetKind, Outcome, SignIn, SignUp, Wait, Who

DESK_S: Final = 0.04
PHONE_S: Final = 0.15
"""One unit of effort: 15 to 55 ms in Chromium, 64 to 174 ms on a phone that is 6 times slower (docs/challenge.md)."""

MISTYPES: Final = 0.06
KNOWN_DEVICE: Final = 0.9
"""Both assumed."""

MAIL_S: Final = 25.0
GIVES_UP_S: Final = 1800.0
"""Until somebody has opened a letter, and until they give up joining (medians). Assumed."""

_STAYS_S: Final = 1800.0
_REFERRERS: Final = (("none", 0.5), ("search", 0.35), ("social", 0.15))
VIRAL_REFERRERS: Final = (("social", 0.6), ("search", 0.3), ("none", 0.1))
"""Where visitors come from on a common day, and when everybody talks of the service. Assumed."""

PROVIDERS: Final = ("bigmail.example", "webmail.example", "phonemail.example")
"""Where most people have their mail, and attackers who pass for people. The others have a domain of their own."""

_FIRST: Final = ("ana", "ben", "chen", "dina", "emil", "fatma", "goran", "hana", "ivo", "jun", "kofi", "lena", "mira")
_LAST: Final = ("adler", "bose", "costa", "diaz", "evans", "fuchs", "garcia", "haas", "ito", "jung", "kaya", "lopez")


def look(who: Who, dice: Random, referrers: tuple[tuple[str, float], ...] = _REFERRERS) -> Life:
    """Read one page and leave."""
    yield from arriving(who, dice, referrer=_drawn(referrers, dice), is_new=dice.random() < 0.5)  # noqa: PLR2004 - half


def join(
    who: Who, dice: Random, referrers: tuple[tuple[str, float], ...] = _REFERRERS
) -> Generator[Act, Outcome | None, Who | None]:
    """Sign up; return who they are with the account, None where there came none of it."""
    yield from arriving(who, dice, referrer=_drawn(referrers, dice), is_new=True)
    yield from arriving(who, dice, referrer="same", is_new=False, path="/sign-up")
    hand = Hand(presses=2, heeds=True, stays_s=_STAYS_S)
    outcome = yield from asking(who, form(who, dice), Need.SIGN_UP, hand, dice)
    return msgspec.structs.replace(who, group=Group.NEW, has_account=True) if outcome.is_complete else None


def join_and_ask(who: Who, habits: Habits, dice: Random) -> Life:
    """Sign up, and ask at once as many questions as in any visit."""
    if (member := (yield from join(who, dice))) is not None:
        yield from questions(member, habits, dice, habits.questions(dice))


def join_and_wait(
    who: Who, joined: list[Who], dice: Random, referrers: tuple[tuple[str, float], ...] = _REFERRERS
) -> Life:
    """Sign up, and be put with those who `joined` and have not asked yet."""
    if (member := (yield from join(who, dice, referrers))) is not None:
        joined.append(member)


def sign_in(who: Who, dice: Random, *, known: float = KNOWN_DEVICE, mistypes: float = MISTYPES) -> Life:
    """Give the password, the wrong one first now and then; `known` is how likely the device is."""
    is_known = dice.random() < known
    effort_s = effort_of(who, dice)
    yield from arriving(who, dice, referrer="none", is_new=not is_known, path="/sign-in")
    while dice.random() < mistypes:
        wrong = SignIn(account=who.name, is_right=False, is_known_device=is_known, effort_s=effort_s)
        yield Ask(who, wrong)
        yield Wait(4.0 + 8.0 * dice.random())
    right = SignIn(account=who.name, is_known_device=is_known, effort_s=effort_s)
    yield from asking(who, right, Need.SIGN_IN, Hand(presses=2, heeds=True), dice)


def form(who: Who, dice: Random) -> SignUp:
    """Fill in the form of a person."""
    place = int(dice.random() * 4.0)
    domain = PROVIDERS[place] if place < len(PROVIDERS) else f"d{int(dice.random() * 2000.0)}.example"
    return SignUp(
        effort_s=effort_of(who, dice),
        gives_up_after_s=GIVES_UP_S * math.exp(dice.gauss(0.0, 0.6)),
        reads_mail_after_s=MAIL_S * math.exp(dice.gauss(0.0, 0.8)),
        mail_domain=domain,
        local_part=f"{dice.choice(_FIRST)}.{dice.choice(_LAST)}{int(dice.random() * 1000.0)}",
    )


def effort_of(who: Who, dice: Random) -> float:
    """Draw how long a unit of effort takes somebody's device (seconds)."""
    return (PHONE_S if who.net_kind is NetKind.MOBILE else DESK_S) * math.exp(dice.gauss(0.0, 0.5))


def _drawn(parts: tuple[tuple[str, float], ...], dice: Random) -> str:
    names, weights = zip(*parts, strict=True)
    return str(dice.choices(names, weights)[0])
