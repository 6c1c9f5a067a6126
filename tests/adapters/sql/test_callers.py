"""What a gate knows of its callers lasts, and is bounded: who is known best is forgotten last."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from tidegate.adapters.sql.callers import CallerStore, open_callers
from tidegate.adapters.sql.database import open_database
from tidegate.adapters.sql.schema import CALLERS, DatabaseTooNewError, migrate
from tidegate.core.identifiers import UserId
from tidegate.core.standing.classes import Standing
from tidegate.core.standing.history import DAY_S, History
from tidegate.core.standing.record import Record, StandingPlan, standing_of
from tidegate.ports.storage import StorageUnavailableError

NOW = 20_000 * DAY_S


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'callers.db'}"


def _caller(days: float = 0.0, idle_days: float = 0.0, age_days: float = 500.0) -> Record:
    made = Record.of_caller(UserId.of(os.urandom(8)), NOW - max(age_days, idle_days) * DAY_S)
    counted_at_s = NOW - idle_days * DAY_S
    history = History(days=days, counted_at_s=counted_at_s, last_day=int(counted_at_s // DAY_S)) if days else History()
    return msgspec.structs.replace(made, history=history)


def _vouched(record: Record) -> Record:
    return record.with_word(is_vouched=True)


async def _kept(store: CallerStore, records: Sequence[Record]) -> list[bool]:
    found = {record.principal for record in await store.find([record.principal for record in records])}
    return [record.principal in found for record in records]


async def test_whoever_was_saved_is_there_when_it_is_opened_again(url: str, tmp_path: Path) -> None:
    records = [_caller(days=7.25, idle_days=1.5), _vouched(_caller())]
    async with open_callers(url) as store:
        await store.save(records)
    async with open_callers(url) as store:
        assert await store.find([record.principal for record in records]) == records
    with os.scandir(tmp_path) as files:
        assert [(file.name, file.stat().st_mode & 0o077) for file in files] == [("callers.db", 0)]


async def test_no_more_are_kept_than_there_is_room_for(url: str) -> None:
    strangers = [_caller(age_days=day) for day in range(1, 8)]
    async with open_callers(url, most=5) as store:
        await store.save(strangers[3:])
        await store.save(strangers[:3])

        assert await _kept(store, strangers) == [True] * 5 + [False] * 2
        assert len(await store.recent(100)) == 5


async def test_whoever_comes_again_is_kept_and_takes_nobodys_place(url: str) -> None:
    strangers = [_caller(age_days=day) for day in range(1, 4)]
    async with open_callers(url, most=3) as store:
        await store.save(strangers)
        await store.save([_vouched(strangers[2])] * 3)

        assert await _kept(store, strangers) == [True] * 3


async def test_strangers_push_out_nobody_who_is_known(url: str) -> None:
    """Not even by being new, and not those who were known well and have not been here for a while."""
    known = [_vouched(_caller(age_days=900.0)), _caller(days=30.0, idle_days=100.0), _caller(days=6.0, idle_days=5.0)]
    plan = StandingPlan()
    assert {standing_of(record, plan, NOW) for record in known} == {Standing.ESTABLISHED}
    # He served more days than one of them, in a time that hardly counts any more.
    faded = _caller(days=9.0, idle_days=400.0)
    strangers = [faded, *(_caller(days=1.0) for _ in range(6)), *(_caller(age_days=0.0) for _ in range(6))]
    assert {standing_of(record, plan, NOW) for record in strangers} == {Standing.NEWCOMER}
    async with open_callers(url, most=4) as store:
        await store.save(known)
        for stranger in strangers:
            await store.save([stranger])

        assert await _kept(store, known) == [True] * 3
        assert len(await store.recent(100)) == 4
        assert await _kept(store, [faded]) == [False]


async def test_when_all_are_known_the_vouched_for_are_the_last_to_go(url: str) -> None:
    vouched = [_vouched(_caller(age_days=day)) for day in (900.0, 800.0)]
    established = [_caller(days=300.0), _caller(days=200.0)]
    async with open_callers(url, most=3) as store:
        await store.save([*vouched, *established])
        assert await _kept(store, [*vouched, *established]) == [True, True, True, False]

    async with open_callers(url, most=1) as store:
        await store.save([_caller(days=400.0)])
        assert await _kept(store, vouched) == [False, True], "a smaller bound holds from the next write on"


async def test_how_fast_days_fade_is_the_settings_to_say(url: str) -> None:
    long, late = _caller(days=8.0, idle_days=60.0), _caller(days=1.0, idle_days=1.0)
    async with open_callers(url, most=1, half_life_days=60.0) as store:
        await store.save([long, late])
        assert await _kept(store, [long, late]) == [True, False]
    async with open_callers(url, most=1, half_life_days=5.0) as store:
        await store.save([long, late])
        assert await _kept(store, [long, late]) == [False, True]


async def test_what_does_not_fit_goes_in_the_transaction_that_brings_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies in between leaves no file that is too long."""
    first, second = _caller(age_days=2.0), _caller(age_days=1.0)

    async def no_room(_store: CallerStore, _connection: object) -> None:
        msg = "the process ends here"
        raise RuntimeError(msg)

    async with open_callers(url, most=1) as store:
        await store.save([first])
        with monkeypatch.context() as patched:
            patched.setattr(CallerStore, "_make_room", no_room)
            with pytest.raises(RuntimeError):
                await store.save([second])
        assert await _kept(store, [first, second]) == [True, False]


async def test_what_was_saved_outlives_a_loss_of_power(url: str) -> None:
    """The same promises of SQLite as for the records; `test_power_loss` shows that they hold."""
    async with open_callers(url) as store, store._database.writing() as connection:
        pragmas = [
            await connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "secure_delete")
        ]
    assert pragmas == ["wal", 3, 1]


async def test_room_is_found_without_looking_at_every_row(url: str) -> None:
    """It is asked with every write, while others wait."""
    database = open_database(url)
    await migrate(database, CALLERS)
    async with database.reading() as connection:
        plan = await connection.execute(
            text("EXPLAIN QUERY PLAN SELECT principal FROM callers ORDER BY is_vouched, fades_at_s LIMIT 9")
        )
        steps = [row.detail for row in plan]
    await database.close()
    assert any("ix_callers_is_vouched_fades_at_s" in step for step in steps)
    assert not any("TEMP B-TREE" in step for step in steps), steps


async def test_a_file_that_cannot_be_used_is_said_to_be_so(url: str, tmp_path: Path) -> None:
    async with open_callers(url) as store:
        with closing(sqlite3.connect(tmp_path / "callers.db")) as raw, raw:
            raw.execute("DROP TABLE callers")
        with pytest.raises(StorageUnavailableError, match=r"callers\.db"):
            await store.find([_caller().principal])
    (tmp_path / "callers.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageUnavailableError, match="restore a backup"):
        async with open_callers(url):
            pytest.fail("opened")


async def test_a_file_of_a_newer_program_is_refused(url: str, tmp_path: Path) -> None:
    async with open_callers(url):
        pass
    with closing(sqlite3.connect(tmp_path / "callers.db")) as raw, raw:
        raw.execute("UPDATE callers_schema_version SET version_num='callers_9999'")
    with pytest.raises(DatabaseTooNewError, match="callers_9999"):
        async with open_callers(url):
            pytest.fail("opened")


def test_room_for_nobody_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="most"):
        CallerStore(open_database(url), most=0)


async def test_a_file_from_before_keys_were_issued_keeps_its_callers(url: str) -> None:
    record = _vouched(_caller(days=3.0))
    database = open_database(url)
    await migrate(database, msgspec.structs.replace(CALLERS, revisions=CALLERS.revisions[:1]))
    await CallerStore(database).save([record])
    await database.close()

    async with open_callers(url) as store:
        assert await store.find([record.principal]) == [record]
        assert await store.issued_to([record.principal]) == []
