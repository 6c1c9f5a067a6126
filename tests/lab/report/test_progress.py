"""Progress on a terminal, and nothing where nobody watches."""

from __future__ import annotations

import io

from rich.console import Console

from tests.lab.staged import answer, played, question, scenario, who
from tidegate.lab.acts import Ended, Group, Need
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.judge import Judge
from tidegate.lab.report.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def said(progress: Progress) -> str:
    out = io.StringIO()
    Console(file=out, width=100).print(progress.drawn())
    return " ".join(out.getvalue().split())


def listening(judge_like: Progress, seconds: int) -> None:
    played(judge_like, seconds=seconds)  # type: ignore[arg-type] # a listener is all that is needed


def test_it_says_how_far_it_is_and_how_people_fare() -> None:
    clock = Clock()
    progress = Progress(scenario(), Console(file=io.StringIO()), clock)
    listening(progress, 1000)
    clock.now += 10.0
    progress.happened(Happened(at_s=1000.0, what="mode", was="open", to="invite"))
    progress.happened(Happened(at_s=1000.0, what="engine"))
    progress.sampled(Sampled(at_s=1000.0, running=3, waiting=0, tok_s=0.0, capacity_tok_s=1.0, replica=1))
    bot = who(Group.ATTACKER)
    progress.ended(Ended(bot, Need.CHAT, 1000.0, 1, answer(1000.0)))
    progress.ended(Ended(who(Group.NEW), Need.PAGE, 1000.0, 1, answer(1000.0)))

    text = said(progress)

    assert "16 min 42 s of 30 min, 100.2 times as fast" in text
    assert "established 960 of 1,000 questions good (96 %)" in text
    assert "anonymous 0 of 0" in text
    assert "engine 7 running, 9 waiting" in text
    assert "mode invite" in text
    assert "on now request flood" in text


def test_where_nobody_watches_nothing_is_written() -> None:
    out = io.StringIO()
    with Progress(scenario(), Console(file=out)) as progress:
        listening(progress, 300)

    assert not progress.is_shown
    assert out.getvalue() == ""


def test_a_terminal_is_drawn_on_four_times_a_second_at_most_and_left_clean() -> None:
    out, clock = io.StringIO(), Clock()
    terminal = Console(file=out, force_terminal=True, width=100)
    with Progress(scenario(), terminal, clock) as progress:
        begun = len(out.getvalue())
        listening(progress, 600)
        assert len(out.getvalue()) == begun
        clock.now += 1.0
        for _ in range(600):
            question(progress, who(Group.NEW), answer(700.0))  # type: ignore[arg-type] # a listener is enough
        drawn = out.getvalue()

    assert "requests" in drawn
    assert drawn.count("on now") == 1


def test_a_judge_and_the_progress_count_the_same() -> None:
    judge, progress = Judge(scenario()), Progress(scenario(), Console(file=io.StringIO()), Clock())
    for at in range(130, 200):
        for one in (judge, progress):
            question(one, who(Group.NEW), answer(float(at), 1.0 + at % 3))  # type: ignore[arg-type] # the same

    assert "new 47 of 70 questions good" in said(progress)


def test_what_is_said_stays_and_is_said_where_nobody_watches_too() -> None:
    out = io.StringIO()
    with Progress(scenario(), Console(file=out, width=20)) as progress:
        progress.say("under rehearsal: http://127.0.0.1:40213 [its] data")

    assert out.getvalue() == "under rehearsal: http://127.0.0.1:40213 [its] data\n"
