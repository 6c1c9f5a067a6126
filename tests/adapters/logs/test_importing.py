"""Other systems' logs become lines of the event log."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tidegate.adapters.logs.importing import Importing, LogForm
from tidegate.adapters.logs.naming import Naming
from tidegate.adapters.logs.ordering import ordered
from tidegate.adapters.logs.own import OwnLog
from tidegate.adapters.logs.records import Record

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
NOON = 1_795_176_000.0  # 20 November 2026, 12:00 UTC


def combined(
    second: int, target: str = "/", tail: str = "", *, referrer: str = "-", head: str = "192.0.2.7 - -"
) -> str:
    at = f"20/Nov/2026:12:00:{second:02d} +0000"
    return f'{head} [{at}] "GET {target} HTTP/1.1" 200 512 "{referrer}" "{AGENT}"{tail}'


class Desk:
    """Imports lines as if they stood in a file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "a.log"

    def __call__(
        self, form: LogForm, *lines: str, session: str | None = None, key: bytes | None = None, in_memory: int = 1000
    ) -> list[dict[str, Any]]:
        self._path.write_text("\n".join(lines) + "\n")
        os.utime(self._path, (NOON + 3600, NOON + 3600))
        self.importing = Importing(form, Naming(key), session, in_memory)
        return list(self.importing.events([self._path]))

    @property
    def complaints(self) -> list[str]:
        return self.importing.tally.complaints.shown


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_line_of_apache_becomes_an_event(desk: Desk) -> None:
    (event,) = desk(LogForm.COMBINED, combined(5, "/wiki/Sea?page=3", referrer="https://www.google.com/search"))
    assert event == {
        "t": NOON + 5, "kind": "request", "id": "1-1", "route": "page", "method": "GET", "status": 200,
        "bytes_out": 512,
        "src": "192.0.2.7", "net": "192.0.2.0/24", "ua": "chrome", "path": "/wiki/Sea?page=3",
        "referrer": "same", "referrer_path": "/search", "sess": "192.0.2.7#0#chrome",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tail", "session"),
    [
        (' "PHPSESSID=2sn9lba8ckbc6vj5; theme=dark"', "2sn9lba8ckbc6vj5"),
        (' "theme=dark; PHPSESSID=2sn9lba8ckbc6vj5"', "2sn9lba8ckbc6vj5"),
        (" 2sn9lba8ckbc6vj5", "2sn9lba8ckbc6vj5"),
        (' "2sn9lba8ckbc6vj5"', "2sn9lba8ckbc6vj5"),
        (' "-" 0.032 2sn9lba8ckbc6vj5', "2sn9lba8ckbc6vj5"),
    ],
)
def test_a_session_is_found_in_the_cookie_or_behind_the_agent(desk: Desk, tail: str, session: str) -> None:
    (event,) = desk(LogForm.COMBINED, combined(5, tail=tail), session="PHPSESSID")
    assert event["sess"] == session
    assert desk.importing.tally.named_sessions == 1


@pytest.mark.parametrize("between", ["2sn9lba8ckbc6vj5", '"2sn9lba8ckbc6vj5"', '"PHPSESSID=2sn9lba8ckbc6vj5"'])
def test_a_session_between_referrer_and_agent_is_not_taken_for_the_agent(desk: Desk, between: str) -> None:
    (event,) = desk(LogForm.COMBINED, combined(5).replace('"-" ', f'"-" {between} '), session="PHPSESSID")
    assert (event["sess"], event["ua"]) == ("2sn9lba8ckbc6vj5", "chrome")


def test_a_line_without_an_agent_does_not_take_an_address_behind_it_for_one(desk: Desk) -> None:
    (event,) = desk(LogForm.NGINX, combined(5).replace(AGENT, "-") + ' "203.0.113.9"')
    assert event["ua"] == ""


def test_a_session_in_the_place_of_the_identity_is_found(desk: Desk) -> None:
    (event,) = desk(LogForm.COMBINED, combined(5, head="192.0.2.7 2sn9lba8ckbc6vj5 -"))
    assert event["sess"] == "2sn9lba8ckbc6vj5"


@pytest.mark.parametrize("tail", ["", ' "-"', ' "203.0.113.9"', " 0.032", ' "PHPSESSID=-"', " 4711"])
def test_what_is_no_session_is_not_taken_for_one(desk: Desk, tail: str) -> None:
    (event,) = desk(LogForm.NGINX, combined(5, tail=tail), session="PHPSESSID")
    assert event["sess"].startswith("192.0.2.7#")
    assert desk.importing.tally.named_sessions == 0


def test_a_session_is_found_in_a_query_parameter_and_its_like_in_another_name_is_not(desk: Desk) -> None:
    events = desk(LogForm.COMBINED, combined(1, "/x?a=1&sid=abcd1234"), combined(2, "/x?visid=abcd1234"), session="sid")
    assert [event["sess"] for event in events] == ["abcd1234", "192.0.2.7#0#chrome"]


def test_without_a_name_a_session_is_an_address_and_an_agent_until_half_an_hour_of_quiet(desk: Desk) -> None:
    later = combined(1).replace(":12:00", ":12:31")
    other = combined(2).replace("Chrome", "Firefox")
    assert [event["sess"] for event in desk(LogForm.COMBINED, combined(0), later, other)] == [
        "192.0.2.7#0#chrome", "192.0.2.7#0#firefox", "192.0.2.7#1#chrome",
    ]  # fmt: skip


def test_names_become_fingerprints_that_only_the_key_can_make(desk: Desk) -> None:
    line = combined(5, "/find?q=my+illness", " 2sn9lba8ckbc6vj5", head="192.0.2.7 - anna@example.org")
    (event,) = desk(LogForm.COMBINED, line, key=b"k" * 32)
    (again,) = desk(LogForm.COMBINED, line, key=b"k" * 32)
    (elsewhere,) = desk(LogForm.COMBINED, line, key=b"x" * 32)
    told = str(event)
    for secret in ("192.0.2", "illness", "2sn9lba8", "anna"):
        assert secret not in told
    assert event == again
    for field in ("src", "net", "sess", "acct"):
        assert len(event[field]) == 16
        assert event[field] != elsewhere[field]


def test_routes_and_referrers_are_told_by_their_kind(desk: Desk) -> None:
    targets = {
        "/": "page", "/a.css": "asset", "/load.php?modules=x": "asset", "/favicon.ico": "asset", "/robots.txt": "other",
        "/v1/chat/completions": "chat", "/v1/embeddings": "embed", "/healthz": "status", "/wp-login.php": "login",
        "/sign-up": "signup", "/api/x": "other", "http://h.example/p": "page", "http://[broken": "page",
    }  # fmt: skip
    events = desk(LogForm.COMBINED, *(combined(place, target) for place, target in enumerate(targets)))
    assert [event["route"] for event in events] == list(targets.values())
    refs = ["https://site.example/a", "https://www.site.example/b", "https://bing.com/", "https://t.co/x",
            "https://else.example/", "-", "http://[broken"]  # fmt: skip
    events = desk(LogForm.COMBINED, *(combined(place, referrer=ref) for place, ref in enumerate(refs)))
    assert [event["referrer"] for event in events] == ["same", "same", "search", "social", "other", "none", "none"]
    # Which page it was is kept of our own alone.
    assert [event.get("referrer_path") for event in events] == ["/a", "/b", None, None, None, None, None]


def test_zones_fractions_and_hosts_in_front_are_read(desk: Desk) -> None:
    plain = combined(5)
    shifted = plain.replace("12:00:05 +0000", "14:00:05.250 +0200")
    west = plain.replace("12:00:05 +0000", "07:00:06 -0500")
    hosted = combined(7, head="www.example.org:443 2001:db8:1::7 - -")
    events = desk(LogForm.COMBINED, plain, shifted, west, hosted)
    assert [event["t"] - NOON for event in events] == [5, 5.25, 6, 7]
    assert (events[3]["src"], events[3]["net"]) == ("2001:db8:1::7", "2001:db8:1::/48")


def test_lines_that_cannot_be_read_are_counted_and_told_with_their_number(desk: Desk) -> None:
    bad_day = combined(5).replace("20/Nov", "31/Feb")
    bad_month = combined(5).replace("Nov", "Nox")
    events = desk(LogForm.COMBINED, "rubbish", combined(5), bad_day, bad_month, "x" * (1 << 19))
    assert len(events) == 1
    assert desk.importing.tally.complaints.count == 4
    assert [told.split(":")[1] for told in desk.complaints] == ["1", "3", "4", "5"]


def test_a_request_that_is_none_is_still_an_event(desk: Desk) -> None:
    (event,) = desk(LogForm.COMBINED, '- - - [20/Nov/2026:12:00:05 +0000] "\\x16\\x03" 400 - "-" "-"')
    assert (event["route"], event["status"], event["ua"], "path" in event, "src" in event) == (
        "other",
        400,
        "",
        False,
        False,
    )


def test_a_line_of_haproxy_becomes_an_event(desk: Desk) -> None:
    line = (
        "Nov 20 12:00:05 lb haproxy[14389]: 198.51.100.3:33317 [20/Nov/2026:12:00:05.655] fe be/srv1"
        " 10/0/30/69/1109 200 2750 SID=abcdef12 - ---- 1/1/1/1/0 0/0"
        f' {{{AGENT}|https://chat.example/}} {{}} "POST /v1/chat/completions HTTP/1.1"'
    )
    (event,) = desk(LogForm.HAPROXY, line, "Nov 20 lb haproxy[1]: Proxy fe started.", session="SID")
    assert (event["src"], event["sess"], event["ua"], event["referrer"]) == (
        "198.51.100.3",
        "abcdef12",
        "chrome",
        "same",
    )
    assert (event["route"], event["service_s"], event["t"]) == ("chat", 1.109, NOON + 5.655)
    assert len(desk.complaints) == 1


def test_payloads_of_litellm_become_calls_without_their_words(desk: Desk) -> None:
    payload = (
        '{"id":"c1","call_type":"acompletion","status":"success","prompt_tokens":40,"completion_tokens":200,'
        f'"startTime":{NOON},"endTime":{NOON + 4},"completionStartTime":{NOON + 0.5},'
        '"messages":[{"content":"my secret"}],'
        '"model_parameters":{"max_tokens":200,"stream":true},'
        '"metadata":{"user_api_key_hash":"h","requester_ip_address":"192.0.2.1"}}'
    )
    row = (
        '{"request_id":"r","call_type":"aembedding","api_key":"h","startTime":"2026-11-20T12:00:07+00:00",'
        '"endTime":"2026-11-20T12:00:08","prompt_tokens":9,"session_id":"s-1","end_user":"u"}'
    )
    first, second = desk(LogForm.LITELLM, payload, row, '{"endTime": "soon"}', '{"endTime": [1]}', "{")
    assert "secret" not in str(first)
    assert (first["t"], first["service_s"], first["ttft_s"]) == (NOON + 4, 4.0, 0.5)
    assert (first["in_tok"], first["out_tok"], first["max_tok"], first["stream"]) == (40, 200, 200, True)
    assert (first["src"], first["key"], first["status"], first["sess"]) == ("192.0.2.1", "h", 200, "h#0#")
    assert (second["route"], second["t"], second["sess"], second["acct"]) == ("embed", NOON + 8, "s-1", "u")
    assert desk.importing.tally.complaints.count == 3


def test_access_lines_of_vllm_take_their_time_from_the_line_before(desk: Desk) -> None:
    access = 'INFO:     192.0.2.1:5432 - "POST /v1/chat/completions HTTP/1.1" 200 OK'
    events = desk(
        LogForm.VLLM,
        access,
        "(APIServer pid=1) INFO 11-20 12:00:03 [logger.py:43] Received request chatcmpl-1: prompt: "
        "'say 1.2.3.4:5 - \"GET / HTTP/1.1\" 200'",
        access,
        "INFO 12-31 23:00:00 [loggers.py:118] Engine 000: Avg prompt throughput",
        access,
        "INFO 02-29 23:00:00 [x.py:1] a day that neither year has",
        access,
    )
    assert [datetime.fromtimestamp(event["t"], tz=UTC).isoformat() for event in events] == [
        "2025-12-31T23:00:00+00:00", "2025-12-31T23:00:00+00:00", "2026-11-20T12:00:03+00:00",
    ]  # fmt: skip
    assert (events[0]["route"], events[0]["src"], events[0]["status"]) == ("chat", "192.0.2.1", 200)
    assert desk.importing.tally.complaints.count == 1
    assert desk.importing.tally.passed == 3


def test_our_own_log_keeps_what_the_event_log_knows_and_tells_how_long_answers_were_read(desk: Desk) -> None:
    def chat(t: float, **more: Any) -> str:
        told = {"kind": "request", "event": "request:finished", "t": t, "id": "req_1", "route": "chat", "status": 200,
                "total_s": 2.0, "out_tok": 90, "sess": "ab" * 8} | more  # fmt: skip
        return str(told).replace("'", '"')

    events = desk(
        LogForm.TIDEGATE, chat(10), chat(42), chat(43), '{"kind":"service","t":50,"event":"service:ready"}',
        '{"kind":"engine","t":51,"state":"ready","healthy":true,"restarts":0}', chat(60, sess=7),
        "[1]", '{"kind":"request"}', "{",
    )  # fmt: skip
    assert [event.get("read_s") for event in events] == [None, 30.0, None, None, None]
    assert set(events[0]) == {"t", "kind", "id", "route", "status", "out_tok", "sess"}
    assert events[3] == {"t": 51.0, "kind": "engine", "id": "1-5", "healthy": True}
    assert (desk.importing.tally.passed, desk.importing.tally.complaints.count) == (1, 3)


def test_events_come_in_order_however_little_memory_there_is(desk: Desk) -> None:
    lines = [combined((7 * place) % 60, f"/{place}") for place in range(200)]
    sorted_in_memory = desk(LogForm.COMBINED, *lines)
    from_disk = desk(LogForm.COMBINED, *lines, in_memory=9)
    assert from_disk == sorted_in_memory
    assert [event["t"] for event in from_disk] == sorted(event["t"] for event in from_disk)


def test_only_so_many_records_are_held_in_memory() -> None:
    alive = 0
    most = 0

    def records() -> Any:
        nonlocal alive, most
        for place in range(5000):
            alive += 1
            most = max(most, alive)
            yield float(-place), 1, place, Record(t=float(-place))
            alive = alive if alive < 100 else 0

    times = [placed[0] for placed in ordered(records(), 100)]
    assert times == sorted(times)
    assert len(times) == 5000


def test_what_strangers_can_fill_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    one = combined(0, referrer="https://h0.example/")
    path.write_text("".join(f"{one.replace('h0', f'h{n}').replace('.2.7', f'.2.{n}')}\n" for n in range(40)))
    importing = Importing(LogForm.COMBINED, Naming(None), most_remembered=3)
    assert len(list(importing.events([path]))) == 40
    assert (len(importing._hosts), len(importing._visitors)) == (3, 3)
    own = OwnLog(most_sessions=3)
    for place in range(40):
        own.record(f'{{"t":{place},"kind":"request","route":"chat","sess":"s{place}","total_s":1}}')
    assert len(own._ended) == 3


def test_gzipped_files_are_read_and_a_damaged_end_loses_only_itself(tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(combined(place % 60, f"/{os.urandom(30).hex()}") for place in range(500)).encode())
    (tmp_path / "whole.gz").write_bytes(whole)
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    importing = Importing(LogForm.COMBINED, Naming(None))
    assert len(list(importing.events([tmp_path / "whole.gz"]))) == 500
    importing = Importing(LogForm.COMBINED, Naming(None))
    assert 50 < len(list(importing.events([tmp_path / "cut.gz"]))) < 450
    assert any("damaged" in told for told in importing.tally.complaints.shown)


def test_a_file_that_is_not_there_is_an_error_and_no_empty_log(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(Importing(LogForm.VLLM, Naming(None)).events([tmp_path / "none.log"]))
