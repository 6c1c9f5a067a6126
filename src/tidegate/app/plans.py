"""Turns settings into the plans that decisions are made by."""

from __future__ import annotations

import msgspec

from tidegate.app.firewall import firewall_plan
from tidegate.config import Settings
from tidegate.config.exposure import check
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.gate import GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.sharding import ShardPlan
from tidegate.core.entering.attempts import AttemptsPlan
from tidegate.core.entering.entering import EnteringPlan
from tidegate.core.entering.line import LinePlan
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.core.quotas.budget import Budget
from tidegate.core.registration.invites import InvitePlan
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.probation import ProbationPlan
from tidegate.core.registration.requests import RequestPlan
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S
from tidegate.core.standing.record import StandingPlan
from tidegate.http.gate.connections import ConnectionPlan
from tidegate.services.permits import JoiningPlan

_KEY_BYTES = 32
_AT_ONCE_OF_MINUTE = 6.0


class Plans(msgspec.Struct, frozen=True, kw_only=True):
    """All that can be exchanged while the service runs."""

    gate: GatePlan
    connections: ConnectionPlan
    admission: AdmissionPlan
    standing: StandingPlan
    firewall: FirewallPlan
    quotas: Budget
    probation: ProbationPlan
    invites: InvitePlan
    requests: RequestPlan
    modes: ModePlan
    calm: tuple[float, float]
    joining: JoiningPlan
    sign_up: RegistrationMode
    patience_s: float
    patience_whole_s: float


def plans_of(settings: Settings, shard_key: bytes) -> Plans:
    """Make all of them, or none: raises SettingsError for settings that contradict each other."""
    check(settings)
    gate, admission, standing = settings.gate, settings.admission, settings.standing
    return Plans(
        gate=GatePlan(
            address_rate=gate.address_rate,
            address_burst=gate.address_burst,
            network_rate=gate.network_rate,
            network_burst=gate.network_burst,
            strangers_rate=gate.strangers_rate,
            strangers_burst=gate.strangers_burst,
            account_address_rate=gate.account_address_rate,
            account_address_burst=gate.account_address_burst,
            account_strangers_rate=gate.account_strangers_rate,
            account_strangers_burst=gate.account_strangers_burst,
            principal_rate=gate.principal_rate,
            principal_burst=gate.principal_burst,
            device_rate=settings.sign_in.device_rate,
            device_burst=settings.sign_in.device_burst,
            most_sources=gate.most_sources,
            most_principals=gate.most_principals,
            patience_s=admission.patience_s,
            allow=Networks(gate.allow),
            deny=Networks(gate.deny),
            is_dry_run=gate.dry_run,
        ),
        connections=ConnectionPlan(
            connections=gate.connections,
            connections_per_address=gate.connections_per_address,
            head_s=gate.head_s,
            body_s=gate.body_s,
            body_bytes_per_s=gate.body_bytes_per_s,
            strangers_body_bytes=gate.strangers_body_bytes,
            idle_s=gate.idle_s,
        ),
        admission=AdmissionPlan(
            slots=settings.engine.slots,
            max_waiting=settings.engine.max_waiting,
            max_per_owner=settings.engine.max_per_account,
            batch_tokens=settings.engine.batch_tokens,
            shares={
                Standing.OPERATOR: admission.share_operator,
                Standing.ESTABLISHED: admission.share_established,
                Standing.MEMBER: admission.share_member,
                Standing.NEWCOMER: admission.share_newcomer,
                Standing.VISITOR: admission.share_visitor,
                Standing.SUSPECT: admission.share_suspect,
            },
            strangers_beside=admission.strangers_beside,
            slice_tokens=admission.slice_tokens,
            gap_s=admission.gap_s,
            prefill_s=admission.prefill_s,
            usual_burst_s=admission.usual_burst_s,
            usual_part=admission.usual_part,
            most_principals=gate.most_principals,
            shards=ShardPlan(key=shard_key[:_KEY_BYTES]),
        ),
        standing=StandingPlan(
            member_days=standing.member_days,
            member_age_days=standing.member_age_days,
            established_days=standing.established_days,
            established_age_days=standing.established_age_days,
            half_life_days=standing.half_life_days,
        ),
        firewall=firewall_plan(settings),
        quotas=Budget(**msgspec.structs.asdict(settings.quotas)),
        probation=probation_plan(settings),
        invites=invite_plan(settings),
        requests=request_plan(settings),
        modes=mode_plan(settings),
        calm=(settings.registration.calm_per_min, settings.registration.calm_at_once),
        joining=joining_plan(settings),
        sign_up=RegistrationMode(settings.accounts.sign_up),
        patience_s=admission.patience_s,
        patience_whole_s=admission.patience_whole_s,
    )


def probation_plan(settings: Settings) -> ProbationPlan:
    """What new accounts may use."""
    return ProbationPlan(tokens=settings.registration.probation_tokens, days=settings.registration.probation_days)


def invite_plan(settings: Settings) -> InvitePlan:
    """Who may invite how many."""
    registration = settings.registration
    return InvitePlan(per_month=registration.invites_per_month, lasts_s=registration.invite_days * DAY_S)


def mode_plan(settings: Settings) -> ModePlan:
    """By what the registration mode moves."""
    given = settings.registration
    return ModePlan(max_automatic_mode=RegistrationMode(given.max_automatic_mode), is_dry_run=given.dry_run)


def joining_plan(settings: Settings) -> JoiningPlan:
    """How many are let in."""
    given = settings.registration
    return JoiningPlan(
        per_min=given.let_in_per_min,
        at_once=max(1.0, given.let_in_per_min / _AT_ONCE_OF_MINUTE),
    )


def request_plan(settings: Settings) -> RequestPlan:
    """How many may ask to be let in."""
    registration = settings.registration
    return RequestPlan(
        most=registration.most_requests,
        per_network=registration.requests_per_network,
        lasts_s=registration.request_days * DAY_S,
    )


def line_plan(settings: Settings) -> LinePlan:
    """Make the plan of the line for passwords."""
    return LinePlan(attacked_part=settings.sign_in.strangers_part)


def entering_plan(settings: Settings) -> EnteringPlan:
    """Make the plan of signing in."""
    sign_in = settings.sign_in
    return EnteringPlan(
        attempts=AttemptsPlan(
            account_slips=sign_in.account_slips, source_slips=sign_in.address_slips, most=settings.gate.most_sources
        ),
        device_s=sign_in.device_days * DAY_S,
        has_challenge=True,
    )
