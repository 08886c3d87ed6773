"""What people could wish for: specifications for the state machine, most of them possible."""

import msgspec
from hypothesis import strategies as st

from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import RetryPolicy
from solveyard.model.resources import Range, Resources

SHAPES = (b'{"brief":1}', b'{"brief":2}', b"{}")

counts = st.integers(1, 3)
ranges = st.builds(lambda low, more: Range(min=low, max=low + more), counts, st.integers(0, 4))
needs = st.one_of(
    st.builds(Resources, cores=counts | ranges, memory=st.sampled_from([0, 30, 50, 100])),
    st.builds(Resources, cores=counts, licences=st.sampled_from([{"hfss": 1}, {"hfss": 2}])),
    st.builds(Resources, cores=counts, nodes=st.integers(1, 2), memory=st.sampled_from([0, 60])),
    st.builds(Resources, nodes=st.integers(1, 2), whole_nodes=st.just(True)),
    st.builds(Resources, cores=st.just(5), nodes=st.integers(1, 3)),
)
#: Of everything, so that each dimension of a machine is what is short now and then.
loads = st.builds(
    Resources,
    cores=st.integers(0, 2),
    nodes=st.sampled_from([None, None, None, 1, 2]),
    memory=st.sampled_from([0, 0, 30, 50]),
    disk=st.sampled_from([0, 0, 10, 20]),
    gpus=st.sampled_from([0, 0, 1, 1, 2]),
    licences=st.sampled_from([{}, {}, {"hfss": 1}]),
    counts=st.sampled_from([{}, {}, {"bench": 1}, {"bench": 2}]),
)
options = st.sampled_from(SHAPES).map(msgspec.Raw)
plain = st.builds(JobSpec, solver=st.just("x"), options=options, priority=st.integers(-1, 1))
arrays = st.builds(ArraySpec, stop=st.integers(1, 5), at_once=st.sampled_from([None, None, 1, 2]))
retries = st.builds(RetryPolicy, tries=st.integers(1, 3), delay=st.sampled_from([0.0, 0.2, 5.0]))
specs = st.one_of(
    plain,
    st.builds(JobSpec, solver=st.just("x"), name=st.sampled_from(["a", "b"]), options=options),
    st.builds(JobSpec, solver=st.just("x"), resources=needs, priority=st.integers(-2, 2)),
    st.builds(JobSpec, solver=st.just("x"), resources=needs, options=options),
    st.builds(
        JobSpec,
        solver=st.just("x"),
        options=options,
        exclusive=st.sampled_from([("p",), ("q",), ("p", "q"), ("p1",)]),
        priority=st.integers(-1, 1),
    ),
    st.builds(
        JobSpec,
        solver=st.just("x"),
        options=options,
        wait_limit=st.sampled_from([0.3, 1.0, 30.0]),
        hold=st.booleans(),
    ),
    st.builds(JobSpec, solver=st.just("x"), options=options, retry=retries),
    st.builds(
        JobSpec,
        solver=st.just("x"),
        options=options,
        array=arrays,
        resources=st.just(Resources()) | needs,
        retry=st.none() | retries,
        priority=st.integers(-1, 1),
        hold=st.sampled_from([False, False, True]),
        exclusive=st.sampled_from([(), (), ("p",), ("p{{index}}",), ("p{{index}}", "q")]),
        wait_limit=st.sampled_from([None, None, 1.0]),
    ),
)
loaded = st.one_of(
    st.builds(
        JobSpec,
        solver=st.just("x"),
        resources=loads,
        options=options,
        priority=st.sampled_from([0, 0, 0, 1]),
        retry=st.sampled_from([None, None, RetryPolicy(tries=2)]),
    ),
    st.builds(JobSpec, solver=st.just("x"), resources=loads, options=options, array=arrays),
)
