"""How the pages look: their style and their sign, both part of every page.

Files of their own would be requests of their own, and in a crowd a page would
come and they would not. The policy allows this one style by its hash.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

_HERE = Path(__file__).parent

STYLE: Final = "\n".join((_HERE / name).read_text("utf-8") for name in ("tokens.css", "style.css"))
STYLE_HASH: Final = f"sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}"
"""As Content-Security-Policy wants it (CSP level 3, section 2.3.1)."""

ICON: Final = (_HERE / "icon.svg").read_bytes()
ICON_URL: Final = f"data:image/svg+xml;base64,{b64encode(ICON).decode()}"
