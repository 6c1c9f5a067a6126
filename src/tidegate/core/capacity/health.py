"""Is the engine alive? Judged by tokens, not by what it says of itself.

States and what moves them:

    stopped --spawned--> loading --first token--> ready
    loading --load_timeout--> failed       (killed)
    ready   --silence after a probe--> failed (wedged: killed)
    any     --process ended--> failed
    failed  --backoff over--> stopped, to be spawned again

A health endpoint answers from a thread of its own and stays green while the
thread that computes is stuck; so life is only ever a token or progress report.
When there has been none for a while a probe is made, also while calls run: one
that is slow to begin is no proof, for the engine prepares calls beside the
thread that computes. Only silence after a probe is.

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
    """Deadlines in seconds.

    `probe_after_s`: silence before an idle engine is probed, `ask_after_s`
    before one with calls is; `stall_s`: silence after a probe before the kill.
    """

    load_timeout_s: float = 120.0
    probe_after_s: float = 5.0
    ask_after_s: float = 2.0
    probe_again_s: float = 1.0
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
        self._silent_since: float | None = None  # The oldest probe that nothing was heard since.
        self._is_probing = False
        self._probe_ended_at = 0.0
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
                return Act.NOTHING if self._is_probing else Act.PROBE
            case EngineState.READY:
                return self._watch(now)
            case _ as never:
                assert_never(never)

    def _watch(self, now: float) -> Act:
        if self._silent_since is not None and now - self._silent_since >= self.plan.stall_s:
            return self._condemn("stalled", now)
        patience_s = min(self.plan.ask_after_s, self.plan.probe_after_s) if self._calls else self.plan.probe_after_s
        if now - self._alive_at < patience_s:
            return Act.NOTHING
        if self._is_probing:
            # It waits behind calls that spoke for it until now; from here on it speaks for itself.
            self._silent_since = now if self._silent_since is None else self._silent_since
            return Act.NOTHING
        if self._silent_since is not None and now - self._probe_ended_at < self.plan.probe_again_s:
            return Act.NOTHING
        return Act.PROBE

    def _condemn(self, why: str, now: float) -> Act:
        self._fail(why, now)
        return Act.KILL

    def spawned(self, now: float) -> None:
        """A new process was started."""
        self.state, self.why = EngineState.LOADING, "loading"
        self._since, self._silent_since, self._is_probing, self._calls = now, None, False, 0

    def began(self) -> None:
        """A call went out; one `finished` must follow, however it ends."""
        self._calls += 1

    def finished(self) -> None:
        """A call ended: complete, broken, turned away or abandoned."""
        # Calls of a process that is gone may still be ending when its successor starts.
        self._calls = max(0, self._calls - 1)

    def probed(self, now: float) -> None:
        """A probe went out; one `probe_ended` must follow, however it ends."""
        self._is_probing = True
        if self._silent_since is None:
            self._silent_since = now

    def probe_ended(self, now: float) -> None:
        """The probe ended. If nothing was heard of it, silence goes on."""
        self._is_probing = False
        self._probe_ended_at = now

    def skipped(self, seconds: float) -> None:
        """We were not there to listen (stopped, or the machine asleep): that time counts against nobody."""
        self._since += seconds
        self._alive_at += seconds
        if self._silent_since is not None:
            self._silent_since += seconds

    def spoke(self, now: float) -> bool:
        """A token or progress report came. True when this made the engine ready."""
        self._alive_at = now
        self._silent_since = None
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
