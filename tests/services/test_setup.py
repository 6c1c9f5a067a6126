"""The first operator needs the code that was shown in the terminal; it works once, and only while nobody is one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.services.test_sessions import ANA, PASSWORD, TRACE, Gate
from tidegate.core.accounts import Role
from tidegate.ports.accounts import EmailTakenError
from tidegate.services.passwords import PasswordsBusyError
from tidegate.services.setup import Setup, SetupClosedError


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.lane.close()


async def _prepared(gate: Gate) -> tuple[Setup, str]:
    setup = await Setup.prepare(gate.sessions)
    assert setup.code is not None
    return setup, setup.code


async def test_the_code_makes_an_operator_and_signs_them_in_even_while_registration_is_closed(gate: Gate) -> None:
    setup, code = await _prepared(gate)
    assert setup.is_open()

    signed_in, text = await setup.make_operator(code, ANA, PASSWORD, TRACE)

    assert (signed_in.user.email, signed_in.user.role) == (ANA, Role.OPERATOR)
    assert await gate.sessions.find(text) == signed_in


async def test_the_code_works_once(gate: Gate) -> None:
    setup, code = await _prepared(gate)
    await setup.make_operator(code, ANA, PASSWORD, TRACE)

    assert not setup.is_open()
    assert not setup.matches(code)
    with pytest.raises(SetupClosedError):
        await setup.make_operator(code, "eve@example.org", PASSWORD, TRACE)
    assert len(await gate.store.users()) == 1


async def test_of_two_who_use_it_at_once_one_becomes_the_operator(gate: Gate) -> None:
    setup, code = await _prepared(gate)

    made = await asyncio.gather(
        *(setup.make_operator(code, f"{name}@example.org", PASSWORD, TRACE) for name in ("ana", "eve")),
        return_exceptions=True,
    )

    assert [isinstance(one, SetupClosedError) for one in made] == [False, True]
    assert len(await gate.store.users()) == 1


@pytest.mark.parametrize("code", ["", "0" * 32, "ü", "\ud83d"])
async def test_without_the_code_nobody_becomes_anything(gate: Gate, code: str) -> None:
    setup, _ = await _prepared(gate)

    assert not setup.matches(code)
    with pytest.raises(SetupClosedError):
        await setup.make_operator(code, "eve@example.org", PASSWORD, TRACE)

    assert gate.store.calls["add_user"] == 0
    assert setup.is_open()


async def test_a_code_is_128_random_bits(gate: Gate) -> None:
    codes = {(await _prepared(gate))[1] for _ in range(20)}

    assert len(codes) == 20
    assert {len(bytes.fromhex(code)) for code in codes} == {16}


async def test_with_an_operator_there_is_no_code(gate: Gate) -> None:
    await gate.clerk.create_user(ANA, Role.OPERATOR, password=PASSWORD)

    setup = await Setup.prepare(gate.sessions)

    assert (setup.is_open(), setup.code) == (False, None)
    assert not setup.matches("")


async def test_a_user_is_no_operator(gate: Gate) -> None:
    await gate.clerk.create_user(ANA)

    assert (await Setup.prepare(gate.sessions)).is_open()


async def test_an_operator_made_meanwhile_ends_it(gate: Gate) -> None:
    """By `tidegate users create --role operator`, for one."""
    setup, code = await _prepared(gate)
    await gate.clerk.create_user(ANA, Role.OPERATOR, password=PASSWORD)

    with pytest.raises(SetupClosedError):
        await setup.make_operator(code, "eve@example.org", PASSWORD, TRACE)

    assert not setup.is_open()
    assert [user.email for user in await gate.store.users()] == [ANA]


async def test_a_mistake_in_the_form_does_not_use_the_code_up(gate: Gate) -> None:
    setup, code = await _prepared(gate)
    await gate.clerk.create_user("bo@example.org")
    for email, password, error in (
        (ANA, "short", ValueError),
        ("bo@example.org", PASSWORD, EmailTakenError),
    ):
        with pytest.raises(error):
            await setup.make_operator(code, email, password, TRACE)
    gate.lane.is_full = True
    with pytest.raises(PasswordsBusyError):
        await setup.make_operator(code, ANA, PASSWORD, TRACE)
    gate.lane.is_full = False

    signed_in, _ = await setup.make_operator(code, ANA, PASSWORD, TRACE)
    assert signed_in.user.role is Role.OPERATOR


async def test_an_operator_without_a_password_is_none_who_could_come_in(gate: Gate) -> None:
    """As made by versions in which nobody could sign in."""
    await gate.clerk.create_user(ANA, Role.OPERATOR)

    assert (await Setup.prepare(gate.sessions)).is_open()
