"""The page holds everything, fetches nothing, and says what it was given, whatever that is."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from tests.lab.staged import TEXT, played, scenario
from tidegate.lab.judge import Judge, Result, Run, Staging, definitions
from tidegate.lab.report.page import UnbuiltError, page
from tidegate.lab.report.words import sentences

NASTY = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&amp;\u2028'\""
COMMAND = "tidegate lab run staged-flood --seed 1"


class Read(HTMLParser):
    """What a browser would find: elements, attributes, texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "br"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open[-1] if self._open else "", []).append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def result() -> Result:
    findings = played(Judge(scenario())).findings(Staging(scenario_text=TEXT, calibration="cpu"))
    return Result(findings=findings, run=Run(machine="a laptop", wall_s=2.5, late_p95_s=0.004, notes=("a note",)))


def nasty(result: Result) -> Result:
    findings = result.findings
    staging = Staging(scenario_text=NASTY, gate=NASTY, calibration=NASTY, rules_digest=NASTY)
    return Result(
        findings=msgspec.structs.replace(
            findings,
            title=NASTY,
            about=NASTY,
            scenario=NASTY,
            staging=staging,
            attackers={NASTY: findings.attackers["request_flood"]},
            oddities={NASTY: findings.oddities["viral_prompt"]},
            marks=tuple(msgspec.structs.replace(mark, name=NASTY) for mark in findings.marks),
            moves=tuple(msgspec.structs.replace(move, detail=NASTY, to=NASTY) for move in findings.moves),
            load=msgspec.structs.replace(findings.load, mode=[NASTY for _ in findings.load.mode]),
        ),
        run=Run(machine=NASTY, commit=NASTY, began_at=NASTY, notes=(NASTY,)),
    )


def test_everything_is_in_it_and_nothing_is_fetched(result: Result) -> None:
    found = Read(page(result, COMMAND))

    assert {tag for tag, _ in found.elements}.isdisjoint({"img", "link", "iframe", "object", "embed", "form", "base"})
    named = {name for _, attributes in found.elements for name in attributes}
    assert named.isdisjoint({"src", "href", "srcset", "action", "style"})
    assert not [name for name in named if name.startswith("on")]


def test_the_policy_lets_just_this_script_and_this_style_run(result: Result) -> None:
    text = page(result, COMMAND)
    found = Read(text)
    policy = next(meta["content"] for meta in found.all("meta") if meta.get("http-equiv"))
    assert policy is not None

    def named(content: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"

    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert [len(scripts), len(styles)] == [1, 1]
    assert rules == {
        "default-src": "'none'",
        "script-src": named(scripts[0]),
        "style-src": named(styles[0]),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_names_and_texts_from_files_stay_texts(result: Result) -> None:
    plain, changed = page(result, COMMAND), page(nasty(result), NASTY)

    before, after = Read(plain), Read(changed)

    assert len(after.all("script")) == len(before.all("script")) == 2
    assert after.all("img") == []
    assert changed.count(NASTY) == 0
    course = json.loads(re.findall(r'id="course">(.*?)</script>', changed, re.DOTALL)[0])
    assert course["marks"][0]["name"] == NASTY
    assert after.texts["h1"] == [NASTY]


def test_it_is_whole_without_javascript(result: Result) -> None:
    text = page(result, COMMAND)
    said = " ".join(" ".join(texts) for texts in Read(text).texts.values())

    for sentence in sentences(result.findings):
        assert sentence in said
    for one in definitions():
        assert one.says in said
    for word in ("97.6 %", "source blocked 2,280", "waiting room", COMMAND, "a laptop", "a note", "Leon Sorokin"):
        assert word in said
    assert said.count('family = "request_flood"') == 1


def test_what_is_not_known_is_said_to_be_so(result: Result) -> None:
    bare = Result(findings=msgspec.structs.replace(result.findings, staging=Staging(world="live")))
    text = page(bare, COMMAND)

    assert text.count("not said") == 5
    assert "up to what the machine does meanwhile" in text
    assert "The scenario's file" not in text
    assert page(result, COMMAND).count("not said") == 3


def test_a_package_without_the_built_files_says_so(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.lab.report.page.DIST", tmp_path)

    with pytest.raises(UnbuiltError, match=r"page\.js is missing"):
        page(result, COMMAND)


def test_a_script_cannot_end_its_own_element(result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("page.js", "page.css", "licenses.txt"):
        (tmp_path / name).write_text('"</script><b>"')
    monkeypatch.setattr("tidegate.lab.report.page.DIST", tmp_path)

    bold = Read(page(result, COMMAND)).all("b")

    assert len(bold) == 4  # those of the headlines
