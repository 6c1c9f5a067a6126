"""An address is left for the price of a place or of work, and its owner is written to when it is their turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.services.town import TRACE, Town, done, fingerprint, place, with_ticket
from tidegate.core.challenge.challenges import Why
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.requests import Left, RequestKind
from tidegate.core.registration.tickets import Unknown
from tidegate.ports.storage import StorageUnavailableError
from tidegate.services.asking import AGAIN_S, COUNT_S, Asking, Wish
from tidegate.services.joining import Form, Made, Shown, TurnedAwayError
from tidegate.services.permits import JoiningPlan
from tidegate.services.work import Answer

NET = fingerprint("a network")
DAY_S = 86_400.0


class Pen:
    """Letters that stay here. With `is_spent` the budgets allow none."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, float]] = []
        self.left = 1.0
        self.is_spent = False

    def budget_left(self) -> float | None:
        return self.left

    def invitation_url(self, text: str) -> str:
        return f"https://tide.example/invitation/{text}"

    def turn_came(self, email: str, url: str, lasts_s: float = DAY_S) -> bool:
        if not self.is_spent:
            self.sent.append((email, url, lasts_s))
        return not self.is_spent


class Harbour(Town):
    """A town in which wishes are taken."""

    def __init__(self, *, is_mail_on: bool = True, plan: JoiningPlan | None = None) -> None:
        super().__init__(is_mail_on=is_mail_on, plan=plan)
        self.pen = Pen()
        self.asking = Asking(self.joining, self.usher.requests, self.pen if is_mail_on else None, self.clock)

    def in_line(self) -> Shown:
        self.set(RegistrationMode.WAITING_ROOM)
        shown = self.somebody()
        return with_ticket(shown, self.ticket(shown))

    async def leave(
        self,
        shown: Shown,
        email: str = "ana@example.org",
        kind: RequestKind = RequestKind.WAITING,
        answer: Answer | None = None,
        note: str = "",
    ) -> Left:
        wish = Wish(email=email, kind=kind, note=note)
        return await self.asking.leave(shown, wish, answer or Answer(), NET, TRACE)

    def paid(self, shown: Shown) -> Answer:
        """The work that is asked of them for leaving an address."""
        offer = self.asking.offer(shown, self.joining.look(shown))
        assert offer is not None
        assert offer.work is not None
        return done(offer.work)

    async def waits(self, seconds: float) -> None:
        """Time passes, and letters are written beside it."""
        for _ in range(int(seconds)):
            self.wait(1)
            await self.asking.step()


@pytest.fixture
async def town() -> AsyncIterator[Harbour]:
    made = Harbour()
    yield made
    made.passwords.close()


@pytest.fixture
async def silent() -> AsyncIterator[Harbour]:
    """Where no letters are sent."""
    made = Harbour(is_mail_on=False)
    yield made
    made.passwords.close()


# ---------------------------------------------------------------- what it costs


async def test_who_leaves_an_address_gives_their_place_for_it_once_and_for_good(town: Harbour) -> None:
    """One ticket must not leave a thousand addresses."""
    shown = town.in_line()
    assert await town.leave(shown) is Left.LEFT
    assert isinstance(town.joining.room.poll(shown.ticket, town.clock()), Unknown)
    with pytest.raises(TurnedAwayError):
        await town.leave(shown, "bo@example.org")
    assert await town.usher.requests.count(RequestKind.WAITING) == 1


async def test_two_forms_at_once_leave_one_address(town: Harbour) -> None:
    shown = town.in_line()
    both = await asyncio.gather(
        *(town.leave(shown, f"{name}@example.org") for name in ("ana", "bo")), return_exceptions=True
    )
    assert [type(one) for one in both] == [Left, TurnedAwayError]
    assert await town.usher.requests.count(RequestKind.WAITING) == 1


async def test_a_place_that_does_not_count_yet_is_no_price(town: Harbour) -> None:
    town.set(RegistrationMode.WAITING_ROOM)
    shown = town.somebody()
    shown = with_ticket(shown, town.joining.line_up(shown, Answer(), TRACE))
    assert town.asking.offer(shown, town.joining.look(shown)) is None
    with pytest.raises(TurnedAwayError):
        await town.leave(shown)


@pytest.mark.parametrize("email", ["nonsense", "ana@[192.0.2.7].org", ""])
async def test_a_mistyped_address_costs_nothing(town: Harbour, email: str) -> None:
    shown = town.in_line()
    with pytest.raises(ValueError, match=r"^email: "):
        await town.leave(shown, email)
    assert place(town, shown.ticket).is_counted


async def test_what_is_not_kept_does_not_cost_the_place(town: Harbour) -> None:
    """Where a network has left as many as it may, and where there is no room at all."""
    plan = town.usher.requests.plan
    for full in ({"per_network": 0}, {"most": 0}):
        town.usher.requests.plan = type(plan)(**full)
        shown = town.in_line()
        assert await town.leave(shown) is not Left.LEFT
        assert place(town, shown.ticket).is_counted


async def test_a_store_that_is_away_does_not_cost_the_place(town: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = town.in_line()
    monkeypatch.setattr(town.usher.requests, "_store", Away())
    with pytest.raises(StorageUnavailableError):
        await town.leave(shown)
    monkeypatch.undo()
    assert await town.leave(shown) is Left.LEFT, "and they can try again"


async def test_where_there_is_no_line_an_address_costs_work_that_counts_once(town: Harbour) -> None:
    town.set(RegistrationMode.INVITE)
    shown = town.somebody()
    answer = town.paid(shown)
    with pytest.raises(TurnedAwayError) as error:
        await town.leave(shown)
    assert error.value.why is Why.MALFORMED
    with pytest.raises(ValueError, match=r"^note: "):
        await town.leave(shown, answer=answer, kind=RequestKind.APPROVAL, note="x" * 301)
    assert await town.leave(shown, answer=answer) is Left.LEFT, "a mistake in the form does not lose the work"
    with pytest.raises(TurnedAwayError) as error:
        await town.leave(shown, "bo@example.org", answer=answer)
    assert error.value.why is Why.SPENT


@pytest.mark.parametrize("mode", [RegistrationMode.OPEN, RegistrationMode.CLOSED])
async def test_where_everybody_or_nobody_gets_an_account_nothing_is_asked_for(
    town: Harbour, mode: RegistrationMode
) -> None:
    town.set(mode)
    shown = town.somebody()
    assert town.asking.offer(shown, town.joining.look(shown)) is None
    with pytest.raises(TurnedAwayError):
        await town.leave(shown)


async def test_without_letters_only_the_operator_can_be_asked(silent: Harbour) -> None:
    """Nobody is promised a letter that never comes."""
    shown = silent.in_line()
    assert silent.asking.offer(shown, silent.joining.look(shown)) is None
    silent.set(RegistrationMode.INVITE)
    shown = silent.somebody()
    with pytest.raises(TurnedAwayError):
        await silent.leave(shown, answer=silent.paid(shown))
    kind = RequestKind.APPROVAL
    assert await silent.leave(shown, kind=kind, answer=silent.paid(shown), note="I teach  physics") is Left.LEFT
    (waiting,) = await silent.usher.requests.listed()
    assert (waiting.request.note, waiting.request.net) == ("I teach physics", NET)


async def test_where_the_settings_want_invitations_nobody_is_promised_a_turn() -> None:
    town = Harbour()
    town.joining.registration.floor = RegistrationMode.INVITE
    shown = town.somebody()
    offer = town.asking.offer(shown, town.joining.look(shown))
    town.passwords.close()
    assert offer is not None
    assert offer.kinds == (RequestKind.APPROVAL,)


# ---------------------------------------------------------------- whose turn it is


async def test_their_turn_comes_by_a_letter_that_makes_their_account(town: Harbour) -> None:
    assert await town.leave(town.in_line()) is Left.LEFT

    await town.waits(5)

    ((email, url, lasts_s),) = town.pen.sent
    assert (email, lasts_s) == ("ana@example.org", DAY_S)
    assert await town.usher.requests.count(RequestKind.WAITING) == 0
    made = await town.joining.accept(url.rpartition("/")[2], email, "a tide waits for nobody", TRACE)
    assert isinstance(made, Made)


async def test_those_in_line_get_three_turns_of_four(town: Harbour) -> None:
    """Whoever waits is there; nobody who left an address may bring the line to a stop."""
    town.usher.requests.plan = type(town.usher.requests.plan)(per_network=1000)
    shown = [town.in_line() for _ in range(200)]
    for number, one in enumerate(shown[:40]):
        assert await town.leave(one, f"left{number}@example.org") is Left.LEFT
    for _ in range(60):
        for one in shown[40:]:
            town.joining.look(one)
        await town.waits(2)
    inside = sum(isinstance(town.joining.look(one), Form) for one in shown[40:])
    assert inside + len(town.pen.sent) == pytest.approx(65, abs=2), "30 a minute, and 5 at once"
    assert len(town.pen.sent) == pytest.approx(inside / 3, abs=2)


@pytest.mark.parametrize("mode", [RegistrationMode.INVITE, RegistrationMode.CLOSED])
async def test_nobodys_turn_comes_while_the_line_stands_still(town: Harbour, mode: RegistrationMode) -> None:
    """Also of turns that were granted before."""
    await town.leave(town.in_line())
    town.joining.turns.granted = 1
    town.set(mode)

    await town.waits(60)
    assert town.pen.sent == []
    town.set(RegistrationMode.OPEN)
    await town.waits(5)
    assert len(town.pen.sent) == 1


async def test_who_left_an_address_before_a_restart_is_not_forgotten(town: Harbour) -> None:
    """The store is asked how many there are."""
    await town.leave(town.in_line())
    town.joining.turns.wanted = 0

    await town.waits(COUNT_S + 5)

    assert len(town.pen.sent) == 1


async def test_who_has_an_account_by_then_is_not_written_to(town: Harbour) -> None:
    await town.leave(town.in_line())
    await town.sessions.clerk.create_user("ana@example.org")

    await town.waits(5)

    assert town.pen.sent == []
    assert await town.usher.requests.count(RequestKind.WAITING) == 0


async def test_a_letter_for_which_no_budget_is_left_is_sent_later_while_its_link_lasts(town: Harbour) -> None:
    town.pen.is_spent = True
    await town.leave(town.in_line())
    await town.waits(5)
    town.pen.is_spent = False
    await town.waits(60)
    assert town.pen.sent == [], "not tried again every second"

    town.clock.advance(AGAIN_S)
    await town.waits(1)

    ((email, _, lasts_s),) = town.pen.sent
    assert email == "ana@example.org"
    assert DAY_S - AGAIN_S - 70 < lasts_s < DAY_S - AGAIN_S


async def test_a_letter_whose_link_no_longer_works_is_not_sent(town: Harbour) -> None:
    town.pen.is_spent = True
    await town.leave(town.in_line())
    await town.waits(5)
    town.pen.is_spent = False
    town.clock.advance(DAY_S)
    await town.waits(1)
    assert town.pen.sent == []


async def test_while_no_letter_is_left_nobody_loses_their_turn_and_the_line_gets_them_all(town: Harbour) -> None:
    town.pen.left = 0.0
    await town.leave(town.in_line())
    town.joining.turns.wanted = 0
    await town.waits(30)
    assert town.pen.sent == []
    assert await town.usher.requests.count(RequestKind.WAITING) == 1
    town.pen.left = 1.0
    await town.waits(COUNT_S + 5)
    assert len(town.pen.sent) == 1


async def test_a_store_that_is_away_costs_nobody_their_turn(town: Harbour, monkeypatch: pytest.MonkeyPatch) -> None:
    await town.leave(town.in_line())
    monkeypatch.setattr(town.usher.requests, "_store", Away())
    await town.waits(30)
    assert town.asking.failures > 0
    monkeypatch.undo()
    await town.waits(COUNT_S + 5)
    assert len(town.pen.sent) == 1


async def test_it_is_written_about_every_second_until_it_is_stopped(town: Harbour) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await town.asking.write_now_and_then(sleep)
    assert slept == [1.0, 1.0, 1.0]


async def test_without_letters_nothing_is_written_and_no_store_is_asked(silent: Harbour) -> None:
    silent.joining.turns.granted = 1
    await silent.asking.step()
    assert silent.joining.turns.granted == 1


class Away:
    """A store that is away, whatever it is asked."""

    def __getattr__(self, name: str) -> object:
        async def fail(*_: object, **__: object) -> None:
            message = "away"
            raise StorageUnavailableError(message)

        return fail
