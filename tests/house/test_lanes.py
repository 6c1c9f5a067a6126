"""`make test` runs in lanes: all that is tested is in one of them, and nothing that fails in any is lost."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tools.lanes import BROWSER, INTEGRATION, PURE, Lane, Traffic, alone, main, side_by_side

HEAD = "===== test session starts =====\\nplatform\\n\\ntests/a.py ...  [ 50%]\\ntests/b.py "
GOOD = f"print('{HEAD}..  [100%]\\n\\n===== 5 passed in 1.00s =====')"
FAILED = f"{HEAD}.F  [100%]\\n\\n===== FAILURES =====\\nwhy\\n===== 1 failed, 4 passed in 1.00s ====="
BAD = f"print('{FAILED}'); raise SystemExit(1)"
NOTHING = "print('===== test session starts =====\\n\\n===== 5 deselected in 0.01s ====='); raise SystemExit(5)"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lane(name: str, script: str) -> Lane:
    return Lane(name, [sys.executable, "-S", "-c", script])


def test_every_room_is_in_one_lane_and_what_judges_times_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    lanes = {one.name: list(one.command) for one in side_by_side()}
    named = {
        path: [name for name, command in lanes.items() if path in command] for path in (INTEGRATION, BROWSER, *PURE)
    }

    assert all(len(names) == 1 and (root / path).is_dir() for path, names in named.items()), named
    # All others are in the lane that takes all of `tests` but those.
    assert [name for name, command in lanes.items() if "tests" in command] == ["rooms"]
    ignored = {argument.removeprefix("--ignore=") for argument in lanes["rooms"] if argument.startswith("--ignore=")}
    assert ignored == set(named)
    (timed,) = alone()
    assert "--timed=without" in lanes["integration"]
    assert {"--timed=only", INTEGRATION} <= set(timed.command)


def test_tests_that_judge_times_stand_where_the_lane_for_them_looks() -> None:
    tests = Path(__file__).parents[1]
    marked = re.compile(r"pytest\.mark\.timed\b")
    found = {path.parent.name for path in tests.rglob("test_*.py") if marked.search(path.read_text("utf-8"))}

    assert found - {"house"} == {Path(INTEGRATION).name}


@pytest.mark.parametrize(
    ("scripts", "status"),
    [
        ([GOOD, GOOD], 0),
        ([GOOD, BAD], 1),
        ([BAD, GOOD], 1),
        ([GOOD, NOTHING], 0),
        ([NOTHING, NOTHING], 1),
        ([GOOD, "import os; os.abort()"], 1),
    ],
)
def test_it_is_good_only_when_nothing_failed_and_something_ran(scripts: list[str], status: int) -> None:
    together, apart = ([lane(str(number), script) for number, script in enumerate(scripts)] for _ in range(2))

    assert main(Traffic([]), together, [], at_once=2) == status
    assert main(Traffic([]), apart[:1], apart[1:], at_once=2) == status


def test_what_failed_is_told_in_one_piece_and_named_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    main(Traffic([]), [lane("good", GOOD), lane("bad", BAD)], [lane("late", GOOD)], at_once=2)
    said = capsys.readouterr().out

    assert "good        | tests/b.py ..  [100%]" in said
    assert "===== FAILURES =====\nwhy\n===== 1 failed, 4 passed in 1.00s =====\n" in said
    assert said.count("\n===== 5 passed in 1.00s =====\n") == 2
    assert re.search(r"^bad +FAILED, see \.cache/lanes/bad\.txt, \d+ s$", said, re.MULTILINE)
    assert re.search(r"^late +passed, \d+ s$", said, re.MULTILINE)
    assert Path(".cache/lanes/bad.txt").read_text().startswith("===== test session starts")


def test_so_many_run_at_once_and_the_lonely_when_all_others_are_done(tmp_path: Path) -> None:
    meet = "import pathlib, sys, time\n{mark}.touch()\nwhile not {other}.exists(): time.sleep(0.01)"
    first, second = (f"pathlib.Path({str(tmp_path / name)!r})" for name in ("first", "second"))
    lanes = [
        lane("first", meet.format(mark=first, other=second)),
        lane("second", meet.format(mark=second, other=first)),
        lane("third", f"import pathlib; {first}.unlink(); {second}.unlink()"),
    ]
    late = lane("late", f"import pathlib, sys; sys.exit({first}.exists())")

    assert main(Traffic([]), lanes, [late], at_once=2) == 0


def test_arguments_reach_every_lane() -> None:
    asked = "import sys; sys.exit(sys.argv[1:] != ['-k', 'slots'])"

    assert main(Traffic(["-k", "slots"]), [lane("one", asked)], [lane("late", asked)], at_once=2) == 0


def test_a_run_that_is_stopped_ends_what_runs_tells_where_it_was_and_begins_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As when a limit of time has passed: the name that a hang ends with is that of the file it was at."""
    endless = lane("endless", f"import signal; print('{HEAD}', end='', flush=True); signal.pause()")
    traffic = Traffic([])

    def stop() -> None:
        give_up_at = time.monotonic() + 20
        while time.monotonic() < give_up_at and not (endless.path.exists() and b"b.py" in endless.path.read_bytes()):
            time.sleep(0.01)
        traffic.stop(signal.SIGTERM, None)

    stopping = threading.Thread(target=stop)
    stopping.start()
    status = main(traffic, [endless, lane("next", GOOD)], [lane("late", GOOD)], at_once=1)
    stopping.join()
    said = capsys.readouterr().out

    assert status == 1
    assert "endless     | tests/b.py" in said
    assert "5 passed" not in said
    assert re.search(r"^next +was not run, 0 s$", said, re.MULTILINE)
    assert re.search(r"^late +was not run, 0 s$", said, re.MULTILINE)
