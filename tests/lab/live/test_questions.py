"""Requests as bytes, answers as outcomes."""

from __future__ import annotations

from typing import Any

import httptools
import msgspec
import pytest

from tidegate.lab.acts import Chat, Page
from tidegate.lab.live.heard import Heard, Usage
from tidegate.lab.live.questions import chat_outcome, chat_request, page_outcome, page_request, reason_of

CHAT = Chat(prompt_tokens=50, answer_tokens=20, max_tokens=1024, cached_tokens=10)


class Parsed:
    """A request as a server reads it."""

    def __init__(self, content: bytes) -> None:
        self.headers: dict[bytes, bytes] = {}
        self.body, self.url, self.is_whole = b"", b"", False
        httptools.HttpRequestParser(self).feed_data(content)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name] = value

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.is_whole = True


def heard_of(status: int, **more: Any) -> Heard:
    heard = Heard(101.0)
    heard.status, heard.is_whole, heard.ended_at = status, True, 103.0
    for name, value in more.items():
        setattr(heard, name, value)
    return heard


def since(moment: float) -> float:
    return moment - 100.0


def test_a_chat_is_one_whole_request_for_as_many_tokens_as_its_answer_has() -> None:
    messages = [{"role": "user", "content": "tide"}]
    parsed = Parsed(chat_request("m", msgspec.structs.replace(CHAT, retry=2), messages, "sk-1", "python\r\nevil: 1"))
    body = msgspec.json.decode(parsed.body)

    assert parsed.is_whole
    assert (body["max_tokens"], body["messages"], body["stream"], body["temperature"]) == (20, messages, True, 0)
    assert body["logit_bias"] == {"2": -100, "0": -100}
    assert parsed.headers[b"authorization"] == b"Bearer sk-1"
    assert parsed.headers[b"x-stainless-retry-count"] == b"2"
    assert b"evil" not in parsed.headers


def test_without_a_key_none_is_shown_and_an_answer_in_one_piece_asks_for_no_usage() -> None:
    parsed = Parsed(chat_request("m", msgspec.structs.replace(CHAT, is_stream=False), [], None, ""))

    assert b"authorization" not in parsed.headers
    assert "stream_options" not in msgspec.json.decode(parsed.body)


def test_a_page_is_asked_for_as_a_browser_does() -> None:
    page = Parsed(page_request(Page(path="/a b\r\nx: y", referrer="search"), "chrome", "de"))
    asset = Parsed(page_request(Page(path="/x.js", is_asset=True, referrer="same"), "chrome", "de"))

    assert page.is_whole
    assert page.url == b"/abx:y"
    assert page.headers[b"referer"] == b"https://search.example/"
    assert (page.headers[b"accept"], asset.headers[b"accept"]) == (b"text/html", b"*/*")
    assert asset.headers[b"sec-fetch-site"] == b"same-origin"


def test_a_whole_answer_is_complete_and_counted_as_the_service_counts() -> None:
    usage = msgspec.convert(
        {"prompt_tokens": 55, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 15}}, Usage
    )
    told: dict[str, Any] = {"promised_s": 1.0, "promised_at": 101.1, "begun_at": 101.4}
    heard = heard_of(200, is_stream=True, arrived=[101.5, 101.6, 101.7], finish="length", usage=usage, **told)
    outcome = chat_outcome(CHAT, heard, since)

    assert (outcome.asked_at_s, outcome.ended_at_s, outcome.first_s) == (1.0, 3.0, 0.5)
    assert (outcome.is_complete, outcome.prompt_tokens, outcome.cached_tokens, outcome.output_tokens) == (
        True,
        55,
        15,
        20,
    )
    assert (outcome.promised_s, outcome.waited_s) == pytest.approx((1.0, 0.3))
    assert 20.0 < outcome.cost < 20.0 + 40.0


def test_a_cut_answer_is_not_complete_and_costs_what_came() -> None:
    outcome = chat_outcome(CHAT, heard_of(200, is_stream=True, arrived=[101.5, 101.6], is_whole=False), since)

    assert not outcome.is_complete
    assert (outcome.prompt_tokens, outcome.output_tokens) == (50, 2)


def test_who_leaves_without_a_word_has_had_no_answer_whatever_its_head_said() -> None:
    impatient = msgspec.structs.replace(CHAT, patience_s=2.0)
    waited: dict[str, Any] = {"is_stream": True, "is_whole": False}

    left = chat_outcome(impatient, heard_of(200, **waited), since)
    assert (left.status, left.reason, left.is_complete, left.output_tokens, left.cost) == (
        0,
        "client_left",
        False,
        0,
        0.0,
    )
    # Cut by the service before that, after a word of it, or answered at last: that is what it was.
    early = chat_outcome(impatient, heard_of(200, **waited, reason="engine_lost", ended_at=102.0), since)
    assert (early.status, early.reason) == (200, "engine_lost")
    begun = chat_outcome(impatient, heard_of(200, **waited, arrived=[101.5]), since)
    assert (begun.status, begun.reason) == (200, "")
    late = chat_outcome(impatient, heard_of(503, reason="server_is_overloaded"), since)
    assert (late.status, late.reason) == (503, "server_is_overloaded")


def test_who_left_before_the_engine_began_was_told_a_wait_that_nobody_knows() -> None:
    told: dict[str, Any] = {"is_stream": True, "is_whole": False, "promised_s": 0.5, "promised_at": 102.0}
    impatient = msgspec.structs.replace(CHAT, patience_s=2.0)

    left = chat_outcome(impatient, heard_of(200, **told), since)
    assert (left.reason, left.promised_s, left.waited_s) == ("client_left", 0.5, None)
    begun = chat_outcome(impatient, heard_of(200, **told, begun_at=102.75), since)
    assert (begun.reason, begun.promised_s, begun.waited_s) == ("client_left", 0.5, 0.75)


def test_a_wait_that_a_refusal_tells_is_a_promise_and_one_of_what_is_none_is_not() -> None:
    refused, shown = heard_of(429, retry_after_s=2.5), heard_of(200, retry_after_s=2.5)
    for outcome in (chat_outcome(CHAT, refused, since), page_outcome(refused, since)):
        assert (outcome.promised_s, outcome.waited_s) == (2.5, None)
    assert page_outcome(shown, since).promised_s is None


def test_an_answer_in_one_piece_is_told_to_be_one() -> None:
    usage = msgspec.convert({"prompt_tokens": 55, "completion_tokens": 20}, Usage)
    one = heard_of(200, arrived=[102.9], finish="stop", usage=usage)

    assert chat_outcome(msgspec.structs.replace(CHAT, is_stream=False), one, since).is_whole
    assert not chat_outcome(CHAT, one, since).is_whole


def test_a_refusal_costs_nothing_and_tells_when_to_come_back() -> None:
    outcome = chat_outcome(CHAT, heard_of(429, reason="slow_down", retry_after_s=2.5), since)

    assert (outcome.status, outcome.reason, outcome.retry_after_s, outcome.cost) == (429, "slow_down", 2.5, 0.0)
    assert (outcome.first_s, outcome.waited_s) == (None, None)


def test_a_page_that_leads_elsewhere_was_shown_and_one_that_was_refused_was_not() -> None:
    shown, refused = (
        page_outcome(heard_of(303), since),
        page_outcome(heard_of(403, body=b"<p>Reason: <code>source_blocked</code></p>"), since),
    )
    lost = page_outcome(heard_of(0, is_whole=False), since)

    assert (shown.is_complete, shown.first_s) == (True, 2.0)
    assert (refused.is_complete, refused.reason) == (False, "source_blocked")
    assert (lost.is_complete, lost.first_s) == (False, None)
    assert reason_of(heard_of(403, body=b"nothing")) == ""
