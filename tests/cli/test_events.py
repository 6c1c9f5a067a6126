"""`tidegate events` and `tidegate score`, as an operator uses them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.verbs import Verb, sentence

EXPECTED = "expected an event a line, as `tidegate events export` and `tidegate events import` print them"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"


def line(second: int, path: str, session: str, agent: str = AGENT) -> str:
    at = f"20/Nov/2026:12:{second // 60:02d}:{second % 60:02d} +0000"
    return f'192.0.2.7 - - [{at}] "GET {path} HTTP/1.1" 200 512 "-" "{agent}" "SID={session}"'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A person who reads and a script that does not."""
    path = tmp_path / "access.log"
    read = zip("kdzbxqfm", (0, 3, 44, 46, 164, 173, 198, 700), strict=True)
    person = [line(at, f"/{name}", "person-1") for name, at in read]
    script = [line(5 * place, f"/{place}", "script-1", "python-requests/2.32") for place in range(40)]
    path.write_text("\n".join([*person, *script]) + "\n")
    return path


def lines(text: str) -> list[dict[str, Any]]:
    return [msgspec.json.decode(one) for one in text.splitlines()]


def imported(verb: Verb, log: Path, *more: str) -> Path:
    said = verb("events", "import", "--format", "combined", "--session", "SID", *more, str(log))
    assert said.code == 0, said.err
    path = log.with_suffix(".jsonl")
    path.write_text(said.out)
    return path


def test_a_table_says_names_of_a_log_and_obeys_none(verb: Verb, tmp_path: Path) -> None:
    name = "\x1b]0;mine\x07\x1b[31m\u202e\x9b[bold]" + "x" * 5_000
    event = {"kind": "request", "t": 1.0, "sess": name, "route": "page", "method": "GET", "path": "/", "status": 200}
    lines = (msgspec.json.encode(event | {"t": float(at)}) for at in range(4))
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(lines))

    said = verb("score", "--events", str(tmp_path / "log.jsonl")).out
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(said)
    assert r"\x1b]0;mine\x07\x1b[31m\u202e\x9b[bold]xxx" in said
    assert max(map(len, said.splitlines())) < 700


def test_a_web_log_is_imported_and_scored(verb: Verb, log: Path) -> None:
    said = verb("score", "--events", str(imported(verb, log, "--plain")), "--json")
    assert said.code == 0
    told = msgspec.json.decode(said.out)
    sessions = {one["sess"]: one for one in told["sessions"]}
    assert sessions["script-1"]["score"] > told["ask_from"] > sessions["person-1"]["score"]
    assert (sessions["script-1"]["asked"], sessions["person-1"]["asked"]) == (True, False)
    assert "agent_tool" in {reason["feature"] for reason in sessions["script-1"]["reasons"]}
    assert "net_kind" in sessions["person-1"]["not_judged"]["lacking_fields"]
    assert told["summary"] == {
        "events": 48, "sessions": 2, "asked": 1, "unreadable_lines": 0, "out_of_order": 0, "judged_early": 0,
    }  # fmt: skip
    assert "made up" in told["weights"]["source"]


def test_what_was_found_and_what_no_line_has_is_told(verb: Verb, log: Path) -> None:
    said = verb("events", "import", "--format", "combined", "--session", "SID", "--plain", str(log))
    assert "48 events; 48 name their session" in said.err
    assert "No line of this combined log has: net_kind, read_s" in said.err


def test_a_person_is_shown_a_table_the_most_program_like_first(verb: Verb, log: Path) -> None:
    path = str(imported(verb, log, "--plain"))
    said = verb("score", "--events", path)
    assert said.code == 0
    assert said.out.index("script-1") < said.out.index("person-1")
    assert "calls itself a programming tool" in said.out
    assert "192.0.2.7" in verb("score", "--events", path, "--by", "source").out
    assert verb("score", "--events", path, "--by", "account").out == ""


def test_names_are_fingerprints_unless_asked_otherwise(verb: Verb, log: Path) -> None:
    said = verb("events", "import", "--format", "combined", "--session", "SID", str(log))
    assert "person-1" not in said.out
    assert "192.0.2" not in said.out
    assert "key of this run alone" in said.err


def test_fingerprints_can_be_made_as_an_instance_makes_them(verb: Verb, log: Path, data: Path) -> None:
    verb("users", "create", "a@example.org", "--password-stdin", "--json", typed="correct horse battery staple")
    arguments = ("events", "import", "--format", "combined", "--session", "SID", "--data", str(data), str(log))
    said = verb(*arguments)
    assert said.code == 0, said.err
    assert "key of this run" not in said.err
    assert said.out == verb(*arguments).out
    assert "person-1" not in said.out
    (data / "secrets" / "fingerprint").write_text("broken")
    assert verb(*arguments).code == 2


def test_bad_lines_are_told_and_only_a_log_of_nothing_else_fails(verb: Verb, log: Path, tmp_path: Path) -> None:
    log.write_text(log.read_text() + "rubbish\n" * 12)
    said = verb("events", "import", "--format", "combined", str(log))
    assert said.code == 0
    assert f"{log}:49: not in the combined form" in said.err
    assert "... and 2 more lines" in said.err
    assert verb("events", "import", "--format", "haproxy", str(log)).code == 1
    (tmp_path / "bad.jsonl").write_text('rubbish\n{"t":"x","kind":"request"}\n{"kind":"request"}\n')
    said = verb("score", "--events", str(tmp_path / "bad.jsonl"), "--json")
    assert said.code == 1
    assert msgspec.json.decode(said.out)["summary"]["unreadable_lines"] == 3
    assert said.err.splitlines()[:3] == [
        f"{tmp_path}/bad.jsonl:1: not JSON; {EXPECTED}",
        f"{tmp_path}/bad.jsonl:2: JSON, and no event (`t`); {EXPECTED}",
        f"{tmp_path}/bad.jsonl:3: JSON, and no event (`t`); {EXPECTED}",
    ]


def test_wrong_usage_ends_with_two(verb: Verb, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert missing in sentence(verb("score", "--events", missing), 2)
    assert missing in sentence(verb("score", "--events", "-", "--weights", missing), 2)
    assert verb("events", "import", "--format", "combined", missing).code == 2
    assert verb("events", "import", "--format", "iis", missing).code == 2
    (tmp_path / "weights.json").write_text("{}")
    assert "weights.json" in sentence(verb("score", "--events", "-", "--weights", str(tmp_path / "weights.json")), 2)
    assert "--since" in sentence(verb("events", "export", "--since", "yesterday"), 2)
    assert "such as 20h" in sentence(verb("events", "export", "--since", "yesterday"), 2)


def test_fields_and_kinds_from_the_future_are_passed_over(verb: Verb) -> None:
    events = '{"t":1,"kind":"request","sess":"s","route":"page","mood":"happy"}\n{"t":2,"kind":"weather","sky":[1]}\n'
    said = verb("score", "--events", "-", "--json", typed=events)
    assert said.code == 0
    told = msgspec.json.decode(said.out)
    assert [one["sess"] for one in told["sessions"]] == ["s"]
    assert told["summary"]["unreadable_lines"] == 0


def test_a_log_of_more_sessions_than_are_compared_at_once_is_told_whole(
    verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.cli.score._COMPARED", 2)
    events = "".join(f'{{"t":{number},"kind":"request","sess":"s{number}"}}\n' for number in range(5))
    told = msgspec.json.decode(verb("score", "--events", "-", "--json", typed=events).out)
    assert [one["sess"] for one in told["sessions"]] == [f"s{number}" for number in range(5)]
    assert told["summary"]["sessions"] == 5


def test_a_log_out_of_order_is_told(verb: Verb) -> None:
    events = '{"t":9,"kind":"request","sess":"s"}\n{"t":2,"kind":"request","sess":"s"}\n'
    assert "1 events stood behind later ones" in verb("score", "--events", "-", typed=events).err


def test_this_instances_own_log_goes_out_in_the_same_form_and_can_be_scored(
    verb: Verb, data: Path, tmp_path: Path
) -> None:
    assert verb("events", "export").code == 1
    verb("users", "create", "a@example.org", "--password-stdin", "--json", typed="correct horse battery staple")
    for old in (data / "logs").glob("events.jsonl*"):
        old.unlink()
    assert "no log in" in sentence(verb("events", "export"), 1)

    def chat(t: float) -> str:
        told = {"kind": "request", "t": t, "id": f"req_{t}", "route": "chat", "status": 200, "total_s": 1, "sess": "ab"}
        return msgspec.json.encode(told).decode() + "\n"

    (data / "logs" / "events.jsonl.1").write_text(chat(100) + chat(110))
    (data / "logs" / "events.jsonl").write_text('{"kind":"service","t":115,"event":"service:ready"}\n' + chat(120))
    said = verb("events", "export", "--since", "105", "--until", "1970-01-01T00:10")
    assert said.code == 0
    assert [(one["t"], one.get("read_s")) for one in lines(said.out)] == [(110.0, 9.0), (120.0, 9.0)]
    assert "1 lines about something else" in said.err
    (data / "logs" / "events.jsonl").write_text("".join(chat(time.time() - ago_s) for ago_s in (7300, 7100, 3700, 10)))
    assert len(lines(verb("events", "export", "--since", "2h").out)) == 3
    assert len(lines(verb("events", "export", "--since", "2h", "--until", "1h").out)) == 2
    for name, t in ((".10", 10), (".9", 20), (".3", 30), (".2", 40)):
        (data / "logs" / f"events.jsonl{name}").write_text(chat(t))
    (data / "logs" / "events.jsonl.1").write_text(chat(50))
    (data / "logs" / "events.jsonl").write_text(chat(60))
    assert [one.get("read_s") for one in lines(verb("events", "export").out)] == [None, *([9.0] * 5)]
    (tmp_path / "own.jsonl").write_text(said.out)
    told = msgspec.json.decode(verb("score", "--events", str(tmp_path / "own.jsonl"), "--json").out)
    assert [(one["sess"], one["events"]) for one in told["sessions"]] == [("ab", 2)]
    assert {"ua", "tmpl"} <= set(told["sessions"][0]["not_judged"]["lacking_fields"])
