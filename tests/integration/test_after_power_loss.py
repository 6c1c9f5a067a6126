"""The service on what a power cut left of its files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adapters.sql.cutting import Acknowledged, Share, all_is_dropped, any_part_is_kept, cut
from tests.integration.conftest import Seed
from tests.integration.people import PASSWORD, Person
from tests.integration.restarting import READY_S, start
from tests.integration.running import A_TOWN_BEHIND_ONE_ADDRESS, Instance, copy_data
from tidegate.adapters.disk import DataDir, load_or_create_secrets
from tidegate.services.passwords import HASHER

pytestmark = [pytest.mark.integration, pytest.mark.timed]

_CUT = 7
_LEAST_CHANGES = 300


def _left_by_a_cut(seed: Seed, folder: Path, kept_of_pending: Share) -> tuple[Path, Acknowledged]:
    """A data directory whose databases went through a power cut, and what was acknowledged in it."""
    before, data = folder / "before", copy_data(seed.data, folder / "data")
    before.mkdir()
    for database in data.glob("*.db*"):
        shutil.move(database, before)
    acknowledged = asyncio.run(
        cut(
            _CUT,
            before,
            data,
            kept_of_pending,
            kek=load_or_create_secrets(DataDir(data)).kek,
            password_hash=HASHER.hash(PASSWORD),
            least_changes=_LEAST_CHANGES,
        )
    )
    return data, acknowledged


def _check_everybody(instance: Instance, acknowledged: Acknowledged) -> None:
    for user, kept in acknowledged.kept.items():
        person = Person(instance.public, acknowledged.emails[user])
        assert person.sign_in().status == 303
        for conversation, messages in kept.items():
            tree = person.tree(conversation)
            assert tree.status == 200, tree
            found = {message["id"]: message["content"] for message in tree.json["messages"]}
            assert found.items() >= messages.items()


@pytest.mark.parametrize("kept_of_pending", [all_is_dropped, any_part_is_kept])
def test_the_service_is_ready_in_seconds_after_a_power_cut_and_serves_what_it_had(
    seed: Seed, models: Path, tmp_path: Path, measured: Callable[[str], None], kept_of_pending: Share
) -> None:
    """
    Not an act by hand is needed: everybody whose account was acknowledged signs in and reads what they wrote.
    """
    data, acknowledged = _left_by_a_cut(seed, tmp_path, kept_of_pending)
    assert len(acknowledged) >= 5, "the cut came too early to prove anything"
    started = start(tmp_path / "serve", models, data, "[engine]\nslots = 1\n" + A_TOWN_BEHIND_ONE_ADDRESS, seed.key)
    instance = started.instance
    try:
        measured(f"ready after a power cut ({kept_of_pending.__name__}): {started.ready_s:.2f} s")
        assert instance.ask("/v1/models").status == 200, "the key from before the cut works"
        _check_everybody(instance, acknowledged)
        assert instance.stop() == 0, instance.output
    finally:
        instance.kill()
    assert started.undisturbed_s <= READY_S
