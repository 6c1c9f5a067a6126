"""The policy in force: taken anew from the settings while the service runs, or put back as it was.

A policy is the live part of the settings, by their dotted names. It is checked
as a whole before anything of it counts, and exchanged in one step: no request
sees a part of it, and none that runs is touched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from tidegate.core.events import PolicyChanged, PolicyDetail, SettingName
from tidegate.ports.journal import Journal

MOST_KEPT: Final = 10
"""How many policies can be gone back to."""


class PolicyError(Exception):
    """This policy cannot be in force. The message names the key, the value and the fix; nothing has changed."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a policy. `needs_restart` names what differs, too, but only counts from the next start on."""

    changed: dict[str, tuple[object, object]]
    needs_restart: list[str]
    can_roll_back: int


class Policy:
    """Holds what is in force, and what was before."""

    def __init__(
        self,
        *,
        in_force: Mapping[str, object],
        read: Callable[[], Mapping[str, object]],
        is_live: Callable[[str], bool],
        enforce: Callable[[Mapping[str, object]], None],
        journal: Journal,
        clock: Callable[[], float],
    ) -> None:
        """`read` gives all settings as they stand now, by dotted names; `enforce` takes all of them, or raises.

        Both raise PolicyError. `is_live` tells which settings can be exchanged; `clock` tells Unix seconds.
        """
        self.in_force = dict(in_force)
        self._read = read
        self._is_live = is_live
        self._enforce = enforce
        self._journal = journal
        self._clock = clock
        self._before: deque[dict[str, object]] = deque(maxlen=MOST_KEPT)

    @property
    def kept(self) -> int:
        """How many policies can be gone back to."""
        return len(self._before)

    def live(self) -> dict[str, object]:
        """The settings that can be exchanged, as they are in force."""
        return {name: value for name, value in self.in_force.items() if self._is_live(name)}

    def preview(self) -> Change:
        """What a reload would change. Raises PolicyError when it would be refused for how the settings are written."""
        return self._change(self._read())

    def reload(self) -> Change:
        """Take the settings as they stand now. Raises PolicyError, and then nothing changes."""
        wanted = self._read()
        change = self._change(wanted)
        self._take({**self.in_force, **{name: wanted[name] for name in change.changed}}, change, PolicyDetail.RELOADED)
        return msgspec.structs.replace(change, can_roll_back=len(self._before))

    def roll_back(self) -> Change:
        """Put back the policy before the last change; the files stay as they are. Raises PolicyError."""
        if not self._before:
            msg = "there is no earlier policy: nothing was changed since the service started"
            raise PolicyError(msg)
        earlier = self._before[-1]
        change = self._change(earlier)
        self._take(earlier, change, PolicyDetail.ROLLED_BACK)
        self._before.pop()
        return msgspec.structs.replace(change, can_roll_back=len(self._before))

    def _take(self, wanted: dict[str, object], change: Change, detail: PolicyDetail) -> None:
        # Also without a change: what settings only point to, such as a certificate, may be another.
        self._enforce(wanted)
        if not change.changed:
            return
        if detail is PolicyDetail.RELOADED:
            self._before.append(self.in_force)
        self.in_force = wanted
        names = tuple(SettingName(name) for name in change.changed)
        self._journal.record(PolicyChanged(t=self._clock(), detail=detail, settings=names))

    def _change(self, wanted: Mapping[str, object]) -> Change:
        differing = [name for name, value in self.in_force.items() if wanted.get(name) != value]
        return Change(
            changed={name: (self.in_force[name], wanted[name]) for name in differing if self._is_live(name)},
            needs_restart=[name for name in differing if not self._is_live(name)],
            can_roll_back=len(self._before),
        )
