"""The tree that the house rules look at: the checkout, also when a wheel is what is tested."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "tidegate"
SOURCES = ("src", "tests", "tools", "bench", "web")

# What builds and runs leave behind. Dot folders are skipped by their dot.
_LEFT_BEHIND = {"__pycache__", "node_modules", "build", "dist", "data", "tidegate-data", "shared"}
_OPEN_DOTS = {".ci", ".github", ".editorconfig", ".gitattributes", ".gitignore"}
_TEXT = {
    "", ".cfg", ".conf", ".css", ".html", ".ini", ".js", ".json", ".lock", ".md", ".mjs", ".py", ".service",
    ".sh", ".sql", ".svelte", ".svg", ".toml", ".ts", ".txt", ".xml", ".yaml", ".yml",
}  # fmt: skip


def files(top: Path = ROOT) -> list[Path]:
    """Every text file that belongs to the repository, below `top`."""
    found: list[Path] = []
    for path in sorted(top.iterdir()):
        if path.name in _LEFT_BEHIND or (path.name.startswith(".") and path.name not in _OPEN_DOTS):
            continue
        if path.is_dir() and not path.is_symlink():
            found.extend(files(path))
        elif path.is_file() and path.suffix in _TEXT:
            found.append(path)
    return found


def sources(*suffixes: str) -> list[Path]:
    """Hand-written source files with one of `suffixes`."""
    return [
        path for room in SOURCES if (ROOT / room).is_dir() for path in files(ROOT / room) if path.suffix in suffixes
    ]


def shown(path: Path) -> str:
    """Name a file the way a person at the top of the checkout would."""
    return path.relative_to(ROOT).as_posix()
