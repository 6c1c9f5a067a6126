"""The service is killed while people sign up and chat: nothing that it acknowledged is lost, and it is soon back."""

from __future__ import annotations

import http.client
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.people import Events, Person
from tests.integration.restarting import READY_S, Started, is_gone, start
from tests.integration.running import A_TOWN_BEHIND_ONE_ADDRESS, STOP_S, Instance, until

pytestmark = pytest.mark.integration

ROUNDS, FEW = 50, 5
_SEED = 20261121
_BEGIN_S = 60.0
_SIGN_UP_THREADS, _ACCOUNTS_OF_A_THREAD, _CHAT_THREADS = 2, 4, 2
_CONFIG = "[engine]\nslots = 2\n" + A_TOWN_BEHIND_ONE_ADDRESS
_QUESTION = "Say yes."


class Messages(NamedTuple):
    """What one conversation must hold: content by id."""

    person: Person
    conversation: str
    contents: dict[str, str]


class Ledger:
    """What was acknowledged, in all rounds. Its lists only grow, from several threads."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.conversations: dict[str, Messages] = {}
        self.questions = 0
        self.answers = 0

    def keep_question(self, person: Person, asked: dict[str, Any]) -> None:
        self._of(person, asked["conversation"]["id"])[asked["message"]["id"]] = asked["message"]["content"]
        self.questions += 1

    def keep_answer(self, person: Person, ended: dict[str, Any]) -> None:
        if ended["message"] is not None:
            self._of(person, ended["conversation"])[ended["message"]["id"]] = ended["message"]["content"]
            self.answers += 1

    def _of(self, person: Person, conversation: str) -> dict[str, str]:
        return self.conversations.setdefault(conversation, Messages(person, conversation, {})).contents


class Crowd:
    """People of one round. They go on until the service is gone, which is an error only before `is_over`.

    It `has_begun` with the first piece of an answer: a new engine needs longest for its first prompt.
    """

    def __init__(self, url: str, name: str, ledger: Ledger) -> None:
        self.is_over = threading.Event()
        self.has_begun = threading.Event()
        self._url, self._name, self._ledger = url, name, ledger
        self._numbers = count()

    def sign_up_and_ask(self) -> None:
        """A few people, one after the other; none waits for the answer, which would keep a slot."""
        assert self.has_begun.wait(_BEGIN_S)
        for person in self._newcomers(_ACCOUNTS_OF_A_THREAD):
            asked = person.ask(_QUESTION)
            assert asked.status == 201, asked
            self._ledger.keep_question(person, asked.json)
            person.stop(asked.json["conversation"]["id"])

    def chat(self) -> None:
        """One person who asks, reads the beginning of the answer, stops it, and asks on."""
        for person in self._newcomers(1):
            events = person.events()
            try:
                self._chat(person, events)
            finally:
                events.leave()

    def _chat(self, person: Person, events: Events) -> None:
        if events.next_of("hello") is None:
            msg = "the stream ended before its first event"
            raise ConnectionError(msg)
        conversation, parent = None, None
        while True:
            asked = person.ask(_QUESTION, conversation, parent)
            assert asked.status == 201, asked
            self._ledger.keep_question(person, asked.json)
            ended = self._ended(person, events)
            if ended is None:
                return
            self._ledger.keep_answer(person, ended)
            conversation, parent = ended["conversation"], (ended["message"] or asked.json["message"])["id"]

    def _ended(self, person: Person, events: Events) -> dict[str, Any] | None:
        """Stop the answer at its first piece; None when the service was gone before the end was told."""
        is_stopped = False
        for event in events:
            if event["type"] == "reply_ended":
                return event
            if event["type"] == "reply_grew" and not is_stopped:
                is_stopped = True
                self.has_begun.set()
                person.stop(event["conversation"])
        return None

    def _newcomers(self, most: int) -> Iterator[Person]:
        for _ in range(most):
            person = Person(self._url, f"{self._name}-{next(self._numbers)}@example.org")
            signed_up = person.sign_up()
            assert signed_up.status == 303, signed_up
            self._ledger.people.append(person)
            yield person

    def run(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (OSError, http.client.HTTPException):
            if not self.is_over.is_set():
                raise


def _one_round(instance: Instance, name: str, chance: random.Random, ledger: Ledger) -> None:
    engine = instance.engine()
    crowd = Crowd(instance.public, name, ledger)
    acts = [*[crowd.sign_up_and_ask] * _SIGN_UP_THREADS, *[crowd.chat] * _CHAT_THREADS]
    with ThreadPoolExecutor(len(acts)) as threads:
        lives = [threads.submit(crowd.run, act) for act in acts]
        try:
            assert crowd.has_begun.wait(_BEGIN_S), [life.exception(0) for life in lives if life.done()]
            # Nobody waits for anything here: the moment is drawn by chance.
            time.sleep(chance.uniform(0.2, 0.8))
        finally:
            crowd.is_over.set()
            instance.process.kill()
            instance.process.wait(30)
        until(lambda: is_gone(engine), STOP_S, "the engine is gone with its parent")
    for life in lives:
        life.result()


def _lost(instance: Instance, ledger: Ledger) -> list[str]:
    """What is not there: sessions and accounts (each signs in with its password), then every message."""
    lost = []
    for person in ledger.people:
        person.url = instance.public
        if person.session().status != 200:
            lost.append(f"the session of {person.email}")
        person.cookies.clear()
        if person.sign_in().status != 303:
            lost.append(f"the account {person.email}")
    for person, conversation, contents in ledger.conversations.values():
        tree = person.tree(conversation)
        if tree.status != 200:
            lost.append(f"the conversation {conversation} of {person.email}: {tree.status}")
            continue
        found = {message["id"]: message["content"] for message in tree.json["messages"]}
        lost += [f"{message} of {person.email}" for message, text in contents.items() if found.get(message) != text]
    return lost


class Survived(NamedTuple):
    """What some kills cost, and how soon the service was there again."""

    ledger: Ledger
    lost: list[str]
    starts: list[Started]

    @property
    def readiness(self) -> str:
        taken = [one.ready_s for one in self.starts]
        undisturbed_s = max(one.undisturbed_s for one in self.starts)
        median_s, worst_s = statistics.median(taken), max(taken)
        return f"median {median_s:.2f} s, worst {worst_s:.2f} s ({undisturbed_s:.2f} s without what others used)"


def _killed(rounds: int, models: Path, folder: Path) -> Survived:
    """Kill it so often, each time amid a crowd, and look at what is there once it is ready again."""
    chance, ledger, data = random.Random(_SEED), Ledger(), folder / "data"
    starts = []
    for number in range(rounds):
        started = start(folder / f"round-{number}", models, data, _CONFIG)
        starts.append(started)
        try:
            _one_round(started.instance, f"round-{number}", chance, ledger)
        finally:
            started.instance.kill()
    started = start(folder / "last", models, data, _CONFIG)
    starts.append(started)
    try:
        return Survived(ledger, _lost(started.instance, ledger), starts)
    finally:
        started.instance.kill()


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_in_fifty_kills(
    models: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """
    Accounts, sessions, questions and finished answers are there after each of fifty kills at moments drawn
    by chance, and the engine's process ends with its parent. None of fifty starts takes long.
    """
    ledger, lost, starts = survived = _killed(ROUNDS, models, tmp_path)
    measured(
        f"{ROUNDS} kills (seed {_SEED}): {len(ledger.people)} accounts, {ledger.questions} questions and "
        f"{ledger.answers} answers acknowledged, {len(lost)} lost; ready again: {survived.readiness}"
    )
    assert not lost
    assert len(ledger.people) >= 3 * ROUNDS, "too little was going on to prove anything"
    assert ledger.answers >= ROUNDS / 2, "hardly an answer was finished"
    assert statistics.median(one.undisturbed_s for one in starts) <= READY_S
    # One of fifty may meet a machine that is busy with something that no process here accounts for.
    assert max(one.undisturbed_s for one in starts) <= 2 * READY_S


@pytest.mark.timed
def test_a_killed_service_is_ready_again_in_seconds(
    models: Path, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    """Beside nothing else no time that others used excuses a slow start, only a slow machine does."""
    survived = _killed(FEW, models, tmp_path)
    measured(f"{FEW} kills beside nothing else: ready again: {survived.readiness}")
    assert not survived.lost
    assert statistics.median(one.ready_s for one in survived.starts) <= 2 * READY_S
