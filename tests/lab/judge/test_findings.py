"""Findings are the same bytes for the same play, are read back whole, and say what each of them means."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.lab.staged import TEXT, played, scenario
from tidegate.lab.judge import FindingsError, Judge, Result, Run, Staging, definitions
from tidegate.lab.judge.definitions import intro
from tidegate.lab.judge.findings import digest_of, encoded, read, write


@pytest.fixture(scope="module")
def result() -> Result:
    findings = played(Judge(scenario())).findings(Staging(scenario_text=TEXT, calibration="cpu"))
    return Result(findings=findings, run=Run(machine="a laptop", wall_s=2.5))


def test_the_same_play_gives_the_same_bytes(result: Result) -> None:
    again = played(Judge(scenario())).findings(Staging(scenario_text=TEXT, calibration="cpu"))

    assert encoded(again) == encoded(result.findings)


def test_what_is_kept_is_read_back(result: Result, tmp_path: Path) -> None:
    write(result, tmp_path / "kept")
    whole = tmp_path / "whole.json"
    whole.write_bytes(encoded(result))

    assert read(tmp_path / "kept") == result
    assert read(whole) == result
    assert read(tmp_path / "kept" / "findings.json") == Result(findings=result.findings)
    (tmp_path / "kept" / "run.json").unlink()
    assert read(tmp_path / "kept") == Result(findings=result.findings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not the findings"),
        ("[]", "not the findings"),
        ("{}", "not the findings"),
        ('{"findings": 3}', "not the findings"),
        ("[" * 100_000, "not the findings"),
        ("\udcff", "not the findings"),
    ],
)
def test_what_is_no_findings_is_said_with_the_files_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "odd.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(FindingsError, match=rf"odd\.json: {said}"):
        read(path)


def test_findings_of_another_version_are_not_guessed_at(result: Result, tmp_path: Path) -> None:
    later = msgspec.structs.replace(result, findings=msgspec.structs.replace(result.findings, version=2))
    write(later, tmp_path)
    (tmp_path / "one.json").write_bytes(encoded(later))

    for path in (tmp_path, tmp_path / "one.json"):
        with pytest.raises(FindingsError, match="version: expected 1, not 2"):
            read(path)


def test_a_file_that_is_not_there_or_too_large_is_said(tmp_path: Path) -> None:
    with pytest.raises(FindingsError, match="No such file"):
        read(tmp_path / "none.json")
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(FindingsError, match="64 MiB"):
        read(large)


def test_a_scenarios_digest_is_of_what_it_says_not_how() -> None:
    assert digest_of(scenario(f"# a comment\n{TEXT}")) == digest_of(scenario())
    assert digest_of(scenario(TEXT.replace("1800", "1801"))) != digest_of(scenario())
    assert digest_of(scenario(f"seed = 9\n{TEXT}")) == digest_of(scenario()), "other dice make no other scenario"


def test_every_figure_has_a_title_and_a_sentence(result: Result) -> None:
    known = {(one.table, one.field): one for one in definitions()}
    findings = result.findings
    tables = {
        "people": findings.people["new"],
        "attackers": findings.attackers["request_flood"],
        "oddities": findings.oddities["viral_prompt"],
        "promises": findings.promises,
        "incidents": findings.incidents[0],
        "alarms": findings.alarms,
        "moves": findings.moves[0],
        "load": findings.load,
    }

    assert set(known) == {(table, field) for table, each in tables.items() for field in each.__struct_fields__}
    assert all(one.says.endswith(".") and one.title for one in known.values())
    assert all(intro(table).endswith(".") for table in tables)


def test_a_number_that_counts_nothing_is_told(result: Result, tmp_path: Path) -> None:
    """
    Of one with four hundred digits no part could be reckoned.
    """
    path = tmp_path / "findings.json"
    text = encoded(result.findings).decode()
    path.write_text(text.replace('"requests": ', f'"requests": {"9" * 400}', 1))

    for place in (path, tmp_path):
        with pytest.raises(FindingsError, match="counts nothing"):
            read(place)
