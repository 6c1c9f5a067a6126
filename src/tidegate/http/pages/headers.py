"""What every page says of itself to the browser: keep nothing, run nothing, be in nobody's frame."""

from __future__ import annotations

from typing import Final

from tidegate.http.pages.looks import STYLE_HASH

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": f"default-src 'none'; style-src '{STYLE_HASH}'; img-src data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    # With no-referrer a browser writes `Origin: null` on our own forms, and they would look like another site's.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

CHALLENGE_HEADERS: Final = HEADERS | {
    "content-security-policy": f"default-src 'none'; style-src '{STYLE_HASH}'; img-src data:; script-src 'self'; "
    "worker-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types tidegate-challenge",
}
"""For pages with a challenge: its two scripts, files of ours that ask us alone, and nothing that makes code of text."""
