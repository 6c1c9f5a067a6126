"""A scenario: one TOML file that both worlds can play.

Sizes are relative where they can be: loads are parts of what the engine can do, so that the
same file means the same on a laptop and on a rack. Times are seconds since the beginning.
Mistakes are told by the field's full name.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tidegate.lab.files import read_whole
from tidegate.lab.mistakes import parted

# Whole numbers, as in the service's own bounds: `typing` takes `ge=0.0` for the same and hands one out for the other:
# the OpenAPI document would hang on what was imported first.
Part = Annotated[float, Meta(ge=0, le=1)]
# Bounds also keep out `inf` and `nan`, which TOML has: dice that are thrown by them never come to an end.
Seconds = Annotated[float, Meta(ge=0.0, le=31 * 86_400.0)]
Pause = Annotated[float, Meta(ge=0.001, le=86_400.0)]
Load = Annotated[float, Meta(ge=0.0, le=1000.0)]
Strength = Annotated[float, Meta(ge=0.0, le=1_000_000.0)]
PerMinute = Annotated[float, Meta(ge=0.0, le=60_000_000.0)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Seed = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]

VERSION: Final = 1
LONGEST_S: Final = 31 * 86_400.0
LONGEST_STEP_S: Final = 10 * 365 * 86_400.0
"""How far a clock may jump, there or back: ten years."""
_MOST_BYTES: Final = 1 << 20
_DEEPEST: Final = 12


class ScenarioError(ValueError):
    """A scenario is not usable. The message names the file, the field and what was expected."""


class World(StrEnum):
    """Where a scenario is played."""

    VIRTUAL = "virtual"
    LIVE = "live"


class Family(StrEnum):
    """Kinds of attack."""

    REQUEST_FLOOD = "request_flood"
    SLOW_CLIENTS = "slow_clients"
    SIGNUP_WAVE = "signup_wave"
    SIGNUP_DRIP = "signup_drip"
    CREDENTIAL_STUFFING = "credential_stuffing"
    EXPENSIVE_QUERIES = "expensive_queries"
    PROMPT_RECON = "prompt_recon"
    JAILBREAK = "jailbreak"
    DISTILLATION = "distillation"
    EFFORT_INFLATER = "effort_inflater"
    RETRY_STORM = "retry_storm"


class Fault(StrEnum):
    """What breaks by itself, or by an operator's hand."""

    ENGINE_SLOW = "engine_slow"
    ENGINE_DOWN = "engine_down"
    REPLICA_BAD = "replica_bad"
    CLOCK_STEP = "clock_step"
    CONFIGURATION = "configuration"


class Oddity(StrEnum):
    """What looks like an attack, and is none."""

    VIRAL_PROMPT = "viral_prompt"
    CLASSROOM = "classroom"
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a word
    SDK_RETRY_BUG = "sdk_retry_bug"
    NEW_REGION = "new_region"
    SHARED_KEY = "shared_key"


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: what it does not know is a mistake."""


class Slo(_Table, frozen=True, kw_only=True):
    """What a good answer is: begun, from the first time it was asked for, within `first_s`, and flowing.

    `gap_s` bounds the 95th percentile of the gaps between tokens, `stall_s` the longest.
    """

    first_s: Pause = 2.0
    gap_s: Pause = 0.2
    stall_s: Pause = 1.0


class Engine(_Table, frozen=True, kw_only=True):
    """The engine of the virtual world: a calibration by its name (or a file's path), so many times."""

    model: str = "cpu-smollm2"
    replicas: Annotated[int, Meta(ge=1, le=64)] = 1


class People(_Table, frozen=True, kw_only=True):
    """Those whom the service is for.

    Together they offer `load`, a part of what all replicas can do, of which newcomers with an account have
    `new_part`. `lengths` names how long questions and answers are, `shape` how the load moves over time
    (`flat`, `day`, or a file of counts). A session has `turns` questions in the mean, `think_s` in the median
    between an answer and the next question. `programs` is the part of them that are programs with a stock SDK.
    Who has no word of an answer after `patience_s` leaves. `sign_ups_per_min` and `page_views_per_min` are what
    visitors do, `sign_ins_per_min` what people with accounts do.
    """

    established: Count = 10
    new: Count = 5
    anonymous: Count = 20
    load: Load = 0.5
    new_part: Part = 0.15
    lengths: str = "short"
    shape: str = "flat"
    turns: Annotated[float, Meta(ge=1.0, le=1000.0)] = 4.0
    think_s: Pause = 20.0
    programs: Part = 0.2
    patience_s: Pause = 10.0
    sign_ups_per_min: PerMinute = 1.0
    sign_ins_per_min: PerMinute = 2.0
    page_views_per_min: PerMinute = 10.0


class Crowd(_Table, frozen=True, kw_only=True):
    """Many more people than usual, at once: `load` more of what the engine can do, reached within `ramp_s`.

    `new_part` of it are newcomers whose accounts are of this hour; `people` is how many different ones come. They look
    at `page_views_per_min` and sign up at `sign_ups_per_min` from the beginning on, as the crowd grows.
    """

    from_s: Seconds
    until_s: Seconds
    load: Load = 1.0
    ramp_s: Seconds = 60.0
    new_part: Part = 0.7
    people: Count = 100
    sign_ups_per_min: PerMinute = 30.0
    page_views_per_min: PerMinute = 120.0


class Attack(_Table, frozen=True, kw_only=True):
    """One campaign. What an `intensity` of 1 is, each family says; `mimicry` 1 looks most like people.

    `accounts` are those that the attackers have when it begins, `bots` the addresses that they come from. A `variant`
    does it in another way.
    """

    family: Family
    from_s: Seconds
    until_s: Seconds
    intensity: Strength = 1.0
    mimicry: Part = 0.0
    bots: Annotated[int, Meta(ge=1, le=20_000_000)] = 100
    accounts: Annotated[int, Meta(ge=0, le=20_000_000)] = 0
    variant: str = "a"


class Broken(_Table, frozen=True, kw_only=True):
    """Something that breaks. `engine_slow` leaves `factor` of their speed to all engines.

    `engine_down` takes the engine away that has the number `replica`; `replica_bad` has that one fail at its calls, but
    for the part `factor` of them. With `clock_step` the service's clock is `step_s` off, and with `configuration` an
    operator sets `settings` by mistake, as in `tidegate.toml`.
    """

    kind: Fault
    from_s: Seconds
    until_s: Seconds
    factor: Annotated[float, Meta(ge=0.01, le=1.0)] = 0.3
    replica: Count = 0
    step_s: Annotated[float, Meta(ge=-LONGEST_STEP_S, le=LONGEST_STEP_S)] = 3600.0
    settings: dict[str, Any] = {}


class Odd(_Table, frozen=True, kw_only=True):
    """Something harmless that looks odd, by so many `people`, as strongly as `intensity` says."""

    kind: Oddity
    from_s: Seconds
    until_s: Seconds
    intensity: Annotated[float, Meta(gt=0.0, le=1_000_000.0)] = 1.0
    people: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 40


class Scale(_Table, frozen=True, kw_only=True):
    """For the virtual world. `cells` services stand side by side, each with its part of everybody.

    `is_drawn`: whoever is not active is a number from which they can be drawn, instead of an actor that waits.
    `tick_s` is how often a service does what it does now and then.
    """

    cells: Annotated[int, Meta(ge=1, le=1000)] = 1
    is_drawn: bool = False
    tick_s: Annotated[float, Meta(ge=0.01, le=60)] = 0.25


class Scenario(_Table, frozen=True, kw_only=True):
    """One rehearsal: `name` is its file's, `title` and `about` are for people.

    It lasts `duration_s`, of which the first `warm_s` are played and not judged. `seed` is for all dice. `worlds`
    are those that it is made for, `settings` what the service is played with.
    """

    version: int
    name: Name
    title: str
    about: str
    duration_s: Annotated[float, Meta(gt=0.0, le=LONGEST_S)]
    warm_s: Seconds = 0.0
    seed: Seed = 1
    worlds: tuple[World, ...] = (World.VIRTUAL,)
    slo: Slo = Slo()
    settings: dict[str, Any] = {}
    engine: Engine = Engine()
    people: People = People()
    crowd: tuple[Crowd, ...] = ()
    attack: tuple[Attack, ...] = ()
    fault: tuple[Broken, ...] = ()
    odd: tuple[Odd, ...] = ()
    scale: Scale = Scale()


TABLES: Final[dict[str, type[_Table]]] = {
    "slo": Slo,
    "engine": Engine,
    "people": People,
    "crowd": Crowd,
    "attack": Attack,
    "fault": Broken,
    "odd": Odd,
    "scale": Scale,
}
"""The tables of a file, in its order."""

TIMED: Final = ("crowd", "attack", "fault", "odd")
"""Those of which there may be several, each on from `from_s` until `until_s`."""

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`")
_MISSING: Final = re.compile(r"Object missing required field `(.*)`")
_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "worlds": tuple(World),
    "attack.family": tuple(Family),
    "fault.kind": tuple(Fault),
    "odd.kind": tuple(Oddity),
}


def parse(text: str, source: str = "scenario") -> Scenario:
    """Read a scenario. Raises ScenarioError, naming `source` and the field."""
    try:
        scenario = msgspec.convert(tomllib.loads(text), Scenario, strict=True)
    except RecursionError:
        msg = f"{source}: nested too deeply"
        raise ScenarioError(msg) from None
    except msgspec.ValidationError as error:
        msg = f"{source}: {_said(error)}"
        raise ScenarioError(msg) from None
    except ValueError as error:  # Beside what is no TOML: a number of thousands of digits.
        msg = f"{source}: not valid TOML: {error}"
        raise ScenarioError(msg) from None
    for mistake in (*_deep(scenario), *_mistakes(scenario)):
        msg = f"{source}: {mistake}"
        raise ScenarioError(msg)
    return scenario


def text_of(path: Path) -> str:
    """Read a scenario's file as text. Raises ScenarioError."""
    try:
        return read_whole(path, _MOST_BYTES, "a scenario", ScenarioError).decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8: {error}"
        raise ScenarioError(msg) from None


def _said(error: msgspec.ValidationError) -> str:
    """What msgspec says, with the field first, and the words that there are."""
    where, what = parted(error)
    table = re.sub(r"\[[^]]*\]", "", where)
    words = _WORDS.get(table)
    if words is not None and what.startswith("Invalid enum value"):
        what = f"{what.removeprefix('Invalid enum value ')} is none of {', '.join(words)}"
    unknown = _UNKNOWN.fullmatch(what)
    if unknown is not None:
        fields = TABLES.get(table, Scenario).__struct_fields__
        close = difflib.get_close_matches(unknown[1], fields, n=1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(fields)}"
        what = f"no such field: {unknown[1]}; {meant}"
    missing = _MISSING.fullmatch(what)
    if missing is not None:
        where, what = ".".join(filter(None, (where, missing[1]))), "is missing"
    if table == "name" and "regex" in what:
        what = "expected small letters, digits and single hyphens between them, as in my-bad-day"
    return f"{where}: {what}" if where else what


def _mistakes(scenario: Scenario) -> list[str]:
    found = []
    if scenario.version != VERSION:
        found.append(f"version: expected {VERSION}, not {scenario.version}")
    if scenario.warm_s >= scenario.duration_s:
        found.append("warm_s: expected less than duration_s")
    if not scenario.worlds:
        found.append("worlds: expected at least one of virtual, live")
    for table in TIMED:
        for number, entry in enumerate(getattr(scenario, table)):
            if not entry.from_s < entry.until_s <= scenario.duration_s:
                found.append(f"{table}[{number}].until_s: expected more than from_s and at most duration_s")
    for number, broken in enumerate(scenario.fault):
        if broken.replica >= scenario.engine.replicas:
            found.append(f"fault[{number}].replica: there are engine.replicas = {scenario.engine.replicas}, from 0 on")
    return found


def _deep(scenario: Scenario) -> list[str]:
    given = (scenario.settings, *(one.settings for one in scenario.fault))
    return ["settings: nested too deeply"] if any(map(_is_deep, given)) else []


def _is_deep(value: object) -> bool:
    """Whether tables and lists stand in each other deeper than any settings."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            below
            for one in level
            for below in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        ]
    return bool(level)
