"""Which requests are refused by their headers alone, before they cost anything.

Who is refused by what, the cheapest question first:

    health                  never.
    a genuine credential    by its account's bucket, and where it has no history by
                            that of all such accounts on that lane, and of those
                            of its cohort. The address it comes from is not looked
                            at, neither in lists nor in buckets: a flood from the
                            same network, or behind the same proxy, costs its
                            holder nothing.
    a device that was       by a small bucket of its own and by that of its account's
      signed in on          devices, and where the account has no history by that of
                            all such accounts on that lane and of its cohort. Nothing
                            that strangers do counts, and no address: a flood of
                            sign-ins leaves it alone. It may read pages like an
                            address of its own. Where accounts are made, where a
                            credential is asked for and at the engine it is nothing;
                            and it never touches the bucket of its account. Whoever is
                            signed in and has a password checked is counted likewise.
    a ticket whose turn     where accounts are made and pages read: by the deny list
      has come                and by a bucket of its own. Turns are few: the waiting
                            room gives so many a minute. Elsewhere it is nothing.
    everybody else          by the deny list; by the bucket of all strangers on
                            that lane; by those of the address and its networks
                            (tighter ones, and of their own, where passwords are
                            checked, where accounts are made, and for the rest that
                            is about passwords: the one's flood is not the other's).
                            When the bucket of all is nearly empty, what is left is
                            for networks that took little of it lately: a few
                            requests at once and one every 20 s, so that hundreds of
                            addresses that ask without end do not keep a new one out.
                            A route for holders of a credential refuses what is left.
    work that is certainly  where strangers sign in and accounts are made, whenever
      none                    it is seen: by no budget, so that it starves nobody.
    what asks the engine    in addition when the scheduler sees no room for it
                            within its caller's patience.

    an untried key          by the budgets of the account lane for its address, and
                            by how many from there were turned down lately
                            (guesses.py); what was turned down itself is nothing.
    one that proved itself  as a genuine credential, and where it is turned down all
                            the same for as long as doubts.py says.

A genuine credential that the store has called revoked or over is nothing for a
while: without that its holder could empty the bucket of the account that it was
made for. What the allow list holds is spared the deny list and all buckets of
strangers, but needs a credential where others do.

What can never happen:

- A genuine live credential is refused for its address.
- Memory grows beyond the plan's numbers, whatever comes: every map forgets.
- On one lane strangers (but those of the allow list) pass more often than their
  bucket's burst and its rate times how far the clock ran. Each lane has one
  such bucket, which is never forgotten: this holds for 10^7 sources as for one.
- A refusal spends a budget or a place in a map. Who passes is remembered, who is
  refused is not.
- A wait that is told is too short for its buckets, if nobody else takes from them.

A flood from more sources than are remembered wants buckets forgotten, because a
forgotten bucket is full. Only a request that is counted brings a key in, and on
one lane no more than twice `strangers_rate` are counted in a second (those that
pass, those that are turned away for want of a credential). Four lanes share a
map, so a key stays for (`most_sources` - 8 `strangers_burst`) / 8 `strangers_rate`
seconds, 25 by default, and its bucket is full after 3; on each lane about accounts,
which has a map to itself, 100 and 20. Nothing is gained. With a plan where something is, it is a part of what
all strangers share anyway. Accounts have a map of their own where only genuine
credentials write; to have an account forgotten there helps that account. What
strangers get of the engine is theirs by class share, which the scheduler keeps
whatever passes here.

What is outside of this: a stolen live credential spends its account's bucket, and
its standing's share at the engine. A stolen device mark spends its own bucket and a
quarter of what its account's devices have together. Whoever has to sign in on a device that was
never theirs while strangers flood that lane is a stranger among them. A flood from more
networks than 20 times the rate of a lane, 1,200 where accounts are made, takes what is
kept for new ones, too: then all have the same chance.

In a dry run whatever a bucket or a list would refuse passes, marked with why, and
levels move as they would otherwise. Missing credentials and missing room refuse
all the same: these are no policy.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import msgspec

from tidegate.core.admission.addresses import Networks, keys_of
from tidegate.core.admission.bucket import Buckets
from tidegate.core.admission.claims import Crowded, Shed
from tidegate.core.admission.doubts import Doubts
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed, Refused
from tidegate.core.admission.guesses import Guesses
from tidegate.core.admission.jitter import jittered_s
from tidegate.core.admission.revocations import Revocations
from tidegate.core.admission.sources import Sources
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import STRANGERS, Standing
from tidegate.core.standing.register import Register

Preview = Callable[[UserId | None, Standing, int, float, float], Shed | Crowded | None]
"""Is there room for (principal or None, standing, body's size, patience) at this time? None is yes.

Crowded: there is, but the principal has too many in already.
"""

# Python 3.11 takes as long for a member of an enumeration as for a call, so those on every request's way stand here.
_HEALTH = Lane.HEALTH
_INFERENCE = Lane.INFERENCE
_GENUINE = Bearing.GENUINE
_DEVICE = Bearing.DEVICE
_TURN = Bearing.TURN
_UNTRIED = Bearing.UNTRIED
_KEYLESS = Bearing.KEYLESS
_VISITOR = Standing.VISITOR
_SLOW_DOWN = Reason.SLOW_DOWN
_SERVER_IS_OVERLOADED = Reason.SERVER_IS_OVERLOADED
_CONCURRENCY_LIMIT_EXCEEDED = Reason.CONCURRENCY_LIMIT_EXCEEDED

_NUMBERS = (int, float)
_NETWORK_OF_ACCOUNT_LANE = 5.0
_DEVICES_OF_ACCOUNT = 4.0
_KNOCK_RATE = 0.05
_KNOCKS = 4.0
_KEPT_PART = 0.25  # Of a burst, for those who knock.
_ABOUT_ACCOUNTS = (Lane.SIGN_IN, Lane.SIGN_UP, Lane.ACCOUNT)
_OF_PASSWORDS = frozenset({Lane.SIGN_IN, Lane.ACCOUNT})
_OF_TURNS = frozenset({Lane.SIGN_UP, Lane.PAGE})
_SIGN_UP = Lane.SIGN_UP
_ACCOUNT = Lane.ACCOUNT
_OPEN_TO_DEVICES = _OF_PASSWORDS | {Lane.PAGE, Lane.ASSET}
_PASSED = {standing: Passed(standing) for standing in Standing}
_TURNED_AWAY = Refused(Reason.INVALID_API_KEY, None, Standing.VISITOR)
_BLOCKED = Refused(Reason.SOURCE_BLOCKED, None, Standing.VISITOR)
_WORKED_NOTHING = Refused(Reason.CHALLENGE_REQUIRED, None, Standing.VISITOR)


class GatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Rates in requests a second, bursts in requests; named and meant as the settings of the same table.

    `revoked_s`: how long a credential that the store called revoked is not asked
    about again. `patience_s`: the longest that a caller of the engine waits.
    """

    address_rate: float = 20.0
    address_burst: float = 60.0
    network_rate: float = 100.0
    network_burst: float = 300.0
    strangers_rate: float = 300.0
    strangers_burst: float = 600.0
    account_address_rate: float = 0.5
    account_address_burst: float = 10.0
    account_strangers_rate: float = 60.0
    account_strangers_burst: float = 120.0
    principal_rate: float = 50.0
    principal_burst: float = 200.0
    device_rate: float = 0.2
    device_burst: float = 10.0
    most_sources: int = 65536
    most_principals: int = 65536
    revoked_s: float = 600.0
    patience_s: float = 60.0
    allow: Networks = Networks()
    deny: Networks = Networks()
    is_dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse a plan by which nobody would ever pass."""
        for name in self.__struct_fields__:
            told, least = getattr(self, name), 1.0 if name.endswith("_burst") or name.startswith("most_") else 0.0
            if type(told) in _NUMBERS and not 0.0 < told >= least:
                msg = f"{name}: expected {'at least 1' if least else 'more than 0'}, not {told}"
                raise ValueError(msg)

    @property
    def of_sources(self) -> tuple[tuple[float, float], tuple[float, float], int]:
        """The budgets of addresses and networks."""
        return (
            (self.address_rate, self.address_burst),
            (self.network_rate, self.network_burst),
            self.most_sources,
        )

    @property
    def of_account_sources(self) -> tuple[tuple[float, float], tuple[float, float], int]:
        """The same on the account lane."""
        rate, burst = self.account_address_rate, self.account_address_burst
        return (
            (rate, burst),
            (rate * _NETWORK_OF_ACCOUNT_LANE, burst * _NETWORK_OF_ACCOUNT_LANE),
            self.most_sources,
        )

    @property
    def of_owners(self) -> tuple[float, float]:
        """The budget of all devices of one account together."""
        return (self.device_rate * _DEVICES_OF_ACCOUNT, self.device_burst * _DEVICES_OF_ACCOUNT)

    @property
    def kept_of_entrants(self) -> float:
        """How much of what strangers share about accounts is left to those who knock."""
        return min(self.account_strangers_burst * _KEPT_PART, self.account_strangers_burst - 1.0)

    @property
    def kept_of_strangers(self) -> float:
        """The same of what they share on any other lane."""
        return min(self.strangers_burst * _KEPT_PART, self.strangers_burst - 1.0)


class Gate:
    """Decides. Synchronous; `now` is Unix seconds, best of a clock that only goes forward."""

    def __init__(self, plan: GatePlan, register: Register, preview: Preview | None = None) -> None:
        """Start with every bucket full. Without `preview` there is always room."""
        self._plan = plan
        self.edition = object()  # Another one with each plan: what was refused by one says nothing under the next.
        self._has_lists = bool(plan.allow or plan.deny)
        self._register = register
        self._preview = preview
        self._sources = Sources(*plan.of_sources)
        self._account_sources = {lane: Sources(*plan.of_account_sources) for lane in _ABOUT_ACCOUNTS}
        self._strangers = Buckets(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._entrants = Buckets(plan.account_strangers_rate, plan.account_strangers_burst, len(_ABOUT_ACCOUNTS))
        self._shared = self._by_lane()
        self._knocks = {lane: Buckets(_KNOCK_RATE, _KNOCKS, plan.most_sources) for lane in Lane}
        self._turns = Buckets(plan.device_rate, plan.device_burst, plan.most_principals)
        self._turned_away = Buckets(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._newcomers = Buckets(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._cohorts = Buckets(plan.network_rate, plan.network_burst, plan.most_principals)
        self._principals = Buckets(plan.principal_rate, plan.principal_burst, plan.most_principals)
        self._devices = Buckets(plan.device_rate, plan.device_burst, plan.most_principals)
        self._owners = Buckets(*plan.of_owners, plan.most_principals)
        self._readers = Buckets(plan.address_rate, plan.address_burst, plan.most_principals)
        self._revoked = Revocations(plan.revoked_s, plan.most_principals)
        self._doubts = Doubts(plan.most_principals)
        self._guesses = Guesses(plan.most_sources)

    def decide(self, facts: Facts, now: float) -> Passed | Refused:
        """Pass or refuse one request, and count it."""
        if facts.lane is _HEALTH:
            return _PASSED[_VISITOR]
        principal = facts.principal
        if principal is None or self.is_dead(facts.digest, now):
            return self._stranger(facts, now)
        bearing, lane = facts.bearing, facts.lane
        if bearing is _GENUINE:
            return (self._entering if lane in _OF_PASSWORDS else self._known)(facts, principal, now)
        if bearing is _DEVICE and lane in _OPEN_TO_DEVICES and not facts.requires_credential:
            return (self._entering if lane in _OF_PASSWORDS else self._reading)(facts, principal, now)
        return self._stranger(facts, now)

    def again(self, refused: Refused, now: float) -> Refused:
        """Say to a stranger once more what stands until `lifts_at`, for less than `decide` would."""
        # Nobody takes from a bucket that has too little for one request: what it said then it says now.
        wait_s = jittered_s(refused.lifts_at - now, refused.key, now)
        return Refused(refused.reason, wait_s, refused.standing, refused.lifts_at, refused.key)

    def junk(self, facts: Facts) -> Refused:
        """Refuse a stranger's form whose work is certainly none, in a dry run too. Takes from no bucket."""
        is_denied = facts.address is not None and self._denies(facts.address)
        return _BLOCKED if is_denied and not self._plan.is_dry_run else _WORKED_NOTHING

    def note_dead(self, digest: bytes, now: float) -> None:
        """The store says that this genuine credential is revoked or over: its holder is a stranger for a while."""
        self._revoked.note(digest, now)

    def note_turned_down(self, digest: bytes, now: float) -> None:
        """The server behind says so of a key that is passed on; of one that has proved itself it is asked again."""
        within_s = inf
        if self._register.record(UserId.of(digest)) is not None:
            within_s = self._doubts.missed(digest, now)
        if within_s:
            self._revoked.note(digest, now, within_s)

    def note_guess(self, address: bytes, now: float) -> None:
        """The server behind turned a key down that came from this address."""
        self._guesses.missed(keys_of(address)[0], now)

    def note_alive(self, digest: bytes) -> None:
        """It counts, whatever was noted."""
        self._revoked.forget(digest)
        self._doubts.forget(digest)

    def is_dead(self, digest: bytes | None, now: float) -> bool:
        """Whether a genuine credential counts for nothing, as far as it is known here."""
        return digest is None or self._revoked.holds(digest, now)

    def apply(self, plan: GatePlan) -> None:
        """Decide by another plan from now on. What was taken from a bucket stays taken."""
        self._plan = plan
        self.edition = object()
        self._has_lists = bool(plan.allow or plan.deny)
        self._shared = self._by_lane()
        self._sources.reshape(*plan.of_sources)
        for sources in self._account_sources.values():
            sources.reshape(*plan.of_account_sources)
        self._strangers.reshape(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._entrants.reshape(plan.account_strangers_rate, plan.account_strangers_burst, len(_ABOUT_ACCOUNTS))
        for knocks in self._knocks.values():
            knocks.reshape(_KNOCK_RATE, _KNOCKS, plan.most_sources)
        self._turns.reshape(plan.device_rate, plan.device_burst, plan.most_principals)
        self._turned_away.reshape(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._newcomers.reshape(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._cohorts.reshape(plan.network_rate, plan.network_burst, plan.most_principals)
        self._principals.reshape(plan.principal_rate, plan.principal_burst, plan.most_principals)
        self._devices.reshape(plan.device_rate, plan.device_burst, plan.most_principals)
        self._owners.reshape(*plan.of_owners, plan.most_principals)
        self._readers.reshape(plan.address_rate, plan.address_burst, plan.most_principals)
        self._revoked.reshape(plan.revoked_s, plan.most_principals)
        self._doubts.reshape(plan.most_principals)
        self._guesses.reshape(plan.most_sources)

    @property
    def plan(self) -> GatePlan:
        """What is decided by."""
        return self._plan

    @property
    def remembered(self) -> dict[str, int]:
        """How many of each kind are remembered: each at most what the plan says."""
        widths = ("addresses", "networks", "widest")
        return {
            **dict(zip(widths, self._sources.remembered, strict=True)),
            **{
                f"{lane}_{width}": count
                for lane, sources in self._account_sources.items()
                for width, count in zip(widths, sources.remembered, strict=True)
            },
            **{f"{lane}_knocks": len(knocks) for lane, knocks in self._knocks.items()},
            "turns": len(self._turns),
            "principals": len(self._principals),
            "devices": len(self._devices),
            "owners": len(self._owners),
            "readers": len(self._readers),
            "cohorts": len(self._cohorts),
            "revoked": len(self._revoked),
            "doubts": len(self._doubts),
            "guesses": len(self._guesses),
        }

    def _by_lane(self) -> dict[Lane, tuple[Buckets, Sources, float]]:
        """What strangers share on each lane, where their sources are counted, and what is kept for those who knock."""
        plan, about_accounts = self._plan, self._account_sources
        shared = dict.fromkeys(Lane, (self._strangers, self._sources, plan.kept_of_strangers))
        # More than a worker can hash is not worth reading: what passes there costs fifty times what it costs to refuse.
        return shared | {
            lane: (self._entrants, sources, plan.kept_of_entrants) for lane, sources in about_accounts.items()
        }

    def _entering(self, facts: Facts, principal: UserId, now: float) -> Passed | Refused:
        """Count a password for its device (or session) and for all of them that the account has."""
        device = facts.digest or b""
        wait_s = max(self._devices.wait_s(device, 1.0, now), self._owners.wait_s(principal, 1.0, now))
        if not wait_s:
            self._devices.charge(device, 1.0)
            self._owners.charge(principal, 1.0)
        return self._counted(facts, principal, wait_s, now)

    def _reading(self, facts: Facts, principal: UserId, now: float) -> Passed | Refused:
        """Count a page for its device alone: whoever has stolen a mark must not empty the account's bucket."""
        return self._counted(facts, principal, self._readers.take(facts.digest or b"", 1.0, now), now)

    def _known(self, facts: Facts, principal: UserId, now: float) -> Passed | Refused:
        return self._counted(facts, principal, self._principals.take(principal, 1.0, now), now)

    def _counted(self, facts: Facts, principal: UserId, wait_s: float, now: float) -> Passed | Refused:
        standing = self._register.standing(principal, now)
        limited = None
        if not wait_s and standing in STRANGERS:
            wait_s = self._take_newcomer(facts.lane, principal, now)
        if wait_s:
            limited = Refused(_SLOW_DOWN, jittered_s(wait_s, principal.encode(), now), standing)
            if not self._plan.is_dry_run:
                return limited
        return self._with_room(facts, principal, standing, limited, now)

    def _take_newcomer(self, lane: Lane, principal: UserId, now: float) -> float:
        """Count one without a history among all of them, and among those of its network, whose names may be free."""
        wait_s = self._newcomers.wait_s(lane, 1.0, now)
        if wait_s:
            return wait_s
        cohort = self._register.cohort(principal)
        if cohort != principal:
            wait_s = self._cohorts.take(cohort, 1.0, now)
        if not wait_s:
            self._newcomers.charge(lane, 1.0)
        return wait_s

    def _stranger(self, facts: Facts, now: float) -> Passed | Refused:
        bearing = facts.bearing
        is_taken = bearing is _KEYLESS or (bearing is _UNTRIED and not self.is_dead(facts.digest, now))
        is_turned_away = facts.requires_credential and not is_taken
        if bearing is _TURN and facts.lane in _OF_TURNS:
            limited = self._limit_turn(facts, now)
        else:
            limited = self._limit(facts, now, is_turned_away=is_turned_away)
        if limited is not None and not self._plan.is_dry_run:
            return limited
        if is_turned_away:
            return _TURNED_AWAY
        if limited is None and facts.lane is not _INFERENCE:
            return _PASSED[_VISITOR]  # Most are here: for a page there is always room.
        return self._with_room(facts, None, _VISITOR, limited, now)

    def _limit(self, facts: Facts, now: float, *, is_turned_away: bool) -> Refused | None:
        """Take a stranger's request from every bucket it counts for, or from none and say why."""
        address = facts.address
        if address is not None and self._has_lists and (address in self._plan.allow or address in self._plan.deny):
            return None if address in self._plan.allow else _BLOCKED
        keys: tuple[bytes, ...] = () if address is None else keys_of(address)
        lane = facts.lane
        together, sources, kept = self._shared[lane]
        is_guess = facts.bearing is _UNTRIED and not is_turned_away
        if is_guess and keys and (held := self._guesses.held(keys[0], now)) is not None:
            return _BLOCKED if held.is_refused else Refused(_SLOW_DOWN, jittered_s(held.wait_s, keys[0], now), _VISITOR)
        sources = self._account_sources[_ACCOUNT] if is_guess else sources
        if is_turned_away:
            # Counted for the address alone: junk keys must not use up what visitors share. Beyond the rate
            # of strangers it is not counted at all, so that no flood of junk has addresses forgotten.
            together, keys, kept = self._turned_away, keys[:1], 0.0
        if not keys:
            kept = 0.0  # Only what runs on this machine has no address.
        wait_s, is_knock = together.wait_s(lane, 1.0 + kept, now), False
        if wait_s and kept:
            knock_s = max(together.wait_s(lane, 1.0, now), self._knocks[lane].wait_s(keys[-1], 1.0, now))
            wait_s, is_knock = min((wait_s, False), (knock_s, True))
        if wait_s:
            if is_turned_away:
                return None
            wait_s = max(wait_s, sources.wait_s(keys, now))
        else:
            wait_s = sources.take(keys, now)
        if wait_s:
            # Without a credential where others need one it may be told that instead, before the time is over;
            # and a key that has not been tried may prove itself meanwhile.
            lifts_at = 0.0 if is_turned_away or is_guess else now + wait_s
            key = keys[0] if keys else b""
            return Refused(_SLOW_DOWN, jittered_s(wait_s, key, now), _VISITOR, lifts_at, key)
        together.charge(lane, 1.0)
        if is_knock:
            self._knocks[lane].charge(keys[-1], 1.0)
        return None

    def _limit_turn(self, facts: Facts, now: float) -> Refused | None:
        """Take a request from what one has whose turn it is: they have waited for it, and must not be crowded out."""
        if facts.address is not None and self._denies(facts.address):
            return _BLOCKED
        ticket, buckets = facts.digest or b"", self._turns if facts.lane is _SIGN_UP else self._readers
        wait_s = buckets.take(ticket, 1.0, now)
        return Refused(_SLOW_DOWN, jittered_s(wait_s, ticket, now), _VISITOR) if wait_s else None

    def _denies(self, address: bytes) -> bool:
        return address in self._plan.deny and address not in self._plan.allow

    def _with_room(
        self, facts: Facts, principal: UserId | None, standing: Standing, limited: Refused | None, now: float
    ) -> Passed | Refused:
        """Pass, unless there is no room; `limited` is what a dry run lets through."""
        if facts.lane is _INFERENCE and self._preview is not None:
            shed = self._preview(principal, standing, facts.size_bytes, self._plan.patience_s, now)
            if shed is not None:
                # It was spread already where it was reckoned.
                reason = _SERVER_IS_OVERLOADED if isinstance(shed, Shed) else _CONCURRENCY_LIMIT_EXCEEDED
                return Refused(reason, shed.retry_after_s, standing)
        return _PASSED[standing] if limited is None else Passed(standing, limited.reason)
