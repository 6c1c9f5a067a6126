"""`tidegate firewall` asks the running service what it has handed over, and has it let go."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.verbs import Verb, sentence
from tests.handing import BOT, OTHER, Post, control_of
from tidegate.adapters.disk.datadir import DataDir
from tidegate.app.listening import bind_path, server
from tidegate.core.firewall.inhabited import DAY_S


@pytest.fixture
def post(data: Path, verb: Verb) -> Iterator[Post]:
    """The control socket of a service on this data directory, in a thread of its own."""
    assert verb("users", "create", "ana@example.org").code == 0
    post = Post()
    serving = server(control_of(post))
    listener = bind_path(DataDir(data).run_path / "control.sock")
    thread = threading.Thread(target=lambda: asyncio.run(serving.serve(sockets=[listener])))
    thread.start()
    yield post
    serving.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def test_what_is_handed_over_is_listed_for_people_and_for_programs(post: Post, verb: Verb) -> None:
    assert "Nothing is handed over." in verb("firewall", "list").out
    post.press(BOT)
    shown = verb("firewall", "list")
    assert f"{BOT}/32" in shown.out
    assert "kept_sending" in shown.out
    told = json.loads(verb("firewall", "list", "--json").out)
    assert [one["prefix"] for one in told["elements"]] == [f"{BOT}/32"]
    assert told["elements"][0]["until_s"] == post.now + 600.0


def test_it_says_why_nothing_is_handed_over_on_the_first_day(post: Post, verb: Verb) -> None:
    post.handover.offloading.inhabited.unwatched_until_s = time.time() + DAY_S
    assert "the last day was not all watched" in verb("firewall", "list").out


def test_it_says_what_is_wrong_with_a_firewall_that_cannot_be_told(post: Post, verb: Verb) -> None:
    post.firewall.is_broken = True
    post.press(BOT)
    asyncio.run(post.handover.step())
    assert "cannot be told (it is broken); 1 wait" in verb("firewall", "list").out
    post.firewall.is_broken = False
    post.now += 60.0
    asyncio.run(post.handover.step())
    assert "cannot" not in verb("firewall", "list").out


def test_an_address_is_let_go_and_what_is_not_there_is_said(post: Post, verb: Verb) -> None:
    post.press(BOT)
    post.press(OTHER)
    assert f"{BOT}/32" in verb("firewall", "forget", BOT).out
    assert json.loads(verb("firewall", "forget", OTHER, "--json").out)["elements"][0]["prefix"] == f"{OTHER}/32"
    again = verb("firewall", "forget", BOT)
    assert (again.code, again.err.strip()) == (1, f"{BOT} is not handed over")
    assert "is not an address" in sentence(verb("firewall", "forget", "bot.example"), 2)


def test_without_a_service_nothing_is_handed_over(verb: Verb) -> None:
    verb("users", "create", "ana@example.org")
    assert "no service runs" in sentence(verb("firewall", "list"), 1)
