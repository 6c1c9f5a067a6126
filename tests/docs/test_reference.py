"""The reference says what the code does, because it is made of the code."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import get_args

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tidegate.adapters.telemetry.metrics import Metrics
from tidegate.core.capacity.health import EngineState
from tidegate.core.decisions.lines import AnyLine
from tidegate.core.events import (
    AddressVerified,
    ChallengeOutcome,
    ChallengeTried,
    EngineChanged,
    FirewallChanged,
    FirewallSpared,
    GateRefused,
    LetterHandled,
    LoginOutcome,
    LoginTried,
    MailOutcome,
    RegistrationMoved,
    RequestFinished,
    RouteKind,
    SignUpOutcome,
    SignUpTried,
    Tag,
    VerifyOutcome,
)
from tidegate.core.firewall.elements import Mode, OffloadReason, Spared
from tidegate.core.identifiers import Fingerprint, Replica, RequestId
from tidegate.core.mail.letter import LetterKind
from tidegate.core.models.sameness import Look, LookOutcome, Sameness
from tidegate.core.reasons import Reason
from tidegate.core.registration.modes import Cause, MovedBy, RegistrationMode

ROOT = Path(__file__).parents[2]
REHEARSAL_FIRST = """
from tidegate.lab.scenario import Part
Part | None
from tidegate.http import openapi
print(openapi.document().decode())
"""


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_page_of_the_reference_is_what_the_code_says_today(reference: ModuleType) -> None:
    stale = [path.name for path, text in reference.pages() if path.read_text("utf-8") != text]
    assert not stale, f"run 'make reference': {stale}"


def test_the_api_reads_the_same_where_a_rehearsal_was_imported_first() -> None:
    # `typing` hands out the first of two annotations that are equal, and 0 == 0.0: bounds would be a rehearsal's.
    told = subprocess.run([sys.executable, "-c", REHEARSAL_FIRST], capture_output=True, check=True, timeout=60)
    assert told.stdout == (ROOT / "docs" / "reference" / "openapi.json").read_bytes()


def test_an_event_field_that_nobody_has_explained_stops_the_page(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "`gap_s`" in reference.event_log()

    monkeypatch.delitem(reference._FIELD_MEANINGS, "gap_s")
    with pytest.raises(KeyError, match="gap_s"):
        reference.event_log()


def test_no_field_is_explained_that_no_event_has(reference: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reference.unused_meanings() == set()

    monkeypatch.setitem(reference._FIELD_MEANINGS, "mood", "How it felt.")
    assert reference.unused_meanings() == {"mood"}


def test_a_field_of_a_record_that_nobody_has_explained_stops_the_page_and_none_is_explained_in_vain(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = {field.name for kind in get_args(AnyLine) for field in msgspec.structs.fields(kind)}
    assert written - {"t"} == reference._RECORD_MEANINGS.keys()

    monkeypatch.delitem(reference._RECORD_MEANINGS, "queue_s")
    with pytest.raises(KeyError, match="queue_s"):
        reference.record()


def test_a_metric_label_that_nobody_has_explained_stops_the_page(
    reference: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(reference.LABELS, "tidegate_http_requests", ("route", "mood"))
    with pytest.raises(KeyError, match="mood"):
        reference.metrics()


def test_metrics_stand_in_the_reference_under_the_names_and_labels_that_a_scrape_shows(reference: ModuleType) -> None:
    counted = Metrics()
    counted.record(EngineChanged(t=1, state=EngineState.READY, healthy=True, restarts=0))
    counted.record(EngineChanged(t=1, state=EngineState.READY, healthy=True, restarts=0, replica=Replica("a:1")))
    counted.record(
        RequestFinished(
            t=1,
            id=RequestId.of(b"12345678"),
            route=RouteKind.CHAT,
            status=200,
            total_s=1,
            in_tok=3,
            queue_s=0.1,
            ttft_s=0.1,
            gap_s=0.1,
        )
    )
    tried = RequestId.of(b"12345678")
    told = {Reason.SLOW_DOWN: 2}
    counted.record(GateRefused(t=1, over_s=5.0, refused=told, would=told))
    counted.record(LoginTried(t=1, id=tried, outcome=LoginOutcome.OK))
    counted.record(SignUpTried(t=1, id=tried, outcome=SignUpOutcome.OK))
    counted.record(ChallengeTried(t=1, id=tried, outcome=ChallengeOutcome.SOLVED))
    counted.record(
        RegistrationMoved(
            t=1, was=RegistrationMode.OPEN, to=RegistrationMode.INVITE, by=MovedBy.AUTO, causes=(Cause.ABUSE,)
        )
    )
    counted.record(AddressVerified(t=1, id=tried, outcome=VerifyOutcome.OK))
    letter = LetterHandled(t=1, event=Tag.MAIL_SENT, outcome=MailOutcome.SENT, letter=LetterKind.RESET)
    counted.record(letter)
    where = Sameness(distance=0.0)
    look = Look(outcome=LookOutcome.SAME, sameness=where, model="m", replica=Replica("a:1"), prompt_tokens=1)
    counted.looked(look)
    counted.record(
        FirewallChanged(
            t=1,
            event=Tag.FIREWALL_ADDED,
            src=Fingerprint("0" * 16),
            bits=32,
            why=OffloadReason.KEPT_SENDING,
            mode=Mode.ON,
            until_s=2,
            times=1,
        )
    )
    counted.record(FirewallSpared(t=1, over_s=60.0, spared={Spared.OWN: 1}))
    shown = {
        (sample.name, label)
        for family in text_string_to_metric_families(counted.exposition().decode())
        for sample in family.samples
        for label in sample.labels or ("",)
    }

    rows = [line.split("|") for line in reference.metrics().splitlines() if line.startswith("| `")]
    written = {
        (name, label)
        for _, names, _, labels, *_ in rows
        for name in re.findall(r"`(\w+)`", names)
        for label in re.findall(r"`(\w+)`", labels) or ("",)
        if label != "le" or name.endswith("_bucket")
    }
    # A histogram's sum and count have no label of their own.
    written |= {
        (name, "")
        for _, names, _, labels, *_ in rows
        if re.findall(r"`(\w+)`", labels) == ["le"]
        for name in re.findall(r"`(\w+_seconds_(?:sum|count))`", names)
    }
    assert shown == written


def test_every_relative_link_in_the_documents_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
        if not (document.parent / target).exists()
    ]
    assert not broken
