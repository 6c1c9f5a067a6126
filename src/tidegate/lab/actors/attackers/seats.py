"""Who attacks: number i of N as a `Who`, equal for equal i, made when needed and kept nowhere.

A seat is a bot with an account, or a bot without. There are as many as there are bots, or accounts if those are more;
an account that several bots use is seen from several addresses, a bot with several accounts has one address.

`mimicry` is the chance of each, independently, that a bot is a residential proxy (and of those, that it stands
where people live), calls itself a browser, is of where it says it is, and comes back when it was told to.
Shares of countries and programs are assumed; hosts and VPN exits are four to one, but half and half for
guessers of passwords (XLab on the attack of January 2025: all of them US addresses, about half VPN exits).
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidegate.lab.actors.addresses import country_of
from tidegate.lab.actors.attackers.chance import chosen, mixed, parts_of, salt_of
from tidegate.lab.actors.attackers.nets import Nets
from tidegate.lab.actors.attackers.variants import Manner
from tidegate.lab.acts import Group, NetKind, Who
from tidegate.lab.scenario import Attack, Family

PROGRAMS: Final = (
    (0.4, "python-requests"),
    (0.2, "go-http-client"),
    (0.2, "python-openai"),
    (0.1, "axios"),
    (0.1, "curl"),
)
BROWSERS: Final = ((0.65, "chrome"), (0.2, "safari"), (0.08, "edge"), (0.07, "firefox"))
_ABROAD: Final = (
    (0.3, ("US", "en")),
    (0.15, ("BR", "pt")),
    (0.15, ("IN", "en")),
    (0.1, ("ID", "id")),
    (0.1, ("VN", "vi")),
    (0.1, ("DE", "de")),
    (0.1, ("GB", "en")),
)
_HOSTS: Final = ((0.6, ("US", "en")), (0.15, ("DE", "en")), (0.15, ("NL", "en")), (0.1, ("SG", "en")))
_VPN: Final = {Family.CREDENTIAL_STUFFING: 0.5}
_TOR: Final = 0.03
_ATTACKER: Final = Group.ATTACKER
_RESIDENTIAL: Final = NetKind.RESIDENTIAL


class Seat(msgspec.Struct, frozen=True, gc=False):
    """One of those who attack. `mimicry` is its own; `heeds` tells whether it comes back when it was told to."""

    number: int
    who: Who
    mimicry: float
    heeds: bool
    is_forging: bool


class Seats:
    """All seats of one campaign."""

    def __init__(self, attack: Attack, fleet: str, manner: Manner, seed: int, *, shares_accounts: bool) -> None:
        """With `shares_accounts` every bot has an account, if there are any, else only as many as accounts."""
        self.count = max(attack.bots, attack.accounts)
        self._attack, self._fleet, self._is_mixed = attack, fleet, manner.is_mixed
        self._shares_accounts = shares_accounts
        self._salt = salt_of(seed, fleet)
        self._nets = Nets(self._salt, attack.bots)
        self._family = attack.family.value
        vpn = _VPN.get(attack.family, 0.2)
        self._kinds = ((1.0 - vpn - _TOR, NetKind.HOSTING), (vpn, NetKind.VPN), (_TOR, NetKind.TOR))

    def seat(self, number: int) -> Seat:
        """Who that is."""
        bot = number % self._attack.bots
        own, heeds, forges, _ = parts_of(mixed(self._salt, bot))
        mimicry = own if self._is_mixed else self._attack.mimicry
        return Seat(number, self._who(number, bot, mimicry), mimicry, heeds < mimicry, forges < 0.5 * (1.0 - mimicry))

    def elsewhere(self, who: Who, number: int) -> Who:
        """The same one, name and account, by the way of another bot."""
        other = self.seat(number).who
        return msgspec.structs.replace(other, name=who.name, has_account=who.has_account)

    def _who(self, number: int, bot: int, mimicry: float) -> Who:
        attack = self._attack
        browses, resides, place, kind = parts_of(mixed(self._salt ^ 1, bot))
        is_browser = browses < mimicry
        if resides < mimicry:
            address = self._nets.residential(bot, is_next_door=kind < mimicry)
            net_kind, (country, lang) = _RESIDENTIAL, chosen(_ABROAD, place)
            if kind < mimicry:
                country, _, lang = country_of(address >> 8)
        else:
            address, (country, lang) = self._nets.hosted(bot), chosen(_HOSTS, place)
            net_kind = chosen(self._kinds, kind)
        owned = number % attack.accounts if self._shares_accounts and attack.accounts else number
        has_account = owned < attack.accounts
        named, speaks, _, _ = parts_of(mixed(self._salt ^ 2, bot))
        return Who(
            name=f"{self._fleet}-account-{owned}" if has_account else f"{self._fleet}-{bot}",
            group=_ATTACKER,
            address=address,
            has_account=has_account,
            family=self._family,
            fleet=self._fleet,
            country=country,
            # Who copies a browser copies the language of whom it was taken from.
            lang=lang if speaks < mimicry else "en",
            net_kind=net_kind,
            agent=chosen(BROWSERS if is_browser else PROGRAMS, named),
            is_program=not is_browser,
        )
