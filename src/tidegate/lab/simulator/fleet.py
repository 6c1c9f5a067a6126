"""The engines behind a virtual service: which of them takes a call, and what becomes of it when one breaks.

One engine is the service's own: while it is down nobody is answered. Of several the core's
pool chooses, believes in them and leaves them alone as it does in the service; a probe here
takes no time, and finds out what is true at that moment.

`engine_slow` slows all of them to `factor`. `engine_down` takes the one named `replica` away:
what it had inside breaks off. `replica_bad` makes that one fail at calls, at 1 - `factor` of
them, before they begin; it answers probes, but for those that would have it compute.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Final

from tidegate.core.capacity.pool import Member, Missing, Nowhere, Pool, PoolPlan
from tidegate.core.capacity.pool import Outcome as Ended
from tidegate.lab.calibration import Calibration
from tidegate.lab.scenario import Broken, Fault
from tidegate.lab.simulator.ailing import Ailing
from tidegate.lab.simulator.engine import EngineModel
from tidegate.lab.simulator.serving import Agenda

_RESTART_S: Final = 5.0
"""Who is refused because the engine is down is told to come back after so long."""
_MOST_OWNERS: Final = 4096


class Fleet:
    """Replicas of one calibration, numbered from 0."""

    def __init__(self, calibration: Calibration, replicas: int, agenda: Agenda, seed: int) -> None:
        """All are well."""
        self.calibration = calibration
        self.engines = [EngineModel(calibration, agenda, seed=seed + number) for number in range(replicas)]
        self.is_down = [False] * replicas
        self._ailing = Ailing()
        self._fails = [0.0] * replicas
        self._dice = Random(seed)  # noqa: S311 - which calls fail, no secret
        self._last: dict[str, int] = {}
        names = [str(number) for number in range(replicas)]
        self._pool = None
        if replicas > 1:
            members = [Member(name=name, places=calibration.slots) for name in names]
            self._pool = Pool(PoolPlan(probes_busy=True), members)
            self.look_after(0.0)

    def places(self, now: float) -> int:
        """How many answers at once there is room for, at least one."""
        return self.calibration.slots if self._pool is None else max(1, self._pool.places("", now))

    def pick(self, now: float, besides: Collection[str] = ()) -> int | None:
        """Choose for one call that begins now; None when none is well. `ended` must follow."""
        pool = self._pool
        if pool is None:
            return None if self.is_down[0] or besides else 0  # There is no other.
        found = pool.pick("", now, besides)
        if isinstance(found, Nowhere):
            if found.why is not Missing.BUSY:
                return None
            # One of its places is being given back at this moment, or it was taken for broken a moment ago.
            members = [member for member in pool.report(now) if member.name not in besides]
            name = min(members, key=lambda member: member.outstanding).name
        else:
            name = found.name
        pool.began(name, now)
        return int(name)

    def retry_s(self) -> float:
        """When to come back for whom there was no engine."""
        return _RESTART_S

    def fails(self, replica: int) -> bool:
        """Whether a call that begins there fails at once."""
        return self.is_down[replica] or (self._fails[replica] > 0.0 and self._dice.random() < self._fails[replica])

    def ended(self, replica: int, now: float, *, began_s: float, is_good: bool, has_failed: bool, caller: str) -> None:
        """A call is over."""
        if self._pool is not None:
            how = Ended.GOOD if is_good else Ended.FAILED if has_failed else Ended.LEFT
            self._pool.ended(str(replica), how, now, began_at=began_s, caller=caller)

    def knows(self, owner: str, replica: int, *, is_warm: bool) -> bool:
        """Whether what an owner asked last is still in that engine's memory, and that they are the last from now on."""
        if not self.calibration.keeps_prefix:
            return False
        if self._pool is None:
            return is_warm
        known = self._last.pop(owner, None)
        self._last[owner] = replica
        if len(self._last) > _MOST_OWNERS:
            del self._last[next(iter(self._last))]
        return known == replica

    def look_after(self, now: float) -> None:
        """Probe those that are to be probed."""
        if self._pool is not None:
            for name in self._pool.probe_due(now):
                replica = int(name)
                self._pool.probed(name, is_well=not self.is_down[replica] and not self._fails[replica], now=now)

    def fault(self, broken: Broken, now: float, *, is_on: bool) -> bool:
        """Have something break or be well again; answers whether what an engine has inside is lost."""
        replica = broken.replica
        self._ailing.turn(broken, is_on=is_on)
        match broken.kind:
            case Fault.ENGINE_SLOW:
                for engine in self.engines:
                    engine.slow(self._ailing.speed, now)
            case Fault.REPLICA_BAD:
                self._fails[replica] = self._ailing.fails(replica)
            case Fault.ENGINE_DOWN:
                was_down, self.is_down[replica] = self.is_down[replica], self._ailing.is_down(replica)
                if is_on and not was_down:
                    self.engines[replica].drop(now)
                return is_on and not was_down
            case _:
                pass
        return False
