"""Figures are made of the same events as the log, and nobody outside can add a series."""

from __future__ import annotations

import msgspec
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.core.capacity.health import EngineState
from tidegate.core.events import (
    AddressVerified,
    ChallengeOutcome,
    ChallengeTried,
    EngineChanged,
    FirewallChanged,
    FirewallFailed,
    FirewallSpared,
    LetterHandled,
    LibrarySpoke,
    LoginOutcome,
    LoginTried,
    MailOutcome,
    MailServerChanged,
    RegistrationMoved,
    RequestFinished,
    RouteKind,
    SignUpOutcome,
    SignUpTried,
    Site,
    Tag,
    VerifyOutcome,
)
from tidegate.core.firewall.elements import Mode, OffloadReason, Spared
from tidegate.core.identifiers import Fingerprint, Replica, RequestId
from tidegate.core.mail.letter import LetterKind
from tidegate.core.models.sameness import Answering, Look, LookOutcome, Sameness
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import Cause, MovedBy, RegistrationMode
from tidegate.core.standing.classes import Standing

REQUEST = RequestId.of(b"12345678")


def figures(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_requests_are_counted_by_route_status_and_reason() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.record(RequestFinished(t=1, id=REQUEST, route=RouteKind.CHAT, status=200, total_s=1))
    metrics.record(
        RequestFinished(
            t=1, id=REQUEST, route=RouteKind.CHAT, status=503, total_s=1, reason=Reason.SERVER_IS_OVERLOADED
        )
    )

    found = figures(metrics)
    assert found["tidegate_http_requests_total", "none", "chat", "200"] == 3
    assert found["tidegate_http_requests_total", "server_is_overloaded", "chat", "503"] == 1


def test_tokens_waits_and_departures_are_counted() -> None:
    metrics = Metrics()
    metrics.record(
        RequestFinished(
            t=1,
            id=REQUEST,
            route=RouteKind.CHAT,
            status=499,
            total_s=3,
            in_tok=10,
            cached_tok=4,
            out_tok=7,
            queue_s=0.2,
            ttft_s=0.5,
            gap_s=0.03,
            abandoned=True,
            standing=Standing.ESTABLISHED,
        )
    )

    found = figures(metrics)
    assert [found["tidegate_generation_tokens_total", kind] for kind in ("prompt", "cached", "completion")] == [
        10,
        4,
        7,
    ]
    assert found["tidegate_generation_abandoned_total",] == 1
    assert found["tidegate_admission_queue_seconds_sum", "established"] == 0.2
    assert found["tidegate_generation_ttft_seconds_sum", "established"] == 0.5
    assert found["tidegate_generation_gap_seconds_sum",] == 0.03


def test_a_request_that_never_reached_the_engine_counts_no_waits() -> None:
    metrics = Metrics()
    metrics.record(RequestFinished(t=1, id=REQUEST, route=RouteKind.OTHER, status=404, total_s=1))

    found = figures(metrics)
    assert not [name for name, *_ in found if name.startswith("tidegate_admission_queue_seconds")]
    assert not [name for name, *_ in found if name.startswith("tidegate_generation_ttft_seconds")]
    assert found["tidegate_generation_abandoned_total",] == 0


def test_the_engine_is_ready_or_not_and_its_failures_are_known() -> None:
    metrics = Metrics()
    metrics.record(EngineChanged(t=1, state=EngineState.READY, healthy=True, restarts=0))
    assert figures(metrics)["tidegate_engine_ready",] == 1
    metrics.record(EngineChanged(t=2, state=EngineState.FAILED, healthy=False, restarts=4))
    found = figures(metrics)
    assert (found["tidegate_engine_ready",], found["tidegate_engine_restarts",]) == (0, 4)


def test_sign_ins_and_sign_ups_are_counted_by_what_became_of_them() -> None:
    metrics = Metrics()
    for outcome in (LoginOutcome.OK, LoginOutcome.BAD_PASSWORD, LoginOutcome.BAD_PASSWORD):
        metrics.record(LoginTried(t=1, id=REQUEST, outcome=outcome))
    metrics.record(SignUpTried(t=1, id=REQUEST, outcome=SignUpOutcome.REFUSED))

    found = figures(metrics)
    assert found["tidegate_logins_total", "ok"] == 1
    assert found["tidegate_logins_total", "bad_password"] == 2
    assert found["tidegate_signups_total", "refused"] == 1


def test_the_registration_mode_in_force_is_the_one_that_was_told_last_and_a_dry_run_tells_none() -> None:
    metrics = Metrics()
    assert figures(metrics)["tidegate_registration_mode", "open"] == 1
    moved = RegistrationMoved(
        t=1,
        was=RegistrationMode.OPEN,
        to=RegistrationMode.THROTTLED,
        by=MovedBy.AUTO,
        causes=(Cause.SIGN_UP_RATE,),
    )
    metrics.record(moved)
    metrics.record(msgspec.structs.replace(moved, to=RegistrationMode.INVITE, is_dry=True))

    found = figures(metrics)
    modes = {mode for mode in RegistrationMode if found["tidegate_registration_mode", mode]}
    assert modes == {RegistrationMode.THROTTLED}
    assert found["tidegate_registration_moves_total", "auto", "throttled"] == 1
    metrics.registration.in_force(RegistrationMode.CLOSED)
    assert figures(metrics)["tidegate_registration_mode", "closed"] == 1


def test_the_line_is_asked_whenever_the_figures_are_read() -> None:
    metrics = Metrics()
    places = [3, 5]
    metrics.registration.watch(places.pop, lambda: 9, lambda: 1)
    assert figures(metrics)["tidegate_waiting_room_places",] == 5
    found = figures(metrics)
    assert found["tidegate_waiting_room_places",] == 3
    assert found["tidegate_waiting_room_promises_kept",] == 9
    assert found["tidegate_waiting_room_promises_missed",] == 1


def test_challenges_are_counted_by_what_became_of_them() -> None:
    metrics = Metrics()
    metrics.record(ChallengeTried(t=1, id=REQUEST, outcome=ChallengeOutcome.SOLVED, effort=2))
    metrics.record(ChallengeTried(t=1, id=REQUEST, outcome=ChallengeOutcome.FAILED))
    found = figures(metrics)
    assert found["tidegate_challenges_total", "solved"] == found["tidegate_challenges_total", "failed"] == 1


def test_letters_and_confirmed_addresses_are_counted_and_a_mail_server_that_is_away_shows() -> None:
    metrics = Metrics()
    verified, letter = RequestId.of(b"requests"), LetterKind.CONFIRM
    metrics.record(AddressVerified(t=1, id=verified, outcome=VerifyOutcome.OK))
    metrics.record(AddressVerified(t=1, id=verified, outcome=VerifyOutcome.REFUSED))
    metrics.record(LetterHandled(t=1, event=Tag.MAIL_SENT, outcome=MailOutcome.SENT, letter=letter))
    metrics.record(LetterHandled(t=1, event=Tag.MAIL_NOT_SENT, outcome=MailOutcome.WITHHELD, letter=letter))
    metrics.record(MailServerChanged(t=1, event=Tag.MAIL_FAILING, waiting=1))
    text = metrics.exposition().decode()

    assert 'tidegate_verifications_total{outcome="ok"} 1.0' in text
    assert 'tidegate_verifications_total{outcome="refused"} 1.0' in text
    assert 'tidegate_mail_letters_total{letter="confirm",outcome="sent"} 1.0' in text
    assert 'tidegate_mail_letters_total{letter="confirm",outcome="withheld"} 1.0' in text
    assert "tidegate_mail_failing 1.0" in text
    metrics.record(MailServerChanged(t=2, event=Tag.MAIL_WORKING, waiting=0))
    assert "tidegate_mail_failing 0.0" in metrics.exposition().decode()


def test_sources_handed_to_a_firewall_are_counted_once_with_what_was_spared_and_what_failed() -> None:
    metrics = Metrics()
    changed = FirewallChanged(
        t=1,
        event=Tag.FIREWALL_ADDED,
        src=Fingerprint("0" * 16),
        bits=32,
        why=OffloadReason.KEPT_SENDING,
        mode=Mode.DRY_RUN,
        until_s=2,
        times=1,
    )
    metrics.record(changed)
    metrics.record(msgspec.structs.replace(changed, event=Tag.FIREWALL_ENDED))
    metrics.record(FirewallSpared(t=1, over_s=60.0, spared={Spared.INHABITED: 3}))
    metrics.record(FirewallFailed(t=1, failures=1, unsent=4))

    found = figures(metrics)
    assert found["tidegate_firewall_elements_total", "dry_run", "kept_sending"] == 1
    assert found["tidegate_firewall_spared_total", "inhabited"] == 3
    assert found[("tidegate_firewall_failed_total",)] == 1


def test_no_series_tells_only_when_counting_began() -> None:
    metrics = Metrics()
    metrics.record(RequestFinished(t=1, id=REQUEST, route=RouteKind.CHAT, status=200, total_s=1, in_tok=3, queue_s=0.1))

    found = {name for name, *_ in figures(metrics)}
    assert {"tidegate_http_requests_total", "tidegate_admission_queue_seconds_sum"} <= found
    assert not [name for name in found if name.endswith("_created")]


def test_another_registry_of_this_process_keeps_its_series() -> None:
    Metrics()
    registry = CollectorRegistry()
    Counter("others", "Somebody else's.", registry=registry).inc()

    assert b"others_created" in generate_latest(registry)


def test_looks_at_the_model_are_counted_with_what_they_took() -> None:
    metrics = Metrics()
    different = Sameness(answering=Answering.DIFFERENT, distance=0.75)
    for outcome, sameness in (
        (LookOutcome.SAME, Sameness(answering=Answering.SAME, distance=0.01)),
        (LookOutcome.DIFFERENT, different),
        (LookOutcome.UNANSWERED, Sameness(answering=Answering.DIFFERENT)),
    ):
        metrics.looked(Look(model="m", outcome=outcome, sameness=sameness, prompt_tokens=80, completion_tokens=9))

    found = figures(metrics)
    assert found["tidegate_model_looks_total", "different"] == 1
    assert found["tidegate_model_look_tokens_total", "prompt"] == 240
    assert found["tidegate_model_look_tokens_total", "completion"] == 27
    assert (found["tidegate_model_different",], found["tidegate_model_distance_nats",]) == (1, 0.75)
    metrics.looked(Look(model="m", outcome=LookOutcome.SAME, sameness=Sameness(answering=Answering.SAME, distance=0.0)))
    assert figures(metrics)["tidegate_model_different",] == 0


def test_each_of_several_engines_has_its_own_figures_until_it_is_left_out() -> None:
    metrics = Metrics()
    here, there = Replica("127.0.0.1:8001"), Replica("127.0.0.1:8002")
    same, different = (
        Sameness(answering=answering, distance=distance)
        for answering, distance in ((Answering.SAME, 0.01), (Answering.DIFFERENT, 0.75))
    )
    for replica, model, sameness in ((here, "a", same), (there, "a", different), (there, "b", same)):
        metrics.looked(Look(model=model, replica=replica, outcome=LookOutcome.SAME, sameness=sameness))

    found = figures(metrics)
    assert found["tidegate_replica_model_different", here] == 0
    assert found["tidegate_replica_model_different", there] == 1, "one of its models is"
    assert found["tidegate_replica_model_distance_nats", there] == 0.75
    assert (found["tidegate_model_different",], found["tidegate_model_distance_nats",]) == (1, 0.75)
    metrics.record(EngineChanged(t=1, state=EngineState.STOPPED, healthy=False, restarts=0, replica=there))
    found = figures(metrics)
    assert [key for key in found if there in key] == []
    assert (found["tidegate_model_different",], found["tidegate_model_distance_nats",]) == (0, 0.01)


def test_other_events_change_no_figure() -> None:
    metrics = Metrics()
    before = figures(metrics)
    metrics.record(LibrarySpoke(t=1, site=Site("lib", 1)))

    assert figures(metrics) == before


def test_each_of_several_engines_has_figures_of_its_own_until_it_is_left_out() -> None:
    metrics = Metrics()
    one, other = Replica("127.0.0.1:8001"), Replica("127.0.0.1:8002")
    for replica in (one, other):
        metrics.record(EngineChanged(t=1, state=EngineState.READY, healthy=True, restarts=0, replica=replica))
    metrics.record(EngineChanged(t=2, state=EngineState.FAILED, healthy=False, restarts=3, replica=other))
    told = metrics.exposition().decode()
    assert 'tidegate_replica_ready{replica="127.0.0.1:8001"} 1.0' in told
    assert 'tidegate_replica_ready{replica="127.0.0.1:8002"} 0.0' in told
    assert 'tidegate_replica_failures{replica="127.0.0.1:8002"} 3.0' in told
    assert "tidegate_engine_ready 1.0" in told, "somebody answers"
    assert "tidegate_engine_restarts 3.0" in told
    metrics.record(EngineChanged(t=3, state=EngineState.STOPPED, healthy=False, restarts=0, replica=one))
    metrics.record(EngineChanged(t=3, state=EngineState.STOPPED, healthy=False, restarts=0, replica=Replica("new:1")))
    told = metrics.exposition().decode()
    assert "8001" not in told
    assert "tidegate_engine_ready 0.0" in told
