"""Plain pages for people, without JavaScript: the frame, the style and the headers they share."""

from __future__ import annotations

import html
from typing import Final

from starlette.responses import Response

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}

_FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{head}<title>{title}</title><link rel="stylesheet" href="/style.css"></head>
<body><main><h1>{title}</h1>{body}</main></body></html>
"""

_STYLE = """:root{color-scheme:light dark;--ink:#17212b;--paper:#f4f6f8;--card:#fff;--quiet:#55626f;--link:#0b5cad}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0f151b;--card:#182029;--quiet:#9aa7b4;--link:#79b8ff}}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.55 system-ui,sans-serif}
main{max-width:42rem;margin:0 auto;padding:3rem 1.25rem}h1{font-size:1.4rem;margin:0 0 1.25rem}
a{color:var(--link)}code{font:.9em ui-monospace,monospace}
pre{background:var(--card);border-radius:.4rem;padding:1rem 1.1rem;white-space:pre-wrap;
overflow-wrap:anywhere}@media(max-width:30rem){pre{padding:.6rem;font-size:.85em}}
.verdict{background:var(--card);border-left:.4rem solid;border-radius:.4rem;padding:1.1rem 1.25rem;margin:0;
font-size:1.15rem;font-weight:600}.none{border-color:#1f883d}.minor{border-color:#bf8700}.major{border-color:#d1570a}
.critical{border-color:#cf222e}dt{margin-top:1rem}dd{margin:0}.quiet{color:var(--quiet);font-size:.9rem}
"""


def page(title: str, body: str, *, head: str = "") -> Response:
    """A whole page; `title` and `body` are HTML that this program wrote, values in it already escaped."""
    text = _FRAME.format(title=title, body=body, head=head)
    return Response(text, headers=HEADERS, media_type="text/html; charset=utf-8")


def verdict_box(indicator: str, description: str) -> str:
    """One sentence on how the service is, as HTML; the border's colour says how bad. `indicator` is our own word."""
    return f'<p class="verdict {indicator}" role="status">{html.escape(description)}</p>'


def style_sheet() -> Response:
    """The style as a file of its own, because the policy allows none inside a page."""
    return Response(_STYLE, headers={**HEADERS, "cache-control": "max-age=3600"}, media_type="text/css")
