"""The jobs whose memory is measured."""

import msgspec
from benchmarks.memory import SPEC_SIZE, spec


def test_the_jobs_differ_and_have_the_size_that_is_told() -> None:
    made = [msgspec.json.encode(spec(number)) for number in (-1, 0, 7, 99_999)]
    assert len(set(made)) == len(made)
    assert {len(each) for each in made} == {SPEC_SIZE}
