"""Who may do what: every route, every role, every carrier of credentials, one's own things and others'."""

from __future__ import annotations

from typing import Any, cast

import pytest
from starlette.routing import Route as Served

from tests.http.matrix import ADDRESSES, FORGED, Address, Carrier, World, ask, reason_of, verdict
from tidegate.core.accounts import Role
from tidegate.core.identifiers import ConversationId

_OWNED = [
    address
    for address in ADDRESSES
    if {"{conversation}", "{key}", "{session}", "{invite}"} & set(address.path.split("/"))
]
_OF_NO_CONTENT = "/chat/{conversation}"  # The page is the same for all; what it shows it asks for.


def _named(address: Address) -> str:
    return f"{address.route.method} {address.path}"


async def test_the_matrix_knows_every_address_that_is_served() -> None:
    world = await World(Role.USER).open()
    app = world.service.apps.public
    served = set()
    router: Any = cast(
        "Any", app
    ).app.app.app  # Within the frame, the switch for origins, and the last line of defence.
    for route in router.routes:
        assert isinstance(route, Served)
        served |= {(method, route.path) for method in cast("Any", route.endpoint)._methods}
    await world.close()

    assert {(address.route.method, address.path) for address in ADDRESSES} == served


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("address", ADDRESSES, ids=_named)
async def test_a_route_opens_for_whom_it_is_meant_and_for_nobody_else(address: Address, role: Role) -> None:
    for carrier in Carrier:
        world = await World(role).open()
        shown = await carrier.show(world, address)
        before = world.service.accounts.calls.total()
        visit = await ask(world, address, shown, world.ana)
        await world.close()

        expected = verdict(address, carrier, role)
        found = reason_of(visit)
        if expected is None:
            # Let through; what the route itself then says is another matter, and never one of who it was.
            assert found in {None, *address.route.reasons}, (carrier, visit.body)
        else:
            assert found is expected, (carrier, visit.body)
        if carrier in FORGED and expected is not None:
            assert world.service.accounts.calls.total() == before, f"{carrier}: a forgery reached the store"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("address", _OWNED, ids=_named)
async def test_what_belongs_to_another_does_not_exist(address: Address, role: Role) -> None:
    world = await World(role).open()
    shown = await Carrier.SESSION.show(world, address)
    own, others = await ask(world, address, shown, world.ana), await ask(world, address, shown, world.bob)
    bobs_messages = await world.service.conversations.messages(
        world.bob.user.id, ConversationId(world.bob.owned["conversation"])
    )
    bobs_keys = await world.service.accounts.keys(world.bob.user.id)
    bobs_sessions = await world.service.accounts.sessions(world.bob.user.id, world.service.clock())
    await world.close()

    assert own.status < 400, own.body
    if address.path != _OF_NO_CONTENT:
        assert others.status == 404, others.body
    assert len(bobs_messages) == 1
    assert [key.revoked_at_s for key in bobs_keys] == [None]
    assert len(bobs_sessions) == 2
