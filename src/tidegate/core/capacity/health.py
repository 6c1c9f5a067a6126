"""Is the engine alive? Judged by tokens, not by what it says of itself.

States and what moves them:

    stopped --spawned--> loading --first token--> ready
    loading --load_timeout--> failed       (killed)
    ready   --silence while asked--> failed (wedged: killed)
    any     --process ended--> failed
    failed  --backoff over--> stopped, to be spawned again

A health endpoint answers from a thread of its own and stays green while the
thread that computes is stuck; so life is only ever a token or progress report
on a request, and a probe request is made when there has been none for a while.

What can never happen: ready without a token seen since the process was
spawned; two processes at once (spawn is only asked for in `stopped`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

import msgspec


class EngineState(StrEnum):
    """Where the engine stands."""

    STOPPED = "stopped"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"


class HealthPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Deadlines in seconds. `probe_after_s`: silence before a probe; `stall_s`: silence after one before the kill."""

    load_timeout_s: float = 120.0
    probe_after_s: float = 5.0
    stall_s: float = 10.0
    backoff_first_s: float = 0.5
    backoff_limit_s: float = 30.0
    stable_after_s: float = 60.0


class Act(StrEnum):
    """What the supervisor must do now."""

    NOTHING = "nothing"
    SPAWN = "spawn"
    PROBE = "probe"
    KILL = "kill"


class EngineHealth:
    """The state machine. Times are monotonic seconds, told by the caller."""

    def __init__(self, plan: HealthPlan) -> None:
        """Start stopped, with nothing to wait for."""
        self.plan = plan
        self.state = EngineState.STOPPED
        self.why = "not started"
        self.restarts = 0
        self._since = 0.0
        self._alive_at = 0.0
        self._asked_at: float | None = None  # The oldest question that nothing was heard since.
        self._calls = 0
        self._backoff_s = 0.0

    def decide(self, now: float) -> Act:
        """Say what to do now. Asking twice is harmless: answers repeat until reported back."""
        match self.state:
            case EngineState.STOPPED:
                return Act.SPAWN
            case EngineState.FAILED:
                if now - self._since >= self._backoff_s:
                    self.state = EngineState.STOPPED
                    return Act.SPAWN
                return Act.NOTHING
            case EngineState.LOADING:
                if now - self._since >= self.plan.load_timeout_s:
                    return self._condemn("load_timeout", now)
                # While it loads every tick asks: the first token is what makes it ready.
                return Act.NOTHING if self._asked_at is not None else Act.PROBE
            case EngineState.READY:
                return self._watch(now)
            case _ as never:
                assert_never(never)

    def _watch(self, now: float) -> Act:
        if self._asked_at is None:
            return Act.PROBE if now - self._alive_at >= self.plan.probe_after_s else Act.NOTHING
        # Silence counts from the question, not from the last word: an idle engine owes us nothing.
        if now - self._asked_at >= self.plan.stall_s:
            return self._condemn("stalled", now)
        return Act.NOTHING

    def _condemn(self, why: str, now: float) -> Act:
        self._fail(why, now)
        return Act.KILL

    def spawned(self, now: float) -> None:
        """A new process was started."""
        self.state, self.why = EngineState.LOADING, "loading"
        self._since, self._asked_at, self._calls = now, None, 0

    def asked(self, now: float) -> None:
        """A call or a probe went out; one `answered` must follow, however it ends."""
        self._calls += 1
        if self._asked_at is None:
            self._asked_at = now

    def answered(self) -> None:
        """A call or a probe ended: complete, broken, turned away or abandoned."""
        # Calls of a process that is gone may still be ending when its successor starts.
        self._calls = max(0, self._calls - 1)
        if not self._calls:
            self._asked_at = None

    def spoke(self, now: float) -> bool:
        """A token or progress report came. True when this made the engine ready."""
        self._alive_at = now
        self._asked_at = now if self._calls else None
        if self.state is not EngineState.LOADING:
            if self.state is EngineState.READY and now - self._since >= self.plan.stable_after_s:
                self._backoff_s = 0.0
            return False
        self.state, self.why, self._since = EngineState.READY, "ready", now
        return True

    def ended(self, why: str, now: float) -> None:
        """The process is gone, by itself or by our hand."""
        if self.state is not EngineState.FAILED:
            self._fail(why, now)

    def _fail(self, why: str, now: float) -> None:
        self.state, self.why, self._since = EngineState.FAILED, why, now
        self.restarts += 1
        doubled = self._backoff_s * 2 if self._backoff_s else self.plan.backoff_first_s
        self._backoff_s = min(doubled, self.plan.backoff_limit_s)

    def retry_after_s(self, now: float) -> float:
        """Tell a caller when it is worth coming back: the rest of the backoff and a usual load."""
        rest_s = max(0.0, self._since + self._backoff_s - now) if self.state is EngineState.FAILED else 0.0
        return rest_s + 2.0
