"""Where a job goes that doesn't say so itself."""

import pytest
from msgspec.structs import replace

from solveyard.core.destinations import HERE, Rule, decided
from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Range, Resources

ANY = Rule(on="far")
SPEC = JobSpec(
    solver="hfss", name="sweep-7", tags=("big", "late"), time_limit=60,
    resources=Resources(cores=4, nodes=2, memory=100, gpus=1),
)  # fmt: skip


def fits(spec: JobSpec, **said: object) -> bool:
    found, place = decided(spec, "eve", [Rule(on="far", **said)])  # type: ignore[arg-type]
    assert (found.on == "far") == (place == 0)
    return place == 0


@pytest.mark.parametrize(
    ("fitting", "other"),
    [
        ({"solvers": ("nec", "hfss")}, {"solvers": ("nec",)}),
        ({"tags": ("late", "x")}, {"tags": ("x",)}),
        ({"names": ("x", "sweep-*")}, {"names": ("sweep",)}),
        ({"users": ("eve",)}, {"users": ("adam",)}),
        ({"cores": 8}, {"cores": 9}),
        ({"nodes": 2}, {"nodes": 3}),
        ({"memory": 100}, {"memory": 101}),
        ({"gpus": 1}, {"gpus": 2}),
        ({"time": 60}, {"time": 61}),
    ],
)
def test_a_rule_fits_a_job_that_has_all_of_what_it_names(
    fitting: dict[str, object], other: dict[str, object]
) -> None:
    assert fits(SPEC)
    assert fits(SPEC, **fitting)
    assert not fits(SPEC, **other)


def test_everything_that_a_rule_names_has_to_fit() -> None:
    assert fits(SPEC, solvers=("hfss",), tags=("big",), cores=8)
    assert not fits(SPEC, solvers=("hfss",), tags=("x",), cores=8)


def test_a_job_without_a_limit_may_run_for_long_and_a_range_counts_by_its_least() -> None:
    assert fits(replace(SPEC, time_limit=None), time=1e6)
    ranged = replace(SPEC, resources=Resources(cores=Range(min=2, max=16)))
    assert fits(ranged, cores=2)
    assert not fits(ranged, cores=3)


def test_the_first_that_fits_decides_and_else_it_runs_here() -> None:
    quick, far, never = Rule(on=HERE, tags=("quick",)), ANY, Rule(on="moon")
    assert decided(SPEC, "", [quick, far, never]) == (replace(SPEC, on="far"), 1)
    small = replace(SPEC, tags=("quick",))
    assert decided(small, "", [quick, far]) == (small, 0)
    assert decided(SPEC, "", [quick]) == (SPEC, None)


def test_a_job_that_says_itself_where_it_runs_is_asked_by_no_rule() -> None:
    moon = replace(SPEC, on="moon")
    assert decided(moon, "", [ANY]) == (moon, None)
    assert decided(replace(SPEC, on=HERE), "", [ANY]) == (SPEC, None)
