"""What QCG-PilotJob's own client sends is translated, and decided by its rules.

The client is installed from PyPI into an environment of its own; where that can't be, these tests
are skipped and say so.
"""

import json
import subprocess
from typing import Any

import pytest

from environments import python_with
from solveyard.model.errors import InvalidJob, InvalidRequest
from solveyard.model.jobs import Reason
from unit.pilot.deciding import Deciding

WANTED = "qcg-pilotjob==0.14.2"
#: What people write, each by the client's own class.
WRITTEN = {
    "one": 'Jobs().add(name="j", exec="date")',
    "spread": 'Jobs().add(name="j", exec="date", numCores=6)',
    "range": 'Jobs().add(name="j", exec="date", numCores={"min": 2, "max": 6})',
    "ranges": 'Jobs().add(name="i", exec="date", numCores=5)'
    '.add(name="j", exec="date", numCores={"min": 2, "max": 6})',
    "each": 'Jobs().add(name="j", exec="date", numNodes=2, numCores=2)',
    "whole": 'Jobs().add(name="i", exec="date").add(name="j", exec="date", numNodes=1)',
    "nodes": 'Jobs().add(name="j", exec="date", numNodes={"min": 1, "max": 3}, numCores=3)',
    "few": 'Jobs().add(name="j", exec="echo", args=["${it}"], iteration=5)',
    "values": 'Jobs().add(name="j", exec="echo", args=["${itval}"], iteration=["x", "y"])',
    "rounds": 'Jobs().add_std(name="j", execution={"exec": "e"}, iteration={"stop": 5},'
    ' resources={"numCores": {"min": 1, "scheduler": {"name": "maximum-iters"}}})',
    "more_rounds": 'Jobs().add_std(name="j", execution={"exec": "e"}, iteration={"stop": 20},'
    ' resources={"numCores": {"min": 1, "scheduler": {"name": "maximum-iters"}}})',
    "parts": 'Jobs().add_std(name="j", execution={"exec": "e"}, iteration={"stop": 5}, resources='
    '{"numCores": {"min": 1, "scheduler": {"name": "split-into", "params": {"parts": 3}}}})',
    "no_part": 'Jobs().add_std(name="j", execution={"exec": "e"}, iteration={"stop": 5}, resources='
    '{"numCores": {"min": 1, "scheduler": {"name": "split-into", "params": {"parts": 9}}}})',
    "node_parts": 'Jobs().add_std(name="j", execution={"exec": "e"}, iteration={"stop": 2},'
    ' resources={"numNodes": {"min": 1, "scheduler": {"name": "split-into"}}})',
    "chain": 'Jobs().add(name="a", exec="e").add(name="b", exec="e", after="a")'
    '.add(name="c", exec="e", after=["b"])',
    "same_iteration": 'Jobs().add(name="a", exec="e", iteration=2)'
    '.add(name="b", exec="e", iteration=2, after=["a:${it}"])',
    "nine_cores": 'Jobs().add(name="ok", exec="e").add(name="j", exec="e", numCores=9)',
    "three_nodes": 'Jobs().add(name="j", exec="e", numNodes=3)',
    "large_nodes": 'Jobs().add(name="j", exec="e", numNodes=2, numCores=5)',
    "gpu": 'Jobs().add_std(name="j", execution={"exec": "e"},'
    ' resources={"numNodes": 1, "nodeCrs": {"gpu": 1}})',
    "least_alone": 'Jobs().add(name="j", exec="e", numCores={"min": 2})',
    "wall_time": 'Jobs().add(name="j", exec="e", wt="10m")',
    "all_fields": 'Jobs().add(name="j", script="date", stdin="i", stdout="o", stderr="e", wd="d",'
    ' modules=["m"], venv="v", model="threads", model_opts={"mpirun_args": ["-x"]}, numCores=2,'
    ' wt="1h")',
}


@pytest.fixture(scope="module")
def requests(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """What the client makes of WRITTEN."""
    folder = tmp_path_factory.mktemp("qcg")
    python = python_with(request, "qcg-pilotjob", WANTED)
    lines = ",\n".join(f"{name!r}: {text}" for name, text in WRITTEN.items())
    program = (
        "import json\nfrom qcg.pilotjob.api.job import Jobs\n"
        f"all = {{{lines}}}\nprint(json.dumps({{n: j.ordered_jobs() for n, j in all.items()}}))"
    )
    told = subprocess.run(
        [python, "-c", program], capture_output=True, text=True, check=False, cwd=folder
    )
    assert told.returncode == 0, told.stderr
    found: dict[str, list[dict[str, Any]]] = json.loads(told.stdout)
    return found


Requests = dict[str, list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("written", "cores"),
    [
        ("one", {"a": (0,)}),
        ("spread", {"a": (0, 1, 2, 3), "b": (0, 1)}),
        ("range", {"a": (0, 1, 2, 3), "b": (0, 1)}),
        ("ranges", {"b": (1, 2, 3)}),
        ("each", {"a": (0, 1), "b": (0, 1)}),
        ("whole", {"b": (0, 1, 2, 3)}),
        ("nodes", {"a": (0, 1, 2), "b": (0, 1, 2)}),
        ("all_fields", {"a": (0, 1)}),
    ],
)
def test_a_job_gets_the_cores_that_are_free_lowest_first(
    requests: Requests, written: str, cores: dict[str, tuple[int, ...]]
) -> None:
    deciding = Deciding("a:4,b:4")
    deciding.submit(requests[written])
    assert deciding.cores["j"] == cores


def test_iterations_start_in_order_one_core_each(requests: Requests) -> None:
    deciding = Deciding("a:2,b:2")
    deciding.submit(requests["few"])
    assert deciding.started == ["j[0]", "j[1]", "j[2]", "j[3]"]
    assert [deciding.cores[f"j[{n}]"] for n in range(4)] == [
        {"a": (0,)}, {"a": (1,)}, {"b": (0,)}, {"b": (1,)},
    ]  # fmt: skip
    deciding.end("j[2]")
    assert deciding.cores["j[4]"] == {"b": (0,)}
    for label in deciding.running:
        deciding.end(label)
    assert deciding.reason("j") is Reason.SUCCESS


def test_maximum_iters_shares_all_cores_of_a_round(requests: Requests) -> None:
    deciding = Deciding("na:4,nb:4")
    deciding.submit(requests["rounds"])
    assert deciding.amounts("j") == [1, 1, 2, 2, 2]
    deciding = Deciding("na:4,nb:4")
    deciding.submit(requests["more_rounds"])
    while deciding.running:
        deciding.end(deciding.running[0])
    sevens = [1, 1, 1, 1, 1, 1, 2]
    assert deciding.amounts("j") == [*sevens, *sevens, 1, 1, 1, 1, 2, 2]


def test_split_into_gives_each_iteration_its_part(requests: Requests) -> None:
    deciding = Deciding("a:4,b:4")
    deciding.submit(requests["parts"])
    assert deciding.running == ["j[0]", "j[1]", "j[2]", "j[3]"]
    deciding.end("j[1]")
    assert deciding.amounts("j") == [2, 2, 2, 2, 2]
    with pytest.raises(InvalidRequest, match="its share of 8 cores comes to none"):
        deciding.submit([{**requests["no_part"][0], "name": "k"}])


def test_nodes_can_be_shared_among_iterations_too(requests: Requests) -> None:
    deciding = Deciding("a:4,b:4,c:4,d:4")
    deciding.submit(requests["node_parts"])
    four = (0, 1, 2, 3)
    assert deciding.cores == {"j[0]": {"a": four, "b": four}, "j[1]": {"c": four, "d": four}}


def test_a_chain_runs_in_its_order_and_is_omitted_behind_a_failure(requests: Requests) -> None:
    deciding = Deciding("a:4")
    deciding.submit(requests["chain"])
    assert deciding.running == ["a"]
    deciding.end("a")
    assert deciding.running == ["b"]
    deciding.end("b", Reason.EXIT_CODE)
    assert deciding.running == []
    assert deciding.reason("c") is Reason.DEPENDENCY


def test_an_iteration_waits_for_its_own_alone(requests: Requests) -> None:
    deciding = Deciding("a:4")
    deciding.submit(requests["same_iteration"])
    assert deciding.running == ["a[0]", "a[1]"]
    deciding.end("a[1]")
    assert deciding.running == ["a[0]", "b[1]"]
    deciding.end("a[0]")
    assert deciding.running == ["b[1]", "b[0]"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("nine_cores", "it needs 9 cores, and the machines have 2 nodes"),
        ("three_nodes", "it needs .*3 whole nodes"),
        ("large_nodes", "it needs 5 cores on each of 2 nodes"),
        ("gpu", "1 GPU"),
    ],
)
def test_what_can_never_be_given_is_refused_at_once_with_its_whole_request(
    requests: Requests, written: str, words: str
) -> None:
    deciding = Deciding("a:4,b:4")
    with pytest.raises(InvalidRequest, match=words):
        deciding.submit(requests[written])
    assert (deciding.started, list(deciding.engine.jobs)) == ([], [])


@pytest.mark.parametrize(
    ("written", "words"),
    [("least_alone", "must be defined"), ("wall_time", "No resources defined")],
)
def test_what_the_service_would_fail_is_refused_in_words(
    requests: Requests, written: str, words: str
) -> None:
    with pytest.raises(InvalidJob, match=words):
        Deciding("a:4").submit(requests[written])
