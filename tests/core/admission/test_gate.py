"""What the gate refuses by the headers alone, and whom it never refuses for what."""

from __future__ import annotations

from ipaddress import ip_address

import msgspec
import pytest

from tests.core.admission.gating import (
    ABOUT_ACCOUNTS,
    AT,
    DIGEST,
    KNOWN,
    LANES,
    OF_PASSWORDS,
    OTHER,
    PLAN,
    Full,
    gate,
    genuine,
    passed,
    reason,
    register,
    stranger,
)
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.claims import Crowded
from tidegate.core.admission.facts import Bearing, Facts, Lane, Passed, Refused
from tidegate.core.admission.gate import Gate
from tidegate.core.identifiers import UserId
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing

# ------------------------------------------------------------ strangers


def test_an_address_passes_up_to_its_burst_and_is_told_when_there_is_more() -> None:
    one = gate()

    assert passed(one, stranger()) == 3
    refused = one.decide(stranger(), AT)
    assert isinstance(refused, Refused)
    assert (refused.reason, refused.standing) == (Reason.SLOW_DOWN, Standing.VISITOR)
    assert refused.retry_after_s is not None
    assert 1.0 <= refused.retry_after_s <= 2.1
    assert one.decide(stranger(), AT + refused.retry_after_s) == Passed(Standing.VISITOR)


@pytest.mark.parametrize("lane", LANES)
def test_what_a_stranger_was_told_stands_until_the_time_that_it_names(lane: Lane) -> None:
    one = gate()
    asking = stranger(lane=lane)
    passed(one, asking)
    told = one.decide(asking, AT)
    assert isinstance(told, Refused)

    for part in (0.0, 0.3, 0.9):
        now = AT + (told.lifts_at - AT) * part
        anew, again = one.decide(asking, now), one.again(told, now)
        assert isinstance(anew, Refused)
        assert again.retry_after_s == pytest.approx(anew.retry_after_s, abs=1e-5)
        assert (again.reason, again.standing, again.key) == (anew.reason, anew.standing, anew.key)
        assert again.lifts_at == pytest.approx(anew.lifts_at, abs=1e-5)
    assert isinstance(one.decide(asking, told.lifts_at), Passed)


def test_what_may_be_answered_otherwise_a_moment_later_does_not_stand() -> None:
    one = gate(deny=Networks(["198.51.100.0/24"]))
    asking = stranger(requires_credential=True)
    for _ in range(3):
        one.decide(asking, AT)
    limited, blocked = one.decide(asking, AT), one.decide(stranger("198.51.100.1"), AT)

    assert isinstance(limited, Refused)
    assert limited.reason is Reason.SLOW_DOWN
    assert isinstance(blocked, Refused)
    assert limited.lifts_at == blocked.lifts_at == 0.0


def test_each_plan_is_an_edition_of_its_own() -> None:
    one = gate()
    first = one.edition
    assert one.edition is first
    one.apply(one.plan)

    assert one.edition is not first


def test_neighbours_share_what_their_network_has() -> None:
    one = gate()

    assert [passed(one, stranger(f"192.0.2.{number}")) for number in range(4)] == [3, 3, 0, 0]
    assert passed(one, stranger("192.0.3.1")) == 3
    assert [passed(one, stranger(f"2001:db8:0:{number}::1")) for number in range(3)] == [3, 3, 0]


def test_strangers_together_have_one_budget_on_each_lane_and_lanes_do_not_share_it() -> None:
    one = gate(most_sources=1)

    for lane in (Lane.PAGE, Lane.ASSET):
        assert sum(passed(one, stranger(f"198.51.{number}.1", lane), 1) for number in range(100)) == 20


def test_a_refusal_by_all_strangers_budget_tells_the_longest_of_the_waits() -> None:
    """
    Its own address would refuse for a second longer than the crowd does.
    """
    one = gate()
    passed(one, stranger())
    for number in range(17):
        one.decide(stranger(f"198.51.{number}.1"), AT)

    crowd, own = (one.decide(facts, AT) for facts in (stranger("203.0.113.9"), stranger()))

    assert isinstance(crowd, Refused)
    assert isinstance(own, Refused)
    assert crowd.retry_after_s is not None
    assert own.retry_after_s is not None
    assert 0.1 <= crowd.retry_after_s <= 1.2
    assert own.retry_after_s >= 1.0


def test_sign_ins_have_a_tighter_budget_of_their_own() -> None:
    one = gate()

    assert passed(one, stranger(lane=Lane.ACCOUNT)) == 2
    assert [passed(one, stranger(f"192.0.2.{number}", Lane.ACCOUNT)) for number in range(10, 15)] == [2, 2, 2, 2, 0]
    assert passed(one, stranger()) == 3
    later = [passed(one, stranger(f"192.0.2.{number}", Lane.ACCOUNT), now=AT + 2) for number in range(20, 24)]
    assert later == [2, 2, 1, 0], "the network gains five times what an address gains"


def test_sign_ins_and_sign_ups_of_strangers_have_budgets_of_their_own() -> None:
    """
    A flood of the one leaves the other as it was, from the same address too.
    """
    one = gate()
    for number in range(1000):
        one.decide(stranger(f"198.{number >> 8}.{number & 255}.1", Lane.SIGN_UP), AT)
    assert passed(one, stranger("203.0.113.1", Lane.SIGN_UP)) == 0

    assert sum(passed(one, stranger(f"198.0.{number}.1", Lane.SIGN_IN), 1) for number in range(30)) == 15
    assert passed(one, stranger("198.0.0.1", Lane.ACCOUNT)) == 2


def test_a_caller_without_an_address_counts_among_all_strangers_only() -> None:
    one = gate()

    assert passed(one, stranger(None)) == 20
    refused = one.decide(stranger(None), AT)
    assert isinstance(refused, Refused)
    assert refused.retry_after_s is not None
    assert one.remembered["addresses"] == 0


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("bearing", [Bearing.NOTHING, Bearing.FORGED])
def test_a_route_for_holders_turns_the_others_away_and_counts_them_for_their_address(
    lane: Lane, bearing: Bearing
) -> None:
    one = gate()
    burst = 2 if lane in ABOUT_ACCOUNTS else 3
    facts = stranger(lane=lane, bearing=bearing, requires_credential=True)

    decisions = [one.decide(facts, AT) for _ in range(5)]

    assert decisions[:burst] == [Refused(Reason.INVALID_API_KEY, None, Standing.VISITOR)] * burst
    assert {reason(decision) for decision in decisions[burst:]} == {Reason.SLOW_DOWN}
    assert passed(one, stranger(lane=lane)) == 0
    assert passed(one, stranger("192.0.2.8", lane)) == burst, "nor is anybody else counted for it"


def test_a_flood_of_junk_keys_uses_up_nothing_that_visitors_share_and_has_nobody_forgotten() -> None:
    """
    Beyond the rate of strangers they are turned away without being remembered.
    """
    one = gate()
    for number in range(1000):
        junk = stranger(
            f"198.{number >> 8}.{number & 255}.1", Lane.CALL, bearing=Bearing.FORGED, requires_credential=True
        )
        assert reason(one.decide(junk, AT)) is Reason.INVALID_API_KEY

    assert (one.remembered["addresses"], one.remembered["networks"]) == (20, 0)
    assert sum(passed(one, stranger(f"203.0.{number}.1", Lane.CALL), 1) for number in range(30)) == 20


def test_a_flood_that_is_refused_brings_nobody_into_the_maps() -> None:
    """
    So no source has its bucket forgotten, and thereby filled, by coming with many others.
    """
    one = gate(strangers_burst=50.0)
    assert passed(one, stranger()) == 3
    for number in range(10_000):
        one.decide(stranger(f"198.{number >> 8}.{number & 255}.1"), AT)

    assert one.remembered["addresses"] == 48
    assert passed(one, stranger(), now=AT + 0.5) == 0


# ------------------------------------------------------------ lists


def test_whom_the_deny_list_holds_needs_a_credential() -> None:
    one = gate(deny=Networks(["192.0.2.0/24"]))

    assert one.decide(stranger(), AT) == Refused(Reason.SOURCE_BLOCKED, None, Standing.VISITOR)
    assert one.decide(stranger("192.0.3.7"), AT) == Passed(Standing.VISITOR)
    assert one.decide(genuine(), AT) == Passed(Standing.ESTABLISHED)


def test_whom_the_allow_list_holds_is_spared_the_deny_list_and_strangers_buckets() -> None:
    one = gate(deny=Networks(["192.0.2.0/24"]), allow=Networks(["192.0.2.7"]))

    assert passed(one, stranger()) == 50
    assert reason(one.decide(stranger("192.0.2.8"), AT)) is Reason.SOURCE_BLOCKED
    assert reason(one.decide(stranger(requires_credential=True), AT)) is Reason.INVALID_API_KEY


def test_health_is_answered_whoever_asks_and_counts_for_nobody() -> None:
    one = gate(deny=Networks(["0.0.0.0/0"]))

    assert passed(one, stranger(lane=Lane.HEALTH), 1000) == 1000
    assert passed(one, genuine(lane=Lane.HEALTH), 1000) == 1000
    assert set(one.remembered.values()) == {0}


# ------------------------------------------------------------ holders of a credential


def test_an_account_passes_up_to_its_burst_all_lanes_together_with_its_standing() -> None:
    one = gate()

    decisions = [one.decide(genuine(lane=lane), AT) for lane in LANES if lane not in OF_PASSWORDS]

    assert decisions[:4] == [Passed(Standing.ESTABLISHED)] * 4
    assert isinstance(decisions[4], Refused)
    assert (decisions[4].reason, decisions[4].standing) == (Reason.SLOW_DOWN, Standing.ESTABLISHED)
    assert decisions[4].retry_after_s is not None
    assert decisions[4].retry_after_s >= 0.5
    assert one.decide(genuine(), AT + decisions[4].retry_after_s) == Passed(Standing.ESTABLISHED)


def test_an_account_that_nothing_is_known_of_passes_as_a_newcomer() -> None:
    assert gate().decide(genuine(OTHER), AT) == Passed(Standing.NEWCOMER)


# ------------------------------------------------------------ credentials that no longer count


def test_a_credential_that_the_store_called_dead_is_nothing_for_a_while() -> None:
    """
    Its holder cannot empty the bucket of the account that it was made for.
    """
    one = gate(deny=Networks(["198.51.100.0/24"]))
    one.note_dead(DIGEST, AT)

    decisions = [reason(one.decide(genuine(), AT)) for _ in range(9)]
    assert decisions == [Reason.INVALID_API_KEY] * 3 + [Reason.SLOW_DOWN] * 6
    blocked = genuine(address=ip_address("198.51.100.1").packed)
    assert reason(one.decide(blocked, AT)) is Reason.SOURCE_BLOCKED
    assert passed(one, genuine(digest=b"live" * 8)) == 4, "the account's own bucket is untouched"
    assert passed(one, genuine(), now=AT + 60.0) > 0, "the store is asked again"


def test_a_credential_that_counts_after_all_does_so_at_once() -> None:
    one = gate()
    one.note_dead(DIGEST, AT)
    one.note_alive(DIGEST)

    assert one.decide(genuine(), AT) == Passed(Standing.ESTABLISHED)


@pytest.mark.parametrize("facts", [genuine(None), genuine(digest=None)])
def test_what_is_called_genuine_but_names_nobody_is_a_stranger(facts: Facts) -> None:
    assert reason(gate().decide(facts, AT)) is Reason.INVALID_API_KEY


# ------------------------------------------------------------ room


@pytest.mark.parametrize("is_dry_run", [False, True])
def test_what_there_is_no_room_for_is_refused_also_in_a_dry_run(is_dry_run: bool) -> None:
    full = Full()
    one = Gate(msgspec.structs.replace(PLAN, is_dry_run=is_dry_run, patience_s=33.0), register(), full)

    for facts, standing in (
        (genuine(lane=Lane.INFERENCE, size_bytes=7), Standing.ESTABLISHED),
        (stranger(lane=Lane.INFERENCE, size_bytes=7), Standing.VISITOR),
    ):
        refused = one.decide(facts, AT)
        assert isinstance(refused, Refused)
        assert (refused.reason, refused.standing) == (Reason.SERVER_IS_OVERLOADED, standing)
        assert refused.retry_after_s is not None
        assert 8.0 <= refused.retry_after_s <= 12.0

    assert full.asked == [(KNOWN, Standing.ESTABLISHED, 7, 33.0, AT), (None, Standing.VISITOR, 7, 33.0, AT)]


def test_only_what_asks_the_engine_and_passed_the_rest_is_previewed() -> None:
    full = Full()
    one = Gate(PLAN, register(), full)

    assert {type(one.decide(genuine(lane=lane), AT)) for lane in (Lane.CALL, Lane.PAGE, Lane.ASSET)} == {Passed}
    for _ in range(9):
        one.decide(genuine(lane=Lane.INFERENCE), AT)
        one.decide(stranger(lane=Lane.INFERENCE, requires_credential=True), AT)
    assert len(full.asked) == 1


def test_who_finds_room_passes() -> None:
    one = Gate(PLAN, register(), lambda *_: None)

    assert one.decide(genuine(lane=Lane.INFERENCE), AT) == Passed(Standing.ESTABLISHED)


def test_accounts_without_a_history_have_a_budget_together_and_known_people_none_of_that() -> None:
    """A thousand free accounts, each within its own budget, are a flood all the same."""
    house = gate(principal_rate=1000.0, principal_burst=1000.0)
    accounts = [UserId.of(number.to_bytes(8, "big")) for number in range(100)]
    assert sum(passed(house, genuine(one), times=1) for one in accounts) == PLAN.strangers_burst
    assert reason(house.decide(genuine(OTHER), AT)) is Reason.SLOW_DOWN
    assert passed(house, genuine(KNOWN), times=50) == 50
    assert isinstance(house.decide(genuine(OTHER, Lane.PAGE), AT), Passed), "each lane has its own"


def test_who_has_too_many_in_is_told_that_and_not_that_there_is_no_room() -> None:
    house = Gate(PLAN, register(), lambda *_: Crowded(7.5))
    decision = house.decide(genuine(lane=Lane.INFERENCE), AT)
    assert isinstance(decision, Refused)
    assert (decision.reason, decision.retry_after_s) == (Reason.CONCURRENCY_LIMIT_EXCEEDED, 7.5)


def test_a_key_that_nobody_knows_waits_where_many_were_turned_down_and_where_too_many_were_it_is_not_heard() -> None:
    one = gate(account_address_burst=100.0)
    guess = stranger(lane=Lane.CALL, bearing=Bearing.UNTRIED, digest=DIGEST, requires_credential=True)
    assert guess.address is not None
    for times, expected in ((6, Reason.SLOW_DOWN), (14, Reason.SOURCE_BLOCKED)):
        for _ in range(times):
            one.note_guess(guess.address, AT)
        assert reason(one.decide(guess, AT)) is expected
    assert isinstance(one.decide(genuine(), AT), Passed), "who has proved themselves is not asked"


# ------------------------------------------------------------ forged work


@pytest.mark.parametrize("lane", [Lane.SIGN_UP, Lane.SIGN_IN])
def test_forged_work_is_refused_by_no_budget_and_uses_up_none(lane: Lane) -> None:
    one = gate()
    asking = stranger(lane=lane)
    for _ in range(1000):
        assert one.junk(asking) == Refused(Reason.CHALLENGE_REQUIRED, None, Standing.VISITOR)

    assert not any(one.remembered.values())
    assert passed(one, asking) == passed(gate(), asking)
    assert reason(one.decide(asking, AT)) is Reason.SLOW_DOWN


def test_who_is_denied_is_told_that_also_with_forged_work_but_for_a_dry_run() -> None:
    deny, allow = Networks(["192.0.2.0/24", "198.51.100.0/24"]), Networks(["198.51.100.7"])
    one = gate(deny=deny, allow=allow)

    assert reason(one.junk(stranger(lane=Lane.SIGN_UP))) is Reason.SOURCE_BLOCKED
    for address in ("198.51.100.7", "203.0.113.1", None):
        assert reason(one.junk(stranger(address, lane=Lane.SIGN_UP))) is Reason.CHALLENGE_REQUIRED
    dry = gate(deny=deny, allow=allow, is_dry_run=True)
    assert reason(dry.junk(stranger(lane=Lane.SIGN_UP))) is Reason.CHALLENGE_REQUIRED, "the page would take it no more"
