"""What was acknowledged is there after the power was cut, on a disk that loses what was not synced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.adapters.sql.cutting import Acknowledged, Share, all_is_dropped, any_part_is_kept, cut, lost


async def _cut(seed: int, folder: Path, kept: Share, pragmas: Sequence[str] = ()) -> tuple[Path, Acknowledged]:
    """One cut on an empty disk: what it left, and what was acknowledged before it."""
    before, after = folder / f"{seed}-before", folder / f"{seed}-after"
    before.mkdir()
    after.mkdir()
    return after, await cut(seed, before, after, kept, pragmas=pragmas)


@pytest.mark.parametrize("kept_of_pending", [all_is_dropped, any_part_is_kept])
async def test_nothing_acknowledged_is_lost_when_the_power_is_cut(kept_of_pending: Share, tmp_path: Path) -> None:
    """
    Wherever the cut falls, also in the first start: the files open, every account is there, every message
    opens, and a key that was destroyed stays destroyed.
    """
    missing, count = {}, 0
    for seed in range(24):
        folder, acknowledged = await _cut(seed, tmp_path, kept_of_pending)
        count += len(acknowledged)
        if found := await lost(folder, acknowledged):
            missing[f"seed {seed}"] = found
    assert not missing
    assert count > 100, "the cuts came too early to prove anything"


@pytest.mark.parametrize("kept_of_pending", [all_is_dropped, any_part_is_kept])
async def test_the_same_cuts_show_what_a_database_that_does_not_sync_loses(
    kept_of_pending: Share, tmp_path: Path
) -> None:
    """
    The control of the test above: with synchronous=OFF nearly every cut must cost something.
    """
    outcomes = []
    for seed in range(100, 112):
        folder, acknowledged = await _cut(seed, tmp_path, kept_of_pending, ["synchronous=OFF"])
        if acknowledged:
            outcomes.append(bool(await lost(folder, acknowledged)))
    assert len(outcomes) >= 6
    assert sum(outcomes) >= 0.75 * len(outcomes), outcomes


async def test_the_same_cuts_show_why_the_directory_of_the_user_keys_is_synced_too(tmp_path: Path) -> None:
    """
    With synchronous=FULL a removed rollback journal is back after a cut and undoes the last transaction:
    new keys are lost with all that they sealed, destroyed ones return. EXTRA syncs the removal.
    """
    outcomes = []
    for seed in range(200, 208):
        folder, acknowledged = await _cut(seed, tmp_path, all_is_dropped, ["synchronous=FULL"])
        outcomes.append(bool(await lost(folder, acknowledged)))
    assert any(outcomes)
