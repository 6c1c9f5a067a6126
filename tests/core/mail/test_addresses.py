"""Mail goes to addresses that can say nothing but themselves, and all spellings of one reader are one."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.mail.addresses import mailable, owner_of, person_of


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("Ana@Example.org", "ana@example.org"),
        ("ana+tide@example.co.uk", "ana+tide@example.co.uk"),
        ("ana@bücher.example", "ana@xn--bcher-kva.example"),
        ("änne@example.org", "änne@example.org"),
        ("o_neill.x-y@sub.example.org", "o_neill.x-y@sub.example.org"),
    ],
)
def test_an_ordinary_address_is_written_to(typed: str, written: str) -> None:
    assert mailable(typed) == written


@pytest.mark.parametrize(
    "typed",
    [
        *("ana@example.org,bob@example.org", "ana@example.org\nBcc: bob@example.org", "ana@[192.0.2.7]"),
        *("ana@192.0.2.7", '"ana b"@example.org', "<ana@example.org>", "ana@example.org>", "a;b@example.org"),
        *(".ana@example.org", "ana.@example.org", "a..b@example.org", "-oX@example.org", "ana@exa_mple.org"),
        *("ana@-example.org", "ana@example-.org", "ana@.example.org", "ana@example..org", "a|b@example.org"),
        *(f"{'a' * 65}@example.org", f"a@{'b' * 64}.org", "ana@example.org@", "ana", "", "a\x7fb@example.org"),
        f"a@{'.'.join(['öü漢' * 8] * 9)}.example.org",
    ],
)
def test_an_address_that_could_say_more_in_an_envelope_or_a_header_is_not_written_to(typed: str) -> None:
    with pytest.raises(ValueError, match=r"^email: "):
        mailable(typed)


@given(typed=st.one_of(st.text(max_size=40), st.from_regex(r"[\s\S]{1,12}@[\s\S]{1,12}\.[a-z]{2}", fullmatch=True)))
def test_what_is_mailable_is_one_recipient_for_every_reader_of_headers(typed: str) -> None:
    try:
        found = mailable(typed)
    except ValueError:
        return
    message = EmailMessage()
    message["To"] = found

    assert getaddresses([found], strict=True) == [("", found)] if _knows_strict() else True
    assert [address.addr_spec for address in message["To"].addresses] == [found]
    assert mailable(found) == found
    assert not set(found) & set('\r\n\0 <>,;:"\\()[]')


def _knows_strict() -> bool:
    return "strict" in (getaddresses.__kwdefaults__ or {})


@pytest.mark.parametrize("spelling", ["ana@example.org", "ana+1@example.org", "ana+tide+2@example.org"])
def test_what_follows_a_plus_is_the_same_persons(spelling: str) -> None:
    assert person_of(spelling) == "ana@example.org"


def test_dots_are_overlooked_where_the_provider_overlooks_them_and_only_there() -> None:
    assert person_of("a.n.a+x@googlemail.com") == person_of("ana@gmail.com") == "ana@gmail.com"
    assert person_of("a.na@example.org") == "a.na@example.org"
    assert person_of("+x@example.org") == "+x@example.org"


@pytest.mark.parametrize(
    ("spelling", "person"),
    [
        *(("a.n-a_x+1@pm.me", "anax@proton.me"), ("ana-x@protonmail.com", "anax@proton.me")),
        *(("a-na@ya.ru", "ana@yandex.ru"), ("a.na@yandex.com", "ana@yandex.ru"), ("a_na@ya.ru", "a_na@yandex.ru")),
        *(("ana+1@mac.com", "ana@icloud.com"), ("a.na@me.com", "a.na@icloud.com")),
        *(("bomb1@ana.fastmail.com", "ana@fastmail.com"), ("bomb2@x.ana.fastmail.com", "ana@fastmail.com")),
        *(("ana@fastmail.com", "ana@fastmail.com"), ("---@proton.me", "---@proton.me")),
    ],
)
def test_every_way_a_provider_has_to_write_to_one_person_is_one_person(spelling: str, person: str) -> None:
    assert person_of(spelling) == person


@pytest.mark.parametrize(
    ("recipient", "domain"),
    [
        ("a@example.org", "example.org"),
        ("a@x1.y2.example.org", "example.org"),
        ("a@x.example.co.uk", "example.co.uk"),
        ("a@example.de", "example.de"),
        ("a@x.foo.de", "x.foo.de"),
        ("a@mail.example.de", "example.de"),
    ],
)
def test_names_below_a_domain_are_its_owners(recipient: str, domain: str) -> None:
    assert owner_of(recipient) == domain
