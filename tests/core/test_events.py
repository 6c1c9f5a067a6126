"""There is nowhere in an event to put a prompt, a password, a key or an address."""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest

from tidegate.core.events import AnyEvent, Event, RequestFinished, RouteKind, SettingName, Site, Tag
from tidegate.core.identifiers import Fingerprint, Identifier, Replica, RequestId

KINDS: tuple[type[Event], ...] = get_args(AnyEvent)
SAFE = (bool, int, float, Enum, Identifier, Fingerprint, Replica, SettingName, Site)


def _kinds_in(declared: Any) -> list[Any]:
    if get_origin(declared) in {types.UnionType, Union}:
        return [kind for one in get_args(declared) for kind in _kinds_in(one)]
    if get_origin(declared) in {tuple, dict}:
        return [kind for one in get_args(declared) if one is not Ellipsis for kind in _kinds_in(one)]
    return [declared]


def _all_events() -> set[type[Event]]:
    found, new = set[type[Event]](), {Event}
    while new:
        new = {kind for parent in new for kind in parent.__subclasses__()}
        found |= new
    return found


def test_every_event_there_is_can_be_recorded() -> None:
    assert set(KINDS) == _all_events()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_field_of_an_event_can_hold_free_text(kind: type[Event]) -> None:
    for name, declared in get_type_hints(kind).items():
        for allowed in _kinds_in(declared):
            is_safe = allowed is type(None) or (isinstance(allowed, type) and issubclass(allowed, SAFE))
            assert is_safe, f"{kind.__name__}.{name} may hold a {allowed}"


def test_the_check_above_would_see_free_text() -> None:
    assert not issubclass(str, SAFE)
    assert not issubclass(bytes, SAFE)
    assert _kinds_in(str | None) == [str, type(None)]
    assert _kinds_in(dict[str, int]) == [str, int]
    assert _kinds_in(tuple[str, ...]) == [str]
    assert _kinds_in(list[str]) == [list[str]]


def test_tags_are_subject_and_action() -> None:
    for tag in Tag:
        subject, _, action = tag.partition(":")
        assert subject.isidentifier()
        assert action.isidentifier()


def test_an_event_is_one_small_object_with_the_fields_of_the_contract() -> None:
    event = RequestFinished(
        t=1.5, id=RequestId.of(b"12345678"), route=RouteKind.CHAT, status=200, total_s=0.25, src=Fingerprint("0" * 16)
    )

    assert msgspec.json.decode(msgspec.json.encode(event, enc_hook=str)) == {
        "kind": "request",
        "event": "request:finished",
        "t": 1.5,
        "id": "req_3132333435363738",
        "route": "chat",
        "status": 200,
        "total_s": 0.25,
        "src": "0" * 16,
    }


def test_only_what_looks_like_a_setting_is_the_name_of_one() -> None:
    """So that no text of anybody's gets into the log by it."""
    assert SettingName("engine.slots") == "engine.slots"
    with pytest.raises(ValueError, match="not the name of a setting"):
        SettingName("Dear diary")
