"""Asks the `[[engines]]` at the start which they are and what they serve; what is wrong with them stops it.

An engine that is only not there at that moment does not, where another serves
the same model: it is tried again while the service runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tidegate.adapters.engines.kinds import MODELS_PATH, PLACES, PROPS_PATH, Kind, Listed, listed, props
from tidegate.adapters.engines.servers import Server, ServerPlan
from tidegate.adapters.engines.upstream import UnreachableError
from tidegate.app.causes import in_words
from tidegate.config import Settings, SettingsError
from tidegate.config.engine_settings import EngineUpstream
from tidegate.config.engines import keys_of, root_of
from tidegate.config.exposure import is_loopback
from tidegate.ports.upstream import UpstreamBrokeError

_WITHIN_S: Final = 5.0
_MOST_BYTES: Final = 4 << 20
_VERSION_PATH: Final = "/api/version"  # Ollama's own; its models may be listed under any owner's name.
_USUAL_PLACES: Final = 64
_USUAL_CONTEXT: Final = 4096
_OK: Final = 200
_REFUSED: Final = frozenset({401, 403})
_SERVER_ERROR: Final = 500


class Lineup(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: servers, the models they serve in the order they were named, and what to warn of."""

    servers: tuple[ServerPlan, ...] = ()
    context_tokens: dict[str, int] = {}
    warnings: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """Every model's name."""
        return tuple(self.context_tokens)


class _Seen(msgspec.Struct):
    """One server: what the settings say, and what it said itself, if it was there."""

    number: int
    engine: EngineUpstream
    key: str | None
    models: tuple[str, ...]
    kind: Kind | None
    listed: list[Listed] | None = None
    total_slots: int = 0
    why_not: str = ""

    @property
    def where(self) -> str:
        return f"engines[{self.number}].url = {self.engine.url!r}"

    def plan(self) -> ServerPlan:
        kind = self.kind or Kind.OPENAI
        return ServerPlan(
            url=root_of(self.engine.url),
            key=self.key,
            models=frozenset(self.models),
            weight=self.engine.weight,
            places=self.engine.places or self.total_slots or PLACES.get(kind, _USUAL_PLACES),
            kind=kind,
            is_kind_certain=self.kind is not None,
        )

    def context_tokens(self, model: str) -> int:
        told = [one.context_tokens for one in self.listed or () if _is_named(model, one) or self._is_the_only(one)]
        return self.engine.context_tokens or max(told, default=0) or _USUAL_CONTEXT

    def _is_the_only(self, one: Listed) -> bool:
        return self.kind is Kind.LLAMA_CPP and self.listed == [one]


async def survey(settings: Settings, environment: Mapping[str, str]) -> Lineup:
    """Ask all of them at once. Raises SettingsError."""
    keys = keys_of(settings.engines, environment)
    seen = [
        _Seen(
            number=number,
            engine=engine,
            key=keys.get(root_of(engine.url)),
            models=engine.models,
            kind=None if engine.kind == "auto" else Kind(engine.kind),
        )
        for number, engine in enumerate(settings.engines)
    ]
    await asyncio.gather(*(_look(one) for one in seen))
    for one in seen:
        _settle_models(one)
    warnings = _warnings(seen)
    names = list(dict.fromkeys(name for one in seen for name in one.models))
    _check_names(settings, names)
    context_tokens = {name: min(one.context_tokens(name) for one in seen if name in one.models) for name in names}
    return Lineup(servers=tuple(one.plan() for one in seen), context_tokens=context_tokens, warnings=warnings)


def relined(lineup: Lineup, engines: Sequence[EngineUpstream], environment: Mapping[str, str]) -> Lineup:
    """The same models by other engines, without asking any. Raises SettingsError for other models."""
    known = {server.url: server for server in lineup.servers}
    keys = keys_of(tuple(engines), environment)
    servers = [_relined(number, engine, known, keys) for number, engine in enumerate(engines)]
    served = frozenset(name for server in servers for name in server.models)
    if served != frozenset(lineup.models):
        msg = (
            f"engines: serve {_shown(served)}; while the service runs it has to be {_shown(lineup.models)}, by "
            "whichever engines: restart it to serve other models"
        )
        raise SettingsError(msg)
    return msgspec.structs.replace(lineup, servers=tuple(servers))


def _relined(
    number: int, engine: EngineUpstream, known: Mapping[str, ServerPlan], keys: Mapping[str, str]
) -> ServerPlan:
    url = root_of(engine.url)
    before = known.get(url)
    if before is None and not engine.models:
        msg = f"engines[{number}].models: say which this engine serves; it is asked only when the service starts"
        raise SettingsError(msg)
    models = frozenset(engine.models) or (before.models if before else frozenset())
    kind = Kind(engine.kind) if engine.kind != "auto" else before.kind if before else Kind.OPENAI
    is_certain = engine.kind != "auto" or (before is not None and before.is_kind_certain)
    usual = before.places if before and not engine.places else PLACES.get(kind, _USUAL_PLACES)
    return ServerPlan(
        url=url,
        key=keys.get(url),
        models=models,
        weight=engine.weight,
        places=engine.places or usual,
        kind=kind,
        is_kind_certain=is_certain,
    )


# ---------------------------------------------------------------- asking one


async def _look(one: _Seen) -> None:
    server = Server(one.plan())
    try:
        status, payload = await server.fetch(MODELS_PATH, _WITHIN_S, _MOST_BYTES)
        if status == _OK:
            one.listed = listed(payload)
            await _learn(server, one)
    except (UnreachableError, UpstreamBrokeError, TimeoutError) as error:
        kind = error.kind if isinstance(error, UnreachableError) else TimeoutError.__name__
        one.why_not = f"it does not answer ({in_words(kind, one.engine.url)})"
        return
    except ValueError:
        msg = f"{one.where}: what answers at {MODELS_PATH} is no OpenAI-compatible server; correct the url"
        raise SettingsError(msg) from None
    finally:
        await server.retire()
    if status in _REFUSED:
        raise SettingsError(_refused(one, status))
    if status >= _SERVER_ERROR:
        one.why_not = f"it is not ready (status {status})"
    elif status != _OK:
        msg = f"{one.where}: no OpenAI-compatible server there (status {status} at {MODELS_PATH}); correct the url"
        raise SettingsError(msg)


def _refused(one: _Seen, status: int) -> str:
    where = f"engines[{one.number}].key_env"
    if one.key is None:
        return (
            f"{where}: is not set, and {root_of(one.engine.url)} asks for a key (status {status}); put the key into an "
            "environment variable and name that here, such as UPSTREAM_KEY"
        )
    return (
        f"{where} = {one.engine.key_env!r}: {root_of(one.engine.url)} refuses the key that is in this variable (status "
        f"{status}); put the right one there"
    )


async def _learn(server: Server, one: _Seen) -> None:
    if one.kind is None:
        kinds = {model.kind for model in one.listed or ()}
        one.kind = kinds.pop() if len(kinds) == 1 else Kind.OPENAI
        if one.kind is Kind.OPENAI and await _is_ollama(server):
            one.kind = Kind.OLLAMA
    if one.kind is Kind.LLAMA_CPP:
        status, payload = await server.fetch(PROPS_PATH, _WITHIN_S, _MOST_BYTES)
        if status in _REFUSED:
            raise SettingsError(_refused(one, status))  # It lists its models for everybody.
        if status == _OK:
            one.total_slots = props(payload).total_slots


async def _is_ollama(server: Server) -> bool:
    status, payload = await server.fetch(_VERSION_PATH, _WITHIN_S, _MOST_BYTES)
    try:
        return status == _OK and isinstance(msgspec.json.decode(payload, type=dict[str, str]).get("version"), str)
    except ValueError:
        return False


# ---------------------------------------------------------------- judging


def _settle_models(one: _Seen) -> None:
    if one.listed is None:
        if not one.models:
            msg = (
                f"{one.where}: {one.why_not}, and models is not set, so it is not known what it serves; start it, "
                "correct the url, or set models"
            )
            raise SettingsError(msg)
        return
    if not one.models:
        one.models = tuple(dict.fromkeys(model.public_name for model in one.listed))
        if not one.models:
            msg = f"{one.where}: it lists no model; load one there"
            raise SettingsError(msg)
        return
    is_one_for_all = one.kind is Kind.LLAMA_CPP and len(one.listed) == 1  # It answers whatever it is asked for.
    for name in one.models:
        if not is_one_for_all and not any(_is_named(name, model) for model in one.listed):
            msg = (
                f"engines[{one.number}].models = {name!r}: {root_of(one.engine.url)} does not list it; it lists "
                f"{_shown([model.id for model in one.listed])}; name one of those, or leave models out to serve all"
            )
            raise SettingsError(msg)


def _is_named(name: str, model: Listed) -> bool:
    return name in model.names or f"{name}:latest" in model.names or name == model.public_name


def _warnings(seen: Sequence[_Seen]) -> tuple[str, ...]:
    """Of engines that are not there; one whose model no other engine serves stops the start."""
    served = {name for one in seen if one.listed is not None for name in one.models}
    for one in seen:
        missing = [name for name in one.models if name not in served]
        if missing:
            why = f"{one.why_not}, and no other engine serves {_shown(missing)}"
            msg = f"{one.where}: {why}; start it, or correct the url"
            raise SettingsError(msg)
    absent = [f"{one.where}: {one.why_not}; it is tried again while others answer" for one in seen if one.why_not]
    readable = [
        f"{one.where}: chats and the key travel readable to another machine; use https, or a network of yours"
        for one in seen
        if one.plan().url.startswith("http://") and not is_loopback(urlsplit(one.plan().url).hostname or "")
    ]
    return (*absent, *readable)


def _check_names(settings: Settings, names: Sequence[str]) -> None:
    for alias in settings.engine.aliases:
        if alias in names:
            msg = f"engine.aliases = {alias!r}: is a model of the [[engines]] already; leave it out"
            raise SettingsError(msg)


def _shown(names: Sequence[str] | frozenset[str]) -> str:
    few = sorted(names)[:10] or ["nothing"]
    return ", ".join(few) + (", ..." if len(names) > len(few) else "")
