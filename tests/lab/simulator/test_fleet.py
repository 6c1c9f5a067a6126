"""Which engine takes a call, and what is remembered of who was where."""

from __future__ import annotations

import msgspec
import pytest

from tests.lab.simulator.agendas import HandAgenda
from tests.lab.simulator.towns import CPU, GPU, RULES, somebody
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.standing.register import Register
from tidegate.lab.scenario import Broken, Fault
from tidegate.lab.simulator import accounts, fleet
from tidegate.lab.simulator.accounts import Accounts
from tidegate.lab.simulator.fitting import fitted, is_own
from tidegate.lab.simulator.fleet import Fleet


def test_the_one_with_least_to_do_takes_the_next() -> None:
    """
    Also where a place is only on its way back; where none is well, none does.
    """
    some = Fleet(msgspec.structs.replace(GPU, slots=1), 2, HandAgenda(), 1)
    assert [some.pick(0.0) for _ in range(2)] == [0, 1]
    assert some.pick(0.0) == 0
    assert some.pick(0.0, ("0",)) == 1
    assert some.pick(0.0, ("0", "1")) is None
    some.ended(0, 1.0, began_s=0.0, is_good=True, has_failed=False, caller="a")
    some.ended(0, 1.0, began_s=0.0, is_good=False, has_failed=False, caller="a")
    assert some.pick(1.0) == 0


def test_where_few_are_remembered_the_longest_unseen_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Whoever asks again is as good as new there.
    """
    monkeypatch.setattr(fleet, "_MOST_OWNERS", 2)
    some = Fleet(GPU, 2, HandAgenda(), 1)
    assert [some.knows(owner, 0, is_warm=False) for owner in "abcab"] == [False] * 5
    assert some.knows("b", 0, is_warm=False)
    assert not some.knows("b", 1, is_warm=True)


def test_all_engines_are_slow_together_and_a_clock_is_no_engine() -> None:
    """
    Nothing that they have inside is lost by it.
    """
    some = Fleet(GPU, 2, HandAgenda(), 1)
    broken = Broken(kind=Fault.ENGINE_SLOW, from_s=0.0, until_s=1.0, factor=0.5)
    assert not some.fault(broken, 0.0, is_on=True)
    assert [engine.speed for engine in some.engines] == [0.5, 0.5]
    assert not some.fault(broken, 1.0, is_on=False)
    assert [engine.speed for engine in some.engines] == [1.0, 1.0]
    assert not some.fault(msgspec.structs.replace(broken, kind=Fault.CLOCK_STEP), 1.0, is_on=True)


def test_a_plan_fits_the_engine_as_the_service_would_fit_it() -> None:
    """
    Its own reads one prompt after the other in small batches; those elsewhere read several in large ones.
    """
    own = fitted(AdmissionPlan(), CPU, 1, 4)
    assert (is_own(CPU, 1), own.slots, own.readers, own.batch_tokens) == (True, 4, 1, 6)
    elsewhere = fitted(AdmissionPlan(), GPU, 2, 64)
    assert (is_own(GPU, 2), elsewhere.slots, elsewhere.readers) == (False, 64, 16)
    assert not is_own(CPU, 2)


def test_names_are_forgotten_and_made_again_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An account is the same for the whole rehearsal, however many there are.
    """
    monkeypatch.setattr(accounts, "_MOST_NAMES", 2)
    known = Accounts(Register(RULES.standing, 10), 1)
    first = known.principal("a")
    assert [known.principal(name) for name in "bca"][-1] == first
    assert Accounts(Register(RULES.standing, 10), 2).principal("a") != first
    assert known.meet(somebody("a")) is known.meet(somebody("a"))
