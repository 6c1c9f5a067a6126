"""What TidegateMiddleware takes, checked when it is made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tidegate.app.plans import plans_of
from tidegate.config import Settings, SettingsError
from tidegate.config.engine_settings import EngineSettings
from tidegate.config.settings import (
    AdmissionSettings,
    GateSettings,
    ServerSettings,
    StandingSettings,
)
from tidegate.http.wrapping.paths import ASKED, SPARED

_ANY_KEY: Final = bytes(32)
_OF_CONNECTIONS: Final = frozenset(
    {"connections", "connections_per_address", "head_s", "body_s", "body_bytes_per_s", "idle_s"}
)

_AT: Final = re.compile(r" - at `\$\.([^`]*)`\Z")

_Path = Annotated[str, Meta(pattern="^/[^?#]*$", max_length=200)]


class WrappingPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What TidegateMiddleware takes. `gate`, `admission` and `standing` are tables as in Tidegate's configuration.

    paths: what is posted there asks a model; placeholders as Starlette's, `/v1/{name}/chat`.
    spared: never refused, such as what a balancer asks for.
    slots: so many requests are answered at once.
    max_waiting: so many more may wait, of each standing.
    max_per_caller: so many one caller may have running or waiting.
    max_body_bytes: a larger body is refused.
    trusted_proxies: whose word on the caller's address is believed.
    data_dir: where what is known of callers is kept; by default it is forgotten with the process.
    """

    paths: Annotated[tuple[_Path, ...], Meta(min_length=1)] = ASKED
    spared: tuple[_Path, ...] = SPARED
    slots: Annotated[int, Meta(ge=1, le=65_536)] = 8
    max_waiting: Annotated[int, Meta(ge=1, le=100_000)] = EngineSettings().max_waiting
    max_per_caller: Annotated[int, Meta(ge=1, le=100_000)] = EngineSettings().max_per_account
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)] = ServerSettings().max_body_bytes
    trusted_proxies: tuple[str, ...] = ()
    data_dir: Path | None = None
    gate: GateSettings = GateSettings()
    admission: AdmissionSettings = AdmissionSettings()
    standing: StandingSettings = StandingSettings()

    def settings(self) -> Settings:
        """The same as Tidegate's own settings have it."""
        return Settings(
            server=ServerSettings(trusted_proxies=self.trusted_proxies, max_body_bytes=self.max_body_bytes),
            engine=EngineSettings(max_waiting=self.max_waiting, max_per_account=self.max_per_caller),
            gate=self.gate,
            admission=self.admission,
            standing=self.standing,
        )


def plan_of(given: dict[str, Any]) -> WrappingPlan:
    """Read keyword arguments. Raises ValueError with the key and what is wrong with it."""
    try:
        plan = msgspec.convert(given, WrappingPlan, dec_hook=_decode)
        _check(given)
        plans_of(plan.settings(), _ANY_KEY)
    except (SettingsError, ValueError) as error:
        what = str(error).replace("server.trusted_proxies", "trusted_proxies")
        at = _AT.search(what)
        msg = f"TidegateMiddleware: {what if at is None else f'{at[1]}: {what[: at.start()]}'}"
        raise ValueError(msg) from None
    return plan


def _check(given: dict[str, Any]) -> None:
    of_connections = sorted(_OF_CONNECTIONS & set(given.get("gate") or ()))
    if of_connections:
        msg = f"gate.{of_connections[0]}: connections are your server's to bound; leave it out"
        raise ValueError(msg)


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    raise NotImplementedError  # So msgspec wants to be told of a type that is not known here.
