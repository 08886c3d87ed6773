"""What solves take of licences, against the numbers that sites publish."""

from typing import Any

import msgspec
import pytest

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec
from solveyard.model.resources import Range, Resources
from solveyard.solvers.hfss import licences
from solveyard.solvers.hfss.batch import HfssOptions
from solveyard.solvers.hfss.solver import HfssSolver
from unit.solvers.test_hfss import Machine


def options(**fields: Any) -> HfssOptions:
    said = {"project_path": "/a.aedt", "machines": "list", **fields}
    return HfssOptions.model_validate_json(msgspec.json.encode(said))


def cost(cores: int, **fields: Any) -> dict[str, int]:
    return licences.cost(options(**fields), Resources(cores=cores))


@pytest.mark.parametrize(
    ("cores", "variations", "pool", "packs"),
    [
        (1, 1, 0, 0),
        (4, 1, 0, 0),
        (5, 1, 1, 1),
        (12, 1, 8, 1),
        (13, 1, 9, 2),
        (36, 1, 32, 2),
        (37, 1, 33, 3),
        (132, 1, 128, 3),
        (516, 1, 512, 4),
        (2052, 1, 2048, 5),
        (64, 16, 120, 15),
        (8, 2, 8, 1),
        (24, 2, 24, 3),
        (4, 2, 8, 1),
    ],
)
def test_cores_and_variations_have_their_price_in_pool_and_packs(
    cores: int, variations: int, pool: int, packs: int
) -> None:
    seat = {"elec_solve_hfss": 1}
    of_pool = cost(cores, variations=variations, hpc_licence="pool")
    assert of_pool == seat | ({"anshpc": pool} if pool else {})
    for said in ({}, {"hpc_licence": "pack"}):
        found = cost(cores, variations=variations, **said)
        assert found == seat | ({"anshpc_pack": packs} if packs else {})


def test_nodes_multiply_cores_and_a_range_counts_as_its_largest() -> None:
    pool = options(hpc_licence="pool")
    assert licences.cost(pool, Resources(cores=8, nodes=2))["anshpc"] == 12
    assert licences.cost(pool, Resources(cores=Range(min=1, max=6)))["anshpc"] == 2
    with pytest.raises(InvalidJob, match="give `max`"):
        licences.cost(pool, Resources(cores=Range(min=1)))


def test_pyedbs_machines_count_by_the_cores_that_ansysedt_is_told() -> None:
    nodes = [{"hostname": "a", "max_cores": 6}, {"hostname": "b", "max_cores": 2}]
    said = options(machines="nodes", machine_nodes=nodes, hpc_licence="pool")
    assert licences.cost(said, Resources(cores=1)) == {"elec_solve_hfss": 1, "anshpc": 4}


def test_another_feature_may_be_the_solvers_and_saving_takes_none() -> None:
    assert cost(1, licence="elec_solve_level2") == {"elec_solve_level2": 1}
    assert cost(64, run="batchsave") == {}


def test_a_job_asks_for_what_is_counted_and_for_what_it_says_itself() -> None:
    said = {"project_path": "/a.aedt", "ansys_edt_path": "/edt", "machines": "list"}
    machine = Machine()
    machine.licences = {"elec_solve_hfss", "anshpc_pack"}
    asked = JobSpec(
        solver="hfss",
        options=msgspec.Raw(msgspec.json.encode(said)),
        resources=Resources(cores=8, licences={"anshpc_pack": 3, "other": 1}),
    )
    found = HfssSolver().complete(asked, machine).resources
    assert found.licences == {"elec_solve_hfss": 1, "anshpc_pack": 3, "other": 1}
    assert found.cores == 8
    machine.licences = ()
    assert HfssSolver().complete(asked, machine).resources == asked.resources
