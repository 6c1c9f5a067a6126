"""What is written down of decisions: facts, in bounds, and nothing that anybody said."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.recorded import ADDRESS, SPENT, House, fingerprint
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.claims import Cut, Spent, Topped, Waiting
from tidegate.core.admission.facts import Bearing, Facts, Lane, Refused
from tidegate.core.admission.gate import GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.decisions.lines import (
    LISTED_PER_S,
    Answered,
    Began,
    Claimed,
    Counted,
    Ended,
    How,
    Judged,
    Listed,
    Lost,
    Met,
    Note,
    Noted,
    Replanned,
    Resized,
)
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.services import recorder as recorder_module
from tidegate.testing.standing import a_record


def test_each_decision_is_written_with_what_it_was_made_of() -> None:
    house = House(SPENT)
    who = house.knows(1)
    house.clock.advance(1.5)
    house.page()
    refused = house.page()
    facts = Facts(
        address=bytes(range(16)),
        lane=Lane.INFERENCE,
        bearing=Bearing.GENUINE,
        principal=who,
        digest=b"d" * 32,
        requires_credential=True,
        size_bytes=300,
    )
    house.gate.decide(facts, house.unix_s)
    house.gate.decide(Facts(address=None, lane=Lane.HEALTH), house.unix_s)

    passed, turned, met, judged = house.lines()

    assert isinstance(passed, Judged)
    assert (passed.t, passed.reason, passed.lane, len(passed.source)) == (1.5, None, Lane.PAGE, 2)
    assert isinstance(refused, Refused)
    assert isinstance(turned, Judged)
    assert (turned.reason, turned.source) == (Reason.SLOW_DOWN, passed.source)
    assert turned.wait_s == pytest.approx(refused.retry_after_s, abs=0.001)
    assert isinstance(met, Met)
    assert met.who == fingerprint(who)
    known = house.register.record(who)
    assert known is not None
    assert met.history == known.history
    assert isinstance(judged, Judged)
    assert (judged.who, judged.standing, judged.size_bytes) == (fingerprint(who), Standing.ESTABLISHED, 300)
    assert (len(judged.source), judged.needs_credential) == (3, True)
    assert judged.digest == fingerprint((b"d" * 32).hex())


def test_what_is_said_again_and_what_is_junk_is_written_as_well() -> None:
    house = House(SPENT)
    house.page()
    refused = house.page()
    assert isinstance(refused, Refused)
    house.lines()

    house.gate.again(refused, house.unix_s)
    house.gate.again(Refused(Reason.SLOW_DOWN, 1.0, Standing.VISITOR), house.unix_s)  # Not said by this gate.
    house.gate.junk(Facts(address=ADDRESS, lane=Lane.SIGN_UP))

    again, junk = house.lines()
    assert isinstance(again, Judged)
    assert (again.lane, again.reason, again.is_junk) == (Lane.PAGE, Reason.SLOW_DOWN, False)
    assert isinstance(junk, Judged)
    assert (junk.lane, junk.reason, junk.is_junk) == (Lane.SIGN_UP, Reason.CHALLENGE_REQUIRED, True)


def test_lists_are_told_by_who_was_on_them_and_never_by_their_addresses() -> None:
    plan = GatePlan(allow=Networks(("192.0.2.7",)), deny=Networks(("198.51.100.0/24",)))
    house = House(plan)
    for address in (ADDRESS, bytes((198, 51, 100, 1)), bytes((203, 0, 113, 1))):
        house.page(address)
    house.gate.decide(Facts(address=None, lane=Lane.PAGE), house.unix_s)

    lines = house.lines()

    assert [line.listed for line in lines if isinstance(line, Judged)] == [Listed.ALLOW, Listed.DENY, None, None]
    assert "allow" not in house.recorder.begin(1).gate


def test_a_flood_of_refusals_is_listed_in_part_and_counted_for_the_rest() -> None:
    house = House(SPENT)
    for _ in range(LISTED_PER_S + 31):
        house.page()
    known = house.knows(1)
    facts = Facts(address=ADDRESS, lane=Lane.PAGE, bearing=Bearing.GENUINE, principal=known, digest=b"1" * 32)
    house.gate.apply(GatePlan(principal_rate=0.001, principal_burst=1))
    for _ in range(LISTED_PER_S + 31):
        house.gate.decide(facts, house.unix_s)
    house.clock.advance(1.0)
    house.gate.apply(SPENT)
    house.page()

    lines = house.lines()

    strangers = [line for line in lines if isinstance(line, Judged) and line.reason and line.who is None]
    assert len(strangers) == LISTED_PER_S + 1
    assert len([line for line in lines if isinstance(line, Judged) and line.who]) == LISTED_PER_S + 31, "not strangers"
    [counted] = [line for line in lines if isinstance(line, Counted)]
    assert (counted.lane, counted.reason, counted.number, counted.t) == (Lane.PAGE, Reason.SLOW_DOWN, 30, 1.0)


def test_what_an_account_is_known_by_is_written_when_it_comes_and_when_it_changes() -> None:
    house = House()
    who = house.knows(1)
    facts = Facts(address=ADDRESS, lane=Lane.PAGE, bearing=Bearing.GENUINE, principal=who, digest=b"1" * 32)
    house.gate.decide(facts, house.unix_s)
    house.register.served(who, 1.0, 1, house.unix_s)  # Counts today, and for nothing yet.
    house.gate.decide(facts, house.unix_s)
    house.register.find_against(who, house.unix_s + 60)
    house.gate.decide(facts, house.unix_s)
    stranger = UserId.of(b"nobody-here")
    house.gate.decide(msgspec.structs.replace(facts, principal=stranger), house.unix_s)

    met = [line for line in house.lines() if isinstance(line, Met)]

    assert [line.suspect_until_s is None for line in met] == [True, False]
    house.recorder.begin(2)
    house.gate.decide(facts, house.unix_s)
    assert isinstance(house.lines()[0], Met), "each file can be read alone"


def test_accounts_that_were_met_are_forgotten_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "_MOST_MET", 1)
    house = House()
    first, second = house.knows(1), house.knows(2)
    for who in (first, second, first):
        house.recorder.meet(who)

    assert len(house.lines()) == 3


def test_a_claim_is_written_when_it_comes_and_when_it_ends() -> None:
    house = House()
    one, two, three = (house.knows(number) for number in (1, 2, 3))
    scheduler, clock = house.scheduler, house.clock
    scheduler.enter(1, house.claim(one, end_user="ada", cohort="net:a"), clock())
    waiting, _ = scheduler.enter(2, house.claim(two), clock())
    scheduler.enter(3, house.claim(three), clock())
    clock.advance(1.0)
    scheduler.progress(1, 20, 20, 4, clock())
    scheduler.began(1, clock())
    scheduler.spend(1, 5, clock())
    clock.advance(1.0)
    scheduler.settle(1, Spent(prompt_tokens=20, cached_tokens=4, output_tokens=5, decode_tok_s=9.0), clock())
    scheduler.abandon(3, clock())
    scheduler.began(2, clock())
    scheduler.abandon(2, clock())
    scheduler.abandon(2, clock())
    scheduler.stir(clock())

    lines = house.lines()

    claims = [line for line in lines if isinstance(line, Claimed)]
    assert [line.answered for line in claims] == [Answered.ADMITTED, Answered.WAITING, Answered.WAITING]
    assert claims[0].end_user == fingerprint("ada")
    assert (claims[0].cohort, claims[1].cohort) == (fingerprint("net:a"), None)
    assert isinstance(waiting, Waiting)
    assert claims[1].wait_s == pytest.approx(waiting.wait_s, abs=0.001)
    first, third, second = (line for line in lines if isinstance(line, Ended))
    assert (first.ticket, first.how, first.queue_s, first.first_s, first.t) == (1, How.SETTLED, 0.0, 1.0, 2.0)
    assert (first.prompt_tokens, first.cached_tokens, first.output_tokens) == (20, 4, 5)
    assert (third.ticket, third.how, third.queue_s) == (3, How.LEFT, None)
    assert (second.ticket, second.how, second.queue_s, second.first_s) == (2, How.LEFT, 2.0, 0.0)


def test_whoever_is_cut_or_refused_is_written_so() -> None:
    house = House(admission=AdmissionPlan(slots=2, max_waiting=0, strangers_beside=1.0))
    known = [house.knows(number) for number in range(1, 5)]
    stranger = house.knows(9, Standing.NEWCOMER)
    scheduler, clock = house.scheduler, house.clock
    for ticket in (1, 2):
        scheduler.enter(ticket, house.claim(stranger, Standing.NEWCOMER), clock())
    scheduler.began(1, clock())
    for ticket in range(3, 3 + LISTED_PER_S + 10):
        scheduler.enter(ticket, house.claim(stranger, Standing.NEWCOMER), clock())
    scheduler.replan(AdmissionPlan(slots=2, max_waiting=8), clock())
    acts = [
        act for number, who in enumerate(known) for act in scheduler.enter(100 + number, house.claim(who), clock())[1]
    ]
    assert acts == [Cut(2, is_returning=True, retry_after_s=acts[0].retry_after_s)]  # type: ignore[union-attr] # a Cut
    scheduler.release(2, clock())
    while scheduler.spend(1, 16, clock()) is not Topped.ENDED:
        clock.advance(0.1)
    scheduler.abandon(1, clock())

    lines = house.lines()

    refused = [line for line in lines if isinstance(line, Claimed) and line.answered is Answered.SHED]
    assert len(refused) == LISTED_PER_S
    assert all(line.wait_s > 0 for line in refused)
    assert [(line.ticket, line.how) for line in lines if isinstance(line, Ended)] == [(1, How.CUT)]
    scheduler.abandon(2, clock())
    [returned] = (line for line in house.lines() if isinstance(line, Ended))
    assert (returned.ticket, returned.returns, returned.how) == (2, 1, How.LEFT)


def test_what_the_gate_is_told_and_a_new_policy_are_written() -> None:
    house = House()
    gate, digest = house.gate, b"d" * 8
    gate.note_dead(digest, house.unix_s)
    gate.note_turned_down(digest, house.unix_s)
    gate.note_alive(digest)
    gate.note_guess(ADDRESS, house.unix_s)
    house.scheduler.resize(3, house.clock())
    house.clock.advance(2.0)
    gate.apply(SPENT)
    house.recorder.replanned()

    *notes, resized, replanned = house.lines()

    assert [line.what for line in notes if isinstance(line, Note)] == [
        Noted.DEAD,
        Noted.TURNED_DOWN,
        Noted.ALIVE,
        Noted.GUESS,
    ]
    assert {line.digest for line in notes if isinstance(line, Note)} == {fingerprint(UserId.of(digest)), None}
    assert isinstance(resized, Resized)
    assert resized.slots == 3
    assert isinstance(replanned, Replanned)
    assert (replanned.t, replanned.gate["address_burst"], replanned.admission[0].slots) == (2.0, 1.0, 3)
    assert replanned.policy != house.recorder.begin(1).policy or replanned.gate == house.recorder.begin(1).gate


def test_more_than_fits_is_lost_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder_module, "MOST_PENDING", 3)
    house = House()
    for _ in range(5):
        house.page()

    lines = house.lines()

    assert len(lines) == 4
    assert isinstance(lines[-1], Lost)
    assert lines[-1].number == 2
    assert len(house.lines()) == 0


@given(
    prompt=st.text(min_size=6, max_size=40).filter(lambda text: text.strip() and not text.isdigit()),
    seed=st.binary(min_size=8, max_size=16),
)
def test_no_word_of_anybody_reaches_a_record(prompt: str, seed: bytes) -> None:
    """Names that a caller may choose, addresses, accounts and credentials: none is in what is written."""
    house = House()
    who = UserId.of(seed)
    house.register.know(msgspec.structs.replace(a_record(who, Standing.MEMBER, house.unix_s), cohort=f"net:{prompt}"))
    digest = sha256(prompt.encode()).digest()
    facts = Facts(
        address=seed[:4],
        lane=Lane.INFERENCE,
        bearing=Bearing.GENUINE,
        principal=who,
        digest=digest,
        size_bytes=7,
    )
    house.gate.decide(facts, house.unix_s)
    claim = house.claim(who, Standing.MEMBER, end_user=prompt, cohort=f"net:{prompt}")
    house.scheduler.enter(1, claim, house.clock())
    house.scheduler.abandon(1, house.clock())
    house.gate.note_guess(seed[:4], house.unix_s)

    written = msgspec.json.Encoder().encode_lines([house.recorder.begin(1), *house.lines()])

    for secret in (prompt.encode(), who.encode(), seed.hex().encode(), digest.hex().encode(), b"usr_", b"net:"):
        assert secret not in written or secret in _SHAPE, secret
    for key in (seed[:4], seed[:3]):
        assert key.hex().encode() + b'"' not in written


_SHAPE = msgspec.json.encode(
    [Began.__struct_fields__, *(line.__struct_fields__ for line in (Judged, Claimed, Ended, Met, Note))]
) + b"".join(word.encode() for word in (*Lane, *Bearing, *Standing, *Reason, *Answered, *How))
