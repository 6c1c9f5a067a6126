"""The web chat's sources keep to its policy, and the build puts it into every package, whole or not at all."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

import pytest

import tidegate
from tests.house.tree import ROOT, files, shown

WEB = ROOT / "web"
SHIPPED = Path(tidegate.__file__).parent / "http" / "web" / "dist"
REPORT = Path(tidegate.__file__).parent / "lab" / "report" / "dist"
MOST_REPORT_BYTES = 30_000
MOST_BYTES = 56_000  # of the 60,000 that a first visit may load, the rest is for the first calls to the API

# Ways from text to markup or code, none of which the policy lets through.
_SINKS = re.compile(
    r"\{@html|(?:inner|outer)HTML|insertAdjacentHTML|document\.write|srcdoc|createContextualFragment|DOMParser"
    r"|\beval\(|new Function|new (?:Shared)?Worker|serviceWorker|trustedTypes|confirm\(|alert\("
)
_FROM_ELSEWHERE = re.compile(r"""(?:src|href|url\(|from|import)\s*[=(]?\s*["'`]?(?:https?:)?//""")


def sources() -> list[Path]:
    return [path for path in files(WEB) if path.parent.name != "dev" and not path.name.endswith((".test.ts", ".lock"))]


# ---------------------------------------------------------------- sources


def test_no_source_turns_text_into_markup_or_code() -> None:
    written = [path for path in sources() if path.suffix in {".svelte", ".ts"}]

    assert len(written) > 30
    said = {shown(path): said for path in written if (said := _SINKS.findall(path.read_text()))}
    # The one place where a worker begins, by a policy that knows one name.
    assert said == {"web/challenge/crew.ts": ["trustedTypes", "trustedTypes", "new Worker"]}


def test_nothing_is_fetched_from_elsewhere() -> None:
    read = [path for path in sources() if path.suffix in {".svelte", ".ts", ".css", ".html"}]

    assert not {shown(path): said for path in read if (said := _FROM_ELSEWHERE.findall(path.read_text()))}


@pytest.mark.parametrize(
    "text", ['<img src="https://example.org/i.png">', 'import "//example.org/a.js"', "url(http://example.org/f.woff2)"]
)
def test_an_address_elsewhere_is_seen(text: str) -> None:
    assert _FROM_ELSEWHERE.search(text)


def test_the_page_holds_no_inline_script_or_style() -> None:
    page = (SHIPPED / "index.html").read_text()

    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", page))
    assert "<style" not in page
    assert not re.search(r"\s(?:style|on\w+)=", page)


# ---------------------------------------------------------------- packages


def test_every_package_is_pinned_and_checked() -> None:
    wanted = json.loads((WEB / "package.json").read_text())
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]
    versions = {**wanted["dependencies"], **wanted["devDependencies"]}

    assert not {name: version for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)}
    assert not [path for path, package in locked.items() if path and "integrity" not in package]


def test_the_lock_names_no_registry() -> None:
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]

    assert not {path: package["resolved"] for path, package in locked.items() if "resolved" in package}


# ---------------------------------------------------------------- what ships


def test_what_ships_is_whole_and_small() -> None:
    page = (SHIPPED / "index.html").read_text()
    named = re.findall(r'(?:src|href)="/(assets/[^"]+|manifest\.webmanifest)"', page)
    weights = {name: (SHIPPED / f"{name}.gz").stat().st_size for name in ["index.html", *named]}

    assert {Path(name).suffix for name in named} == {".js", ".css", ".webmanifest"}
    assert sum(weights.values()) < MOST_BYTES, weights
    for name, weight_bytes in weights.items():
        assert gzip.decompress((SHIPPED / f"{name}.gz").read_bytes()) == (SHIPPED / name).read_bytes()
        assert (SHIPPED / f"{name}.br").stat().st_size <= weight_bytes


def test_the_licences_of_what_ships_ship_with_it() -> None:
    notices = (SHIPPED / "licenses.txt").read_text()

    assert "## streaming-markdown" in notices
    assert "## svelte" in notices


def test_the_report_of_a_rehearsal_ships_its_plots_with_their_licence() -> None:
    script = (REPORT / "page.js").read_text("utf-8")

    assert "## uplot" in (REPORT / "licenses.txt").read_text("utf-8")
    assert "</script" not in script.lower()
    assert not _SINKS.search(script)
    assert "url(" not in (REPORT / "page.css").read_text("utf-8")
    assert len(gzip.compress(script.encode())) < MOST_REPORT_BYTES


# ---------------------------------------------------------------- the build


T = TypeVar("T")


class Interface(Generic[T]):
    """What a hook gets from hatchling, which is only there while a package is built."""

    root: str


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    parents = ["hatchling", "hatchling.builders", "hatchling.builders.hooks", "hatchling.builders.hooks.plugin"]
    for name in [*parents, f"{parents[-1]}.interface"]:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[f"{parents[-1]}.interface"].BuildHookInterface = Interface  # type: ignore[attr-defined] # a stand-in
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path, hook: Any) -> Path:
    """A tree whose built files are whole and fresh."""
    script = "assets/index-abc.js"
    page = f'<script type="module" src="/{script}"></script><link href="/manifest.webmanifest">'
    names = ["index.html", script, "manifest.webmanifest", "challenge/page.js", "challenge/worker.js"]
    texts = {name: page if name == "index.html" else name for name in names}
    built = {hook.DIST / f"{name}{suffix}": text for name, text in texts.items() for suffix in ("", ".br", ".gz")}
    built |= {hook.REPORT / name: name for name in ("page.js", "page.css", "licenses.txt")}
    made_from = {hook.TOKENS: ":root {}", Path("web/package.json"): "{}", Path("web/src/main.ts"): "start()"}
    for path, text in {**made_from, **built}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    front_end = hook.FrontEnd(tmp_path)
    front_end.stamp.write_text(front_end.digest())
    return tmp_path


def asked(hook: Any, tree: Path) -> Any:
    asking = hook.WebChatHook.__new__(hook.WebChatHook)
    asking.root = str(tree)
    return asking


def test_a_fresh_tree_needs_no_node_and_builds_nothing(hook: Any, tree: Path) -> None:
    asking = asked(hook, tree)

    assert asking.dependencies() == []
    asking.initialize("standard", {})  # a build would fail here: there is no Node


@pytest.mark.parametrize(
    "changed", ["web/src/main.ts", "web/src/new.svelte", "web/package.json", "src/tidegate/http/pages/tokens.css"]
)
def test_a_changed_source_asks_for_node(hook: Any, tree: Path, changed: str) -> None:
    (tree / changed).write_text("changed")

    assert asked(hook, tree).dependencies() == [hook.NODE]


@pytest.mark.parametrize("changed", ["web/src/main.test.ts", "web/dev/mock.mjs", "web/node_modules/a/index.js"])
def test_what_does_not_ship_asks_for_nothing(hook: Any, tree: Path, changed: str) -> None:
    (tree / changed).parent.mkdir(parents=True, exist_ok=True)
    (tree / changed).write_text("changed")

    assert asked(hook, tree).dependencies() == []


@pytest.mark.parametrize(
    "lost", ["index.html", "assets/index-abc.js", "assets/index-abc.js.br", "index.html.gz", "challenge/worker.js"]
)
def test_a_lost_file_is_built_again(hook: Any, tree: Path, lost: str) -> None:
    (tree / hook.DIST / lost).unlink()

    assert asked(hook, tree).dependencies() == [hook.NODE]


def test_a_lost_file_of_the_report_is_built_again(hook: Any, tree: Path) -> None:
    (tree / hook.REPORT / "page.js").unlink()

    assert hook.FrontEnd(tree).missing() == [str(hook.REPORT / "page.js")]
    assert asked(hook, tree).dependencies() == [hook.NODE]


def test_a_page_without_its_script_is_not_whole(hook: Any, tree: Path) -> None:
    (tree / hook.DIST / "index.html").write_text('<link href="/manifest.webmanifest">')

    assert hook.FrontEnd(tree).missing() == ["assets/*.js"]


def test_no_package_is_made_without_the_web_chat(hook: Any, tree: Path) -> None:
    (tree / "web" / "package.json").unlink()
    (tree / hook.DIST / "index.html").unlink()

    with pytest.raises(hook.BuildError, match=r"index\.html"):
        asked(hook, tree).initialize("standard", {})


def test_built_files_alone_are_enough(hook: Any, tree: Path) -> None:
    (tree / "web" / "package.json").unlink()
    (tree / hook.DIST / ".stamp").unlink()

    asking = asked(hook, tree)

    assert asking.dependencies() == []
    asking.initialize("standard", {})


def test_a_registry_out_of_reach_is_said_with_what_to_do(hook: Any) -> None:
    said = hook.sentence("ci", "npm error code ENOTFOUND\nnpm error syscall getaddrinfo")

    assert "npm config set registry" in said
    assert "wheel" in said
    assert "ENOTFOUND" in said


def test_another_failure_shows_the_end_of_what_npm_said(hook: Any) -> None:
    said = hook.sentence("run", "\n".join(f"line {number}" for number in range(100)))

    assert "npm run" in said
    assert "line 99" in said
    assert "line 1\n" not in said
    assert "registry" not in said


def test_npm_keeps_its_cache_in_the_tree_where_home_is_of_no_use(
    hook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("npm_config_cache", raising=False)
    monkeypatch.delenv("NPM_CONFIG_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert hook.cache_setting(tmp_path / "spare") == {}

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert hook.cache_setting(tmp_path / "spare") == {"npm_config_cache": str(tmp_path / "spare")}
