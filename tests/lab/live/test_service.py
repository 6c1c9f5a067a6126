"""A service of one's own: started as an operator would, and ended with everything it began."""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.live import pretender
from tests.lab.live.pretending import pretended
from tidegate.core.identifiers import UserId
from tidegate.core.standing.history import DAY_S
from tidegate.core.standing.record import Record, StandingPlan
from tidegate.core.standing.register import Register, usual_in_flight
from tidegate.lab.acts import Group, Who
from tidegate.lab.live import accounts as accounts_room
from tidegate.lab.live import processes
from tidegate.lab.live.accounts import Accounts
from tidegate.lab.live.service import LiveError, running, settings_text
from tidegate.lab.simulator.accounts import Accounts as VirtualAccounts
from tidegate.ports.standing import StandingStore

PROGRAM = (sys.executable, pretender.__file__)
KEYS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=10)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.booleans() | st.integers(-(1 << 60), 1 << 60) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)

OTHERS = {"log", "mail", "data_dir", "server", "database_url", "engines", "firewall"}
"""What is refused, or changed, as a rehearsal has its own; names are tried that stand in the code."""


@settings(max_examples=40)
@given(st.dictionaries(KEYS.filter(lambda name: name not in OTHERS), VALUES))
def test_settings_are_read_as_they_were_meant(given_: dict[str, Any]) -> None:
    read = tomllib.loads(settings_text(given_))

    assert read.pop("log") == {"max_bytes": 1 << 32, "kept_files": 1}
    assert read == given_


def test_what_a_rehearsal_sets_itself_and_what_toml_does_not_have_is_refused() -> None:
    with pytest.raises(LiveError, match=r"settings\.server"):
        settings_text({"server": {"host": "0.0.0.0"}})
    with pytest.raises(LiveError, match=r"settings\.engines"):
        settings_text({"engines": [{"url": "http://192.0.2.1:8000"}]})
    with pytest.raises(LiveError, match=r"settings\.firewall"):
        settings_text({"firewall": {"webhook_url": "http://192.0.2.1/"}})
    with pytest.raises(LiveError, match=r"settings\.mail\.delivery: smtp"):
        settings_text({"mail": {"delivery": "smtp", "smtp_host": "192.0.2.1"}})
    with pytest.raises(LiveError, match=r"settings\.gate\.rate: .* NoneType"):
        settings_text({"gate": {"rate": None}})


async def test_it_is_started_with_its_settings_and_ended_with_its_engine(tmp_path: Path) -> None:
    async with running({"gate": {"address_rate": 5.0}}, tmp_path / "a", PROGRAM) as service:
        engine = service.engine_pid
        assert engine is not None
        assert service.is_running
        assert psutil.pid_exists(engine)
        assert await service.vitals() is not None
        assert await service.ask("POST", "/acts", {"act": "create_key", "email": "a"}) == {"text": "sk-1"}
        with pytest.raises(LiveError, match="409"):
            await service.reconfigure({"gate": {"address_rate": 0}})
        psutil.Process(engine).kill()
        service._process.kill()
        await service._process.wait()
        with pytest.raises(LiveError):
            await service.ask("GET", "/policy")

    assert service._process.returncode is not None
    assert "address_rate" in service.config.read_text()
    await service.close()


async def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(LiveError, match="this is not to be"):
        async with running({"pretend": {"is_stillborn": True}}, tmp_path / "a", PROGRAM):
            pass


async def test_one_that_is_silent_has_no_vitals(tmp_path: Path) -> None:
    async with pretended({}, tmp_path) as service:
        service.operator_port = 1
        assert await service.vitals() is None


class Control:
    def __init__(self) -> None:
        self.acts: list[dict[str, Any]] = []

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        self.acts.append(body)
        return {"text": f"key-of-{body['email']}", "id": UserId.of(body["email"][:8].encode())}


class Saved(StandingStore):
    def __init__(self, control: Control) -> None:
        self.saved: list[Record] = []
        self.after: list[int] = []
        self._control = control

    async def best_known(self, limit: int) -> list[Record]:
        return self.saved[:limit]

    async def find(self, principals: Sequence[UserId]) -> list[Record]:
        return [one for one in self.saved if one.principal in principals]

    async def save(self, records: Sequence[Record]) -> None:
        self.saved += records
        self.after.append(len(self._control.acts))


OLD = Who(name="old", group=Group.ESTABLISHED, address=1, has_account=True)
BOT = Who(name="bot", group=Group.ATTACKER, address=1, has_account=True)


async def test_people_have_the_accounts_that_their_group_says_and_each_only_one() -> None:
    control = Control()
    accounts = Accounts(control)
    assert accounts.key_at_once("old") is None
    assert [await accounts.key(OLD), await accounts.key(OLD)] == ["key-of-old@lab.example.org"] * 2
    await accounts.give_password(OLD)
    await accounts.give_password(OLD)
    await accounts.key(BOT)
    acts = [(act["act"], act["email"].partition("@")[0]) for act in control.acts]

    assert accounts.key_at_once("old") == "key-of-old@lab.example.org"
    assert acts == [
        ("create_user", "old"),
        ("vouch", "old"),
        ("create_key", "old"),
        ("set_password", "old"),
        ("create_user", "bot"),
        ("create_key", "bot"),
    ]
    assert control.acts[0]["member_since_s"] == pytest.approx(time.time() - 60 * DAY_S, abs=60.0)
    assert control.acts[4]["member_since_s"] == pytest.approx(time.time() - 3 * DAY_S, abs=60.0)


async def test_before_the_service_meets_them_its_store_has_the_past_that_the_virtual_world_has() -> None:
    control = Control()
    records = Saved(control)
    accounts = Accounts(control, records)
    await accounts.key(OLD)
    await accounts.key(BOT)
    old, bot = records.saved
    virtual = VirtualAccounts(Register(StandingPlan(), 10), 1)

    assert [act["act"] for act in control.acts] == ["create_user", "create_key"] * 2
    assert records.after == [1, 3], "before there is a key with which to be met"
    for mine, who in ((old, OLD), (bot, BOT)):
        theirs = virtual.meet(who)
        assert (mine.history.days, mine.history.peak) == (theirs.history.days, theirs.history.peak)
        assert (mine.is_verified, mine.is_vouched, mine.role) == (theirs.is_verified, theirs.is_vouched, theirs.role)
        assert mine.history.counted_at_s == pytest.approx(time.time() - DAY_S, abs=60.0)
    assert usual_in_flight(old) == 2


async def test_names_that_differ_stay_different_and_accounts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = Accounts(Control())
    emails = {accounts.email(name) for name in ("Ada", "ada", "a da", "a-da", "ä", "ö")}
    monkeypatch.setattr(accounts_room, "MOST", 0)

    assert len(emails) == 6
    with pytest.raises(LiveError, match="more than 0"):
        await accounts.key(Who(name="x", group=Group.NEW, address=1))


def test_what_is_not_known_of_a_process_is_no_error() -> None:
    gone = 2**22 + 1

    assert processes.cpu_s(gone) == 0.0
    assert processes.engine_of(gone) is None
    processes.pin(gone, [0])
    processes.pin(gone, [])


def test_the_speed_of_a_core_is_measured_and_the_process_may_use_all_cores_again() -> None:
    before = processes.cores()

    assert processes.speed_of_core(before[0], probes=1) > 1e5
    assert processes.speed_of_core(probes=1) > 1e5
    assert processes.cores() == before
    assert processes.cpu_s(psutil.Process().pid) > 0.0
