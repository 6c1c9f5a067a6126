"""Where lives are played over HTTP: each is stepped by what becomes of its acts, and needs no task of its own.

A life keeps its own time: a wait is counted from when it should have begun, so that arrivals do not drift apart when
the generator is late; how late it was is measured. Once the stage is over, nothing more is asked: what is under way
may end, and lives that would go on are closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any, Final

import msgspec

from tidegate.lab.acts import (
    Ask,
    Asked,
    Chat,
    Ended,
    Group,
    Hold,
    Life,
    Outcome,
    Page,
    SignIn,
    SignUp,
    Spawn,
    Wait,
    Who,
    last_words,
)
from tidegate.lab.hearing import Listener
from tidegate.lab.live.accounts import Accounts
from tidegate.lab.live.addresses import Addresses
from tidegate.lab.live.browser import Browser
from tidegate.lab.live.entering import Devices, Entrance
from tidegate.lab.live.forging import Forger
from tidegate.lab.live.heard import Heard
from tidegate.lab.live.holding import hold
from tidegate.lab.live.joining import Newcomer, Registrar
from tidegate.lab.live.lateness import LatenessMeter
from tidegate.lab.live.lines import Lines, Request
from tidegate.lab.live.prompts import Conversations, Prompts
from tidegate.lab.live.questions import chat_outcome, chat_request, page_outcome, page_request
from tidegate.lab.live.service import LiveError
from tidegate.lab.live.truth import TruthFile
from tidegate.lab.live.watching import Served

ANSWER_S: Final = 300.0
PAGE_S: Final = 30.0
_ERRORS: Final = 500


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a live run may use. At `requests` or `wall_s` it ends and reports what was measured until then."""

    connections: int = 2000
    requests: int = 500_000
    wall_s: float = 900.0
    lives: int = 200_000


class Props(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage plays with."""

    lines: Lines
    port: int
    model: str
    accounts: Accounts
    entrance: Entrance
    registrar: Registrar
    prompts: Prompts
    forger: Forger
    truth: TruthFile
    addresses: Addresses = msgspec.field(default_factory=Addresses)
    conversations: Conversations = msgspec.field(default_factory=Conversations)
    devices: Devices = msgspec.field(default_factory=Devices)
    served: Served = msgspec.field(default_factory=Served)


class Stage:
    """Plays lives. `listener` hears what becomes of them."""

    def __init__(self, props: Props, listener: Listener, limits: Limits, duration_s: float) -> None:
        """From now on, for so long. Needs a running event loop."""
        self._props = props
        self._listener = listener
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._playing: set[_Playing] = set()
        self.began_at = monotonic()
        self.ends_at = self.began_at + duration_s
        self.over: asyncio.Future[str] = self._loop.create_future()
        self.meter = LatenessMeter()
        self.asks = 0
        self.lives = 0
        self.in_flight = 0

    def since(self, moment: float) -> float:
        """A moment of the monotonic clock as seconds since the beginning."""
        return moment - self.began_at

    def begin(self, life: Life, due: float) -> None:
        """Let a life begin, at once."""
        if self.over.done() or len(self._playing) >= self._limits.lives:
            life.close()
            if not self.over.done():
                self.end("lives")
            return
        self.lives += 1
        playing = _Playing(self, life, due)
        self._playing.add(playing)
        self._loop.call_soon(playing.step, None)

    def end(self, why: str) -> None:
        """Ask nothing more."""
        if not self.over.done():
            self.over.set_result(why)

    def broke(self, error: BaseException) -> None:
        """An actor is defective: the run ends with its error."""
        if not self.over.done():
            self.over.set_exception(error)

    def left(self, playing: _Playing) -> None:
        """A life came to its end."""
        self._playing.discard(playing)

    @property
    def is_played(self) -> bool:
        """Whether the end has come that the scenario has, and not one before it."""
        return monotonic() >= self.ends_at

    async def clear(self) -> None:
        """Close whatever still lives; whoever is in yet is told that it is over, if it is by the scenario."""
        self.end("complete")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.is_played:
            await self._props.lines.close()
        for playing in list(self._playing):
            playing.close()
        await asyncio.sleep(0)  # The loop's next turn has each of them end.

    def told(self, ended: Ended) -> None:
        """A need ended."""
        self._listener.ended(ended)

    def ask(self, playing: _Playing, ask: Ask, due: float) -> None:
        """Ask; what becomes of it steps the life on."""
        now = monotonic()
        if self.over.done() or now > self.ends_at:
            playing.close()
            return
        if self._props.lines.requests >= self._limits.requests:
            self.end("requests")
            playing.close()
            return
        self.asks += 1
        self.in_flight += 1
        self._props.served.asked += 1
        self.meter.asked(now - due)
        self.meter.connections_waited = max(self.meter.connections_waited, self._props.lines.waiting)
        who, what = ask.who, ask.what
        if isinstance(what, Chat):
            key = self._key_at_once(who, what)
            if key is None and who.has_account:
                self._later(playing, ask, self._chat_after_account(playing, ask, what))
            else:
                self._chat(playing, ask, what, key)
        elif isinstance(what, Page):
            self._page(playing, ask, what)
        else:
            self._later(playing, ask, self._long(playing, ask, what))

    def _key_at_once(self, who: Who, chat: Chat) -> str | None:
        """What they show, if it is at hand."""
        if chat.is_key_forged:
            return self._props.forger.key()
        return self._props.accounts.key_at_once(who.name) if who.has_account else None

    def _chat(self, playing: _Playing, ask: Ask, chat: Chat, key: str | None) -> None:
        props, who = self._props, ask.who
        before = props.conversations.before(who.name, chat)
        fresh = chat if before or not chat.cached_tokens else msgspec.structs.replace(chat, cached_tokens=0)
        messages = [*before, {"role": "user", "content": props.prompts.text(fresh, has_template=not before)}]

        def told(heard: Heard) -> None:
            outcome = chat_outcome(chat, heard, self.since)
            if outcome.is_complete:
                props.conversations.keep(who.name, messages, "".join(heard.text))
            self._heard(playing, ask, heard, outcome)

        content = chat_request(props.model, chat, messages, key, who.agent)
        source = props.addresses.of(who.address)
        props.lines.ask(Request(content, source, told, chat.patience_s, ANSWER_S))

    async def _chat_after_account(self, playing: _Playing, ask: Ask, chat: Chat) -> None:
        key = await self._props.accounts.key(ask.who)
        self._chat(playing, ask, chat, key)

    def _page(self, playing: _Playing, ask: Ask, page: Page) -> None:
        who, props = ask.who, self._props

        def told(heard: Heard) -> None:
            self._heard(playing, ask, heard, page_outcome(heard, self.since))

        content = page_request(page, who.agent, who.lang)
        props.lines.ask(Request(content, props.addresses.of(who.address), told, PAGE_S, PAGE_S))

    def _heard(self, playing: _Playing, ask: Ask, heard: Heard, outcome: Outcome) -> None:
        self._props.truth.note(heard.request_id, ask.who)
        self._done(playing, ask, outcome)

    def _done(self, playing: _Playing, ask: Ask, outcome: Outcome) -> None:
        served = self._props.served
        self.in_flight -= 1
        served.cost += outcome.cost
        served.failed += outcome.status >= _ERRORS or not outcome.status
        self._listener.asked(ask, outcome)
        playing.answered(outcome)

    def _later(self, playing: _Playing, ask: Ask, act: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(self._watched(playing, ask, act))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watched(self, playing: _Playing, ask: Ask, act: Coroutine[Any, Any, None]) -> None:
        asked_at = monotonic()
        try:
            await act
        except asyncio.CancelledError:
            if self.is_played:
                at_s = self.since(asked_at)
                self._done(playing, ask, Outcome(asked_at_s=at_s, ended_at_s=self.since(monotonic())))
            raise
        except LiveError as error:  # No account could be made: what was to be asked never was.
            at_s = self.since(asked_at)
            outcome = Outcome(asked_at_s=at_s, ended_at_s=self.since(monotonic()), reason=str(error)[:80])
            self._done(playing, ask, outcome)
        except Exception as error:  # noqa: BLE001 - a defect of ours ends the run with its error, it is not lost in a task
            self.broke(error)

    async def _long(self, playing: _Playing, ask: Ask, what: Asked) -> None:
        props, who, asked_at = self._props, ask.who, monotonic()
        source = props.addresses.of(who.address)
        if isinstance(what, Hold):
            question = await self._unread(who)
            self._done(playing, ask, await hold(what, props.port, source, question, self.since))
            return
        noted = lambda heard: props.truth.note(heard.request_id, who)  # noqa: E731 - short, and used twice below
        browser = Browser(props.lines, source, who.agent, who.lang, noted)
        if isinstance(what, SignIn):
            if what.is_right:
                await props.accounts.give_password(msgspec.structs.replace(who, name=what.account))
            is_first = who.group is not Group.ATTACKER
            outcome = await props.entrance.sign_in(what, browser, asked_at, self.since, is_first=is_first)
        else:
            assert isinstance(what, SignUp)
            outcome = await Newcomer(props.registrar, who, what, browser).join(asked_at, self.since)
        self._done(playing, ask, outcome)

    async def _unread(self, who: Who) -> bytes:
        """A question whose answer nobody reads."""
        key = await self._props.accounts.key(who) if who.has_account else None
        chat = Chat(prompt_tokens=40, answer_tokens=512)
        messages = [{"role": "user", "content": self._props.prompts.text(chat)}]
        return chat_request(self._props.model, chat, messages, key, who.agent)


class _Playing:
    """One life, and when its next act is due."""

    __slots__ = ("_due", "_life", "_stage", "_timer")

    def __init__(self, stage: Stage, life: Life, due: float) -> None:
        self._stage = stage
        self._life = life
        self._due = due
        self._timer: asyncio.Handle | None = None

    def step(self, outcome: Outcome | None) -> None:
        """Do acts until one takes time."""
        stage, life, self._timer = self._stage, self._life, None
        while True:
            try:
                act = life.send(outcome)
            except StopIteration:
                stage.left(self)
                return
            except Exception as error:  # noqa: BLE001 - the run ends with an actor's own error, nothing is hidden
                stage.left(self)
                stage.broke(error)
                return
            outcome = None
            if isinstance(act, Wait):
                self._wait(act.for_s)
                return
            if isinstance(act, Ask):
                stage.ask(self, act, self._due)
                return
            if isinstance(act, Spawn):
                stage.begin(act.life, self._due)
            else:
                stage.told(act)

    def answered(self, outcome: Outcome) -> None:
        """Go on with what became of an ask."""
        self._due = monotonic()
        self.step(outcome)

    def close(self) -> None:
        """End it here. Of a need that is open it tells only where the scenario's own end is what ends it."""
        if self._timer is not None:
            self._timer.cancel()
        self._stage.left(self)
        is_over = self._stage.is_played or self._due > self._stage.ends_at
        asyncio.get_running_loop().call_soon(self._end if is_over else self._life.close)  # It may run just now.

    def _end(self) -> None:
        for ended in last_words(self._life):
            self._stage.told(ended)

    def _wait(self, for_s: float) -> None:
        stage = self._stage
        self._due += max(0.0, for_s)
        if self._due > stage.ends_at or stage.over.done():
            self.close()
            return
        ahead_s, loop = self._due - monotonic(), asyncio.get_running_loop()
        # Never stepped at once: a source that is late must not keep everybody else from the loop.
        self._timer = loop.call_later(ahead_s, self.step, None) if ahead_s > 0.0 else loop.call_soon(self.step, None)
