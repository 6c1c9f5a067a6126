"""Made-up sessions at a chat service: sign-up, sign-in, questions and how answers are read.

As in synthetic_sessions.py, families of people and of programs with a spread of their own.
Reading speeds follow Brysbaert (2019): 238 words a minute silently, about 5 tokens a
second, skimming up to four times that.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tidegate.core.score.observed import Observed
from tools.synthetic_web import Made


@dataclass
class Chatter:
    """How one account talks to the model."""

    wait_s: Callable[[float, float], float]
    """Seconds from an answer's end to the next question, told its tokens and how long it took to write."""
    turns: int
    agent: str = "chrome"
    out_tok: tuple[float, float] = (5.3, 0.9)
    prompt: tuple[float, float] = (4.0, 1.0)
    grows: bool = True
    max_tok: int | None = None
    pegged: float = 0.0
    templates: int = 0
    """How many templates it fills in; 0: each prompt is its own."""
    shared: str = ""
    repeats: float = 0.0
    abandons: float = 0.0
    streams: bool = True
    at_once: int = 1
    name_entropy: float = 4.0
    disposable: float = 0.02
    family: str = ""
    verify_s: float = 90.0
    age_s: float = 0.0
    net: str = "residential"
    breaks: float = 0.0


def chat(dice: random.Random, fields: frozenset[str], name: str, who: Chatter, started: float) -> list[Observed]:
    """The events of one account's session."""
    src, now = f"s{name[:8]}", started
    base: dict[str, Any] = {"src": src, "acct": "a" + name, "sess": name}
    if "ua" in fields:
        base["ua"] = who.agent
    if "net_kind" in fields:
        base["net_kind"] = who.net
    events: list[Observed] = []
    if "signup" in fields and who.age_s == 0:
        events.append(
            Observed(
                t=now,
                kind="signup",
                outcome="ok",
                disposable=dice.random() < who.disposable,
                name_entropy=max(0.5, dice.gauss(who.name_entropy, 0.3)),
                family=who.family or name,
                **base,
            )
        )
        now += who.verify_s * dice.lognormvariate(0, 0.3)
        events.append(Observed(t=now, kind="verify", outcome="ok", latency_s=now - started, **base))
        now += dice.uniform(1, 20)
    history, ended = 0.0, started
    for turn in range(who.turns):
        prompt, out = dice.lognormvariate(*who.prompt), max(1.0, dice.lognormvariate(*who.out_tok))
        if who.max_tok is not None:
            out = float(who.max_tok) if dice.random() < who.pegged else min(out, who.max_tok)
        service = 0.2 + out / dice.uniform(20, 60)
        left = dice.random() < who.abandons
        again = dice.random() < who.repeats
        template = who.shared or (f"t{name}{dice.randrange(who.templates)}" if who.templates else f"t{name}{turn}")
        more: dict[str, Any] = {
            "in_tok": round(prompt + (history if who.grows else 0)),
            "out_tok": round(out * (0.3 if left else 1)),
            "max_tok": who.max_tok,
            "service_s": service,
            "queue_s": 0.0,
            "tmpl": template,
            "body": f"b{name}{0 if again else turn}",
            "abandoned": left or None,
            "stream": who.streams,
        }
        began = now
        now += service
        waited = who.wait_s(out, service)
        if turn:
            more["read_s"] = began - ended
        more = {key: value for key, value in more.items() if key in fields or key in {"in_tok", "out_tok"}}
        age_s = (who.age_s or now - started) if "age_s" in fields else None
        given: dict[str, Any] = {"kind": "request", "route": "chat", "method": "POST", "status": 200, "age_s": age_s}
        given |= base | more
        events.extend(Observed(t=now + dice.uniform(0, 0.2), **given) for _ in range(who.at_once))
        history += prompt + out
        ended = now
        now += waited + (dice.uniform(600, 6000) if dice.random() < who.breaks else 0.0)
    return sorted(events, key=lambda event: event.t)


def reader(dice: random.Random, tokens_s: float, type_s: float, along: float) -> Callable[[float, float], float]:
    """A person: reads along while the answer is written, reads the rest, thinks and types."""

    def wait(out: float, service: float) -> float:
        skims = dice.random() < 0.25
        reads = out / (tokens_s * (4 if skims else 1)) * dice.lognormvariate(0, 0.4)
        return max(0.3, reads - along * service) + type_s * dice.lognormvariate(0, 0.8)

    return wait


def _person(dice: random.Random, **more: Any) -> Chatter:
    given: dict[str, Any] = {
        "wait_s": reader(dice, dice.uniform(3, 10), math.exp(dice.gauss(2.4, 0.6)), dice.uniform(0.2, 1)),
        "turns": max(1, int(math.exp(dice.gauss(1.9, 0.9)))),
        "abandons": dice.uniform(0, 0.15),
        "repeats": dice.uniform(0, 0.08),
        "agent": dice.choice(("chrome", "firefox", "safari", "edge")),
        "name_entropy": dice.gauss(4.0, 0.5),
        "verify_s": math.exp(dice.uniform(1.8, 5.7)),
        "age_s": dice.choice((0.0, dice.uniform(1, 400) * 86_400)),
        "net": dice.choice(("residential", "residential", "mobile", "vpn")),
        "breaks": dice.uniform(0, 0.1),
        "prompt": (dice.uniform(2.8, 4.5), dice.uniform(0.6, 1.1)),
        "max_tok": dice.choice((None, None, 2048)),
    }
    return Chatter(**(given | more))


def _program(dice: random.Random, **more: Any) -> Chatter:
    low = math.exp(dice.uniform(-1, 2))
    given: dict[str, Any] = {
        "wait_s": lambda _o, _s: dice.uniform(low, low * 3),
        "turns": max(4, int(math.exp(dice.gauss(3, 0.9)))),
        "agent": dice.choice(("chrome", "python-openai", "curl", "python-httpx", "chrome", "")),
        "name_entropy": dice.choice((4.0, 6.3, 7.4)),
        "disposable": dice.choice((0.0, 0.5, 0.9)),
        "grows": dice.random() < 0.4,
        "family": f"f{dice.randrange(12)}" if dice.random() < 0.6 else "",
        "verify_s": dice.choice((0.7, 1.5, 5.0, 60.0)),
        "net": dice.choice(("hosting", "hosting", "residential", "vpn")),
        "prompt": (dice.uniform(3, 5.5), dice.uniform(0.1, 0.7)),
    }
    return Chatter(**(given | more))


Maker = Callable[[random.Random], Chatter]

PEOPLE: dict[str, Maker] = {
    "asker": _person,
    "fast reader": lambda dice: _person(dice, wait_s=reader(dice, dice.uniform(12, 25), 6, 0.9)),
    "coder": lambda dice: _person(dice, out_tok=(6.2, 0.7), prompt=(5.5, 1.2), turns=dice.randint(8, 60), breaks=0.1),
    "story reader": lambda dice: _person(
        dice, out_tok=(6.5, 0.4), wait_s=reader(dice, 4, 5, 0.8), turns=dice.randint(5, 30)
    ),
    "one question": lambda dice: _person(dice, turns=dice.randint(1, 3)),
    "impatient": lambda dice: _person(dice, abandons=0.4, repeats=0.2, wait_s=reader(dice, 20, 4, 0.9)),
}
PROGRAMS: dict[str, Maker] = {
    "script": lambda dice: _program(dice, wait_s=lambda _o, _s: dice.uniform(0, 0.3), streams=False),
    "template": lambda dice: _program(dice, templates=dice.randint(1, 3), prompt=(dice.uniform(3, 5), 0.1)),
    "distiller": lambda dice: _program(
        dice, max_tok=dice.choice((256, 1024, 4096)), pegged=dice.uniform(0.3, 0.9), turns=dice.randint(20, 200)
    ),
    "farm": lambda dice: _program(dice, shared=f"farm{dice.randrange(4)}", turns=dice.randint(3, 12)),
    "parallel": lambda dice: _program(dice, at_once=dice.randint(2, 4), streams=dice.random() < 0.5),
    "polite script": lambda dice: _program(
        dice, agent="chrome", family="", disposable=0.0, net="residential", verify_s=60.0
    ),
    "actor": lambda dice: _program(
        dice,
        agent="chrome",
        name_entropy=4.0,
        family="",
        disposable=0.0,
        net="residential",
        verify_s=80.0,
        grows=True,
        wait_s=lambda _o, _s: dice.lognormvariate(2.2, dice.uniform(0.3, 0.7)),
    ),
    "repeater": lambda dice: _program(dice, repeats=dice.uniform(0.4, 1.0)),
    "slow prober": lambda dice: _program(
        dice, agent="chrome", wait_s=lambda _o, _s: dice.gauss(60, 10), templates=dice.randint(2, 6)
    ),
}


def chat_logs(dice: random.Random, logs: int, per_family: int) -> Iterator[Made]:
    """Give sessions of every family at several services."""
    likely = {
        "ua": 0.7,
        "net_kind": 0.5,
        "signup": 0.6,
        "age_s": 0.6,
        "max_tok": 0.7,
        "service_s": 0.8,
        "queue_s": 0.8,
        "tmpl": 0.6,
        "body": 0.6,
        "abandoned": 0.8,
        "stream": 0.8,
        "read_s": 0.75,
    }
    for number in range(logs):
        fields = frozenset(field for field, chance in likely.items() if dice.random() < chance)
        for truth, families in (("human", PEOPLE), ("program", PROGRAMS)):
            for family, make in families.items():
                for _ in range(per_family * (3 if truth == "human" else 2)):
                    started = 1_780_000_000 + dice.uniform(0, 86_400)
                    yield Made(
                        f"c{number}",
                        "chat",
                        "chat: " + family,
                        truth,
                        chat(dice, fields, f"{dice.getrandbits(48):012x}", make(dice), started),
                    )
