"""Newcomers of a rehearsal sign up at the real service, by letter, while a wave of sign-ups goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
import uvloop

from tidegate.lab.acts import Ask, Chat, Ended, Group, Life, Need, Outcome, SignUp, Wait, Who
from tidegate.lab.casting import cast_of
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.judge.findings import Staging
from tidegate.lab.judge.judge import Judge
from tidegate.lab.live import world
from tidegate.lab.live.world import LiveRun, play
from tidegate.lab.scenario import parse

pytestmark = [pytest.mark.integration, pytest.mark.timed]

SCENARIO = parse(
    """
    version = 1
    name = "short-wave"
    title = "A wave of sign-ups of a few seconds"
    about = "Four people sign up by letter while twenty programs do."
    duration_s = 20
    worlds = ["live"]
    [settings.engine]
    threads = 1
    [settings.mail]
    delivery = "disk"
    [people]
    established = 0
    new = 0
    anonymous = 0
    load = 0
    sign_ups_per_min = 0
    sign_ins_per_min = 0
    page_views_per_min = 0
    [[attack]]
    family = "signup_wave"
    from_s = 0.5
    until_s = 8
    intensity = 0.3
    bots = 20
    """
)
NEWCOMERS = 4


class Heard:
    """Keeps what became of sign-ups and questions."""

    def __init__(self) -> None:
        self.joined: list[Outcome] = []
        self.answered: list[Outcome] = []
        self.wave: list[Outcome] = []

    def asked(self, ask: Ask, outcome: Outcome) -> None:
        if isinstance(ask.what, SignUp):
            (self.wave if ask.who.group is Group.ATTACKER else self.joined).append(outcome)
        elif isinstance(ask.what, Chat) and ask.who.group is Group.NEW:
            self.answered.append(outcome)

    def ended(self, ended: Ended) -> None:
        del ended

    def sampled(self, sample: Sampled) -> None:
        del sample

    def happened(self, happened: Happened) -> None:
        del happened


def newcomer(number: int) -> Life:
    who = Who(name=f"newcomer-{number}", group=Group.ANONYMOUS, address=0x0C000001 + (number << 8))
    yield Wait(2.0 + 0.5 * number)
    outcome = yield Ask(who, SignUp(local_part=f"nina.novak{number}", reads_mail_after_s=1.0, effort_s=0.04))
    assert outcome is not None
    yield Ended(who, Need.SIGN_UP, outcome.asked_at_s, 1, outcome)
    if outcome.is_complete:
        member = msgspec.structs.replace(who, group=Group.NEW, has_account=True)
        yield Ask(member, Chat(prompt_tokens=50, answer_tokens=4, patience_s=30.0))


def test_newcomers_get_their_accounts_by_letter_in_a_wave_and_use_them(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_MODELS", str(models))
    monkeypatch.setattr(world, "GRACE_S", 60.0)  # It is over when nothing is under way any more.
    heard, judge = Heard(), Judge(SCENARIO)
    lives = [*map(newcomer, range(NEWCOMERS)), *cast_of(SCENARIO, 1.0, 1.0)]

    async def rehearse() -> LiveRun:
        return await play(SCENARIO, lives, [heard, judge], keep=tmp_path, is_pinned=False)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = runner.run(rehearse())

    figures = judge.findings(Staging()).people[Group.ANONYMOUS]
    assert run.is_complete, run
    assert len(heard.wave) > 10
    assert [one.is_complete for one in heard.joined] == [True] * NEWCOMERS, heard.joined
    assert max(one.effort for one in heard.joined) > 0, "nobody was asked for work: the wave was none"
    assert min(one.ended_at_s - one.asked_at_s for one in heard.joined) > 1.0, "an account without its letter read"
    assert heard.answered, "an account was not used"
    assert all(one.is_complete for one in heard.answered), heard.answered
    assert (figures.sign_ups, figures.sign_ups_made, figures.sign_ups_lost) == (NEWCOMERS, NEWCOMERS, 0)
    assert run.log_path is not None
    assert run.log_path.read_text().count('"kind":"mail"') >= NEWCOMERS
