"""A policy is exchanged as a whole or not at all, and can be put back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tidegate.core.events import PolicyChanged, PolicyDetail, SettingName
from tidegate.services.policy import MOST_KEPT, Policy, PolicyError
from tidegate.testing.journal import RecordingJournal


class Bench:
    """A policy of three settings, of which two are live."""

    def __init__(self) -> None:
        self.file: dict[str, object] = {"gate.rate": 1, "gate.deny": [], "server.port": 80}
        self.enforced: list[dict[str, object]] = []
        self.refuses = False
        self.journal = RecordingJournal()
        self.policy = Policy(
            in_force=self.file,
            read=lambda: dict(self.file),
            is_live=lambda name: name.startswith("gate."),
            enforce=self.enforce,
            journal=self.journal,
            clock=lambda: 5.0,
        )

    def enforce(self, values: Mapping[str, object]) -> None:
        if self.refuses:
            msg = "gate.rate = 2: no"
            raise PolicyError(msg)
        self.enforced.append(dict(values))


def test_a_reload_enforces_what_is_live_and_names_what_must_wait() -> None:
    bench = Bench()
    bench.file.update({"gate.rate": 2, "server.port": 81})
    assert bench.policy.preview().changed == {"gate.rate": (1, 2)}
    assert not bench.enforced, "a preview changes nothing"
    change = bench.policy.reload()
    assert change.changed == {"gate.rate": (1, 2)}
    assert change.needs_restart == ["server.port"]
    assert change.can_roll_back == 1
    assert bench.enforced == [{"gate.rate": 2, "gate.deny": [], "server.port": 80}]
    assert bench.policy.live() == {"gate.rate": 2, "gate.deny": []}
    assert bench.journal.events == [
        PolicyChanged(t=5.0, detail=PolicyDetail.RELOADED, settings=(SettingName("gate.rate"),))
    ]


def test_a_refused_policy_changes_nothing_and_leaves_no_trace() -> None:
    bench = Bench()
    bench.file["gate.rate"] = 2
    bench.refuses = True
    with pytest.raises(PolicyError, match=r"gate\.rate"):
        bench.policy.reload()
    assert bench.policy.live()["gate.rate"] == 1
    assert bench.policy.kept == 0
    assert not bench.journal.events


def test_what_was_in_force_comes_back_step_by_step_and_the_file_is_not_asked() -> None:
    bench = Bench()
    for rate in (2, 3):
        bench.file["gate.rate"] = rate
        bench.policy.reload()
    assert bench.policy.roll_back().changed == {"gate.rate": (3, 2)}
    assert bench.policy.roll_back().changed == {"gate.rate": (2, 1)}
    with pytest.raises(PolicyError, match="no earlier policy"):
        bench.policy.roll_back()
    assert bench.policy.live()["gate.rate"] == 1
    assert bench.file["gate.rate"] == 3


def test_a_rollback_that_fails_can_be_tried_again() -> None:
    bench = Bench()
    bench.file["gate.rate"] = 2
    bench.policy.reload()
    bench.refuses = True
    with pytest.raises(PolicyError):
        bench.policy.roll_back()
    bench.refuses = False
    assert bench.policy.roll_back().changed == {"gate.rate": (2, 1)}


def test_only_so_many_policies_are_kept_and_one_that_changes_nothing_is_none() -> None:
    bench = Bench()
    bench.policy.reload()
    assert bench.policy.kept == 0
    assert len(bench.enforced) == 1, "what settings point to may have changed"
    for rate in range(2, MOST_KEPT + 10):
        bench.file["gate.rate"] = rate
        bench.policy.reload()
    assert bench.policy.kept == MOST_KEPT
