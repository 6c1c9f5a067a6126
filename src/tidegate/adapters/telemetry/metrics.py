"""Figures for Prometheus, made of the same events as the log.

Labels come from fixed lists only: an attacker cannot invent a new series.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric

from tidegate.adapters.telemetry import registration
from tidegate.adapters.telemetry.registration import RegistrationMetrics
from tidegate.core.capacity.health import EngineState
from tidegate.core.events import (
    AddressVerified,
    AnyEvent,
    EngineChanged,
    FirewallChanged,
    FirewallFailed,
    FirewallSpared,
    GateRefused,
    LetterHandled,
    LoginTried,
    MailServerChanged,
    RequestFinished,
    SignUpTried,
    Tag,
)
from tidegate.core.identifiers import Replica
from tidegate.core.models.sameness import Answering, Look, Sameness

LABELS: Final[dict[str, tuple[str, ...]]] = {
    "tidegate_http_requests": ("route", "status", "reason"),
    "tidegate_gate_refused": ("reason",),
    "tidegate_gate_spared": ("reason",),
    "tidegate_generation_tokens": ("kind",),
    "tidegate_admission_queue_seconds": ("standing",),
    "tidegate_generation_ttft_seconds": ("standing",),
    "tidegate_logins": ("outcome",),
    "tidegate_signups": ("outcome",),
    "tidegate_verifications": ("outcome",),
    "tidegate_mail_letters": ("letter", "outcome"),
    "tidegate_replica_ready": ("replica",),
    "tidegate_replica_failures": ("replica",),
    "tidegate_replica_model_different": ("replica",),
    "tidegate_replica_model_distance_nats": ("replica",),
    "tidegate_model_looks": ("verdict",),
    "tidegate_model_look_tokens": ("kind",),
    "tidegate_firewall_elements": ("mode", "why"),
    "tidegate_firewall_spared": ("why",),
    **registration.LABELS,
}
"""The labels of those metrics that have any."""

NO_REASON: Final = "none"
"""Stands in the label where nothing was refused and nothing failed."""

NO_STANDING: Final = "none"
"""Stands in the label where nobody's standing was asked."""

_WAITS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_GAPS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)


class TokenKind(StrEnum):
    """What tokens are counted as."""

    PROMPT = "prompt"
    CACHED = "cached"
    COMPLETION = "completion"


class _Registry(CollectorRegistry):
    """Leaves the `_created` series out: half as many lines again that no graph is made of.

    The library's own switch is one for the whole process.
    """

    def collect(self) -> Iterable[Metric]:
        for metric in super().collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric


class Metrics:
    """A Journal that counts."""

    def __init__(self) -> None:
        """Start at zero, in a registry of its own."""
        self._registry = registry = _Registry()
        self._requests = Counter(
            "tidegate_http_requests",
            "Requests by route, status and reason.",
            LABELS["tidegate_http_requests"],
            registry=registry,
        )
        self._refused = Counter(
            "tidegate_gate_refused",
            "Requests refused by their headers alone; not counted among the others.",
            LABELS["tidegate_gate_refused"],
            registry=registry,
        )
        self._spared = Counter(
            "tidegate_gate_spared",
            "Requests that a dry run let through.",
            LABELS["tidegate_gate_spared"],
            registry=registry,
        )
        self._tokens = Counter(
            "tidegate_generation_tokens",
            "Tokens read and written; cached ones are part of the prompt.",
            LABELS["tidegate_generation_tokens"],
            registry=registry,
        )
        self._abandoned = Counter(
            "tidegate_generation_abandoned", "Answers whose caller left before the end.", registry=registry
        )
        self._queue = Histogram(
            "tidegate_admission_queue_seconds",
            "Wait for a place at the engine.",
            LABELS["tidegate_admission_queue_seconds"],
            buckets=_WAITS_S,
            registry=registry,
        )
        self._ttft = Histogram(
            "tidegate_generation_ttft_seconds",
            "From admission to the first piece of the answer.",
            LABELS["tidegate_generation_ttft_seconds"],
            buckets=_WAITS_S,
            registry=registry,
        )
        self._gap = Histogram(
            "tidegate_generation_gap_seconds",
            "Mean time between pieces of one answer.",
            buckets=_GAPS_S,
            registry=registry,
        )
        self._logins = Counter("tidegate_logins", "Sign-ins tried.", LABELS["tidegate_logins"], registry=registry)
        self._signups = Counter(
            "tidegate_signups", "Accounts asked for.", LABELS["tidegate_signups"], registry=registry
        )
        self.registration = RegistrationMetrics(registry)
        self._verifications = Counter(
            "tidegate_verifications",
            "Links that confirm an address.",
            LABELS["tidegate_verifications"],
            registry=registry,
        )
        self._letters = Counter(
            "tidegate_mail_letters",
            "Letters by what they are for and what became of them.",
            LABELS["tidegate_mail_letters"],
            registry=registry,
        )
        self._mail_failing = Gauge("tidegate_mail_failing", "1 while letters cannot be handed over.", registry=registry)
        self._elements = Counter(
            "tidegate_firewall_elements",
            "Sources handed to a firewall; with mode dry_run, those that would have been.",
            LABELS["tidegate_firewall_elements"],
            registry=registry,
        )
        self._left = Counter(
            "tidegate_firewall_spared",
            "Times that a source kept sending and was not handed to a firewall.",
            LABELS["tidegate_firewall_spared"],
            registry=registry,
        )
        self._untold = Counter(
            "tidegate_firewall_failed", "Times that the firewall could not be told.", registry=registry
        )
        self._ready = Gauge("tidegate_engine_ready", "1 when an engine answers.", registry=registry)
        self._restarts = Gauge("tidegate_engine_restarts", "Engine failures since the start.", registry=registry)
        self._replica_ready = Gauge(
            "tidegate_replica_ready",
            "1 when this one of several engines answers.",
            LABELS["tidegate_replica_ready"],
            registry=registry,
        )
        self._replica_failures = Gauge(
            "tidegate_replica_failures",
            "What this one of several engines failed at since the start.",
            LABELS["tidegate_replica_failures"],
            registry=registry,
        )
        self._engines: dict[Replica | None, EngineChanged] = {}
        # Looking a series up by its labels takes longer than counting in it. As many as there are labels, no more.
        self._counted: dict[tuple[object, ...], Counter] = {}
        self._tokens_of: dict[TokenKind, Counter] = {}
        self._waits: dict[str, tuple[Histogram, Histogram]] = {}
        self._different = Gauge(
            "tidegate_model_different", "1 while answers of any engine are not the pinned model's.", registry=registry
        )
        self._distance = Gauge(
            "tidegate_model_distance_nats",
            "How far from the pinned model the last answers were, those of the farthest engine.",
            registry=registry,
        )
        self._replica_different = Gauge(
            "tidegate_replica_model_different",
            "1 while answers of this one of several engines are not the pinned model's.",
            LABELS["tidegate_replica_model_different"],
            registry=registry,
        )
        self._replica_distance = Gauge(
            "tidegate_replica_model_distance_nats",
            "How far from the pinned model the last answers of this one of several engines were.",
            LABELS["tidegate_replica_model_distance_nats"],
            registry=registry,
        )
        self._sameness: dict[tuple[Replica | None, str], Sameness] = {}
        self._looks = Counter(
            "tidegate_model_looks",
            "Times that answers were compared with the pinned model's.",
            LABELS["tidegate_model_looks"],
            registry=registry,
        )
        self._look_tokens = Counter(
            "tidegate_model_look_tokens",
            "Tokens that this took; not counted among the others.",
            LABELS["tidegate_model_look_tokens"],
            registry=registry,
        )

    def record(self, event: AnyEvent) -> None:
        """Count one event."""
        match event:
            case RequestFinished(is_sample=True):
                pass  # It is counted with the rest of them.
            case RequestFinished():
                self._count(event)
            case GateRefused():
                for reason, times in event.refused.items():
                    self._refused.labels(reason).inc(times)
                for reason, times in event.would.items():
                    self._spared.labels(reason).inc(times)
            case EngineChanged():
                self._engine(event)
            case LoginTried():
                self._logins.labels(event.outcome).inc()
            case SignUpTried():
                self._signups.labels(event.outcome).inc()
            case _ if not self.registration.record(event):
                self._record_mail(event)
                self._record_firewall(event)

    def _record_mail(self, event: AnyEvent) -> None:
        match event:
            case AddressVerified():
                self._verifications.labels(event.outcome).inc()
            case LetterHandled():
                self._letters.labels(event.letter, event.outcome).inc()
            case MailServerChanged():
                self._mail_failing.set(event.event is Tag.MAIL_FAILING)
            case _:
                pass

    def _record_firewall(self, event: AnyEvent) -> None:
        match event:
            case FirewallChanged(event=Tag.FIREWALL_ADDED):
                self._elements.labels(event.mode, event.why).inc()
            case FirewallSpared():
                for why, times in event.spared.items():
                    self._left.labels(why).inc(times)
            case FirewallFailed():
                self._untold.inc()
            case _:
                pass

    def _engine(self, event: EngineChanged) -> None:
        """Take how one engine is; one of several that is left out from now on is forgotten."""
        replica = event.replica
        self._engines[replica] = event
        if replica is not None and event.state is EngineState.STOPPED:
            del self._engines[replica]
            self._forget(replica)
        elif replica is not None:
            self._replica_ready.labels(replica).set(event.healthy)
            self._replica_failures.labels(replica).set(event.restarts)
        self._ready.set(any(one.state is EngineState.READY for one in self._engines.values()))
        self._restarts.set(sum(one.restarts for one in self._engines.values()))

    def _count(self, event: RequestFinished) -> None:
        named = (event.route, event.status, event.reason)
        counted = self._counted.get(named)
        if counted is None:
            counted = self._counted[named] = self._requests.labels(event.route, event.status, event.reason or NO_REASON)
        counted.inc()
        for kind, tokens in (
            (TokenKind.PROMPT, event.in_tok),
            (TokenKind.CACHED, event.cached_tok),
            (TokenKind.COMPLETION, event.out_tok),
        ):
            if tokens:
                of_kind = self._tokens_of.get(kind)
                if of_kind is None:
                    of_kind = self._tokens_of[kind] = self._tokens.labels(kind)
                of_kind.inc(tokens)
        if event.abandoned:
            self._abandoned.inc()
        queue_s, ttft_s = event.queue_s, event.ttft_s
        if queue_s is not None or ttft_s is not None:
            queue, ttft = self._waits_of(event.standing or NO_STANDING)
            if queue_s is not None:
                queue.observe(queue_s)
            if ttft_s is not None:
                ttft.observe(ttft_s)
        if event.gap_s is not None:
            self._gap.observe(event.gap_s)

    def _waits_of(self, standing: str) -> tuple[Histogram, Histogram]:
        waits = self._waits.get(standing)
        if waits is None:
            waits = self._waits[standing] = (self._queue.labels(standing), self._ttft.labels(standing))
        return waits

    def looked(self, look: Look) -> None:
        """Count one look at whether it is still the same model; the log has a line only of what changes."""
        self._looks.labels(look.outcome).inc()
        self._look_tokens.labels(TokenKind.PROMPT).inc(look.prompt_tokens)
        self._look_tokens.labels(TokenKind.COMPLETION).inc(look.completion_tokens)
        self._sameness[look.replica, look.model] = look.sameness
        self._set(self._sameness.values(), self._different, self._distance)
        if look.replica is not None:
            here = [one for (replica, _), one in self._sameness.items() if replica == look.replica]
            different = self._replica_different.labels(look.replica)
            self._set(here, different, self._replica_distance.labels(look.replica))

    def _set(self, found: Collection[Sameness], different: Gauge, distance: Gauge) -> None:
        different.set(any(one.answering is Answering.DIFFERENT for one in found))
        known = [one.distance for one in found if one.distance is not None]
        if known:
            distance.set(max(known))

    def _forget(self, replica: Replica) -> None:
        """Have no series of one of several engines that is not one of them any more."""
        for gauge in (self._replica_ready, self._replica_failures, self._replica_different, self._replica_distance):
            with contextlib.suppress(KeyError):  # It was never ready, or never looked at.
                gauge.remove(replica)
        self._sameness = {key: one for key, one in self._sameness.items() if key[0] != replica}
        self._set(self._sameness.values(), self._different, self._distance)

    def collect(self) -> Iterable[Metric]:
        """All metrics, for the reference."""
        return self._registry.collect()

    def exposition(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self._registry)
