"""Requests for chats and pages as bytes, and what came back as outcomes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tidegate.core.admission.cost import CostPlan
from tidegate.core.reasons import Reason
from tidegate.lab.acts import Chat, Outcome, Page
from tidegate.lab.live.heard import Heard

END_OF_TURN: Final = {"2": -100, "0": -100}
"""The demonstration model's end tokens, banned: an answer has the length that the scenario gives it."""

_SAID_REASON: Final = re.compile(rb"Reason: <code>([a-z_]{1,60})</code>")
_FINISHED: Final = frozenset({"stop", "length"})
_OK: Final = 200
_ERRORS: Final = 400
_PLAN: Final = CostPlan()
_PROMPT_WEIGHT: Final = _PLAN.decode_tok_s / _PLAN.prefill_tok_s
_SOON_S: Final = 0.05
_REFERRERS: Final = {"search": "https://search.example/", "social": "https://social.example/"}


def chat_request(model: str, chat: Chat, messages: list[dict[str, Any]], key: str | None, agent: str) -> bytes:
    """A chat completion. It asks for as many tokens as the answer has: real models end where they like."""
    body = msgspec.json.encode(
        {
            "model": model,
            "messages": messages,
            "max_tokens": max(1, min(chat.answer_tokens, chat.max_tokens)),
            "temperature": 0,
            "logit_bias": END_OF_TURN,
            "stream": chat.is_stream,
            **({"stream_options": {"include_usage": True}} if chat.is_stream else {}),
        }
    )
    bearer = f"authorization: Bearer {key}\r\n" if key else ""
    retry = f"x-stainless-retry-count: {chat.retry}\r\n" if chat.retry else ""
    return (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: {_plain(agent)}\r\n{bearer}{retry}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


def page_request(page: Page, agent: str, lang: str) -> bytes:
    """A page or a file, as a browser asks for it."""
    kind = "*/*" if page.is_asset else "text/html"
    site = "same-origin" if page.referrer == "same" else "none"
    referrer = _REFERRERS.get(page.referrer)
    said = f"referer: {referrer}\r\n" if referrer else ""
    return (
        f"GET {_plain(page.path)} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: {_plain(agent)}\r\naccept: {kind}\r\n"
        f"accept-language: {_plain(lang)}\r\nsec-fetch-site: {site}\r\n{said}\r\n"
    ).encode()


def _plain(text: str) -> str:
    """Text that cannot end a line of a head."""
    return "".join(letter for letter in text if " " < letter < "\x7f")[:1024] or "-"


def chat_outcome(chat: Chat, heard: Heard, since: Callable[[float], float]) -> Outcome:
    """What became of a chat. `cost` is reckoned as the service does before it has learned anything."""
    gap_s, stall_s = heard.gaps()
    usage, first_s = heard.usage, heard.first_s
    prompt, cached, written = 0, 0, len(heard.arrived) if heard.is_stream else 0
    if usage is not None:
        prompt, cached, written = usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens
    elif heard.arrived:  # It was cut: what the scenario wanted is what is known.
        prompt, cached = chat.prompt_tokens, chat.cached_tokens
    is_complete = heard.status == _OK and heard.is_whole and not heard.is_cut and heard.finish in _FINISHED
    # Who leaves without a word of an answer has had none, whatever its head said.
    has_left = not heard.arrived and not heard.is_whole and heard.ended_at - heard.asked_at > chat.patience_s - _SOON_S
    return Outcome(
        asked_at_s=since(heard.asked_at),
        ended_at_s=since(heard.ended_at),
        status=0 if has_left else heard.status,
        reason=Reason.CLIENT_LEFT.value if has_left else reason_of(heard),
        first_s=first_s,
        is_whole=not chat.is_stream,
        gap_s=gap_s,
        stall_s=stall_s,
        is_complete=is_complete,
        prompt_tokens=prompt,
        cached_tokens=cached,
        output_tokens=written,
        cost=(prompt - cached) * _PROMPT_WEIGHT + written,
        retry_after_s=heard.retry_after_s,
        promised_s=heard.promised_s if heard.promised_s is not None else told_s(heard),
        waited_s=heard.waited_s,
    )


def page_outcome(heard: Heard, since: Callable[[float], float]) -> Outcome:
    """What became of a page; one that leads elsewhere was shown."""
    is_complete = heard.is_whole and _OK <= heard.status < _ERRORS
    return Outcome(
        asked_at_s=since(heard.asked_at),
        ended_at_s=since(heard.ended_at),
        status=heard.status,
        reason="" if is_complete else reason_of(heard),
        first_s=heard.ended_at - heard.asked_at if heard.is_whole else None,
        is_complete=is_complete,
        retry_after_s=heard.retry_after_s,
        promised_s=told_s(heard),
    )


def told_s(heard: Heard) -> float | None:
    """The wait that a refusal tells, which is a promise; None of what is none."""
    return heard.retry_after_s if heard.status >= _ERRORS else None


def reason_of(heard: Heard) -> str:
    """The service's word for a refusal, in whichever form it came."""
    if heard.reason or heard.status < _ERRORS:
        return heard.reason
    found = _SAID_REASON.search(heard.body)
    return found[1].decode() if found else ""
