"""Percentiles, against their definition."""

from benchmarks.samples import percentile
from hypothesis import given
from hypothesis import strategies as st


@given(
    st.lists(st.floats(0, 1e9), min_size=1, max_size=300),
    st.sampled_from([1, 50, 90, 99, 100]),
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    values: list[float], percent: int
) -> None:
    found = percentile(values, percent)

    def enough(bound: float) -> bool:
        return 100 * sum(1 for value in values if value <= bound) >= percent * len(values)

    assert found in values
    assert enough(found)
    assert not any(enough(value) for value in values if value < found)
