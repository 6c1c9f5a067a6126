"""A record is believed only as far as it was checked; what is wrong is told with its place."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lab.replay.recorded import Service, rules
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.lab.replay import reading
from tidegate.lab.replay.reading import RecordError, Source, files_of, lines
from tidegate.lab.replay.replaying import replay


def a_record(path: Path) -> list[bytes]:
    """A short record of everything, line by line."""
    service = Service(admission=AdmissionPlan(slots=1))
    service.knows(1)
    service.ask(1)
    service.page(2)
    service.gate.note_dead(b"d" * 8, service.unix_s)
    service.gate.note_turned_down(b"d" * 8, service.unix_s)
    service.gate.note_guess(bytes(range(16)), service.unix_s)
    service.gate.note_alive(b"d" * 32)
    service.scheduler.resize(2, service.now)
    service.recorder.replanned()
    service.ask(1)
    service.rest()
    return service.written(path).read_bytes().splitlines(keepends=True)


def told(path: Path, raw: bytes) -> str:
    path.write_bytes(raw)
    with pytest.raises(RecordError) as error:
        replay(path, rules())
    return str(error.value).removeprefix(f"{path}: ")


def test_whatever_is_wrong_is_told_with_the_line_and_the_field(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    good = a_record(path)
    gate = next(line for line in good if b'"kind":"gate"' in line)
    first = good[0]

    assert told(path, b"") == "line 1: empty: expected a first line that says what was recorded"
    assert told(path, gate) == "line 1: kind: expected `begin` in the first line, and nowhere else"
    assert told(path, first + first).startswith("line 2: kind: expected `begin`")
    assert told(path, first.replace(b'"version":1', b'"version":9')) == "line 1: version: expected 1, not 9"
    assert told(path, first + b"nonsense\n").startswith("line 2: JSON is malformed")
    assert told(path, first + b"[" * 100_000 + b"\n").startswith("line 2: ")
    assert told(path, first + b'{"kind":"poem","t":1}\n').startswith("line 2: kind: Invalid value 'poem'")
    assert told(path, first + gate.replace(b'"inference"', b'"moon"')).startswith("line 2: lane: Invalid enum value")
    assert told(path, first + gate.replace(b'"lane"', b'"word"')).startswith("line 2: Object ")
    assert "who: Expected `str` matching regex" in told(
        path, first + b'{"kind":"met","t":1,"who":"somebody@example.org"}\n'
    )
    assert told(path, first + b'{"kind":"gate","t":-1,"lane":"page"}\n') == "line 2: t: Expected `float` >= 0.0"
    assert told(path, first + b"x" * (reading.LONGEST_LINE + 5)).startswith("line 2: longer than a line can be")
    odd = b'{"kind":"gate","t":1,"lane":"page","source":["0123456789abcdef"]}\n'
    assert told(path, first + odd).startswith("line 2: source: expected an address and 1 or 2 networks")
    nowhere = b'{"kind":"resize","t":1,"line":7,"slots":1}\n'
    assert told(path, first + nowhere) == "line 2: line: there are 1 engines, from 0 on, not 7"


def test_a_plan_that_no_service_could_have_is_refused_by_the_name_of_its_field(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    first = msgspec.json.decode(a_record(path)[0])

    def with_(place: str, **changed: object) -> str:
        broken = msgspec.json.decode(msgspec.json.encode(first))
        (broken["admission"][0] if place == "admission" else broken[place]).update(changed)
        return told(path, msgspec.json.encode(broken) + b"\n")

    assert with_("gate", address_rate=0) == ("line 1: gate.address_rate: expected more than 0 and at most 1e9, not 0.0")
    assert with_("gate", most_sources=1e8) == "line 1: gate.most_sources: expected at most 10000000, not 100000000.0"
    assert with_("gate", allow=1) == "line 1: gate.allow: no such number of a gate"
    assert with_("admission", slots=10**9) == "line 1: admission[0].slots: expected 1 to 65536, not 1e+09"
    assert with_("admission", shards={"queues": 4, "hand": 6}) == (
        "line 1: admission[0].shards.hand: expected 1 to 4, not 6"
    )
    assert with_("admission", cost={"decode_tok_s": 0.0}).startswith("line 1: admission[0].cost.decode_tok_s: ")
    assert with_("standing", half_life_days=0.0).startswith("line 1: standing.half_life_days: ")


def test_a_last_line_without_its_end_is_left_out_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    good = a_record(path)
    path.write_bytes(b"".join(good) + b'{"kind":"gate","t":1')

    found = replay(path, rules(admission=AdmissionPlan(slots=1)))

    assert found.survey.torn_lines == 1
    assert found.fidelity.gate.share == 1.0


def test_a_folder_is_read_in_the_order_of_its_files(tmp_path: Path) -> None:
    good = a_record(tmp_path / "whole.jsonl")
    second = good[0].replace(b'"part":1', b'"part":2')
    (tmp_path / "decisions-1-a-000001.jsonl").write_bytes(b"".join(good[:4]))
    (tmp_path / "decisions-1-a-000002.jsonl").write_bytes(second + b"".join(good[4:]))

    whole = replay(tmp_path / "whole.jsonl", rules(admission=AdmissionPlan(slots=1)))
    parts = replay(tmp_path, rules(admission=AdmissionPlan(slots=1)))

    assert parts.fidelity == whole.fidelity
    assert parts.differences == whole.differences
    assert [path.name[-8:] for path in files_of(tmp_path)] == ["01.jsonl", "02.jsonl"]


def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecordError, match="No such file"):
        list(lines(tmp_path / "none", Source()))
    with pytest.raises(RecordError, match="expected 1 to 10000 files"):
        files_of(tmp_path)

    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(RecordError, match="Permission denied"):
        files_of(tmp_path)


def test_the_end_of_a_run_that_began_before_the_record_is_not_compared_at_first(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    good = a_record(path)
    path.write_bytes(good[0].replace(b'"part":1', b'"part":3') + b"".join(good[1:]))

    found = replay(path, rules())

    assert found.fidelity.gate.of == 0
    assert found.survey.decisions > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_hostile_record_is_played_or_refused_and_never_breaks_anything(tmp_path: Path, data: st.DataObject) -> None:
    good = a_record(tmp_path / "good.jsonl")
    raw = bytearray(b"".join(good[:1] + data.draw(st.permutations(good[1:]))))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"9", b"-", b"e9", b"null", b'"', b"0", b"[]", b"\xff", b"\n", b"true"])
        )
    path = tmp_path / "hostile.jsonl"
    path.write_bytes(bytes(raw))

    with contextlib.suppress(RecordError):
        replay(path, rules())
