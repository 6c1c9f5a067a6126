"""The live policy of a running service: which settings are live, and what they are carried to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tidegate.app.certificate import Certificate, CertificateError
from tidegate.app.plans import Plans, plans_of
from tidegate.config import Settings, SettingsError
from tidegate.ports.journal import Journal
from tidegate.services.policy import Policy, PolicyError

_LIVE_TABLES = ("gate.", "admission.", "standing.", "quotas.", "firewall.", "registration.")
_LIVE_NAMES = frozenset({"engine.max_waiting", "engine.max_per_account", "engines", "accounts.sign_up"})
_OF_TARGETS = ("firewall.target", "firewall.socket", "firewall.map_", "firewall.webhook_")


def is_live(name: str) -> bool:
    """Whether a setting can be exchanged while the service runs."""
    return (name.startswith(_LIVE_TABLES) and not name.startswith(_OF_TARGETS)) or name in _LIVE_NAMES


def flat(settings: Settings) -> dict[str, object]:
    """All settings by their dotted names, as plain values."""
    found: dict[str, object] = {}
    for name, value in msgspec.to_builtins(settings, enc_hook=str).items():
        if isinstance(value, dict):
            found.update({f"{name}.{inner}": told for inner, told in value.items()})
        else:
            found[name] = value
    return found


def live_policy(
    settings: Settings,
    *,
    read: Callable[[], Settings],
    shard_key: bytes,
    apply: Callable[[Plans], None],
    certificate: Certificate | None,
    journal: Journal,
    clock: Callable[[], float],
    relined: Callable[[Settings], Callable[[], None]] | None = None,
) -> Policy:
    """Make the policy in force of the settings at the start; `read` gives them as they stand now.

    `relined`
    checks which engines settings name, and answers what goes on with those;
    without it they are those of the start.
    """

    def reread() -> Mapping[str, object]:
        try:
            wanted = read()
            plans_of(wanted, shard_key)
            if relined is not None:
                relined(wanted)
        except SettingsError as error:
            raise PolicyError(str(error)) from None
        return flat(wanted)

    def enforce(values: Mapping[str, object]) -> None:
        try:
            # All of them are checked before any counts.
            wanted = _settings(values)
            plans = plans_of(wanted, shard_key)
            reline = relined(wanted) if relined is not None else None
            if certificate is not None:
                certificate.renew()
        except (SettingsError, CertificateError) as error:
            raise PolicyError(str(error)) from None
        apply(plans)
        if reline is not None:
            reline()

    return Policy(
        in_force=flat(settings),
        read=reread,
        is_live=is_live if relined is not None else lambda name: is_live(name) and name != "engines",
        enforce=enforce,
        journal=journal,
        clock=clock,
    )


def _settings(values: Mapping[str, object]) -> Settings:
    nested: dict[str, Any] = {}
    for name, value in values.items():
        table, _, inner = name.rpartition(".")
        (nested.setdefault(table, {}) if table else nested)[inner] = value
    return msgspec.convert(nested, Settings, dec_hook=lambda kind, value: kind(value))
