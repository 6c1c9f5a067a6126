"""Makes a page of a template.

Every value is escaped by the template engine, a name that a template mentions
and nobody gives is an error, and the policy sent along allows no script at all.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from tidegate.http import cookies
from tidegate.http.pages.headers import HEADERS
from tidegate.http.pages.looks import ICON_URL, STYLE


def render(
    request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
) -> Response:
    """Answer with a page. Where a door left a Visitor, the page knows them, and their browser what forms need."""
    visitor = getattr(request.state, "visitor", None)
    text = _TEMPLATES.get_template(template).render(visitor=visitor, theme=_theme(request), **values)
    response = Response(text, status, {**HEADERS, **(headers or {})}, media_type="text/html; charset=utf-8")
    if visitor is not None and visitor.form_seed not in {None, cookies.read(request, cookies.FORM)}:
        cookies.write(response, request, cookies.FORM, visitor.form_seed)
    return response


def _theme(request: Request) -> str | None:
    """Light or dark, where somebody chose one in the chat; a cookie can say anything, so only these two count."""
    chosen = request.cookies.get("tidegate-theme")
    return chosen if chosen in {"light", "dark"} else None


def _moment(moment_s: float | None) -> str:
    if moment_s is None:
        return "never"
    moment = datetime.datetime.fromtimestamp(moment_s, datetime.UTC)
    shown = moment.isoformat(" ", "minutes").replace("+00:00", " UTC")
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat("T", "seconds"), shown)


def _date(moment_s: float) -> str:
    day = datetime.datetime.fromtimestamp(moment_s, datetime.UTC).date().isoformat()
    return Markup('<time datetime="{}">{}</time>').format(day, day)


_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_TEMPLATES.filters.update(moment=_moment, date=_date)
# Not escaped: a hash in the policy stands for these very bytes.
_TEMPLATES.globals.update(style=Markup(STYLE), icon=ICON_URL)  # noqa: S704 - our own file
