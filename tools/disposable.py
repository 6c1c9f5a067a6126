"""Makes the list of disposable domains that the package carries.

    git clone https://github.com/disposable-email-domains/disposable-email-domains
    python tools/disposable.py disposable-email-domains

The list is in the public domain (CC0). Its commit and that one's date go with it: operators are shown how old it is.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Final

PLACE: Final = Path(__file__).parents[1] / "src/tidegate/adapters/lists/disposable.json"
SOURCE: Final = "https://github.com/disposable-email-domains/disposable-email-domains"
LIST: Final = "disposable_email_blocklist.conf"


def made_of(domains: str, commit: str, taken_at: datetime) -> str:
    """The package's form of the list, one domain a line."""
    known = sorted({line.strip().lower() for line in domains.splitlines() if line.strip() and not line.startswith("#")})
    head = {"source": SOURCE, "commit": commit, "licence": "CC0-1.0", "taken_at_s": taken_at.timestamp()}
    return json.dumps({**head, "domains": known}, indent=0) + "\n"


def main() -> int:
    """Write what the newest commit of a checkout has."""
    checkout = Path(sys.argv[1])
    commit, taken_at = _git(checkout, "log", "-1", "--format=%H %cI", "--", LIST).split()
    PLACE.write_text(made_of(_git(checkout, "show", f"{commit}:{LIST}"), commit, datetime.fromisoformat(taken_at)))
    return 0


def _git(checkout: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", checkout, *arguments], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
