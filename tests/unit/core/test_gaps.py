"""Who stands behind a first in line that waits: nobody is in anybody's way who can't start."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.core.queues import Queue
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.messages import AgentJoined, ClusterJoined, SpawnerJoined
from solveyard.model.resources import Resources
from solveyard.model.shares import Quota, Shares
from unit.core.drive import Drive

MANY = 70  #: more than kinds that are tried
SEAT = Resources(licences={"hfss": 1})


def joined(cores: int = 4, *, bench: int = 2, shares: Shares | None = None) -> Drive:
    drive = Drive(joined=False, shares=shares or Shares())
    join(drive, cores, bench)
    drive.send(SpawnerJoined(machine="m", spawner=0, boot_id="boot", ledger="ledger"))
    return drive


def join(drive: Drive, cores: int, bench: int) -> None:
    nodes = {"a": Resources(cores=cores, memory=9000)}
    there = {"licences": {"hfss": 1}, "counts": {"bench": bench}}
    drive.send(AgentJoined(machine="m", nodes=nodes, boot_id="boot", **there))  # type: ignore[arg-type]


def alike(need: Resources) -> Iterator[JobSpec]:
    return (JobSpec(solver="x", resources=need) for _ in range(MANY))


def each_other(need: dict[str, object]) -> Iterator[JobSpec]:
    memory = (Resources(memory=n + 1, **need) for n in range(MANY))  # type: ignore[arg-type]
    return (JobSpec(solver="x", resources=one) for one in memory)


@pytest.mark.parametrize("waiting", [alike(SEAT), each_other({"licences": {"hfss": 1}})])
def test_any_number_of_jobs_that_want_a_licence_lets_one_pass_that_wants_none(
    waiting: Iterator[JobSpec],
) -> None:
    drive = joined()
    drive.one(resources=SEAT)
    drive.submit(*waiting)
    assert drive.launched()[1:] == []
    assert drive.one() == drive.launched()[1]
    assert drive.restored().jobs == drive.engine.jobs


def test_any_number_of_an_owner_over_quota_lets_others_pass() -> None:
    drive = joined(shares=Shares(quotas={"bob": Quota(running=1)}))
    drive.one(resources=SEAT)
    drive.one(resources=SEAT)
    drive.submit(*alike(Resources()), by="bob")
    assert len(drive.launched()) == 2
    assert drive.one() == drive.launched()[2]


def test_any_number_that_no_machine_fits_any_more_stands_aside() -> None:
    drive = joined()
    first = drive.one(resources=Resources(cores=4, licences={"hfss": 1}))
    second = drive.one(resources=SEAT)
    misfits = drive.submit(*alike(Resources(counts={"bench": 2})))
    last = drive.one()
    assert drive.why(last) == f"its turn: {MANY + 1} of the waiting jobs go before it"
    join(drive, 4, bench=1)
    assert drive.why(misfits[0]).startswith("a machine that can run it")
    assert drive.why(last) == "its turn: 1 of the waiting jobs go before it"
    drive.end(first)
    assert drive.launched()[1:] == [second, last]


def test_any_number_that_waits_for_a_count_of_a_cluster_lets_others_pass() -> None:
    drive = Drive(joined=False)
    drive.send(ClusterJoined(machine="slurm", most=9, counts={"bench": 1}))
    bench = {"on": "slurm", "resources": Resources(counts={"bench": 1})}
    drive.submit(*(JobSpec(solver="x", **bench) for _ in range(MANY)))  # type: ignore[arg-type]
    assert len(drive.launched()) == 1
    assert drive.one(on="slurm") == drive.launched()[1]


def job(number: int, priority: int, cores: int) -> Job:
    return Job(
        id=JobId(number),
        spec=JobSpec(solver="x", resources=Resources(cores=cores)),
        owner="",
        submitted_at=0.0,
        arrival=number,
        priority=priority,
        state=JobState.QUEUED,
    )


places = st.none() | st.tuples(st.integers(-1, 1), st.integers(1, 3))


@given(changes=st.lists(st.tuples(st.integers(0, 8), places), max_size=60))
def test_the_first_of_each_kind_are_in_order_and_who_leaves_is_followed(
    changes: list[tuple[int, tuple[int, int] | None]],
) -> None:
    queue, inside = Queue(), dict[int, tuple[int, int]]()
    for number, place in changes:
        queue.discard(JobId(number))
        inside.pop(number, None)
        if place is not None:
            queue.add(job(number, *place))
            inside[number] = place
    order = sorted(inside, key=lambda each: (-inside[each][0], each))
    kinds = dict[tuple[int, int], int]()
    for number in order:
        kinds.setdefault(inside[number], number)
    assert [head.job for head in queue.heads()] == [*kinds.values()]
    left = []
    for head in queue.heads():
        left.append(head.job)
        queue.discard(head.job)
    assert left == order
    assert (len(queue), queue.first()) == (0, None)
