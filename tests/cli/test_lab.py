"""`tidegate lab`: what each verb prints, keeps and refuses, over a world that a test made up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from tests.cli.verbs import Verb, sentence
from tests.lab.staged import TEXT, answer, played, question, who
from tidegate.app import lab
from tidegate.config import SettingsError
from tidegate.lab.acts import Group
from tidegate.lab.calibration import Calibration, CalibrationError
from tidegate.lab.gates import GateKind
from tidegate.lab.hearing import Listener
from tidegate.lab.judge import Judge, Result, Run, Staging
from tidegate.lab.judge.findings import read
from tidegate.lab.live.calibrate import Calibrated, Check
from tidegate.lab.scenario import World

INTERRUPTED_SEED = 3


@pytest.fixture
def staged(tmp_path: Path) -> str:
    path = tmp_path / "staged.toml"
    path.write_text(TEXT.replace("warm_s = 120", 'warm_s = 120\nseed = 5\nworlds = ["virtual", "live"]'))
    return str(path)


@pytest.fixture
def wishes(monkeypatch: pytest.MonkeyPatch) -> list[lab.RehearsalWish]:
    """What was asked for; the world is one in which a higher seed answers a question more."""
    asked: list[lab.RehearsalWish] = []

    def rehearse(wish: lab.RehearsalWish, listeners: Sequence[Listener] = (), keep: Path | None = None) -> Result:
        asked.append(wish)
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / "events.jsonl").write_text("{}")
        judge = played(Judge(wish.scenario))
        for _ in range(wish.seed):
            question(judge, who(Group.NEW), answer(1300.0))
        staging = Staging(scenario_text=wish.scenario_text, world=wish.world, gate=wish.gate, seed=wish.seed)
        is_interrupted = wish.seed == INTERRUPTED_SEED
        return Result(findings=judge.findings(staging), run=Run(machine="a test", is_interrupted=is_interrupted))

    monkeypatch.setattr(lab, "rehearse", rehearse)
    return asked


# ---------------------------------------------------------------- run


def test_run_prints_what_everybody_got(verb: Verb, staged: str, wishes: list[lab.RehearsalWish]) -> None:
    said = verb("lab", "run", staged)

    assert (said.code, said.err) == (0, "")
    assert "A flood in a busy hour" in said.out
    assert "0  false alarms" in said.out
    assert [(wish.world, wish.seed, wish.gate) for wish in wishes] == [(World.VIRTUAL, 5, GateKind.TIDEGATE)]


def test_run_passes_on_what_was_asked_for(
    verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path
) -> None:
    options = [
        "--world",
        "live",
        "--seed",
        "0",
        "--gate",
        "by-address",
        "--calibration",
        "gpu",
        "--config",
        "my own.toml",
    ]
    html = tmp_path / "page.html"

    assert verb("lab", "run", staged, *options, "--html", str(html)).code == 0

    wish = wishes[0]
    assert (wish.world, wish.seed, wish.gate, wish.calibration) == (World.LIVE, 0, GateKind.BY_ADDRESS, "gpu")
    assert wish.config == Path("my own.toml")
    command = f"tidegate lab run {staged} --world live --seed 0 --gate by-address --config &#39;my own.toml&#39;"
    assert f"{command} --calibration gpu</pre>" in html.read_text("utf-8")


def test_run_keeps_the_findings_the_run_and_the_page(
    verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"

    said = verb("lab", "run", staged, "--out", str(kept), "--json")

    assert sorted(path.name for path in kept.iterdir()) == ["findings.json", "page.html", "run.json"]
    assert json.loads(said.out)["findings"] == json.loads((kept / "findings.json").read_text())
    assert read(kept).run.machine == "a test"


def test_a_run_that_was_interrupted_reports_what_was_heard_and_ends_as_such(
    verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path
) -> None:
    said = verb("lab", "run", staged, "--seed", str(INTERRUPTED_SEED), "--out", str(tmp_path), "--json")

    assert (said.code, said.err.strip()) == (130, "Interrupted: the figures are of what was heard until then.")
    assert json.loads(said.out)["run"]["is_interrupted"]
    assert read(tmp_path).run.is_interrupted


def test_run_keeps_the_event_log_where_everything_else_is_and_nowhere_else(
    verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"

    assert verb("lab", "run", staged, "--out", str(kept), "--events").code == 0
    assert (kept / "events.jsonl").exists()
    assert "--events needs --out" in sentence(verb("lab", "run", staged, "--events"), 2)
    assert len(wishes) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope"], "no scenario of that name comes with Tidegate"),
        (["calm-day", "--world", "live"], "calm-day: it is not made for the live world"),
    ],
)
def test_run_refuses_what_it_cannot_play(
    verb: Verb, wishes: list[lab.RehearsalWish], words: list[str], said: str
) -> None:
    assert said in sentence(verb("lab", "run", *words), 2)
    assert wishes == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (lab.RehearsalError("no room"), 1),
        (SettingsError("bad settings"), 2),
        (CalibrationError("gpu: not there"), 2),
    ],
)
def test_run_says_why_a_world_could_not_be_made(
    verb: Verb, staged: str, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    monkeypatch.setattr(lab, "rehearse", failing(error))

    assert str(error) in sentence(verb("lab", "run", staged), code)


def failing(error: Exception) -> Callable[..., Result]:
    def fail(*_: object) -> Result:
        raise error

    return fail


def test_run_says_where_it_could_not_write(
    verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    assert "file: File exists" in sentence(verb("lab", "run", staged, "--out", str(tmp_path / "file")), 2)


def test_where_nothing_can_be_kept_nothing_is_played(
    verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "events-3.jsonl").write_text("")

    for words, said in (
        (["--out", str(tmp_path / "file")], "file: File exists"),
        (["--out", str(tmp_path / "old")], "keeps the event log of an earlier run"),
        (["--html", str(tmp_path / "none" / "page.html")], "No such file"),
        (["--html", str(tmp_path)], "Is a directory"),
    ):
        assert said in sentence(verb("lab", "run", staged, *words), 2)
    assert wishes == []
    assert not (tmp_path / "none").exists()


def test_what_cannot_be_kept_in_the_end_is_printed_all_the_same(
    verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "findings.json")

    monkeypatch.setattr("tidegate.lab.judge.findings.write", full)

    said = verb("lab", "run", staged, "--out", str(tmp_path / "kept"), "--json")

    assert (said.code, said.err) == (2, "findings.json: No space left on device\n")
    assert json.loads(said.out)["findings"]["scenario"] == "staged-flood"


def test_a_disk_that_is_full_in_the_middle_is_told(
    verb: Verb, staged: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lab, "rehearse", failing(OSError(28, "No space left on device")))

    said = verb("lab", "run", staged, "--out", str(tmp_path), "--events")

    assert sentence(said, 1) == f"{tmp_path}: No space left on device\n"


def test_what_a_file_says_is_nothing_that_a_terminal_obeys(verb: Verb, tmp_path: Path) -> None:
    path = tmp_path / "evil.toml"
    path.write_text(TEXT + '[people]\n"\\u001b]0;owned\\u0007" = 1\n')

    said = sentence(verb("lab", "run", str(path)), 2)

    assert "\x1b" not in said
    assert r"\x1b]0;owned\x07" in said


def test_run_says_when_the_page_cannot_be_made(
    verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidegate.lab.report.page.DIST", tmp_path)

    assert "not built whole" in sentence(verb("lab", "run", staged, "--html", str(tmp_path / "page.html")), 1)


# ---------------------------------------------------------------- list, show


def test_list_shows_what_ships(verb: Verb) -> None:
    said = verb("lab", "list")

    assert re.search(r"^calm-day +A calm day +24 h +virtual *$", said.out, re.MULTILINE)
    assert {"calm-day", "viral-day"} <= {one["name"] for one in json.loads(verb("lab", "list", "--json").out)}


def test_show_prints_a_scenario_to_begin_with(verb: Verb, tmp_path: Path) -> None:
    said = verb("lab", "show", "viral-day")
    mine = tmp_path / "mine.toml"
    mine.write_text(said.out)

    assert verb("lab", "show", str(mine)).out == said.out
    assert "no scenario of that name" in sentence(verb("lab", "show", "nope"), 2)


# ---------------------------------------------------------------- compare


@pytest.fixture
def kept(verb: Verb, staged: str, wishes: list[lab.RehearsalWish], tmp_path: Path) -> list[str]:
    folders = [str(tmp_path / name) for name in ("one", "another")]
    for seed, folder in enumerate(folders):
        assert verb("lab", "run", staged, "--seed", str(seed), "--out", folder).code == 0
    return folders


def test_compare_says_what_differs_and_which_is_better(verb: Verb, kept: list[str]) -> None:
    said = verb("lab", "compare", *kept)

    assert said.code == 0
    assert re.search(r"new +complete +852 +853 +\+1 +better", said.out)
    assert "established" not in said.out
    told = json.loads(verb("lab", "compare", *kept, "--json").out)
    assert [told["one"]["seed"], told["another"]["seed"]] == [0, 1]
    assert {"whose": "new", "what": "complete", "one": 852, "another": 853}.items() <= next(
        one.items() for one in told["differences"] if one["what"] == "complete"
    )


def test_compare_says_when_nothing_differs(verb: Verb, kept: list[str]) -> None:
    assert verb("lab", "compare", kept[0], kept[0]).out == "Nothing differs.\n"


def test_compare_refuses_different_scenarios_unless_asked(verb: Verb, kept: list[str], tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    findings = msgspec.structs.replace(read(Path(kept[1])).findings, scenario="other", scenario_digest="0")
    other.write_bytes(msgspec.json.encode(findings))

    assert "--anyway" in sentence(verb("lab", "compare", kept[0], str(other)), 1)
    assert verb("lab", "compare", kept[0], str(other), "--anyway").code == 0


def test_compare_says_which_file_is_no_findings(verb: Verb, kept: list[str], tmp_path: Path) -> None:
    assert "none: No such file" in sentence(verb("lab", "compare", kept[0], str(tmp_path / "none")), 2)


# ---------------------------------------------------------------- calibrate


MEASURED = Calibration(
    name="here", about="this machine", slots=4, most_tokens=512, batch_s=0.01, write_s=0.001, read_s=0.0001
)


def calibrated(*checks: Check) -> Calibrated:
    return Calibrated(
        calibration=MEASURED, checks=list(checks), probes=9, counted=8, took_s=1.0, slowest=1.0, fastest=1.0
    )


@pytest.fixture
def wanted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path | None]]:
    """What was to be measured; it came out well."""
    asked: list[tuple[str, Path | None]] = []

    def measure(name: str, config: Path | None, progress: Callable[[str], None]) -> Calibrated:
        asked.append((name, config))
        progress("round 1 of 5")
        return calibrated(Check(what="first token of a prompt of 60", predicted_s=0.42, measured_s=0.4))

    monkeypatch.setattr(lab, "calibrate", measure)
    return asked


def test_calibrate_keeps_what_it_measured_and_says_how_well_it_predicts(
    verb: Verb, tmp_path: Path, wanted: list[tuple[str, Path | None]]
) -> None:
    out = tmp_path / "here.json"

    said = verb("lab", "calibrate", "--out", str(out), "--config", "own.toml")

    assert (said.code, said.err) == (0, "round 1 of 5 ...\n")
    assert re.search(r"^Tried on +Predicted +Measured +Off *$", said.out, re.MULTILINE)
    assert re.search(r"^first token of a prompt of 60 +420 ms +400 ms +\+5% *$", said.out, re.MULTILINE)
    assert f"here is in {out}: this machine" in said.out
    assert wanted == [("here", Path("own.toml"))]
    assert msgspec.json.decode(out.read_bytes(), type=Calibration) == MEASURED


def test_calibrate_gives_everything_it_knows_to_programs(
    verb: Verb, tmp_path: Path, wanted: list[tuple[str, Path | None]]
) -> None:
    said = json.loads(verb("lab", "calibrate", "--out", str(tmp_path / "here.json"), "--json").out)

    assert said["checks"] == [{"what": "first token of a prompt of 60", "predicted_s": 0.42, "measured_s": 0.4}]
    assert (said["calibration"]["name"], said["probes"], said["counted"]) == ("here", 9, 8)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_calibrate_ends_with_1_where_it_predicts_badly_and_keeps_it_all_the_same(
    verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    bad = Check(what="gap", predicted_s=0.1, measured_s=0.2)
    monkeypatch.setattr(lab, "calibrate", lambda *_: calibrated(bad))
    out = tmp_path / "here.json"

    said = verb("lab", "calibrate", "--out", str(out), *options)

    assert said.code == 1
    assert "measure again when the machine has nothing else to do" in said.err
    assert out.exists()


def test_calibrate_says_where_it_could_not_write(
    verb: Verb, tmp_path: Path, wanted: list[tuple[str, Path | None]]
) -> None:
    said = verb("lab", "calibrate", "--out", str(tmp_path / "no" / "where"))

    assert (said.code, said.out) == (2, "")
    assert "No such file" in said.err


@pytest.mark.parametrize(("error", "code"), [(lab.RehearsalError("no engine"), 1), (SettingsError("bad"), 2)])
def test_calibrate_says_why_not(
    verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    monkeypatch.setattr(lab, "calibrate", failing(error))

    assert str(error) in sentence(verb("lab", "calibrate", "--out", str(tmp_path / "x")), code)
