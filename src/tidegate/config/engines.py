"""What the `[[engines]]` say is checked as a whole: addresses that can be meant, keys that are there."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from tidegate.config.engine_settings import EngineUpstream
from tidegate.config.load import SettingsError
from tidegate.config.settings import Settings

_API = "/v1"


def root_of(url: str) -> str:
    """The address of a server without the `/v1` that its API stands under, so that each server has one name."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme.lower()}://{host}{port}{parts.path.rstrip('/').removesuffix(_API).rstrip('/')}"


def check_engines(settings: Settings) -> None:
    """Refuse engines that cannot be meant. Raises SettingsError with the key, the value and the fix."""
    if not settings.engine.enabled and not settings.engines:
        msg = (
            "engine.enabled = false: and there are no [[engines]]; add one, with the url of an OpenAI-compatible "
            "server, or let the embedded engine run"
        )
        raise SettingsError(msg)
    seen: dict[str, int] = {}
    for number, engine in enumerate(settings.engines):
        _check_url(number, engine.url)
        root = root_of(engine.url)
        if root in seen:
            msg = (
                f"engines[{number}].url = {root!r}: names the same server as engines[{seen[root]}].url; name each "
                "server once, with all of its models"
            )
            raise SettingsError(msg)
        seen[root] = number
        if len(set(engine.models)) < len(engine.models):
            msg = f"engines[{number}].models = {list(engine.models)!r}: names a model twice; name each once"
            raise SettingsError(msg)


def keys_of(engines: tuple[EngineUpstream, ...], environment: Mapping[str, str]) -> dict[str, str]:
    """The servers' keys by their roots, as far as they have one. Raises SettingsError for one that is not there."""
    keys = {}
    for number, engine in enumerate(engines):
        if engine.key_env is None:
            continue
        key = environment.get(engine.key_env, "")
        where = f"engines[{number}].key_env = {engine.key_env!r}"
        if not key.strip():
            is_empty = engine.key_env in environment
            found = "this environment variable is empty" if is_empty else "no environment variable of this name is set"
            msg = f"{where}: {found}; put the server's key into it (export {engine.key_env}=...), or leave this out"
            raise SettingsError(msg)
        if not key.isascii() or not key.isprintable() or key != key.strip():
            msg = f"{where}: what this variable holds is no key: it has blanks at its ends or is no plain text"
            raise SettingsError(msg)
        keys[root_of(engine.url)] = key
    return keys


def shows_own_keys(settings: Settings) -> bool:
    """Whether callers of a gate show keys of its own. Raises SettingsError where that cannot be meant."""
    chosen = settings.passing.keys
    with_key = [number for number, engine in enumerate(settings.engines) if engine.key_env is not None]
    if chosen == "own" or not with_key:
        return chosen == "own"
    number = with_key[0]
    if chosen == "passed":
        msg = (
            f"passing.keys = 'passed': but engines[{number}].key_env is set, and that server would then be open to "
            'everybody; leave out key_env (--upstream-key-env), or set passing.keys = "own"'
        )
        raise SettingsError(msg)
    if len(with_key) < len(settings.engines):
        bare = next(number for number, engine in enumerate(settings.engines) if engine.key_env is None)
        msg = (
            f"engines[{bare}].key_env: is not set, but engines[{number}].key_env is, so it is not clear whose keys "
            'callers show; set it for each server or for none, or set passing.keys = "own"'
        )
        raise SettingsError(msg)
    return True


def _check_url(number: int, url: str) -> None:
    where = f"engines[{number}].url"
    parts = _split(where, url)
    if parts.username is not None or parts.password is not None:
        # Not shown: what stands there is meant to be secret.
        msg = f"{where}: holds a name or password; put the key into a variable and name that in key_env"
        raise SettingsError(msg)
    where = f"{where} = {url!r}"
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        msg = f"{where}: expected http:// or https:// and a host, such as http://127.0.0.1:8000"
        raise SettingsError(msg)
    if parts.query or parts.fragment:
        msg = f"{where}: leave out what follows the '?' or '#'"
        raise SettingsError(msg)
    if parts.path.rstrip("/").endswith(("/completions", "/models", "/api/chat", "/api/generate")):
        msg = f"{where}: name the server, not one of its addresses: {root_of(url).rsplit(_API, 1)[0]}"
        raise SettingsError(msg)


def _split(where: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        msg = f"{where}: no address; expected http://HOST:PORT, the port from 1 to 65535"
        raise SettingsError(msg) from None
    if any(sign.isspace() for sign in url) or not url.isascii():
        msg = f"{where}: has blanks or letters that no address has; expected http://HOST:PORT"
        raise SettingsError(msg)
    return parts
