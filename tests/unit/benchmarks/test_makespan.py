"""The campaign's bound and its length, by arithmetic."""

from benchmarks import makespan
from benchmarks.makespan import Planned

from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Resources


def planned(cores: int, seconds: float, seats: int = 0) -> Planned:
    licences = {"hfss": seats} if seats else {}
    return Planned(
        JobSpec(solver="x", resources=Resources(cores=cores, licences=licences)), seconds
    )


def test_what_fills_the_machine_takes_as_long_as_it_must() -> None:
    alike = [planned(16, 10.0)] * 8  # four at once
    assert makespan.bound(alike) == 20.0
    assert makespan.makespan(alike) == 20.0


def test_what_waits_for_licences_is_bound_by_them() -> None:
    licensed = [planned(1, 10.0, seats=8)] * 3
    assert makespan.bound(licensed) == 30.0
    assert makespan.makespan(licensed) == 30.0


def test_a_gap_lengthens_it() -> None:
    """Two of 33 cores never run together on 64."""
    wide = [planned(33, 10.0)] * 2
    assert makespan.bound(wide) == 10.0 * 66 / 64
    assert makespan.makespan(wide) == 20.0


def test_a_campaign_is_the_same_each_time() -> None:
    assert makespan.campaign(1) == makespan.campaign(1) != makespan.campaign(2)
    assert len(makespan.campaign(1, limited=True)) == makespan.JOBS
