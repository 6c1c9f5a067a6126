"""Cookies are as strict as the connection allows, and what came over a protected one cannot be planted over another."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from tidegate.http import cookies


def _request(scheme: str = "http", /, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request(
        {"type": "http", "scheme": scheme, "method": "GET", "path": "/", "headers": raw, "query_string": b""}
    )


@pytest.mark.parametrize(
    ("headers", "protected"),
    [
        ({"host": "tide.example", "sec_fetch_site": "none"}, True),
        ({"host": "tide.example", "origin": "https://tide.example"}, True),
        ({"host": "127.0.0.1:8080"}, True),
        ({"host": "[::1]:8080"}, True),
        ({"host": "localhost:8080"}, True),
        ({"host": "tide.localhost", "origin": "http://tide.localhost"}, True),
        ({"host": "tide.example"}, False),
        ({"host": "192.0.2.7:8080"}, False),
        ({"host": "tide.example", "origin": "http://tide.example"}, False),
        ({"host": "127.0.0.1", "origin": "null"}, False),
        ({"host": "localhost.evil.example"}, False),
        ({"host": "[bad"}, False),
        ({}, False),
    ],
)
def test_a_connection_is_protected_where_the_browser_says_so(headers: dict[str, str], *, protected: bool) -> None:
    assert cookies.is_protected(_request(**headers)) is protected


@pytest.mark.parametrize("headers", [{}, {"host": "tide.example"}, {"host": "192.0.2.7:8443"}])
def test_a_connection_over_https_is_protected_whatever_the_browser_says_or_does_not(headers: dict[str, str]) -> None:
    assert cookies.is_protected(_request("https", **headers))


def test_a_page_that_came_over_plain_http_is_not_ours_where_https_is_known_to_be_spoken() -> None:
    """Whoever sits on the way could have written it."""
    assert cookies.is_same_origin(_request("https", host="tide.example", origin="https://tide.example"))
    assert not cookies.is_same_origin(_request("https", host="tide.example", origin="http://tide.example"))


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({"host": "proxied:1", "origin": "https://tide.example", "sec_fetch_site": "same-origin"}, True),
        ({"host": "tide.example", "origin": "http://tide.example"}, True),
        ({"host": "tide.example:8080", "origin": "http://TIDE.example:8080"}, True),
        ({"host": "tide.example", "origin": "https://tide.example", "sec_fetch_site": "cross-site"}, False),
        ({"host": "tide.example", "origin": "https://tide.example", "sec_fetch_site": "same-site"}, False),
        ({"host": "tide.example", "sec_fetch_site": "none"}, False),
        ({"host": "tide.example", "origin": "http://evil.example"}, False),
        ({"host": "tide.example", "origin": "http://tide.example:81"}, False),
        ({"host": "tide.example", "origin": "null"}, False),
        ({"host": "tide.example", "origin": "http://[bad"}, False),
        ({"host": "tide.example"}, False),
        ({"origin": "http://tide.example"}, False),
    ],
)
def test_only_our_own_page_is_of_the_same_origin(headers: dict[str, str], *, same: bool) -> None:
    assert cookies.is_same_origin(_request(**headers)) is same


def test_on_a_protected_connection_a_cookie_is_bound_to_this_host_and_out_of_reach_of_scripts() -> None:
    response = Response()
    cookies.write(response, _request(sec_fetch_site="same-origin"), cookies.SESSION, "value", lasts_s=90.5)

    name, *attributes = response.headers["set-cookie"].split("; ")
    assert name == "__Host-tidegate-session=value"
    assert {attribute.lower() for attribute in attributes} == {
        "httponly",
        "secure",
        "path=/",
        "samesite=lax",
        "max-age=90",
    }


def test_elsewhere_it_has_its_plain_name_and_lasts_as_long_as_the_browser() -> None:
    response = Response()
    cookies.write(response, _request(host="192.0.2.7"), cookies.FORM, "value")

    name, *attributes = response.headers["set-cookie"].split("; ")
    assert name == "tidegate-form=value"
    assert {attribute.lower() for attribute in attributes} == {"httponly", "path=/", "samesite=lax"}


def test_a_planted_plain_cookie_is_not_read_where_the_connection_is_protected() -> None:
    """Somebody on the network can plant one for HTTPS from a plain page of the same host; `__Host-` they cannot."""
    planted = {"cookie": "tidegate-session=evil"}

    assert cookies.read(_request(**planted, sec_fetch_site="none"), cookies.SESSION) is None
    assert cookies.read(_request(**planted, host="localhost"), cookies.SESSION) is None
    assert cookies.read(_request(**planted, host="192.0.2.7"), cookies.SESSION) == "evil"
    both = {"cookie": "tidegate-session=evil; __Host-tidegate-session=mine"}
    assert cookies.read(_request(**both, host="192.0.2.7"), cookies.SESSION) == "mine"


def test_a_cleared_cookie_is_gone_under_both_names() -> None:
    response = Response()
    cookies.clear(response, cookies.SESSION)

    lines = [value.decode() for name, value in response.raw_headers if name == b"set-cookie"]
    assert [line.partition("=")[0] for line in lines] == ["__Host-tidegate-session", "tidegate-session"]
    assert all("Max-Age=0" in line for line in lines)
    assert "Secure" in lines[0], "a browser ignores a __Host- cookie that is not Secure"


def test_seeds_are_128_random_bits() -> None:
    seeds = {cookies.new_seed() for _ in range(20)}

    assert len(seeds) == 20
    assert {len(bytes.fromhex(seed)) for seed in seeds} == {16}
