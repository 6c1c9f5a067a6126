"""Every address that is served is counted where it belongs, however it is written."""

from __future__ import annotations

import pytest

from tests.http.matrix import ADDRESSES, Address, Opened
from tidegate.core.admission.facts import Lane
from tidegate.http.gate.lanes import Wanted, lane_of
from tidegate.http.gate.public import public_lanes

LANES = public_lanes()


def _written(address: Address) -> bytes:
    path = address.path.replace("{model:path}", "lab/tide").replace("{path:path}", "chat.js")
    return "".join("x" + part.partition("}")[2] if "}" in part else part for part in path.split("{")).encode()


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: f"{address.route.method} {address.path}")
def test_every_served_address_leads_to_its_own_lane_and_credential(address: Address) -> None:
    method, url = address.route.method.encode(), _written(address)
    encoded = url[:1] + b"%%%02x" % url[1] + url[2:] if len(url) > 1 else url
    for written in (url, url + b"?a=b", b"http://host" + url, encoded, url + b"%0A"):
        entry = LANES.find(method, written)

        assert entry.lane is lane_of(address.route)
        needs_one = address.route.scope is not None or address.route.role is not None
        assert entry.requires_credential is needs_one
        if needs_one:
            assert entry.wanted is (Wanted.KEY if address.opened is Opened.BY_KEY else Wanted.SESSION)
    if method == b"GET":
        assert LANES.find(b"HEAD", url) is LANES.find(b"GET", url)


@pytest.mark.parametrize(
    ("line", "lane"),
    [
        ("POST /v1/chat/completions", Lane.INFERENCE),
        ("POST /completions", Lane.INFERENCE),
        ("POST /api/conversations", Lane.INFERENCE),
        ("POST /api/conversations/cnv_1/messages", Lane.INFERENCE),
        ("POST /api/conversations/cnv_1/replies", Lane.INFERENCE),
        ("GET /api/conversations", Lane.CALL),
        ("DELETE /api/conversations/cnv_1/reply", Lane.CALL),
        ("GET /v1/models", Lane.CALL),
        ("POST /sign-in", Lane.SIGN_IN),
        ("POST /sign-up", Lane.SIGN_UP),
        ("POST /setup/abc", Lane.ACCOUNT),
        ("POST /account/password", Lane.ACCOUNT),
        ("GET /sign-in", Lane.PAGE),
        ("POST /sign-out", Lane.PAGE),
        ("GET /", Lane.PAGE),
        ("GET /chat", Lane.PAGE),
        ("GET /icon.svg", Lane.ASSET),
        ("GET /assets/index.js", Lane.ASSET),
        ("GET /healthz", Lane.HEALTH),
        ("GET /readyz", Lane.HEALTH),
        ("POST /healthz", Lane.PAGE),
        ("GET /nothing/here", Lane.PAGE),
    ],
)
def test_a_request_is_counted_by_what_it_costs(line: str, lane: Lane) -> None:
    method, url = line.encode().split(b" ")

    assert LANES.find(method, url).lane is lane


def test_a_browser_that_asks_before_it_calls_needs_no_key() -> None:
    entry = LANES.find(b"OPTIONS", b"/v1/chat/completions")

    assert not entry.requires_credential
    assert entry.lane is Lane.CALL


def test_what_is_misspelt_below_the_api_is_read_by_programs_of_other_sites() -> None:
    assert LANES.find(b"POST", b"/v1/chat/completion").is_for_programs
    assert not LANES.find(b"POST", b"/chat/completion").is_for_programs


@pytest.mark.parametrize("url", [b"http://[", b"//", b"/\xff", b"*", b"", b"/%ff%fe", b"/%ed%a0%80"])
def test_an_address_that_cannot_be_read_leads_nowhere(url: bytes) -> None:
    assert LANES.find(b"GET", url).lane is Lane.PAGE


def test_a_server_with_its_own_idea_of_addresses_changes_no_lane() -> None:
    assert LANES.find(b"GET", b"/v1/models/\xff").requires_credential
