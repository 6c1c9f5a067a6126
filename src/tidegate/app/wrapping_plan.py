"""What TidegateMiddleware takes, checked when it is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypedDict

import msgspec
from msgspec import Meta

from tidegate.app.plans import plans_of
from tidegate.config import Settings, SettingsError, mistakes
from tidegate.config.engine_settings import EngineSettings
from tidegate.config.load import decode_path
from tidegate.config.record import RecordSettings
from tidegate.config.settings import (
    AdmissionSettings,
    GateSettings,
    ServerSettings,
    StandingSettings,
)
from tidegate.http.wrapping.paths import ASKED, SPARED, Paths

_ANY_KEY: Final = bytes(32)
_OF_CONNECTIONS: Final = frozenset(
    {"connections", "connections_per_address", "head_s", "body_s", "body_bytes_per_s", "idle_s"}
)

_Path = Annotated[
    str,
    Meta(
        pattern="^/[^?#]*$",
        max_length=200,
        extra={"allowed": "a path that begins with /, without ? or #"},
    ),
]


class WrappingPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What TidegateMiddleware takes. `gate`, `admission`, `standing` and `record` are tables as in Tidegate's settings.

    paths: what is posted there asks a model; placeholders as Starlette's, `/v1/{name}/chat`.
    spared: never refused, such as what a balancer asks for.
    slots: so many requests are answered at once.
    max_waiting: so many more may wait, of each standing.
    max_per_caller: so many one caller may have running or waiting.
    max_body_bytes: a larger body is refused.
    trusted_proxies: whose word on the caller's address is believed.
    data_dir: where what is known of callers is kept; by default it is forgotten with the process.
    record: with `decisions` they are written down there, for `tidegate lab replay`.
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
    record: RecordSettings = RecordSettings()

    def settings(self) -> Settings:
        """The same as Tidegate's own settings have it."""
        return Settings(
            server=ServerSettings(trusted_proxies=self.trusted_proxies, max_body_bytes=self.max_body_bytes),
            engine=EngineSettings(max_waiting=self.max_waiting, max_per_account=self.max_per_caller),
            gate=self.gate,
            admission=self.admission,
            standing=self.standing,
            record=self.record,
        )


class WrappingSettings(TypedDict, total=False):
    """The same as whoever writes an application says it, for type checkers and editors."""

    paths: Sequence[str]
    spared: Sequence[str]
    slots: int
    max_waiting: int
    max_per_caller: int
    max_body_bytes: int
    trusted_proxies: Sequence[str]
    data_dir: str | Path | None
    gate: Mapping[str, Any]
    admission: Mapping[str, Any]
    standing: Mapping[str, Any]
    record: Mapping[str, Any]


def plan_of(given: Mapping[str, Any]) -> WrappingPlan:
    """Read keyword arguments. Raises ValueError with the key and what is wrong with it."""
    try:
        return _checked(given)
    except msgspec.ValidationError as error:
        what = mistakes.sentence(str(error), given, WrappingPlan)
    except (SettingsError, ValueError) as error:
        what = str(error).replace("server.trusted_proxies", "trusted_proxies")
    msg = f"TidegateMiddleware: {what}"
    raise ValueError(msg)


def _checked(given: Mapping[str, Any]) -> WrappingPlan:
    plan = msgspec.convert(given, WrappingPlan, dec_hook=decode_path)
    _check(given)
    plans_of(plan.settings(), _ANY_KEY)
    for path in plan.paths:
        try:
            Paths((path,))
        except (AssertionError, ValueError) as error:  # As Starlette tells of placeholders that are none.
            msg = f"paths = {path!r}: {error}"
            raise ValueError(msg) from None
    data_dir = plan.data_dir
    if data_dir is None and plan.record.decisions:
        msg = "record.decisions: there is nowhere to write them down; set data_dir too"
        raise ValueError(msg)
    return plan if data_dir is None else msgspec.structs.replace(plan, data_dir=data_dir.expanduser())


def _check(given: Mapping[str, Any]) -> None:
    of_connections = sorted(_OF_CONNECTIONS & set(given.get("gate") or ()))
    if of_connections:
        msg = f"gate.{of_connections[0]}: connections are your server's to bound; leave it out"
        raise ValueError(msg)
