"""Wrong passwords: what they cost the next try, by the account that was asked for and by where they came from.

Two counts that never know of each other (OWASP, "Bot Management": two independent
buckets, never the pair): strangers' misses for one account, and misses from one
source. Neither locks anything. Beyond its slips each further miss doubles what a
stranger's next try must bring, up to `most_effort`; so an attacker can make a
stranger's way in to somebody's account as dear as the slowest device can pay, and
no dearer. A device that the account has signed in on is not asked for any of it.

Misses are forgotten, one every `forgotten_s`. Strangers' misses for one account
are counted besides without being forgotten until the account signs in (from
wherever): from `most_in_row` on (NIST SP 800-63B-4 section 3.2.2: no more than
100) a stranger's try brings the whole effort, always.

A device with `most_missed` wrong passwords in a row is worn: its holder is a
stranger for `worn_s`. Whoever stole a mark has so many guesses with it and, as a
stranger, the gate's and the line's bounds for the rest.

Bounds: at most `most` accounts, sources and devices each, the one that missed
longest ago forgotten first. Only misses bring anybody in, and each of them has
cost a place in the line for passwords or a refusal there.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

MOST_STEPS = 16
"""No count makes an effort overflow: it doubles that often at most."""


class AttemptsPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Slips are free; efforts are the challenge's, counted in its least ones."""

    account_slips: int = 10
    source_slips: int = 10
    network_slips: int = 40
    forgotten_s: float = 60.0
    most_in_row: int = 100
    least_effort: int = 1
    most_effort: int = 16
    most_missed: int = 10
    worn_s: float = 86_400.0
    most: int = 65_536


class _Tally(msgspec.Struct):
    count: float = 0.0
    at: float = 0.0
    in_row: int = 0


class _Tallies:
    """Counts that leak, of at most `most` keys."""

    def __init__(self, forgotten_s: float, most: int) -> None:
        self._forgotten_s = forgotten_s
        self._most = most
        self._tallies: OrderedDict[bytes | str, _Tally] = OrderedDict()

    def __len__(self) -> int:
        return len(self._tallies)

    def missed(self, key: bytes | str, now: float) -> int:
        """Count one, and answer how many there are in a row."""
        tally = self._tallies.pop(key, None) or _Tally(at=now)
        tally.count = self._left(tally, now) + 1.0
        tally.at = max(tally.at, now)
        tally.in_row += 1
        self._tallies[key] = tally
        if len(self._tallies) > self._most:
            self._tallies.popitem(last=False)
        return tally.in_row

    def count(self, key: bytes | str, now: float) -> float:
        """How many are not forgotten."""
        tally = self._tallies.get(key)
        return 0.0 if tally is None else self._left(tally, now)

    def in_row(self, key: bytes | str) -> int:
        """How many since the last success."""
        tally = self._tallies.get(key)
        return 0 if tally is None else tally.in_row

    def at(self, key: bytes | str) -> float:
        """When the last one was; 0.0 for none."""
        tally = self._tallies.get(key)
        return 0.0 if tally is None else tally.at

    def forgive(self, key: bytes | str) -> None:
        """Forget them all."""
        self._tallies.pop(key, None)

    def _left(self, tally: _Tally, now: float) -> float:
        return max(0.0, tally.count - max(0.0, now - tally.at) / self._forgotten_s)


class Attempts:
    """Both counts and the worn devices. Keys are fingerprints; times are seconds of one clock."""

    def __init__(self, plan: AttemptsPlan) -> None:
        """Nobody has missed."""
        self.plan = plan
        self._accounts = _Tallies(plan.forgotten_s, plan.most)
        self._sources = _Tallies(plan.forgotten_s, plan.most)
        self._networks = _Tallies(plan.forgotten_s, plan.most)
        self._devices = _Tallies(plan.worn_s, plan.most)

    @property
    def remembered(self) -> dict[str, int]:
        """How many of each kind: at most what the plan says."""
        return {
            "accounts": len(self._accounts),
            "sources": len(self._sources),
            "networks": len(self._networks),
            "devices": len(self._devices),
        }

    def stranger_missed(self, account: str, source: str | None, network: str | None, now: float) -> None:
        """A stranger's password for `account` was wrong."""
        self._accounts.missed(account, now)
        for tallies, key in ((self._sources, source), (self._networks, network)):
            if key is not None:
                tallies.missed(key, now)

    def device_missed(self, device: bytes, now: float) -> bool:
        """A password from a known device was wrong; True when the device is worn by it."""
        if now - self._devices.at(device) >= self.plan.worn_s:
            self._devices.forgive(device)
        return self._devices.missed(device, now) >= self.plan.most_missed

    def is_worn(self, device: bytes, now: float) -> bool:
        """Whether a device counts as a stranger's."""
        worn = self._devices.in_row(device) >= self.plan.most_missed
        return worn and now - self._devices.at(device) < self.plan.worn_s

    def signed_in(self, account: str, device: bytes | None) -> None:
        """The right password was given: the account's row of misses ends, and that device's."""
        self._accounts.forgive(account)
        if device is not None:
            self._devices.forgive(device)

    def account_effort(self, account: str, now: float) -> int:
        """What a stranger's try for `account` must bring for the sake of those who tried before; 0 is nothing."""
        plan = self.plan
        if self._accounts.in_row(account) >= plan.most_in_row:
            return plan.most_effort
        return self._effort(self._accounts.count(account, now) - plan.account_slips)

    def source_effort(self, source: str | None, network: str | None, now: float) -> int:
        """The same for where the try comes from, whatever account it is for."""
        of_source = 0.0 if source is None else self._sources.count(source, now) - self.plan.source_slips
        of_network = 0.0 if network is None else self._networks.count(network, now) - self.plan.network_slips
        return self._effort(max(of_source, of_network))

    def _effort(self, beyond: float) -> int:
        if beyond <= 0.0:
            return 0
        return min(self.plan.most_effort, self.plan.least_effort << min(MOST_STEPS, int(beyond)))
