"""Settings are read once; whatever is wrong with them is said with its key, its value and the fix."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest

from tidegate.config import Settings, SettingsError, load_settings
from tidegate.config.engine_settings import EngineUpstream
from tidegate.config.engines import keys_of, root_of
from tidegate.config.load import setting_keys

HERE = Path(__file__).parent
HOME = {"HOME": "/people/ana"}
SECRET = "987654321"


def test_without_anything_there_are_defaults() -> None:
    settings = load_settings(None, HOME)

    assert settings.server.port == 8080
    assert settings.server.host == "127.0.0.1"
    assert settings.data_dir == Path("/people/ana/.local/share/tidegate")
    assert settings.models.cache_dir == Path("/people/ana/.cache/tidegate/models")


@pytest.mark.parametrize("path", sorted((HERE / "good").iterdir()), ids=lambda path: path.stem)
def test_good_files_load(path: Path) -> None:
    assert isinstance(load_settings(path, HOME), Settings)


@pytest.mark.parametrize("path", sorted((HERE / "bad").iterdir()), ids=lambda path: path.stem)
def test_bad_files_stop_the_start_with_the_error_that_they_name(path: Path) -> None:
    expected = path.read_bytes().split(b"\n")[0].decode().removeprefix("# ")

    with pytest.raises(SettingsError) as refused:
        load_settings(path, HOME)

    assert expected in str(refused.value)
    assert SECRET not in str(refused.value)


def test_everything_in_a_file_arrives() -> None:
    settings = load_settings(HERE / "good" / "everything.toml", HOME)

    assert settings.data_dir == Path("/srv/tidegate")
    assert settings.models.cache_dir == Path("/people/ana/models")
    assert settings.engine.aliases == ("deepseek-chat", "deepseek-reasoner")
    assert (settings.server.port, settings.server.drain_s, settings.log.kept_files) == (0, 0.5, 1000)
    assert settings.models.hub_token == "hf_abcdefgh"


def test_the_file_that_shows_everything_shows_everything() -> None:
    """A new setting must be added there, and a file without a table must not pass for complete."""
    shown = tomllib.loads((HERE / "good" / "everything.toml").read_text("utf-8"))
    for key in setting_keys():
        value: Any = shown
        for part in key:
            assert part in value, ".".join(key)
            value = value[part]
    assert set(EngineUpstream.__struct_fields__) == set(shown["engines"][0])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(SettingsError, match=r"name a readable TOML file with --config") as refused:
            load_settings(path, HOME)
        assert str(path) in str(refused.value)


def test_a_file_that_is_no_text_is_not_valid(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b'host = "\xff"')

    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings(path, HOME)


# ---------------------------------------------------------------- who wins


def test_the_command_line_wins_over_the_environment_and_that_over_the_file() -> None:
    some = HERE / "good" / "some.toml"
    environment = {**HOME, "TIDEGATE_SERVER_PORT": "9001"}

    assert load_settings(None, HOME).server.port == 8080
    assert load_settings(some, HOME).server.port == 9000
    assert load_settings(some, environment).server.port == 9001
    assert load_settings(some, environment, {"server.port": 9002}).server.port == 9002
    assert load_settings(some, environment, {"server.port": None}).server.port == 9001


TEXTS = {
    **{f"mail.{name}": ("nine", "nine") for name in ("smtp_host", "username", "password", "from_address")},
    "mail.delivery": ("disk", "disk"),
    "mail.security": ("tls", "tls"),
    "mail.password_file": ("/nine", Path("/nine")),
    "mail.public_url": ("https://nine", "https://nine"),
    "database_url": ("postgresql+asyncpg://x", "postgresql+asyncpg://x"),
    "engine.aliases": ("a, b,,c ", ("a", "b", "c")),
    "server.drain_s": ("2.5", 2.5),
    "admission.slice_tokens": ("512", 512),
    "standing.member_days": ("3", 3.0),
    "server.tls_cert": ("/etc/ssl/a.pem", Path("/etc/ssl/a.pem")),
    "server.tls_key": ("~/a.key", Path("/people/ana/a.key")),
    "server.status_url": ("https://status.example", "https://status.example"),
    "accounts.sign_up": ("closed", "closed"),
    "registration.max_automatic_mode": ("invite", "invite"),
    "engines": ('[{url = "http://a:1", weight = 2}]', (EngineUpstream(url="http://a:1", weight=2.0),)),
    "passing.keys": ("own", "own"),
    "passing.paths": ("/api/v1/, /x", ("/api/v1/", "/x")),
    "data_dir": ("/srv/x", Path("/srv/x")),
    "models.cache_dir": ("/srv/m", Path("/srv/m")),
    "firewall.mode": ("dry_run", "dry_run"),
    "firewall.target": ("map", "map"),
    "firewall.socket": ("~/s", Path("/people/ana/s")),
    "firewall.map_file": ("~/m", Path("/people/ana/m")),
    "firewall.map_form": ("nginx", "nginx"),
    "firewall.webhook_url": ("https://firewall.example", "https://firewall.example"),
    "firewall.webhook_secret": ("whsec_x", "whsec_x"),
    "firewall.first_s": ("60", 60.0),
    "firewall.longest_s": ("900", 900.0),
    "firewall.widest_v4": ("24", 24),
    "firewall.widest_v6": ("56", 56),
}


LARGE = {"engine.context_tokens", "gate.most_sources", "gate.most_principals"}


@pytest.mark.parametrize("key", [".".join(key) for key in setting_keys()])
def test_every_setting_can_come_from_the_environment(key: str) -> None:
    default: Any = Settings()
    for part in key.split("."):
        default = getattr(default, part)
    text, value = TEXTS.get(key, ("70000", 70000) if "bytes" in key else ("7000", 7000) if key in LARGE else ("9", 9))
    if isinstance(default, str) or key.endswith("token"):
        value = text
    elif isinstance(default, bool):
        text, value = ("false", False) if default else ("true", True)
    elif isinstance(default, float) and default < 1:
        text, value = "0.75", 0.75
    elif isinstance(default, tuple) and key not in TEXTS:
        text, value = "10.0.0.0/8,::1", ("10.0.0.0/8", "::1")

    found: Any = load_settings(None, {**HOME, "TIDEGATE_" + key.upper().replace(".", "_"): text})

    for part in key.split("."):
        found = getattr(found, part)
    assert found == value
    assert found != default


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("TIDEGATE_DATA", "data_dir"),
        ("TIDEGATE_MODELS", "models.cache_dir"),
        ("PIP_INDEX_URL", "models.index_url"),
        ("HF_ENDPOINT", "models.hub_endpoint"),
        ("HF_TOKEN", "models.hub_token"),
    ],
)
def test_variables_that_others_have_named_are_honoured_and_ours_win(name: str, key: str) -> None:
    def found(environment: dict[str, str]) -> str:
        value: Any = load_settings(None, {**HOME, **environment})
        for part in key.split("."):
            value = getattr(value, part)
        return str(value)

    ours = "TIDEGATE_" + key.upper().replace(".", "_")
    assert found({name: "/theirs"}) == "/theirs"
    assert found({name: "/theirs", ours: "/ours"}) == "/ours"
    assert found({name: ""}) == found({})


def test_the_variable_that_names_the_file_is_no_setting() -> None:
    assert load_settings(None, {**HOME, "TIDEGATE_CONFIG": "/etc/tidegate.toml"}) == load_settings(None, HOME)


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TIDEGATE_SERVER_PRT", "1", "TIDEGATE_SERVER_PRT: no such setting; did you mean TIDEGATE_SERVER_PORT?"),
        ("TIDEGATE_XYZZY", "1", "TIDEGATE_XYZZY: no such setting; see docs/reference/configuration.md"),
        (
            "TIDEGATE_SERVER_PORT",
            "http",
            "server.port = 'http' (in TIDEGATE_SERVER_PORT): expected a whole number",
        ),
        ("TIDEGATE_SERVER_PORT", "", "server.port = '' (in TIDEGATE_SERVER_PORT): expected a whole"),
        ("TIDEGATE_SERVER_PORT", "70000", "server.port = '70000' (in TIDEGATE_SERVER_PORT): expected a whole"),
        (
            "TIDEGATE_SERVER_DRAIN_S",
            "nan",
            "server.drain_s = 'nan' (in TIDEGATE_SERVER_DRAIN_S): expected a num",
        ),
        ("TIDEGATE_GATE_FOO", "1", "TIDEGATE_GATE_FOO: no such setting; see docs/reference/configuration.md"),
        ("TIDEGATE_MODELS_HUB_TOKN", SECRET, "did you mean TIDEGATE_MODELS_HUB_TOKEN?"),
    ],
)
def test_a_mistake_in_the_environment_is_named_with_its_fix(name: str, value: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(None, {**HOME, name: value})

    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_mistake_on_the_command_line_is_named_too() -> None:
    with pytest.raises(SettingsError, match=r"server.port = 70000"):
        load_settings(None, HOME, {"server.port": 70000})


def test_a_value_where_a_table_belongs_is_told_who_needs_the_table(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("server = 5")

    with pytest.raises(SettingsError, match=r"server: expected a table of settings, because TIDEGATE_SERVER_PORT"):
        load_settings(path, {**HOME, "TIDEGATE_SERVER_PORT": "1"})


# ---------------------------------------------------------------- where things are


def test_the_base_directories_of_the_desktop_are_used_when_nothing_else_is_said() -> None:
    environment = {**HOME, "XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/c"}

    settings = load_settings(None, environment)
    said = load_settings(None, {**environment, "TIDEGATE_DATA": "~/mine", "TIDEGATE_MODELS": "/m"})

    assert (settings.data_dir, settings.models.cache_dir) == (Path("/d/tidegate"), Path("/c/tidegate/models"))
    assert (said.data_dir, said.models.cache_dir) == (Path("/people/ana/mine"), Path("/m"))


def test_a_relative_base_directory_is_ignored_as_its_specification_says() -> None:
    environment = {**HOME, "XDG_DATA_HOME": "d", "XDG_CACHE_HOME": "./c"}

    assert load_settings(None, environment) == load_settings(None, HOME)


def test_a_relative_directory_is_made_absolute_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_settings(None, HOME, {"data_dir": "here"}).data_dir == tmp_path / "here"


def test_settings_cannot_be_changed() -> None:
    settings = load_settings(None, HOME)

    with pytest.raises(AttributeError):
        settings.server.port = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        settings.database_url = ""  # type: ignore[misc]


def test_every_setting_says_what_it_is_for() -> None:
    for key in setting_keys():
        owner: Any = Settings if len(key) == 1 else get_type_hints(Settings)[key[0]]
        declared = get_type_hints(owner, include_extras=True)[key[-1]]
        metas = [meta for meta in declared.__metadata__ if isinstance(meta, msgspec.Meta)]
        assert any(meta.description for meta in metas), ".".join(key)


# ---------------------------------------------------------------- engines that run elsewhere


def test_engines_in_the_environment_are_read_as_toml_or_refused_without_being_shown() -> None:
    for text in ("http://a:1", "[{", f"[{{url = {SECRET}}}]"):
        with pytest.raises(SettingsError) as refused:
            load_settings(None, {**HOME, "TIDEGATE_ENGINES": text})
        assert "ngines" in str(refused.value).replace("ENGINES", "engines")
        assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000"),
        ("HTTPS://Engine.Example/tide/v1/", "https://engine.example/tide"),
        ("http://[2001:DB8::1]:8000/v1", "http://[2001:db8::1]:8000"),
        ("http://engine/", "http://engine"),
    ],
)
def test_a_server_has_one_name_however_its_address_is_written(url: str, root: str) -> None:
    assert root_of(url) == root


def test_keys_come_from_the_variables_that_are_named_and_one_that_is_missing_stops_the_start() -> None:
    engines = (EngineUpstream(url="http://a:1/v1", key_env="TIDE_KEY"), EngineUpstream(url="http://b:1"))

    assert keys_of(engines, {"TIDE_KEY": SECRET}) == {"http://a:1": SECRET}
    for environment in ({}, {"TIDE_KEY": " "}, {"TIDE_KEY": f"{SECRET}\n"}, {"TIDE_KEY": f"{SECRET}\u00e9"}):
        with pytest.raises(SettingsError, match=r"engines\[0\]\.key_env = 'TIDE_KEY': ") as refused:
            keys_of(engines, environment)
        assert SECRET not in str(refused.value)
