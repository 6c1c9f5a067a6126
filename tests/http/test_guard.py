"""A request's head becomes facts, and a decision becomes words or a way in."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.http.wire import SERVER_KEYS, SPENT, Gatehouse, a_credential, denying
from tidegate.core.admission.addresses import Networks
from tidegate.core.admission.facts import Bearing, Lane
from tidegate.core.admission.gate import GatePlan
from tidegate.core.credentials import Forged, Genuine, Kind, ServerKeys, digest
from tidegate.core.reasons import Reason
from tidegate.core.standing.classes import Standing
from tidegate.http.gate.credential import Credentials
from tidegate.http.gate.guard import REPORTS_PER_S, Entered, Peer
from tidegate.http.gate.lanes import Wanted
from tidegate.http.gate.refusing import Answer

PEER = Peer("192.0.2.7", 4000, bytes((192, 0, 2, 7)), is_proxy=False)
PROXY = Peer("10.0.0.1", 4000, bytes((10, 0, 0, 1)), is_proxy=True)
OTHER_KEYS = ServerKeys(1, {1: b"z" * 32})
Headers = list[tuple[bytes, bytes]]


def key(number: int = 1, keys: ServerKeys = SERVER_KEYS) -> tuple[bytes, bytes]:
    return (b"authorization", b"Bearer " + a_credential(number=number, keys=keys))


def cookie(name: str = "__Host-tidegate-session", keys: ServerKeys = SERVER_KEYS) -> tuple[bytes, bytes]:
    return (b"cookie", b"a=b; " + name.encode() + b"=" + a_credential(Kind.SESSION, keys=keys) + b"; c=d")


def judged(
    house: Gatehouse, line: str, *headers: tuple[bytes, bytes], peer: Peer = PEER
) -> tuple[int, dict[str, str], dict[str, str]] | Entered:
    """What comes of a request: status, headers and error object, or the way in."""
    method, url = line.encode().split(b" ")
    verdict = house.guard.judge(method, url, headers, peer)
    if isinstance(verdict, Entered):
        return verdict
    first, *lines = verdict.head.decode().rstrip().split("\r\n")
    is_json = "content-type: application/json" in lines
    error = json.loads(verdict.body)["error"] if is_json and verdict.body else {}
    return int(first.split()[1]), dict(each.split(": ", 1) for each in lines), error


def refused(house: Gatehouse, line: str, *headers: tuple[bytes, bytes], peer: Peer = PEER) -> tuple[int, str, str]:
    verdict = judged(house, line, *headers, peer=peer)
    assert not isinstance(verdict, Entered)
    return verdict[0], verdict[2].get("code", ""), verdict[2].get("message", "")


def entered(house: Gatehouse, line: str, *headers: tuple[bytes, bytes], peer: Peer = PEER) -> Entered:
    verdict = judged(house, line, *headers, peer=peer)
    assert isinstance(verdict, Entered), verdict
    return verdict


def test_a_route_for_holders_of_a_key_says_which_of_both_is_wrong() -> None:
    house = Gatehouse()

    status, code, message = refused(house, "POST /v1/chat/completions")
    assert (status, code) == (401, "invalid_api_key")
    assert "An API key is needed" in message
    status, code, message = refused(house, "POST /v1/chat/completions", key(keys=OTHER_KEYS))
    assert (status, code) == (401, "invalid_api_key")
    assert "not valid here" in message
    verdict = judged(house, "POST /v1/chat/completions")
    assert not isinstance(verdict, Entered)
    assert verdict[1]["www-authenticate"] == 'Bearer realm="tidegate"'
    assert "retry-after" not in verdict[1]


def test_a_route_for_people_asks_them_to_sign_in_and_sends_browsers_there() -> None:
    house = Gatehouse()
    wants_page = (b"accept", b"text/html")

    assert refused(house, "GET /api/session")[:2] == (401, "not_signed_in")
    assert house.counted == [(Reason.NOT_SIGNED_IN, Standing.VISITOR, Lane.CALL)]
    shown = judged(house, "GET /account?a=b", wants_page)
    assert not isinstance(shown, Entered)
    assert shown[0] == 303
    assert shown[1]["location"] == "/sign-in?next=/account"
    changed = judged(house, "POST /account/keys", wants_page)
    assert not isinstance(changed, Entered)
    assert changed[0] == 401


@pytest.mark.parametrize("name", ["__Host-tidegate-session", "tidegate-session"])
def test_a_session_opens_what_is_for_people_and_a_key_does_not(name: str) -> None:
    house = Gatehouse()

    way_in = entered(house, "POST /api/conversations", cookie(name))
    assert way_in.is_genuine
    assert way_in.decision.standing is Standing.NEWCOMER
    assert way_in.client == ("192.0.2.7", 4000)
    assert refused(house, "POST /api/conversations", key())[1] == "not_signed_in"
    assert refused(house, "POST /api/conversations", cookie(keys=OTHER_KEYS))[1] == "not_signed_in"
    assert refused(house, "POST /v1/chat/completions", cookie(name))[1] == "invalid_api_key"


def test_a_holder_is_never_refused_for_an_address_also_where_none_is_needed() -> None:
    house = Gatehouse(denying("192.0.2.0/24"))

    assert refused(house, "GET /icon.svg")[1] == "source_blocked"
    for line, shown in (("GET /icon.svg", cookie()), ("GET /nothing", key()), ("POST /v1/completions", key())):
        assert entered(house, line, shown).is_genuine
    assert not entered(house, "GET /healthz").is_genuine


def test_who_stands_behind_a_trusted_proxy_is_counted_and_nobody_can_say_so_of_themselves() -> None:
    house = Gatehouse(SPENT, trusted=("10.0.0.1",))
    said = (b"x-forwarded-for", b"198.51.100.9")

    assert entered(house, "GET /", said, peer=PROXY).client == ("198.51.100.9", 0)
    assert refused(house, "GET /", said, peer=PROXY)[1] == "slow_down"
    assert entered(house, "GET /", (b"x-forwarded-for", b"198.51.100.10"), peer=PROXY).client == ("198.51.100.10", 0)
    assert entered(house, "GET /", said).client == ("192.0.2.7", 4000)
    assert refused(house, "GET /", (b"x-forwarded-for", b"198.51.100.11"))[1] == "slow_down"


def test_a_caller_without_an_address_is_judged_too() -> None:
    house = Gatehouse(SPENT)

    assert entered(house, "GET /", peer=house.guard.peer("/run/tidegate.sock")).client is None
    assert house.guard.peer(("::ffff:192.0.2.7", 1, 0, 0)).address == PEER.address


def test_programs_of_other_sites_may_read_why_they_are_refused() -> None:
    house = Gatehouse(denying("192.0.2.0/24"))
    origin = (b"origin", b"https://tide.example")

    def shown(line: str, *headers: tuple[bytes, bytes]) -> bool:
        verdict = judged(house, line, *headers)
        assert not isinstance(verdict, Entered)
        return "access-control-allow-origin" in verdict[1]

    assert shown("POST /v1/chat/completions", origin)
    assert not shown("POST /v1/chat/completions")
    assert not shown("POST /api/conversations", origin)


@pytest.mark.parametrize(
    ("header", "is_last"),
    [
        ((b"content-length", b"65536"), False),
        ((b"content-length", b"65537"), True),
        ((b"content-length", b"9" * 40), True),
        ((b"transfer-encoding", b"chunked"), True),
        ((b"expect", b"100-continue"), True),
        ((b"upgrade", b"websocket"), True),
        ((b"accept", b"*/*"), False),
    ],
)
def test_the_connection_ends_where_the_rest_of_a_refused_request_is_unbounded(
    header: tuple[bytes, bytes], is_last: bool
) -> None:
    verdict = Gatehouse(denying("192.0.2.0/24")).guard.judge(b"POST", b"/sign-in", [header], PEER)

    assert isinstance(verdict, Answer)
    assert verdict.is_last is is_last


def test_every_refusal_is_counted_and_the_first_of_each_second_are_told_in_full() -> None:
    house = Gatehouse(denying("192.0.2.0/24"))
    for _ in range(3 * REPORTS_PER_S):
        refused(house, "POST /sign-in")

    assert house.counted == [(Reason.SOURCE_BLOCKED, Standing.VISITOR, Lane.SIGN_IN)] * 3 * REPORTS_PER_S
    assert len(house.reports) == REPORTS_PER_S
    told = house.reports[0]
    assert (told.reason, told.facts.address, told.facts.lane) == (Reason.SOURCE_BLOCKED, PEER.address, Lane.SIGN_IN)
    assert len({report.id for report in house.reports}) == REPORTS_PER_S
    house.now += 1.0
    refused(house, "POST /sign-in")
    assert len(house.reports) == REPORTS_PER_S + 1


def a_peer() -> Peer:
    return Peer("192.0.2.7", 4000, bytes((192, 0, 2, 7)), is_proxy=False)


def test_who_asks_again_is_told_the_same_on_this_connection_and_on_another() -> None:
    house = Gatehouse(GatePlan(address_rate=0.5, address_burst=1))
    house.now, own = 1000.0, a_peer()
    entered(house, "GET /", peer=own)
    for _ in range(4):
        house.now += 0.3
        waits = [judged(house, "GET /", peer=peer) for peer in (own, a_peer())]
        assert not isinstance(waits[0], Entered)
        assert not isinstance(waits[1], Entered)
        told = [int(wait[1]["retry-after-ms"]) for wait in waits if not isinstance(wait, Entered)]
        assert abs(told[0] - told[1]) <= 1
    house.now += 0.9
    entered(house, "GET /", peer=own)


def test_what_a_connection_was_told_holds_for_nothing_else_that_comes_on_it() -> None:
    house, own = Gatehouse(SPENT), a_peer()
    entered(house, "GET /", peer=own)
    assert refused(house, "GET /", peer=own)[1] == "slow_down"

    entered(house, "GET /healthz", peer=own)
    entered(house, "GET /", cookie(), peer=own)
    entered(house, "GET /v1/models", key(), peer=own)
    assert refused(house, "GET /v1/models", peer=own)[1] == "slow_down"


def test_what_a_connection_was_told_ends_with_the_plan_and_with_the_clock() -> None:
    house, own = Gatehouse(SPENT), a_peer()
    house.now = 5000.0
    entered(house, "GET /", peer=own)
    assert refused(house, "GET /", peer=own)[1] == "slow_down"
    house.gate.apply(GatePlan(allow=Networks(["192.0.2.7"])))
    entered(house, "GET /", peer=own)

    house.gate.apply(SPENT)
    assert refused(house, "GET /", peer=own)[1] == "slow_down"
    house.now -= 3000.0
    anew = judged(house, "GET /", peer=own)
    assert not isinstance(anew, Entered)
    assert int(anew[1]["retry-after"]) < 2000


def test_what_asks_the_model_is_told_with_its_size() -> None:
    house = Gatehouse(GatePlan(principal_rate=0.001, principal_burst=1))
    asked = (key(), (b"content-length", b"1234"))
    entered(house, "POST /v1/chat/completions", *asked)

    assert refused(house, "POST /v1/chat/completions", *asked)[:2] == (429, "slow_down")
    assert house.reports[0].facts.size_bytes == 1234
    assert house.reports[0].facts.bearing is Bearing.GENUINE
    assert house.reports[0].facts.principal is not None


def test_genuine_credentials_are_remembered_within_a_bound_and_forgeries_never() -> None:
    credentials = Credentials(SERVER_KEYS, most=3)
    for number in range(1, 9):
        for _ in range(2):
            assert isinstance(credentials.find([key(number)], Wanted.KEY), Genuine)
        assert credentials.find([key(number, OTHER_KEYS)], Wanted.EITHER) is Bearing.FORGED

    assert credentials.remembered == 3


def test_a_thousand_cookies_cost_no_more_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    read_texts = []

    def read(text: str, _kind: Kind, _keys: ServerKeys) -> Forged:
        read_texts.append(text)
        return Forged("mac")

    monkeypatch.setattr("tidegate.http.gate.credential.read", read)
    many = b"; ".join(b"tidegate-session=x%d" % number for number in range(1000))

    assert Credentials(SERVER_KEYS).find([(b"cookie", many)], Wanted.SESSION) is Bearing.FORGED
    assert 1 <= len(read_texts) <= 4


@pytest.mark.parametrize("value", [b"Basic abc", b"Bearer", b"", b"Bearer "])
def test_what_is_no_key_at_all_is_nothing(value: bytes) -> None:
    found = Credentials(SERVER_KEYS).find([(b"authorization", value)], Wanted.KEY)

    assert found is Bearing.NOTHING


def test_what_only_a_dry_run_lets_in_is_told_and_not_counted_as_refused() -> None:
    plan = msgspec.structs.replace(SPENT, is_dry_run=True)
    house = Gatehouse(plan)
    for _ in range(3):
        entered(house, "GET /")
    assert house.spared == [Reason.SLOW_DOWN] * 2
    assert house.reasons == []


PLANTED = b"tidegate-session=" + a_credential(Kind.SESSION, number=2)
OWN = b"__Host-tidegate-session=" + a_credential(Kind.SESSION, number=1)


@pytest.mark.parametrize(
    "header",
    [
        OWN + b"; " + PLANTED,
        PLANTED + b"; " + OWN,
        b"; ".join([b"q-" + PLANTED] * 5 + [OWN]),
        b"; ".join([OWN] + [b"q-" + PLANTED] * 5),
        b"__Host-tidegate-session=old; " + OWN,
    ],
    ids=["planted last", "planted first", "names that end alike first", "names that end alike last", "twice"],
)
def test_a_cookie_that_somebody_else_planted_does_not_stand_in_a_persons_way(header: bytes) -> None:
    """A sibling host, or anybody on a plain line, can plant a cookie of the plain name: with a session of their own."""
    found = Credentials(SERVER_KEYS).find([(b"cookie", header)], Wanted.SESSION)
    assert isinstance(found, Genuine)
    assert found.digest == digest(OWN.partition(b"=")[2].decode())


def test_the_plain_name_counts_where_the_protected_one_is_not_there() -> None:
    found = Credentials(SERVER_KEYS).find([(b"cookie", b"a=b"), (b"cookie", PLANTED)], Wanted.SESSION)
    assert isinstance(found, Genuine)
    assert Credentials(SERVER_KEYS).find([(b"cookie", b"q-" + PLANTED)], Wanted.SESSION) is Bearing.NOTHING


def test_of_two_keys_the_first_counts_as_it_does_at_the_door_behind() -> None:
    credentials = Credentials(SERVER_KEYS)
    assert isinstance(credentials.find([key(), key(keys=OTHER_KEYS)], Wanted.KEY), Genuine)
    assert credentials.find([key(keys=OTHER_KEYS), key()], Wanted.KEY) is Bearing.FORGED
