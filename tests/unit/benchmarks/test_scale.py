"""The simulated site is as busy as it says."""

from collections import Counter

from benchmarks.scale import CORES, Site

from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.messages import Submit
from solveyard.model.shares import Shares


def test_each_end_lets_another_start_on_cores_that_are_all_taken() -> None:
    site = Site(3)
    site.take(Submit(specs=(JobSpec(solver="x", array=ArraySpec(stop=1000)),)))
    assert len(site.running) == 3 * CORES
    site.end_oldest()
    site.end_oldest()
    assert len(site.running) == 3 * CORES
    assert {launch.placement.machine for launch in site.running} == {"m0000", "m0001", "m0002"}
    ended = [job for job in site.engine.jobs.values() if job.state is JobState.COMPLETED]
    assert len(ended) == 2


def test_owners_take_turns_where_shares_are_fair() -> None:
    site = Site(1, Shares(fair=True))
    for owner in ("ann", "bob"):
        site.take(Submit(specs=(JobSpec(solver="x"),) * 2 * CORES, by=owner))
    for _ in range(CORES):
        site.end_oldest()
    owners = Counter(site.engine.jobs[launch.job].owner for launch in site.running)
    assert owners == {"ann": CORES // 2, "bob": CORES // 2}
