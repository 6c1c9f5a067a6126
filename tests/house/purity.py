"""What the core must not say, seen in its syntax: the rules that neither imports nor types can show."""

from __future__ import annotations

import ast
import sys
from typing import Final

ALLOWED_PACKAGES: Final = frozenset({"msgspec", "tidegate"})

BANNED_BUILTINS: Final = {
    "breakpoint": "stops the service",
    "compile": "runs text",
    "eval": "runs text",
    "exec": "runs text",
    "__import__": "hides an import",
    "hash": "differs from process to process: use hashlib, keyed",
    "id": "is an address of this process, not a name",
    "input": "asks the world",
    "open": "is I/O",
    "print": "is I/O",
}


def offences(source: str) -> list[str]:
    """Say, line by line, where `source` awaits, reaches for the world or imports what the core may not."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.AsyncFunctionDef() | ast.AsyncFor() | ast.AsyncWith() | ast.Await():
                found.append((node.lineno, "the core is synchronous: no async, no await"))
            case ast.comprehension(is_async=1):
                found.append((node.target.lineno, "the core is synchronous: no async, no await"))
            case ast.Name(id=name, ctx=ast.Load()) if name in BANNED_BUILTINS:
                found.append((node.lineno, f"{name} {BANNED_BUILTINS[name]}"))
            case ast.Import(names=names):
                found.extend(
                    (node.lineno, f"{alias.name} is not for the core") for alias in names if _foreign(alias.name)
                )
            case ast.ImportFrom(module=str(module), level=0) if _foreign(module):
                found.append((node.lineno, f"{module} is not for the core"))
            case _:
                pass
    return [f"line {line}: {why}" for line, why in sorted(found)]


def _foreign(module: str) -> bool:
    top = module.partition(".")[0]
    return top not in sys.stdlib_module_names and top not in ALLOWED_PACKAGES
