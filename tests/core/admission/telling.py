"""Any sequence of calls on a scheduler, as a service could make them, with what must hold after each."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st

from tidegate.core.admission.claims import Act, Admitted, Called, Claim, Crowded, Cut, Spent, Topped, Waiting
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.admission.scheduler import Scheduler
from tidegate.core.standing.classes import RANK, STRANGERS, Standing

Call = tuple[Any, ...]

who = st.tuples(st.integers(0, 11), st.sampled_from(Standing))
calls = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), who, st.integers(1, 9000), st.integers(1, 600), st.sampled_from([5.0, 1e9])),
        st.tuples(st.just("progress"), st.integers(0, 40), st.integers(0, 2000), st.integers(0, 2000)),
        st.tuples(st.just("began"), st.integers(0, 40)),
        st.tuples(st.just("spend"), st.integers(0, 40), st.integers(1, 300)),
        st.tuples(st.just("settle"), st.integers(0, 40)),
        st.tuples(st.just("abandon"), st.integers(0, 40)),
        st.tuples(st.just("free"), st.integers(0, 9)),
        st.tuples(st.just("pass"), st.sampled_from([0.0, 0.01, 0.5, 10.0, -5.0])),
    ),
    max_size=60,
)
PLAN = AdmissionPlan(slots=3, max_waiting=6, max_per_owner=5, max_per_stranger=3)


class Telling:
    """Carries calls out and keeps its own books."""

    def __init__(self, plan: AdmissionPlan = PLAN) -> None:
        self.plan = plan
        self.scheduler = Scheduler(plan)
        self.now = 100.0
        self.numbers = 0
        self.claims: dict[int, Claim] = {}
        self.judged: dict[int, Standing] = {}
        self.waiting: set[int] = set()
        self.running: dict[int, int] = {}  # ticket -> place
        self.freeing: list[Cut] = []
        self.begun: set[int] = set()
        self.read: Counter[int] = Counter()
        self.written: Counter[int] = Counter()
        self.over: list[int] = []
        self.costs: Counter[Standing] = Counter()
        self.charged: Counter[Standing] = Counter()
        self.answers: list[object] = []
        self._spy()

    def _spy(self) -> None:
        shares = self.scheduler._reckoning.shares
        charge = shares.charge

        def counted(standing: Standing, cost: float, now: float) -> None:
            self.charged[standing] += cost  # type: ignore[assignment] # a Counter of floats
            charge(standing, cost, now)

        shares.charge = counted  # type: ignore[method-assign] # to see what is charged

    def tell(self, call: Call) -> None:
        kind, *given = call
        getattr(self, f"_{kind}")(*given)
        self.check()

    def inside(self, pick: int) -> int | None:
        inside = sorted([*self.waiting, *self.running])
        return inside[pick % len(inside)] if inside else None

    def end(self) -> None:
        """Everybody leaves."""
        while (ticket := self.inside(0)) is not None:
            self._over(ticket, None)
            self.check()

    def _enter(self, who: tuple[int, Standing], size: int, output: int, patience_s: float) -> None:
        number, standing = who
        self.numbers += 1
        asked = Claim(
            principal=f"{standing}{number}",
            standing=standing,
            cohort=f"cohort{number // 2}",
            prompt_bytes=size,
            output_tokens=output,
            patience_s=patience_s,
            end_user=("", "x", "y")[size % 3],
        )
        self.claims[self.numbers] = asked
        answer, acts = self.scheduler.enter(self.numbers, asked, self.now)
        self.answers.append((answer, tuple(acts)))
        judged = self.scheduler.judged(self.numbers)
        if isinstance(answer, Admitted | Waiting):
            assert judged is not None
            self.judged[self.numbers] = judged
            assert judged is standing or judged is Standing.NEWCOMER
        else:
            assert judged is None
            assert answer.retry_after_s >= 1.0
        match answer:
            case Admitted(place=place):
                self._run(self.numbers, place.number)
            case Waiting():
                self.waiting.add(self.numbers)
            case Crowded():
                assert not acts
        self._hear(acts)

    def _progress(self, pick: int, done: int, more: int) -> None:
        ticket = self.inside(pick)
        if ticket is not None:
            self.scheduler.progress(ticket, done, done + more, 0, self.now)
            self._stir()
            if ticket in self.running:
                self.read[ticket] = max(self.read[ticket], done)

    def _began(self, pick: int) -> None:
        ticket = self.inside(pick)
        if ticket is not None:
            acts = self.scheduler.began(ticket, self.now)
            is_cut = any(cut.ticket == ticket for cut in self.freeing)
            if ticket in self.running and not is_cut:
                self.begun.add(ticket)
            else:
                assert acts == []
            self._hear(acts)

    def _spend(self, pick: int, tokens: int) -> None:
        ticket = self.inside(pick)
        if ticket is None:
            return
        is_cut = ticket not in self.running or any(cut.ticket == ticket for cut in self.freeing)
        topped = self.scheduler.spend(ticket, tokens, self.now)
        self.answers.append(topped)
        if topped is not Topped.ENDED:
            self._stir()
        if is_cut:
            assert topped is Topped.ENDED
            return
        self.written[ticket] += tokens
        if topped is Topped.ENDED:
            assert self.judged[ticket] in STRANGERS
            assert self.waiting, "nobody is ended for nobody's sake"
            self._over(ticket, None)

    def _settle(self, pick: int) -> None:
        ticket = self.inside(pick)
        if ticket is not None and ticket in self.running:
            self._over(ticket, Spent(prompt_tokens=self.read[ticket], output_tokens=self.written[ticket]))

    def _abandon(self, pick: int) -> None:
        ticket = self.inside(pick)
        if ticket is not None:
            self._over(ticket, None)

    def _stir(self) -> None:
        if self.scheduler.is_stirred:
            self._hear(self.scheduler.stir(self.now))
        assert not self.scheduler.is_stirred

    def _free(self, pick: int) -> None:
        """The engine lets go of somebody who was cut."""
        if not self.freeing:
            return
        cut = self.freeing[pick % len(self.freeing)]
        if not cut.is_returning:
            self._over(cut.ticket, None)
            return
        self.freeing.remove(cut)
        del self.running[cut.ticket]
        self.waiting.add(cut.ticket)
        self.costs[self.judged[cut.ticket]] += self.scheduler.cost.cost(self.read.pop(cut.ticket, 0), 0)  # type: ignore[assignment] # floats
        acts = self.scheduler.release(cut.ticket, self.now)
        self._hear(acts)
        assert self.scheduler.release(cut.ticket, self.now) == []

    def _pass(self, seconds: float) -> None:
        self.now += seconds

    def _over(self, ticket: int, spent: Spent | None) -> None:
        was_running = ticket in self.running
        self.waiting.discard(ticket)
        self.running.pop(ticket, None)
        self.freeing = [cut for cut in self.freeing if cut.ticket != ticket]
        if was_running:
            # What reading costs is learned from the very answer that it is charged for.
            if spent is not None:
                acts = self.scheduler.settle(ticket, spent, self.now)
                cost = self.scheduler.cost.cost(self.read[ticket], self.written[ticket])
            else:
                held = self.scheduler._tickets[ticket]
                cost = self.scheduler.cost.cost(self.read[ticket], self.written[ticket])
                # Who leaves a place has kept others from it.
                cost = cost if held.is_cut else max(cost, held.charged / 2)
                acts = self.scheduler.abandon(ticket, self.now)
            self.costs[self.judged[ticket]] += cost  # type: ignore[assignment] # a Counter of floats
        else:
            acts = self.scheduler.abandon(ticket, self.now)
        self.over.append(ticket)
        self._hear(acts)
        charged = Counter(self.charged)
        assert self.scheduler.abandon(ticket, self.now) == []
        assert self.scheduler.settle(ticket, Spent(prompt_tokens=9, output_tokens=9), self.now) == []
        assert self.scheduler.release(ticket, self.now) == []
        assert self.scheduler.began(ticket, self.now) == []
        assert self.scheduler.spend(ticket, 1, self.now) is Topped.ENDED
        self.scheduler.progress(ticket, 1, 2, 0, self.now)
        assert self.charged == charged, "late calls charge nothing"

    def _run(self, ticket: int, place: int) -> None:
        assert place not in self.running.values(), "a place is never given twice"
        assert len(self.running) < self.scheduler.limit
        self.running[ticket] = place

    def _hear(self, acts: list[Act]) -> None:
        self.answers.append(tuple(acts))
        better = {ticket for act in acts if isinstance(act, Called) for ticket in [act.ticket]} | self.waiting
        better |= set(self.running)
        for act in acts:
            ticket = act.ticket
            if isinstance(act, Called):
                self.waiting.remove(ticket)
                self._run(ticket, act.place.number)
                continue
            assert ticket in self.running
            assert not any(cut.ticket == ticket for cut in self.freeing), "nobody is cut twice"
            assert act.is_returning is (ticket not in self.begun)
            ranks = [RANK[self.judged[other]] for other in better if other != ticket and other in self.judged]
            worst = RANK[self.judged[ticket]]
            assert any(rank < worst or (act.is_returning and rank == worst) for rank in ranks), "cut for a better right"
            self.freeing.append(act)

    def check(self) -> None:
        """What holds after every call."""
        scheduler, plan = self.scheduler, self.plan
        assert scheduler.running == len(self.running) <= plan.slots
        assert scheduler.waiting == len(self.waiting)
        inside = Counter(self.claims[ticket].principal for ticket in [*self.waiting, *self.running])
        assert scheduler.owners == len(inside)
        for principal, count in inside.items():
            assert scheduler.inside(principal) == count <= plan.max_per_owner
        in_class = Counter(self.judged[ticket] for ticket in self.waiting)
        for standing in Standing:
            assert scheduler.waiting_in(standing) == in_class[standing] <= plan.max_waiting + plan.slots
            shared = scheduler._lines[standing]._shared
            assert sum(shared.values()) == (in_class[standing] if standing in STRANGERS else 0)
            groups = Counter(self.claims[ticket].group for ticket in self.waiting if self.judged[ticket] is standing)
            assert scheduler._lines[standing]._of_group == (groups if standing in STRANGERS else {})
            assert all(0 < count <= plan.shards.queue_limit + plan.slots for count in shared.values())
        for ticket in self.waiting:
            outlook = scheduler.outlook(ticket, self.now)
            assert outlook is not None
            assert 1 <= outlook.position <= in_class[self.judged[ticket]]
            assert outlook.wait_s > 0
        self.check_work()

    def check_work(self) -> None:
        """No place is free while somebody waits who may be read."""
        assert self.running or not self.waiting
        if len(self.running) >= self.scheduler.limit:
            return
        cut = {one.ticket for one in self.freeing}
        reading = [ticket for ticket in self.running if ticket not in self.begun and ticket not in cut]
        strangers = sum(self.judged[ticket] in STRANGERS for ticket in self.running)
        are_known_in = any(self.judged[ticket] not in STRANGERS for ticket in [*self.running, *self.waiting])
        for ticket in self.waiting:
            if self.judged[ticket] in STRANGERS:
                are_enough = are_known_in and strangers >= self._most_beside(self.judged[ticket])
                assert reading or are_enough, "a stranger waits for another's prompt, or for room beside the known"
            else:
                known = [one for one in reading if self.judged[one] not in STRANGERS]
                assert known, "somebody known waits for nothing but the prompt of somebody known"

    def _most_beside(self, standing: Standing) -> int:
        """In how many places one of a strangers' class starts beside known people."""
        room = int(self.plan.strangers_beside * self.scheduler.limit)
        waiting = sum(self.judged[ticket] is standing for ticket in self.waiting)
        is_thronged = standing is Standing.SUSPECT or waiting > self.scheduler.limit // 2
        return room if is_thronged else max(1, room)
