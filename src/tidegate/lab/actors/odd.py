"""What looks like an attack and is none. Whoever is part of it has its name as `who.family`.

Of each, `people` tells how many take part, and none of them is anybody's regular. What `intensity` is:

    viral_prompt    how often each of them comes with it. The prompt is the same to the letter; then they ask
                    what they like. Most come soon: the wave falls from four times its mean to nothing.
    classroom       how many times QUESTIONS_A_PUPIL each of them asks. All sit behind one address, begin
                    within a minute, and three of ten sign in first, on computers the service has not seen.
                    The questions are made from one template: they have the same homework.
    password_reset  how often each of them has to sign in. All were told to, most come soon, many mistype.
    sdk_retry_bug   how many programs of one author there are, at most `people`. They give up waiting after
                    seconds, and ask again at once, a hundred times, whatever they are told.
    new_region      how fast: they all come, evenly, within the span divided by it. A country and networks that
                    nobody was seen from before; they look, sign up and ask.
    shared_key      how many questions a minute each of them asks, all in the name of one account.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Final
from zlib import crc32

import msgspec

from tidegate.lab.actors.addresses import OFFICES, Country, Mix, country_of
from tidegate.lab.actors.arrivals import Flow, source, waning
from tidegate.lab.actors.dice import more
from tidegate.lab.actors.habits import MAX_TOKENS, Habits, body
from tidegate.lab.actors.identities import Population, Region
from tidegate.lab.actors.retrying import Bug, asking, by_hand
from tidegate.lab.actors.sessions import questions
from tidegate.lab.actors.town import Town
from tidegate.lab.actors.visitors import join_and_ask, sign_in
from tidegate.lab.acts import Chat, Group, Life, Need, Wait, Who
from tidegate.lab.scenario import Odd, Oddity

QUESTIONS_A_PUPIL: Final = 6.0
NEW_MEMBERS: Final = 0.4
"""The part of a viral prompt's people whose account is of this week."""

NEW_PUPILS: Final = 0.7
PUPILS_SIGN_IN: Final = 0.3
BEGINS_WITHIN_S: Final = 60.0
RESET_KNOWN_DEVICE: Final = 0.85
RESET_MISTYPES: Final = 0.25
IMPATIENT_S: Final = 2.0
BUG_EVERY_S: Final = 10.0
REGION: Final = Region(Country("VN", 1.0, "vi"), Mix(phones=0.7, offices=0.03, vpns=0.02, racks=0.0), 400_000)
"""All of these are assumed."""

_STEEPNESS: Final = 4.0
_GOES_ON: Final = 2.0


def odd_cast(odd: Odd, number: int, town: Town) -> list[Life]:
    """Everybody of one oddity, the scenario's `number`th."""
    return _KINDS[odd.kind](_Stage(odd=odd, name=f"odd{number}", town=town))


class _Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One oddity in its town."""

    odd: Odd
    name: str
    town: Town

    def population(self, group: Group, part: float = 1.0, *, region: Region | None = None) -> Population:
        """Those of it who are of a group, one at least."""
        size = max(1, round(self.odd.people * part))
        name = f"{self.name}-{group}"
        return Population(size, group, self.town.seed, name=name, family=self.odd.kind, region=region)

    def dice(self, *names: str | int) -> Random:
        """Dice of its own."""
        return self.town.dice(self.name, *names)

    def wave(self, times: float = 1.0) -> Flow:
        """Let everybody come so often within the span, most of them soon."""
        span_s = self.odd.until_s - self.odd.from_s
        factor = waning(self.odd.from_s, self.odd.until_s, _STEEPNESS)
        return msgspec.structs.replace(self.evenly(self.odd.people * times / span_s), factor=factor, peak=_STEEPNESS)

    def evenly(self, per_s: float) -> Flow:
        """Let so many a second come within the span."""
        return Flow(per_s=per_s, from_s=self.odd.from_s, until_s=self.odd.until_s)


def _viral_prompt(stage: _Stage) -> list[Life]:
    established = stage.population(Group.ESTABLISHED, 1.0 - NEW_MEMBERS)
    new = stage.population(Group.NEW, NEW_MEMBERS)
    own, habits = stage.dice(), stage.town.habits
    prompt, _ = habits.lengths.draw(own)
    same = body(own)

    def begin(at_s: float) -> Life:
        del at_s
        group = new if own.random() < NEW_MEMBERS else established
        return _with_the_prompt(group.who(int(own.random() * group.size)), habits, more(own), prompt, same)

    return [source(stage.wave(stage.odd.intensity), own, begin)]


def _with_the_prompt(who: Who, habits: Habits, dice: Random, prompt: int, same: int) -> Life:
    _, answer = habits.lengths.draw(dice)
    chat = Chat(
        prompt_tokens=prompt,
        answer_tokens=answer,
        max_tokens=max(MAX_TOKENS, answer),
        patience_s=habits.patience_s,
        template=same,
        body=same,
    )
    yield from asking(who, chat, Need.CHAT, by_hand(dice), dice)
    yield Wait(habits.pause_s(answer, dice))
    yield from questions(who, habits, dice, msgspec.structs.replace(habits, turns=_GOES_ON).questions(dice))


def _classroom(stage: _Stage) -> list[Life]:
    own = stage.dice()
    address = OFFICES.address(own.getrandbits(32), 1 << 20)
    country = country_of(address >> 8)
    habits = msgspec.structs.replace(stage.town.habits, turns=max(1.0, QUESTIONS_A_PUPIL * stage.odd.intensity))
    template = own.getrandbits(61) | 1 << 61
    old, new = stage.population(Group.ESTABLISHED), stage.population(Group.NEW)
    lives = []
    for number in range(stage.odd.people):
        dice = stage.dice("pupil", number)
        who = (new if dice.random() < NEW_PUPILS else old).who(number)
        who = msgspec.structs.replace(
            who, address=address, country=country.code, lang=country.lang, net_kind=OFFICES.kind
        )
        lives.append(_pupil(who, habits, dice, stage.odd.from_s, template))
    return lives


def _pupil(who: Who, habits: Habits, dice: Random, from_s: float, template: int) -> Life:
    yield Wait(from_s + BEGINS_WITHIN_S * dice.random() ** 2)
    if dice.random() < PUPILS_SIGN_IN:
        yield from sign_in(who, dice, known=0.0)
    yield from questions(who, habits, dice, habits.questions(dice), template=template)


def _password_reset(stage: _Stage) -> list[Life]:
    everybody, own, numbers = stage.population(Group.ESTABLISHED), stage.dice(), count()

    def begin(at_s: float) -> Life:
        del at_s
        who = everybody.who(next(numbers) % everybody.size)
        return sign_in(who, more(own), known=RESET_KNOWN_DEVICE, mistypes=RESET_MISTYPES)

    return [source(stage.wave(stage.odd.intensity), own, begin)]


def _sdk_retry_bug(stage: _Stage) -> list[Life]:
    programs = stage.population(Group.ESTABLISHED)
    many = min(stage.odd.people, max(1, round(stage.odd.intensity)))
    return [
        _impatient(_as_program(programs.who(number)), stage.town.habits, stage.dice("program", number), stage.odd)
        for number in range(many)
    ]


def _impatient(who: Who, habits: Habits, dice: Random, odd: Odd) -> Life:
    yield Wait(odd.from_s + BUG_EVERY_S * dice.random())
    now, template = odd.from_s, crc32(who.name.encode())
    while now < odd.until_s:
        prompt, answer = habits.lengths.draw(dice)
        chat = Chat(
            prompt_tokens=prompt,
            answer_tokens=answer,
            max_tokens=max(MAX_TOKENS, answer),
            patience_s=IMPATIENT_S,
            template=template,
            body=body(dice),
        )
        outcome = yield from asking(who, chat, Need.CHAT, Bug(), dice)
        pause_s = dice.expovariate(1.0 / BUG_EVERY_S)
        yield Wait(pause_s)
        now = outcome.ended_at_s + pause_s


def _new_region(stage: _Stage) -> list[Life]:
    newcomers = stage.population(Group.ANONYMOUS, region=REGION)
    own, numbers = stage.dice(), count()
    per_s = stage.odd.people * stage.odd.intensity / (stage.odd.until_s - stage.odd.from_s)

    def begin(at_s: float) -> Life | None:
        del at_s
        number = next(numbers)
        return join_and_ask(newcomers.who(number), stage.town.habits, more(own)) if number < newcomers.size else None

    return [source(stage.evenly(per_s), own, begin)]


def _shared_key(stage: _Stage) -> list[Life]:
    colleagues, own = stage.population(Group.ESTABLISHED), stage.dice()
    habits = msgspec.structs.replace(stage.town.habits, turns=1.0)
    name = f"{stage.name}-key"

    def begin(at_s: float) -> Life:
        del at_s
        who = _as_program(colleagues.who(int(own.random() * colleagues.size)))
        return questions(msgspec.structs.replace(who, name=name), habits, more(own), 1)

    return [source(stage.evenly(stage.odd.people * stage.odd.intensity / 60.0), own, begin)]


def _as_program(who: Who) -> Who:
    return msgspec.structs.replace(who, is_program=True, agent="python-openai")


_KINDS: Final[dict[Oddity, Callable[[_Stage], list[Life]]]] = {
    Oddity.VIRAL_PROMPT: _viral_prompt,
    Oddity.CLASSROOM: _classroom,
    Oddity.PASSWORD_RESET: _password_reset,
    Oddity.SDK_RETRY_BUG: _sdk_retry_bug,
    Oddity.NEW_REGION: _new_region,
    Oddity.SHARED_KEY: _shared_key,
}
