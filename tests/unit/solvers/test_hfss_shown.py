"""An HFSS job's configuration as a record tells it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from solveyard.model.jobs import JobSpec
from solveyard.solvers.hfss.config import HFSSSimulationConfig, MachineNode
from solveyard.solvers.hfss.shown import config

_changes = st.fixed_dictionaries(
    {"project_path": st.just("/p/a.aedt")},
    optional={
        "jobid": st.sampled_from(["a", "b-1"]),
        "design_name": st.sampled_from(["", "d 1"]),
        "auto": st.booleans(),
        "machine_nodes": st.lists(st.builds(MachineNode, cores=st.integers(1, 9)), max_size=3),
        "layout_options": st.fixed_dictionaries({}, optional={"enable_gpu": st.booleans()}),
        "scheduler_options": st.fixed_dictionaries({}, optional={"nodes": st.integers(1, 3)}),
    },
)


@given(_changes)
def test_what_is_stored_without_its_defaults_is_told_with_them(changes: dict[str, object]) -> None:
    made = HFSSSimulationConfig.from_dict(changes)
    spec = JobSpec(solver="hfss", options=msgspec.Raw(made.as_json()))
    assert config(spec) == made.to_dict()


def test_a_task_shows_what_it_was_submitted_with_and_other_solvers_nothing() -> None:
    options = msgspec.Raw(b'{"project_path": "/p/{{w}}.aedt", "machine_nodes": [{"cores": 2}]}')
    told = config(JobSpec(solver="hfss", options=options))
    assert told is not None
    assert told["project_path"] == "/p/{{w}}.aedt"
    assert told["machine_nodes"] == [MachineNode(cores=2).model_dump()]
    assert config(JobSpec(solver="command", options=msgspec.Raw(b'{"argv": ["true"]}'))) is None
