"""One visit of somebody with an account: they arrive, ask, read, ask on, and leave.

A person's questions are conversations: each begins with what was said before (`cached_tokens`), as a chat sends it
again. The lengths of prompts that are drawn are those of all that is sent, so those of a session are put in an
order in which as many as possible have room for what was said; one that has none begins another
conversation. So prompts are as long as the scenario's lengths say, however long sessions are.
A program's questions have nothing to do with each other, but are made from one template.

Who gets no answer gives up the whole visit in 3 of 10 cases (assumed): a bad service is asked less than
`load` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final
from zlib import crc32

from tidegate.lab.actors.habits import MAX_TOKENS, SDK_TIMEOUT_S, Habits, body
from tidegate.lab.actors.retrying import CURRENT, EARLIER, Retries, asking, by_hand
from tidegate.lab.acts import Ask, Chat, Life, Need, Page, Wait, Who

GIVES_UP: Final = 0.3
NEW_BROWSER: Final = 0.1
"""The part of arrivals at which a browser has not kept the page's files. Assumed."""

ASSETS: Final = tuple(
    Page(path=path, is_asset=True, referrer="same") for path in ("/icon.svg", "/manifest.webmanifest")
)
_SETTLES_S: Final = 1.5
_AT_ONCE: Final = 50
"""So many questions are put in order at once: the time for it grows with the square."""

_STREAMS: Final = 0.7


def session(who: Who, habits: Habits, dice: Random, *, is_under_way: bool = False, referrer: str = "none") -> Life:
    """Live one visit. `is_under_way`: it began earlier and is met between two questions.

    How many more there are does not depend on how many there were, so such a one only leaves out the arrival.
    """
    if is_under_way:
        yield Wait(habits.left_s(dice, is_program=who.is_program))
    elif not who.is_program:
        yield from arriving(who, dice, referrer=referrer, is_new=dice.random() < NEW_BROWSER)
    yield from questions(who, habits, dice, habits.questions(dice))


def arriving(who: Who, dice: Random, *, referrer: str, is_new: bool, path: str = "/") -> Life:
    """Open a page, and its files in a browser that has them not; look for a moment."""
    yield from asking(who, Page(path=path, referrer=referrer), Need.PAGE, by_hand(dice), dice)
    if is_new:
        for asset in ASSETS:
            yield Ask(who, asset)
    yield Wait(_SETTLES_S * (0.5 + dice.expovariate(1.0)))


def questions(who: Who, habits: Habits, dice: Random, many: int, *, template: int = 0) -> Life:
    """Ask so many, with pauses; end early when giving up. With a `template` they are all made from that."""
    is_program = who.is_program
    retries = sdk_of(who) if is_program else by_hand(dice)
    template = template or (crc32(who.name.encode()) if is_program else 0)
    patience_s = SDK_TIMEOUT_S if is_program else habits.patience_s
    is_stream = not is_program or template % 10 < _STREAMS * 10
    is_answered = False
    pause_s = None
    for prompt, answer, said in _lengths(habits, dice, many, are_said=not is_program):
        if pause_s is not None:
            yield Wait(pause_s)
        fingerprint = body(dice)
        chat = Chat(
            prompt_tokens=prompt,
            answer_tokens=answer,
            max_tokens=max(MAX_TOKENS, answer),
            cached_tokens=said if is_answered else 0,
            is_stream=is_stream,
            patience_s=patience_s,
            template=template or fingerprint,
            body=fingerprint,
            read_s=pause_s,
        )
        outcome = yield from asking(who, chat, Need.CHAT, retries, dice)
        is_answered = outcome.is_complete
        if not is_answered and dice.random() < GIVES_UP:
            return
        pause_s = habits.pause_s(answer if is_answered else 0, dice, is_program=is_program)


def sdk_of(who: Who) -> Retries:
    """Tell how a program retries: half of them have not been updated (assumed). The same for the same one."""
    return CURRENT if crc32(who.name.encode()) & 1 else EARLIER


def _lengths(habits: Habits, dice: Random, many: int, *, are_said: bool) -> Iterator[tuple[int, int, int]]:
    """Draw prompts and answers, and how much of each prompt was said before it."""
    draw = habits.lengths.draw
    while many > 0:
        pairs = [draw(dice) for _ in range(min(many, _AT_ONCE))]
        many -= len(pairs)
        if are_said:
            yield from _conversations(sorted(pairs))
        else:
            for prompt, answer in pairs:
                yield prompt, answer, 0


def _conversations(left: list[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    while left:
        said = 0
        others = []
        for prompt, answer in left:
            if prompt > said:
                yield prompt, answer, said
                said = prompt + answer
            else:
                others.append((prompt, answer))
        left = others
