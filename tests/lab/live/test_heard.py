"""What comes back, piece by piece: bounds, refusals, odd heads."""

from __future__ import annotations

import pytest

from tidegate.lab.live import heard as room
from tidegate.lab.live.heard import Broken, Heard


def stream() -> Heard:
    heard = Heard(1.0)
    heard.take_header(b"Content-Type", b"text/event-stream; charset=utf-8")
    return heard


@pytest.mark.parametrize("order", [1, -1])
def test_the_finer_of_two_times_to_come_back_counts_in_whichever_order(order: int) -> None:
    heard = Heard(0.0)
    for name, value in ((b"retry-after", b"2"), (b"retry-after-ms", b"1250"))[::order]:
        heard.take_header(name, value)

    assert heard.retry_after_s == 1.25


def test_a_time_to_come_back_that_is_no_number_is_none() -> None:
    heard = Heard(0.0)
    heard.take_header(b"retry-after", b"Wed, 21 Oct 2026 07:28:00 GMT")
    heard.take_header(b"retry-after-ms", b"soon")

    assert heard.retry_after_s is None


def test_a_refusal_says_its_reason() -> None:
    heard = Heard(0.0)
    heard.take_body(b'{"error":{"message":"no","code":"slow', 1.0)
    heard.take_body(b'_down"}}', 1.0)
    heard.end(2.0)

    assert (heard.reason, heard.is_whole, heard.is_cut, heard.ended_at) == ("slow_down", True, False, 2.0)


def test_json_that_is_none_of_ours_is_a_page_like_any_other() -> None:
    heard = Heard(0.0)
    heard.take_body(b'{"choices":7}', 1.0)
    heard.end(2.0)

    assert (heard.reason, heard.text, heard.is_whole) == ("", [], True)


def test_an_answer_in_one_piece_has_its_text_at_its_end() -> None:
    heard = Heard(0.0)
    heard.take_body(b'{"choices":[{"message":{"content":"tide"},"finish_reason":"stop"}]}', 1.0)
    heard.end(2.0)

    assert (heard.text, heard.arrived, heard.finish, heard.first_s) == (["tide"], [2.0], "stop", 2.0)


def test_an_error_in_the_middle_of_a_stream_is_a_cut_with_its_reason() -> None:
    heard = stream()
    heard.take_body(
        b'data: {"choices":[{"delta":{"content":"ti"}}]}\n\ndata: {"error":{"code":"engine_failed"}}\n\n', 2.0
    )
    heard.end(3.0)

    assert (heard.is_cut, heard.reason, heard.text) == (True, "engine_failed", ["ti"])


def test_a_stream_without_a_finish_was_cut() -> None:
    heard = stream()
    heard.end(2.0)

    assert heard.is_cut


def test_gaps_are_of_what_arrived() -> None:
    heard = stream()
    heard.arrived = [1.0, 1.1, 1.2, 2.2]

    assert heard.gaps() == pytest.approx((1.0, 1.0))
    assert Heard(0.0).gaps() == (0.0, 0.0)
    assert Heard(0.0).first_s is None


def test_only_the_first_word_of_a_wait_is_its_promise() -> None:
    heard = stream()
    heard.take_body(b": waiting position=3 eta_s=12\n\n: waiting position=2 eta_s=40\n\n", 1.0)

    assert heard.promised_s == 12.0


def test_a_comment_without_a_promise_promises_nothing() -> None:
    heard = stream()
    heard.take_body(b": hello\n\n", 1.0)

    assert heard.promised_s is None


def test_what_is_beyond_all_bounds_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_BODY_BYTES", 20)
    monkeypatch.setattr(room, "MOST_LINE_BYTES", 20)

    with pytest.raises(Broken):
        Heard(0.0).take_body(b"x" * 21, 1.0)
    with pytest.raises(Broken):
        stream().take_body(b"x" * 21, 1.0)
    with pytest.raises(Broken):
        stream().take_body(b'data: {"choices":[{"delta":{"content":"%b"}}]}\n' % (b"x" * 21), 1.0)


def test_a_chunk_that_is_no_json_is_broken() -> None:
    with pytest.raises(Broken):
        stream().take_body(b"data: {nonsense\n", 1.0)


def test_cookies_and_places_are_kept_and_no_more_of_them_than_a_browser_would() -> None:
    heard = Heard(0.0)
    heard.take_header(b"location", b"/chat")
    heard.take_header(b"x-other", b"1")
    for number in range(room.MOST_COOKIES + 3):
        heard.take_header(b"set-cookie", b"n%d=v; Path=/; Secure" % number)

    assert heard.location == "/chat"
    assert heard.cookies[0] == b"n0=v"
    assert len(heard.cookies) == room.MOST_COOKIES


def test_a_wait_is_from_being_told_of_it_until_the_engine_begins() -> None:
    heard = stream()
    heard.take_body(b": waiting position=3 eta_s=4\n\n", 2.0)
    heard.take_body(b": waiting position=1 eta_s=1\n\n", 4.0)
    assert (heard.promised_s, heard.waited_s) == (4.0, None)

    heard.take_body(b'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n', 5.5)
    heard.take_body(b": waiting position=1 eta_s=9\n\n", 6.0)
    heard.take_body(b'data: {"choices":[{"delta":{"content":"tide"}}]}\n\n', 7.0)
    assert (heard.promised_s, heard.waited_s, heard.arrived) == (4.0, 3.5, [7.0])


def test_an_error_while_one_waits_is_no_beginning_and_a_comment_of_something_else_no_promise() -> None:
    heard = stream()
    heard.take_body(b": asked again attempts=2\n\n: waiting position=1 eta_s=2\n\n", 2.0)
    heard.take_body(b'data: {"error":{"code":"server_is_overloaded"}}\n\n', 5.5)

    assert (heard.promised_s, heard.begun_at, heard.waited_s, heard.reason) == (2.0, None, None, "server_is_overloaded")
