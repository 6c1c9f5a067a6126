"""Which requests are refused by their headers alone, before they cost anything.

Who is refused by what, the cheapest question first:

    health                  never.
    a genuine credential    by its account's bucket, and where it has no history by
                            that of all such accounts on that lane, and of those
                            of its cohort. The address it comes from is not looked
                            at, neither in lists nor in buckets: a flood from the
                            same network, or behind the same proxy, costs its
                            holder nothing.
    everybody else          by the deny list; by the bucket of all strangers on
                            that lane; by those of the address and its networks
                            (the account lane has tighter ones). A route for
                            holders of a credential refuses what is left.
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
seconds, 25 by default, and its bucket is full after 3; on the account lane, 100
and 20. Nothing is gained. With a plan where something is, it is a part of what
all strangers share anyway. Accounts have a map of their own where only genuine
credentials write; to have an account forgotten there helps that account. What
strangers get of the engine is theirs by class share, which the scheduler keeps
whatever passes here.

What is outside of this: a stolen live credential spends its account's bucket, and
its standing's share at the engine. Whoever has to sign in anew while strangers
flood the account lane is a stranger among them.

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
_ACCOUNT = Lane.ACCOUNT
_INFERENCE = Lane.INFERENCE
_GENUINE = Bearing.GENUINE
_UNTRIED = Bearing.UNTRIED
_KEYLESS = Bearing.KEYLESS
_VISITOR = Standing.VISITOR
_SLOW_DOWN = Reason.SLOW_DOWN
_SERVER_IS_OVERLOADED = Reason.SERVER_IS_OVERLOADED
_CONCURRENCY_LIMIT_EXCEEDED = Reason.CONCURRENCY_LIMIT_EXCEEDED

_NUMBERS = (int, float)
_NETWORK_OF_ACCOUNT_LANE = 5.0
_PASSED = {standing: Passed(standing) for standing in Standing}
_TURNED_AWAY = Refused(Reason.INVALID_API_KEY, None, Standing.VISITOR)
_BLOCKED = Refused(Reason.SOURCE_BLOCKED, None, Standing.VISITOR)


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
    principal_rate: float = 50.0
    principal_burst: float = 200.0
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
        self._account_sources = Sources(*plan.of_account_sources)
        self._strangers = Buckets(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._turned_away = Buckets(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._newcomers = Buckets(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._cohorts = Buckets(plan.network_rate, plan.network_burst, plan.most_principals)
        self._principals = Buckets(plan.principal_rate, plan.principal_burst, plan.most_principals)
        self._revoked = Revocations(plan.revoked_s, plan.most_principals)
        self._doubts = Doubts(plan.most_principals)
        self._guesses = Guesses(plan.most_sources)

    def decide(self, facts: Facts, now: float) -> Passed | Refused:
        """Pass or refuse one request, and count it."""
        if facts.lane is _HEALTH:
            return _PASSED[_VISITOR]
        principal = facts.principal
        if principal is not None and facts.bearing is _GENUINE and not self.is_dead(facts.digest, now):
            return self._known(facts, principal, now)
        return self._stranger(facts, now)

    def again(self, refused: Refused, now: float) -> Refused:
        """Say to a stranger once more what stands until `lifts_at`, for less than `decide` would."""
        # Nobody takes from a bucket that has too little for one request: what it said then it says now.
        wait_s = jittered_s(refused.lifts_at - now, refused.key, now)
        return Refused(refused.reason, wait_s, refused.standing, refused.lifts_at, refused.key)

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
        self._sources.reshape(*plan.of_sources)
        self._account_sources.reshape(*plan.of_account_sources)
        self._strangers.reshape(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._turned_away.reshape(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._newcomers.reshape(plan.strangers_rate, plan.strangers_burst, len(Lane))
        self._cohorts.reshape(plan.network_rate, plan.network_burst, plan.most_principals)
        self._principals.reshape(plan.principal_rate, plan.principal_burst, plan.most_principals)
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
                f"account_{width}": count for width, count in zip(widths, self._account_sources.remembered, strict=True)
            },
            "principals": len(self._principals),
            "cohorts": len(self._cohorts),
            "revoked": len(self._revoked),
            "doubts": len(self._doubts),
            "guesses": len(self._guesses),
        }

    def _known(self, facts: Facts, principal: UserId, now: float) -> Passed | Refused:
        standing = self._register.standing(principal, now)
        limited = None
        wait_s = self._principals.take(principal, 1.0, now)
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
        limited = self._limit(facts, now, is_turned_away=is_turned_away)
        if limited is not None and not self._plan.is_dry_run:
            return limited
        if is_turned_away:
            return _TURNED_AWAY
        return self._with_room(facts, None, _VISITOR, limited, now)

    def _limit(self, facts: Facts, now: float, *, is_turned_away: bool) -> Refused | None:
        """Take a stranger's request from every bucket it counts for, or from none and say why."""
        address = facts.address
        keys: tuple[bytes, ...] = ()
        if address is not None:
            if self._has_lists:
                if address in self._plan.allow:
                    return None
                if address in self._plan.deny:
                    return _BLOCKED
            keys = keys_of(address)
        lane, together = facts.lane, self._strangers
        is_guess = facts.bearing is _UNTRIED and not is_turned_away
        if is_guess and keys and (held := self._guesses.held(keys[0], now)) is not None:
            return _BLOCKED if held.is_refused else Refused(_SLOW_DOWN, jittered_s(held.wait_s, keys[0], now), _VISITOR)
        sources = self._account_sources if is_guess or lane is _ACCOUNT else self._sources
        if is_turned_away:
            # Counted for the address alone: junk keys must not use up what visitors share. Beyond the rate
            # of strangers it is not counted at all, so that no flood of junk has addresses forgotten.
            together, keys = self._turned_away, keys[:1]
        wait_s = together.wait_s(lane, 1.0, now)
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
        return None

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
