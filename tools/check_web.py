"""Checks the web chat's types and runs its tests, with the Node and the packages that it is built with.

Run by make, which puts hatchling and Node beside it: `hatch_build.py` knows how npm is to be called here.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hatch_build import BuildError, FrontEnd, Npm  # noqa: E402 - found through the line above


def main() -> int:
    """Do it; 1 and what npm said when something is wrong."""
    try:
        FrontEnd(ROOT).install()
        npm = Npm(ROOT / "web", ROOT / ".cache" / "npm")
        for command in ("check", "test"):
            npm.run("run", "--silent", command)
            print(f"web: npm run {command}: passed")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
