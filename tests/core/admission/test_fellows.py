"""One account serves many people: none of them can take all that it has, and to others it stays one account."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.admission.engine_model import EngineModel, Job, claim
from tidegate.core.admission.claims import Admitted, Claim, Crowded, Shed, Waiting
from tidegate.core.admission.cost import CostPlan
from tidegate.core.admission.fair import Entry
from tidegate.core.admission.fellows import EndUsers, in_turn
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.tickets import Ticket
from tidegate.core.standing.classes import Standing

PLAN = AdmissionPlan(slots=2, max_per_owner=16, max_per_stranger=4, usual_burst_s=1e9, usual_part=1.0)
PROMPT, ANSWER = 40, 60


def one_of(end_user: str, standing: Standing = Standing.ESTABLISHED, usual: int = 16, who: str = "api") -> Claim:
    """A request of ordinary size that an account makes for somebody."""
    return claim(
        who,
        standing,
        usual_in_flight=usual,
        prompt_bytes=PROMPT * 4,
        output_tokens=ANSWER,
        patience_s=600.0,
        end_user=end_user,
    )


def press(model: EngineModel, asked: Claim) -> None:
    """Ask until there is no more room."""
    while model.ask(asked, PROMPT, ANSWER).how != "refused":
        pass


# ------------------------------------------------------------ an end user's flood


@pytest.mark.parametrize(
    ("standing", "usual"),
    [(Standing.ESTABLISHED, 16), (Standing.ESTABLISHED, 1), (Standing.NEWCOMER, 1)],
    ids=["known", "mostly beyond the usual", "stranger"],
)
@pytest.mark.parametrize("floods", [1, 2])
def test_a_flood_of_one_end_user_delays_another_by_no_more_than_an_answer_each(
    standing: Standing, usual: int, floods: int
) -> None:
    """Whoever asks for one thing at a time waits for as many answers as there are floods, and one more."""
    waits, served_s = waits_beside(floods, PLAN, standing, usual)

    assert len(waits) >= 4
    assert max(waits) <= (floods + 1) * served_s


@pytest.mark.parametrize("floods", [1, 2])
def test_when_an_account_has_used_its_engine_time_its_people_wait_for_what_waited_before_once(floods: int) -> None:
    """What one of them has waiting in the better class goes first then: no more than the account's places."""
    plan = AdmissionPlan(slots=2)
    waits, served_s = waits_beside(floods, plan, Standing.ESTABLISHED, 16)

    *others, longest = sorted(waits)
    assert len(others) >= 4
    assert others[-1] <= (floods + 1) * served_s
    assert longest <= plan.max_per_owner / plan.slots * served_s


def waits_beside(floods: int, plan: AdmissionPlan, standing: Standing, usual: int) -> tuple[list[float], float]:
    """How long each request of a quiet end user waited beside so many floods, and how long the longest answer took."""
    model = EngineModel(plan)
    waits: list[float] = []
    asking: list[Job] = []
    again_at = 0.0
    while model.now < 40.0:
        for number in range(floods):
            press(model, one_of(f"flood{number}", standing, usual))
        if asking and asking[0].ended_at is not None:
            quiet = asking.pop()
            waits.append((quiet.started_at or 0.0) - quiet.asked_at)
            again_at = model.now + 0.5
        elif not asking and model.now >= again_at:
            quiet = model.ask(one_of("quiet", standing, usual), PROMPT, ANSWER)
            if isinstance(quiet.answer, Crowded | Shed):
                again_at = model.now + quiet.answer.retry_after_s
                assert not waits, "only at first, before it was known that there are several"
            else:
                asking.append(quiet)
        model.step()

    ended = [job for job in model.jobs.values() if job.ended_at and job.started_at is not None]
    return waits, max((job.ended_at or 0.0) - (job.started_at or 0.0) for job in ended)


def test_without_names_a_flood_leaves_nothing_to_anybody_else() -> None:
    """What the test before would see if nobody were told apart."""
    model = EngineModel(PLAN)
    press(model, one_of(""))

    assert isinstance(model.ask(one_of(""), PROMPT, ANSWER).answer, Crowded)
    assert model.scheduler.inside("api") == 16


def test_an_end_user_has_as_many_as_are_still_free() -> None:
    """Alone in a flood half of the places, two of them a third each, and there is room for one more."""
    model = EngineModel(PLAN)
    model.ask(one_of("quiet"), PROMPT, ANSWER)
    press(model, one_of("flood"))
    assert model.scheduler.inside("api") == 1 + 8
    press(model, one_of("other"))
    assert model.scheduler.inside("api") == 1 + 8 + 4
    refused = model.ask(one_of("flood"), PROMPT, ANSWER).answer
    assert isinstance(refused, Crowded)
    assert refused.is_end_users

    assert isinstance(model.ask(one_of("quiet"), PROMPT, ANSWER).answer, Waiting)


def test_an_account_that_gives_everything_one_name_has_all_of_its_places() -> None:
    """Many programs do."""
    model = EngineModel(PLAN)

    press(model, one_of("me"))

    assert model.scheduler.inside("api") == 16


def test_what_one_end_user_is_told_is_not_held_against_the_account() -> None:
    """Another who comes at once has not come back too early."""
    model = EngineModel(PLAN)
    model.ask(one_of("quiet"), PROMPT, ANSWER)
    for _ in range(100):
        press(model, one_of("flood"))

    job = model.ask(one_of("quiet"), PROMPT, ANSWER)

    assert model.scheduler.judged(job.number) is Standing.ESTABLISHED


def test_to_others_an_account_stays_one() -> None:
    """Naming people gets it no more of the engine than another account that names none."""
    served = {}
    for names in (["a", "b", "c"], [""]):
        model = EngineModel(PLAN)
        while model.now < 60.0:
            for name in names:
                press(model, one_of(name))
            press(model, one_of("", who="other"))
            model.step()
        done = [job.claim.principal for job in model.jobs.values() if job.how == "served"]
        served[len(names)] = (done.count("api"), done.count("other"))

    assert served[3][1] >= 0.9 * served[1][1]
    assert abs(served[3][0] - served[3][1]) <= 2


_ONE_RATE = AdmissionPlan(
    slots=4,
    max_per_owner=1000,
    max_per_stranger=1000,
    usual_burst_s=1e9,
    usual_part=1.0,
    cost=CostPlan(bytes_per_token=1.0, prefill_tok_s=75.0, decode_tok_s=75.0),
)


@settings(max_examples=40)
@given(
    st.sampled_from([Standing.ESTABLISHED, Standing.NEWCOMER]),
    st.integers(8, 256),
    st.lists(
        st.tuples(st.integers(8, 60), st.integers(0, 30), st.sampled_from("xyz")),
        min_size=1,
        max_size=40,
    ),
)
def test_a_promised_wait_is_enough_whichever_fellow_comes_later(
    standing: Standing, output_tokens: int, asks: list[tuple[int, int, str]]
) -> None:
    """Fellows are put in another order only as far as what each was promised can be kept.

    As for everybody, where answers keep within what was reserved: of one account that is what it is used to.
    """
    model = EngineModel(_ONE_RATE, rate=75.0, prefill_rate=75.0)
    jobs: list[Job] = []
    for prompt_tokens, batches, name in asks:
        asked = claim(
            "api",
            standing,
            usual_in_flight=1000,
            prompt_bytes=prompt_tokens,
            output_tokens=output_tokens,
            patience_s=120.0,
            end_user=name,
        )
        jobs.append(model.ask(asked, prompt_tokens, output_tokens))
        for _ in range(batches):
            model.step()
    while model.scheduler.owners:
        model.step()

    batch_s = (_ONE_RATE.slots + _ONE_RATE.batch_tokens) / 75.0
    for job in jobs:
        if isinstance(job.answer, Waiting):
            assert job.started_at is not None
            assert job.started_at - job.asked_at - job.answer.wait_s <= 3 * batch_s + 1e-9
        else:
            assert isinstance(job.answer, Admitted | Shed)


# ------------------------------------------------------------ the order


def a_ticket(number: int, end_user: str, start: float, cost: float, *, is_waiting: bool = True) -> Ticket:
    return Ticket(
        number=number,
        claim=one_of(end_user),
        standing=Standing.ESTABLISHED,
        flows=("api",),
        prompt_tokens=1,
        reserved_tokens=1,
        entry=Entry(start + cost, number, start, number, cost, 50.0),
        charged=cost,
        place=None if is_waiting else number,
    )


def test_first_goes_whose_end_user_has_least_in_hand() -> None:
    """What runs counts, and what waits before; ties go to who came first."""
    running = a_ticket(1, "x", 0.0, 10.0, is_waiting=False)
    waiting = [a_ticket(2, "x", 10.0, 10.0), a_ticket(3, "y", 20.0, 20.0), a_ticket(4, "x", 40.0, 10.0)]
    asked = a_ticket(5, "y", 50.0, 5.0)

    turns = in_turn(asked, {2, 3, 4, 99}, [running, *waiting])

    assert [(ticket.number, entry.start, entry.tag) for ticket, entry in turns] == [
        (2, 10.0, 20.0),
        (3, 20.0, 40.0),
        (5, 40.0, 45.0),
        (4, 45.0, 55.0),
    ]
    assert all(entry.due_at == 50.0 for _, entry in turns), "what was promised stays"


def test_alone_or_under_one_name_nothing_is_moved() -> None:
    assert in_turn(a_ticket(2, "x", 5.0, 5.0), set(), [a_ticket(1, "y", 0.0, 5.0, is_waiting=False)]) == []
    assert in_turn(a_ticket(2, "x", 5.0, 5.0), {1}, [a_ticket(1, "x", 0.0, 5.0)]) == []


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 30), st.integers(1, 50)), min_size=2, max_size=16),
)
def test_an_account_takes_up_the_same_interval_in_whatever_order(given_: list[tuple[str, int, int]]) -> None:
    """It begins no earlier, ends no earlier, and all its requests follow each other."""
    tickets, at = [], 0.0
    for number, (name, gap, cost) in enumerate(given_):
        tickets.append(a_ticket(number, name, at + gap, float(cost)))
        at += gap + cost
    *waiting, asked = tickets

    turns = in_turn(asked, {ticket.number for ticket in waiting}, waiting)

    if turns:
        assert turns[0][1].start == tickets[0].entry.start
        assert turns[-1][1].tag == pytest.approx(at)
        assert sorted(ticket.number for ticket, _ in turns) == list(range(len(tickets)))
        for (_, before), (_, after) in pairwise(turns):
            assert after.start >= before.tag


# ------------------------------------------------------------ who was seen


def test_an_account_is_divided_while_it_was_seen_with_several() -> None:
    """For ten minutes; requests without a name tell nothing, and are not bounded."""
    end_users = EndUsers(9)
    own = [a_ticket(number, "x", 0.0, 1.0) for number in range(2)]
    x, y, unnamed = one_of("x"), one_of("y"), one_of("")
    for asked in (x, unnamed, x):
        end_users.saw(asked, 0.0)
    assert not end_users.has_all(x, own, 3, 0.0)

    end_users.saw(y, 0.0)

    assert end_users.has_all(x, own, 3, 599.0)
    assert not end_users.has_all(y, own, 3, 599.0)
    assert not end_users.has_all(unnamed, own, 3, 599.0)
    assert not end_users.has_all(x, own, 3, 600.0)


def test_who_was_seen_is_remembered_within_bounds() -> None:
    """The account longest unseen is forgotten first, which gives it all of its places again."""
    end_users = EndUsers(2)
    own = [a_ticket(1, "x", 0.0, 1.0)]
    for who in ("a", "b", "a", "c"):
        for name in ("y", "x"):
            end_users.saw(one_of(name, who=who), 0.0)

    assert len(end_users) == 2
    assert end_users.has_all(one_of("x", who="a"), own, 1, 0.0)
    assert not end_users.has_all(one_of("x", who="b"), own, 1, 0.0)
