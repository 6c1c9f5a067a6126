"""What a foreign log's line says, before names become fingerprints and sessions are found."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tidegate.core.score.observed import ASSET, CHAT, EMBED, PAGE


class Record(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One line. `known` holds fields of the event log that need no more work."""

    t: float
    address: str | None = None
    agent: str | None = None
    session: str | None = None
    account: str | None = None
    key: str | None = None
    target: str | None = None
    referrer: str | None = None
    known: dict[str, Any] = {}


class NotThatForm(ValueError):  # noqa: N818 - a line of another form is no error of ours
    """The line is not of the form that was named."""


class Passed(Exception):  # noqa: N818 - not an error: a line that says nothing about a request
    """The line is well formed, and nothing that the event log holds."""


_ASSETS: Final = re.compile(
    r"\.(?:css|m?js|map|png|jpe?g|gif|svg|ico|webp|avif|bmp|woff2?|ttf|eot|otf|mp[34]|webm|og[gv]|wasm)$"
    r"|/load\.php$",
    re.IGNORECASE,
)
_CHATS: Final = re.compile(r"/(?:chat/completions|completions|v1/messages|responses|api/chat|api/generate)$")
_EMBEDS: Final = re.compile(r"/(?:embeddings|api/embed)$")
_LOGINS: Final = re.compile(r"(?:^|[/_:-])(?:log-?in|sign-?in|wp-login\.php|UserLogin)(?:$|[/.])", re.IGNORECASE)
_SIGN_UPS: Final = re.compile(r"(?:^|[/_:-])(?:register|sign-?up|CreateAccount)(?:$|[/.])", re.IGNORECASE)
_STATES: Final = re.compile(r"^/(?:healthz?|readyz?|livez|status|metrics|ping)$")
_OTHERS: Final = re.compile(
    r"\.(?:txt|xml|json|rss|atom|csv|zip|gz|pdf)$|^/(?:api|v1|graphql|rest)(?:/|$)|/api\.php$", re.IGNORECASE
)
_TABLE: Final = (
    (_CHATS, CHAT),
    (_EMBEDS, EMBED),
    (_ASSETS, ASSET),
    (_STATES, "status"),
    (_SIGN_UPS, "signup"),
    (_LOGINS, "login"),
    (_OTHERS, "other"),
)
_BROWSED: Final = frozenset({"GET", "HEAD", "POST"})


def route_of(method: str, path: str) -> str:
    """What a request was for, by its address."""
    for pattern, route in _TABLE:
        if pattern.search(path):
            return route
    return PAGE if method in _BROWSED else "other"


def split_target(target: str) -> tuple[str, str]:
    """Give path and query of a request's target; of a whole address only these."""
    if "://" in target[:8]:
        try:
            split = urlsplit(target)
        except ValueError:
            return "/", ""
        return split.path or "/", split.query
    path, _, query = target.partition("?")
    return path.partition("#")[0] or "/", query


def named(name: str, text: str) -> str | None:
    """The value of a cookie or query parameter in a text that holds several, separated by `;`, `&`, `?` or blanks."""
    found = re.search(rf"(?:^|[;&?\s\"{{|]){re.escape(name)}=([^;&\s\"}}|]+)", text)
    return found[1] if found and found[1] != "-" else None
