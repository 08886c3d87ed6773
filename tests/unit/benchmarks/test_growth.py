"""The shapes of the crowds: as many jobs as they say, and who waits for whom."""

import pytest
from benchmarks import growth

from solveyard.model.jobs import JobSpec


def waits(specs: list[JobSpec]) -> list[tuple[int, ...]]:
    """For which of them each waits, by their places."""
    place = {spec.name: at for at, spec in enumerate(specs) if spec.name}
    return [tuple(place[one.job] for one in spec.after) for spec in specs]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (growth.flat, [(), (), (), (), ()]),
        (growth.fan_in, [(), (), (), (), (0, 1, 2, 3)]),
        (growth.diamond, [(), (0,), (0,), (0,), (1, 2, 3)]),
        (growth.chain, [(), (0,), (1,), (2,), (3,)]),
    ],
)
def test_a_crowd_has_its_shape(make: growth.Shape, expected: list[tuple[int, ...]]) -> None:
    assert waits(make(5, "a")) == expected


def test_two_crowds_share_no_name() -> None:
    names = [spec.name for prefix in "ab" for spec in growth.chain(4, prefix)]
    assert len({*names}) == 8


def test_an_array_is_one_job_of_so_many_tasks() -> None:
    (one,) = growth.array(5, "a")
    assert one.array is not None
    assert len(one.array) == 5
