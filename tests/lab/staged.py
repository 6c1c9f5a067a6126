"""A made-up rehearsal whose every figure is known: a flood, a crowd and a fault within half an hour."""

from __future__ import annotations

from tidegate.lab.acts import Ask, Chat, Ended, Group, Need, Outcome, SignUp, Who
from tidegate.lab.hearing import Happened, Sampled
from tidegate.lab.judge.judge import Judge
from tidegate.lab.scenario import Scenario, parse

TEXT = """
version = 1
name = "staged-flood"
title = "A flood in a busy hour"
about = "A crowd comes, then a flood of requests, then one engine slows down."
duration_s = 1800
warm_s = 120

[[crowd]]
load = 1.0
from_s = 300
until_s = 600

[[attack]]
family = "request_flood"
from_s = 900
until_s = 1200

[[fault]]
kind = "engine_slow"
from_s = 1400
until_s = 1500

[[odd]]
kind = "viral_prompt"
from_s = 200
until_s = 700
"""


def scenario(text: str = TEXT) -> Scenario:
    return parse(text, "staged.toml")


def who(group: Group, number: int = 0, family: str = "") -> Who:
    return Who(name=f"{group}-{number}", group=group, address=number, has_account=True, family=family)


def answer(at_s: float, first_s: float = 0.5, **changed: object) -> Outcome:
    told: dict[str, object] = {
        "asked_at_s": at_s,
        "ended_at_s": at_s + first_s + 2.0,
        "status": 200,
        "first_s": first_s,
        "gap_s": 0.05,
        "stall_s": 0.2,
        "is_complete": True,
        "prompt_tokens": 100,
        "output_tokens": 50,
        "cost": 150.0,
        **changed,
    }
    return Outcome(**told)  # type: ignore[arg-type] # the fields that a test names


def refused(at_s: float, reason: str = "slow_down", **changed: object) -> Outcome:
    told: dict[str, object] = {"asked_at_s": at_s, "ended_at_s": at_s, "status": 429, "reason": reason, **changed}
    return Outcome(**told)  # type: ignore[arg-type] # the same


def question(judge: Judge, one: Who, outcome: Outcome, since_s: float | None = None, tries: int = 1) -> None:
    """One question that took as many tries as are said, of which the judge hears the last."""
    judge.asked(Ask(one, Chat(prompt_tokens=100, answer_tokens=50)), outcome)
    judge.ended(Ended(one, Need.CHAT, outcome.asked_at_s if since_s is None else since_s, tries, outcome))


def played(judge: Judge, *, seconds: int = 1800) -> Judge:
    """Play the whole of it, five questions of everybody every five seconds, in the order of time."""
    sign_up = SignUp()
    for at in range(0, seconds, 5):
        flood, crowd, slow = 900 <= at < 1200, 300 <= at < 600, 1400 <= at < 1500
        first_s = 3.0 if 900 <= at < 940 else 0.4 + 0.2 * crowd + 0.9 * slow
        mode = "waiting_room" if 910 <= at < 1260 else "throttled" if 400 <= at < 640 else "open"
        for number in range(5):
            question(judge, who(Group.ESTABLISHED, number), answer(at + number / 10, first_s))
        for number in range(2 + 6 * crowd):
            one = who(Group.NEW, number, "viral_prompt" if number == 0 and 200 <= at < 700 else "")
            is_late = crowd and number > 4
            question(
                judge,
                one,
                refused(at + 1.0, promised_s=5.0, waited_s=4.0) if is_late else answer(at + 1.0, first_s * 2),
            )
        for number in range(40 * flood):
            ask = Ask(who(Group.ATTACKER, number, "request_flood"), Chat(prompt_tokens=900, answer_tokens=400))
            judge.asked(ask, refused(at + 2.0, "source_blocked") if number > 1 else answer(at + 2.0, cost=300.0))
        if at % 60 == 0:
            visitor = who(Group.ANONYMOUS, at)
            done = answer(at + 3.0, waited_s=30.0 if flood else None, promised_s=40.0 if flood else None, cost=0.0)
            judge.asked(Ask(visitor, sign_up), done)
            judge.ended(Ended(visitor, Need.SIGN_UP, at + 3.0, 1, done))
        judge.sampled(
            Sampled(
                at_s=at + 4.0,
                running=4,
                waiting=6 * crowd + 9 * flood,
                tok_s=900.0 * (0.3 if slow else 0.8),
                capacity_tok_s=900.0 * (0.3 if slow else 1.0),
                mode=mode,
                in_line=12 * flood,
            )
        )
        for when, what, was, to in (
            (400, "mode", "open", "throttled"),
            (640, "mode", "throttled", "open"),
            (905, "suspicion", "", "pressing"),
            (910, "mode", "open", "waiting_room"),
            (915, "handover", "", "kept_sending"),
            (1260, "mode", "waiting_room", "open"),
        ):
            if at == when:
                judge.happened(Happened(at_s=at + 4.5, what=what, was=was, to=to, detail="sign_up_rate"))
    return judge
