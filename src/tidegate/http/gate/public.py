"""The public port's lanes."""

from __future__ import annotations

from tidegate.http import front, health
from tidegate.http.accounts import routes as account_pages
from tidegate.http.challenge import scripts as challenge
from tidegate.http.chat import routes as chat
from tidegate.http.gate.lanes import Lanes
from tidegate.http.openai import balance
from tidegate.http.openai import routes as openai
from tidegate.http.web import routes as web

_ROOT = ("",)


def public_lanes() -> Lanes:
    """Every address that the public port serves, by the tables that it serves."""
    return Lanes(
        (
            (health.TABLE, _ROOT),
            (openai.TABLE, openai.PREFIXES),
            (balance.TABLE, openai.PREFIXES),
            (front.OPEN_TABLE, _ROOT),
            (front.TABLE, _ROOT),
            (account_pages.TABLE, _ROOT),
            (chat.TABLE, _ROOT),
            (web.TABLE, _ROOT),
            (web.OPEN_TABLE, _ROOT),
            (challenge.TABLE, _ROOT),
        )
    )
