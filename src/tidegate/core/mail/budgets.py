"""How many letters may be sent: to one person, for one network, to one domain, and in all.

Whoever may have letters sent can bomb a mailbox with them, or use up what the
mail provider allows so that nobody gets any more (Mastodon, #19037). So
every letter is counted in an hour and in a day, exactly and sliding:

- to a person, each of the three classes below on its own, and links to an account
  each kind on its own: asking for links that sign in leaves those to reset;
- to whoever asks from one network, letters in accounts' names: who knows hundreds of
  addresses that have an account must not use up everybody's links;
- to a domain, letters that strangers caused; large mail providers may have more;
- in all. Strangers' letters stop short of the whole: the reserve is for letters
  to people who have an account. Whatever happens at the door, a password can be
  reset.

What is remembered is what was sent within a day, so the bound in all is also
the bound on memory, and nobody can push another's count out by filling a map.
Nothing is kept over a restart.
"""

from __future__ import annotations

from collections import Counter, deque
from enum import StrEnum
from itertools import islice
from typing import Final

import msgspec

from tidegate.core.mail.addresses import owner_of, person_of
from tidegate.core.mail.letter import LetterKind

HOUR_S: Final = 3600.0
DAY_S: Final = 86400.0


class Caused(StrEnum):
    """By whom a letter is caused, which decides what it is counted against."""

    BY_STRANGER = "by_stranger"
    FOR_ACCOUNT = "for_account"
    BY_ACCOUNT = "by_account"


CAUSED: Final = {
    LetterKind.CONFIRM: Caused.BY_STRANGER,
    LetterKind.HAVE_ACCOUNT: Caused.BY_STRANGER,
    LetterKind.INVITATION: Caused.BY_STRANGER,
    LetterKind.TURN_CAME: Caused.BY_STRANGER,
    LetterKind.RESET: Caused.FOR_ACCOUNT,
    LetterKind.SIGN_IN_LINK: Caused.FOR_ACCOUNT,
    # Of what happened in the account: asking for links in its owner's name must not keep these from arriving.
    LetterKind.PASSWORD_CHANGED: Caused.BY_ACCOUNT,
    LetterKind.NEW_DEVICE: Caused.BY_ACCOUNT,
}
"""Which kind of letter is caused by whom."""


class Bound(StrEnum):
    """Which budget a letter would have exceeded."""

    PERSON = "person"
    NETWORK = "network"
    DOMAIN = "domain"
    STRANGERS = "strangers"
    ALL = "all"


LARGE_DOMAINS: Final = frozenset(
    {
        *("126.com", "163.com", "aol.com", "fastmail.com", "foxmail.com", "free.fr", "gmail.com", "gmx.at", "gmx.ch"),
        *("gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hey.com", "hotmail.co.uk", "hotmail.com", "hotmail.de"),
        *("hotmail.fr", "hotmail.it", "icloud.com", "laposte.net", "libero.it", "live.com", "mac.com", "mail.com"),
        *("mail.ru", "mailbox.org", "me.com", "msn.com", "naver.com", "orange.fr", "outlook.com", "outlook.de"),
        *("outlook.fr", "pm.me", "posteo.de", "proton.me", "protonmail.com", "qq.com", "rambler.ru", "rediffmail.com"),
        *("seznam.cz", "sina.com", "t-online.de", "uol.com.br", "wanadoo.fr", "web.de", "wp.pl", "yahoo.co.in"),
        *("yahoo.co.jp", "yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.de", "yahoo.fr", "yandex.com", "yandex.ru"),
        *("ymail.com", "zoho.com"),
    }
)
"""Where very many people have their mail: registering one more address there costs work, a domain of one's own none."""


class MailPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How many letters, in an hour and in a day.

    `reserve` is the part of all that only people with an account get letters from. `domain_part` is the part of
    strangers' letters that one domain may have, `large_part` one of a large provider or of `large_domains`.
    `network_part` is the part of all that may be asked for in accounts' names from one network.
    """

    per_hour: int = 500
    per_day: int = 3000
    person_per_hour: int = 3
    person_per_day: int = 6
    reserve: float = 0.3
    domain_part: float = 0.1
    large_part: float = 0.7
    network_part: float = 0.05
    large_domains: frozenset[str] = frozenset()


class _Window:
    """Counts what was sent in the last `length_s`."""

    def __init__(self, length_s: float) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._length_s = length_s
        self._sent: deque[tuple[float, tuple[tuple[str, str], ...]]] = deque()

    def forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] <= now - self._length_s:
            for key in self._sent.popleft()[1]:
                self.counts[key] -= 1
                if not self.counts[key]:
                    del self.counts[key]

    def again_s(self, now: float, key: tuple[str, str], limit: int) -> float:
        """After one more now, how long it is full."""
        beyond = self.counts[key] + 1 - limit
        if beyond < 0:
            return 0.0
        sent = (at for at, keys in self._sent if key in keys)
        return next(islice(sent, beyond, None), now) + self._length_s - now

    def add(self, now: float, keys: tuple[tuple[str, str], ...]) -> None:
        self._sent.append((now, keys))
        self.counts.update(keys)


def _person(kind: LetterKind, recipient: str) -> tuple[str, str]:
    caused = CAUSED[kind]
    return (kind.value if caused is Caused.FOR_ACCOUNT else caused.value, person_of(recipient))


_ALL: Final = ("all", "")
_STRANGERS: Final = ("strangers", "")


class MailBudgets:
    """Counts letters. Whatever is taken counts, also what does not arrive."""

    def __init__(self, plan: MailPlan) -> None:
        """Nothing was sent."""
        self.plan = plan
        self._windows = (_Window(HOUR_S), _Window(DAY_S))
        self._now = self._told = 0.0

    def take(self, kind: LetterKind, recipient: str, now: float, network: str = "") -> Bound | None:
        """Count a letter to a mailable address, or say which budget does not allow it; then nothing is counted.

        `network` stands for where somebody asked from who may be anybody; empty where nobody asked.
        """
        self._forget(now)
        caused = CAUSED[kind]
        person = _person(kind, recipient)
        domain = ("domain", owner_of(recipient))
        bounds = self._bounds(caused, person, domain, network)
        for bound, key, most in bounds:
            if any(window.counts[key] >= limit for window, limit in zip(self._windows, most, strict=True)):
                return bound
        keys = tuple(key for _, key, _ in bounds)
        for window in self._windows:
            window.add(self._now, keys)
        return None

    def again_s(self, kind: LetterKind, recipient: str, now: float) -> float:
        """How long nobody can have another letter of this kind sent to this person after one more now; 0 is at once.

        By the person's own budget: who asked for the others is not known.
        """
        self._forget(now)
        person, plan = _person(kind, recipient), self.plan
        return max(
            window.again_s(self._now, person, limit)
            for window, limit in zip(self._windows, (plan.person_per_hour, plan.person_per_day), strict=True)
        )

    def left(self, now: float, promised: int = 0) -> float:
        """The part of strangers' letters that is left, of the hour's or the day's, whichever is less.

        Once so many more are sent as are `promised`.
        """
        self._forget(now)
        most = self._strangers()
        used = (
            (window.counts[_STRANGERS] + promised) / max(1, limit)
            for window, limit in zip(self._windows, most, strict=True)
        )
        return max(0.0, 1.0 - max(used))

    def _bounds(
        self, caused: Caused, person: tuple[str, str], domain: tuple[str, str], network: str
    ) -> tuple[tuple[Bound, tuple[str, str], tuple[int, int]], ...]:
        plan = self.plan
        always = (
            (Bound.ALL, _ALL, (plan.per_hour, plan.per_day)),
            (Bound.PERSON, person, (plan.person_per_hour, plan.person_per_day)),
        )
        if caused is Caused.FOR_ACCOUNT and network:
            return (
                *always,
                (Bound.NETWORK, ("network", network), self._part(plan.network_part, (plan.per_hour, plan.per_day))),
            )
        if caused is not Caused.BY_STRANGER:
            return always
        is_large = domain[1] in LARGE_DOMAINS or domain[1] in plan.large_domains
        part = plan.large_part if is_large else plan.domain_part
        most = self._strangers()
        return (*always, (Bound.STRANGERS, _STRANGERS, most), (Bound.DOMAIN, domain, self._part(part, most)))

    def _part(self, part: float, most: tuple[int, int]) -> tuple[int, int]:
        # A small service has a small budget: each may have at least as many as a person.
        plan = self.plan
        return max(plan.person_per_hour, int(most[0] * part)), max(plan.person_per_day, int(most[1] * part))

    def _strangers(self) -> tuple[int, int]:
        left = 1.0 - self.plan.reserve
        return int(self.plan.per_hour * left), int(self.plan.per_day * left)

    def _forget(self, now: float) -> None:
        # Only what passes counts. A clock that steps back must not put the past behind the present: until it had caught
        # up nothing would be forgotten, and nobody would get a letter.
        self._now += max(0.0, now - self._told)
        self._told = now
        for window in self._windows:
            window.forget(self._now)
