"""Licences: what a licence server says is in use, and what our jobs hold, against plain sums."""

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from solveyard.core.engine import Step
from solveyard.core.seats import SETTLE
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobId, JobState, Limits
from solveyard.model.messages import (
    AgentJoined,
    LicencesSeen,
    LicencesUnseen,
    LicenceUse,
    SetLimits,
    SpawnerJoined,
)
from solveyard.model.resources import Resources
from unit.core.drive import Drive

ISSUED = 36


def seats(count: int, cores: int = 0) -> Resources:
    return Resources(cores=cores, licences={"anshpc": count})


class Yard(Drive):
    """Its machine's jobs may hold `seats` of one feature."""

    def __init__(self, seats: int = ISSUED, cores: int = 8) -> None:
        self.seats = seats
        super().__init__(cores)

    def join(self, boot_id: str = "boot", ledger: str = "ledger") -> Step:
        nodes = {"a": Resources(cores=self.cores, memory=100)}
        licences = {"anshpc": self.seats}
        self.send(AgentJoined(machine="m", nodes=nodes, boot_id=boot_id, licences=licences))
        return self.send(SpawnerJoined(machine="m", spawner=0, boot_id=boot_id, ledger=ledger))

    def told(
        self, used: int, ours: int | None = None, *, issued: int = ISSUED, kept: int = 0
    ) -> Step:
        use = {"anshpc": LicenceUse(issued=issued, used=used, ours=ours)}
        kept_back = {"anshpc": kept} if kept else {}
        return self.send(LicencesSeen(asked_at=self.now, use=use, kept=kept_back), after=0.5)

    def state(self, job: JobId) -> JobState:
        return self.job(job).state

    def runs(self, job: JobId) -> bool:
        return self.state(job) is JobState.SUBMITTED


def test_a_job_waits_for_its_seats_in_these_words() -> None:
    yard = Yard()
    yard.told(6, 0)
    board = yard.one(name="board-7", resources=seats(24))
    waiting = yard.one(resources=seats(12))
    assert yard.runs(board)
    assert yard.state(waiting) is JobState.QUEUED
    assert yard.engine.why(waiting) == "12 anshpc: 30 of 36 in use, 24 by job board-7"
    yard.send(LicencesUnseen(), after=60.0)
    assert yard.engine.why(waiting) == (
        "12 anshpc: 30 of 36 in use, 24 by job board-7 (stale since 1970-01-01 00:01:40 UTC)"
    )
    yard.told(24, 24, kept=1)
    assert yard.engine.why(waiting) == (
        "12 anshpc: 24 of 36 in use, 1 kept back, 24 by job board-7"
    )
    yard.told(24, 24)
    assert yard.runs(waiting)


def test_without_a_server_seats_are_those_of_the_settings() -> None:
    yard = Yard(seats=7)
    jobs = [yard.one(name=f"j{n}", resources=seats(3)) for n in range(4)]
    assert [yard.runs(job) for job in jobs] == [True, True, False, False]
    assert yard.engine.why(jobs[2]) == "3 anshpc: 6 of 7 in use, 3 by job j0, 3 by job j1"
    yard.end(jobs[0])
    assert yard.runs(jobs[2])


def test_a_job_that_just_started_counts_before_the_server_shows_it_and_not_twice_after() -> None:
    yard = Yard()
    yard.told(10, 0)
    first = yard.one(resources=seats(20))
    yard.told(10, 0)  # it isn't seen yet
    second = yard.one(resources=seats(7))
    assert (yard.runs(first), yard.runs(second)) == (True, False)
    yard.told(30, 20)  # now it is
    third = yard.one(resources=seats(6), priority=1)
    assert (yard.runs(second), yard.runs(third)) == (False, True)


def test_where_the_server_names_nobody_a_job_is_seen_after_a_while() -> None:
    yard = Yard()
    yard.one(resources=seats(12))
    yard.told(12)
    second = yard.one(resources=seats(24))
    assert not yard.runs(second)
    yard.now += SETTLE
    yard.told(12)
    assert yard.runs(second)


def test_seats_that_are_kept_back_are_taken_by_no_job() -> None:
    yard = Yard()
    yard.told(36, 0)
    large, small = yard.one(resources=seats(7)), yard.one(resources=seats(6))
    yard.told(0, 0, kept=30)
    assert (yard.runs(large), yard.runs(small)) == (False, True)
    assert "there are 6 (36 issued, 30 kept back)" in yard.engine.why(large)
    with pytest.raises(InvalidJob, match="could never run"):
        yard.one(resources=seats(7))
    yard.end(small)
    yard.told(0, 0, kept=29)
    assert yard.runs(large)


def test_whoever_waits_for_other_peoples_seats_keeps_nobody_from_cores() -> None:
    yard = Yard(cores=3)
    yard.told(30, 0)
    large = yard.one(resources=seats(12, cores=2))
    plain, small = yard.one(resources=Resources(cores=2)), yard.one(resources=seats(6, cores=0))
    assert yard.runs(plain)
    assert not yard.runs(large)
    assert yard.runs(small)  # there are seats for both once others leave
    greedy = yard.one(resources=seats(20, cores=0))
    assert not yard.runs(greedy)
    yard.end(plain)
    yard.told(12, 6)
    assert yard.runs(large)


def test_nothing_that_needs_seats_starts_before_the_servers_first_answer() -> None:
    yard = Yard()
    yard.send(LicencesUnseen(first=True))
    job, other = yard.one(resources=seats(1)), yard.one()
    assert (yard.runs(job), yard.runs(other)) == (False, True)
    assert yard.engine.why(job) == "1 anshpc: the licence server hasn't answered yet"
    yard.send(LicencesUnseen())  # it can't be reached: the settings' numbers hold
    assert yard.runs(job)


def test_an_answer_that_fails_changes_nothing() -> None:
    yard = Yard()
    yard.told(30, 0)
    waiting = yard.one(resources=seats(7))
    yard.send(LicencesUnseen())
    assert not yard.runs(waiting)
    yard.send(SetLimits(limits=Limits()))
    assert not yard.runs(waiting)


@dataclass
class World:
    """What really is checked out: others' seats, and ours some time after their start."""

    yard: Yard
    kept: int
    others: int = 0
    told_others: int | None = None
    visible: dict[JobId, int] = field(default_factory=dict)
    running: dict[JobId, int] = field(default_factory=dict)
    wanted: dict[JobId, int] = field(default_factory=dict)

    def tell(self, *, names: bool) -> None:
        ours = sum(self.visible.values())
        self.told_others = self.others
        self.yard.told(self.others + ours, ours if names else None, kept=self.kept)

    def notice(self) -> None:
        """What was started; judged against the newest thing that the server said."""
        for job in self.yard.launched():
            if job in self.wanted:
                self.running[job] = self.wanted.pop(job)
        held = sum(self.running.values())
        assert held <= self.yard.seats
        if self.told_others is not None and self.started:
            assert held + self.told_others + self.kept <= ISSUED
        self.yard.launches.clear()

    @property
    def started(self) -> bool:
        return bool(self.yard.launches)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.sampled_from([1, 4, 6, 12])),
        st.tuples(st.just("show"), st.integers(0, 3)),
        st.tuples(st.just("end"), st.integers(0, 3)),
        st.tuples(st.just("others"), st.sampled_from([0, 10, 24, 30, 36])),
        st.tuples(st.just("tell"), st.just(0)),
        st.tuples(st.just("fail"), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=150)
@example(
    steps=[("others", 24), ("tell", 0), ("submit", 6), ("tell", 0), ("submit", 12)],
    own=40,
    kept=0,
    names=True,
)
@given(steps=steps, own=st.integers(12, 40), kept=st.integers(0, 8), names=st.booleans())
def test_our_jobs_never_take_what_others_hold_or_what_is_kept_back(
    steps: list[tuple[str, int]], own: int, kept: int, names: bool
) -> None:
    """Whenever the server shows a seat of ours, and whatever it says, or doesn't, in between.

    Who comes without names is seen within SETTLE, which each step outlasts.
    """
    yard = Yard(seats=own, cores=64)
    world = World(yard, kept)
    for what, number in steps:
        chosen = [*world.running][number : number + 1]
        match what:
            case "submit":
                world.wanted[yard.one(resources=seats(number))] = number
            case "show":
                world.visible.update((job, world.running[job]) for job in chosen)
            case "end":
                for job in chosen:
                    del world.running[job]
                    world.visible.pop(job, None)
                    yard.end(job)
            case "others":
                world.others = number
            case "tell":
                if not names:
                    yard.now += SETTLE
                    world.visible = dict(world.running)
                world.tell(names=names)
            case _:
                yard.send(LicencesUnseen())
        world.notice()
    world.others = 0
    for _ in range(len(world.wanted) + 1):  # all of them can run, one after the other
        for job in [*world.running]:
            yard.end(job)
        world.running.clear()
        world.visible.clear()
        world.tell(names=names)
        world.notice()
    assert not world.wanted
