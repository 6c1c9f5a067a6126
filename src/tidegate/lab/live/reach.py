"""What a scenario may not set in the live world: a file that somebody sent must not reach out of the rehearsal.

It could have letters sent to strangers, a firewall told to drop them, a file written, or a model fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tidegate.lab.live.accounts import MOST
from tidegate.lab.live.service import LiveError
from tidegate.lab.scenario import Fault, Scenario

_OUTSIDE: Final = frozenset(
    {
        *("data_dir", "database_url", "engines", "models", "server", "firewall.map_file", "firewall.socket"),
        *("firewall.target", "firewall.webhook_url", "mail.password_file", "mail.smtp_host"),
    }
)
_FETCHED: Final = (":", "/", "\\")


def check_reach(scenario: Scenario) -> None:
    """Raise LiveError, naming the field, for settings that reach out, and for more accounts than are made."""
    faults = (one for one in scenario.fault if one.kind is Fault.CONFIGURATION)
    for where, settings in (("settings", scenario.settings), *(("fault.settings", one.settings) for one in faults)):
        for name in _beyond(settings):
            msg = f"{scenario.name}: {where}.{name}: a scenario cannot set this in the live world"
            raise LiveError(msg)
    accounts = scenario.people.established + scenario.people.new + sum(one.accounts for one in scenario.attack)
    if accounts > MOST:
        msg = f"{scenario.name}: people.established: with people.new and accounts at most {MOST} in the live world"
        raise LiveError(msg)


def _beyond(settings: Mapping[str, Any]) -> Iterator[str]:
    for table, value in settings.items():
        names = [table, *(f"{table}.{key}" for key in value)] if isinstance(value, Mapping) else [table]
        yield from (name for name in names if name in _OUTSIDE)
        model = value.get("model") if isinstance(value, Mapping) and table == "engine" else None
        if isinstance(model, str) and any(sign in model for sign in _FETCHED):
            yield "engine.model"
