"""What may run for whom over the network, of arrays."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from solveyard.doors.keys import Caller
from solveyard.doors.rules import MOST, Rules
from solveyard.model.arrays import ArraySpec
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import NotAllowed
from solveyard.model.jobs import JobSpec
from solveyard.surroundings import Here

SOMEBODY = Caller("token:ci")


def alone(directory: Path, result: str = "result.s1p") -> JobSpec:
    options = {
        "result": result,
        "dipole": {"length": 0.5, "radius": 0.001, "segments": 21},
        "frequencies": {"start": 2e8, "stop": 4e8, "points": 3},
    }
    told = msgspec.Raw(msgspec.json.encode(options))
    return JobSpec(solver="nec", directory=str(directory), options=told)


def spec(root: Path, array: ArraySpec) -> JobSpec:
    return JobSpec(solver="nec", directory=f"{root}/{{{{value}}}}", array=array)


def test_each_tasks_directory_must_be_below_the_roots(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    rules = Rules(roots=(root,))
    rules.check(SOMEBODY, spec(root, ArraySpec(values=("a", "b/c"))))
    for last in ("..", "../other", "link", "link/x"):
        with pytest.raises(NotAllowed, match="--project-root"):
            rules.check(SOMEBODY, spec(root, ArraySpec(values=("a", "b", last))))


def test_nobody_elses_job_is_in_the_store_though_that_is_below_a_root(tmp_path: Path) -> None:
    store = tmp_path / "store"
    (store / "agent").mkdir(parents=True)
    (tmp_path / "link").symlink_to(store)
    rules = Rules(roots=(tmp_path,), closed=(store,))
    rules.check(SOMEBODY, alone(tmp_path / "work"))
    for place in (store, store / "agent", tmp_path / "link" / "jobs"):
        with pytest.raises(NotAllowed, match="not in a folder that is open"):
            rules.check(SOMEBODY, alone(place))
        rules.check(SOMEBODY._replace(owner=True), alone(place))


def test_nor_is_a_file_of_it(tmp_path: Path) -> None:
    store, here = tmp_path / "store", Here()
    (store / "jobs").mkdir(parents=True)
    (tmp_path / "link").symlink_to(store / "jobs")
    rules = Rules(roots=(tmp_path,), closed=(store,))
    owner = SOMEBODY._replace(owner=True)
    for path in ("store/jobs/result.s1p", "link/result.s1p"):
        with pytest.raises(NotAllowed, match="is in the manager's own store"):
            rules.check(SOMEBODY, alone(tmp_path, path))
        rules.check(owner, alone(tmp_path, path))
    shut = (str(tmp_path), f"!{store}")
    assert rules.within(SOMEBODY, [alone(tmp_path)], here) == shut
    assert rules.within(owner, [alone(tmp_path)], here) == shut[:1]
    rules = replace(rules, closed=(tmp_path.parent / "elsewhere",))
    assert rules.within(SOMEBODY, [alone(tmp_path)], here) == shut[:1]


def test_more_directories_than_can_be_looked_at_are_refused(tmp_path: Path) -> None:
    rules = Rules(roots=(tmp_path,))
    with pytest.raises(NotAllowed, match="at most"):
        rules.check(SOMEBODY, spec(tmp_path, ArraySpec(stop=MOST + 1)))


def test_a_script_of_a_solve_runs_over_the_network_only_where_commands_may(tmp_path: Path) -> None:
    program = tmp_path / "ansysedt"
    program.touch(mode=0o755)
    options = {
        "project_path": str(tmp_path / "a.aedt"),
        "ansys_edt_path": str(program),
        "extract_script": str(tmp_path / "export.py"),
    }
    solve = JobSpec(solver="hfss", options=msgspec.Raw(msgspec.json.encode(options)))
    rules = Rules(roots=(tmp_path,), programs=(program,))
    with pytest.raises(NotAllowed, match=r"export\.py.* --allow command"):
        rules.check(SOMEBODY, solve)
    replace(rules, allow=frozenset({"command"})).check(SOMEBODY, solve)


@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root gives files away"
)
@pytest.mark.parametrize("anothers", ["ansysedt", "."])
def test_what_was_found_runs_for_others_only_where_no_other_account_can_exchange_it(
    tmp_path: Path, anothers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "v252" / "AnsysEM"
    folder.mkdir(parents=True)
    program = folder / "ansysedt"
    program.touch(mode=0o755)
    monkeypatch.setenv("ANSYSEM_ROOT252", str(folder))
    options = {"project_path": str(tmp_path / "a.aedt"), "ansys_edt_path": str(program)}
    solve = JobSpec(solver="hfss", options=msgspec.Raw(msgspec.json.encode(options)))
    rules = Rules(roots=(tmp_path,))
    rules.check(SOMEBODY, solve)
    os.chown(folder / anothers, 4242, 4242)
    told = rf"{folder / anothers} belongs to another account.*--ansysedt {program}"
    with pytest.raises(NotAllowed, match=told):
        rules.check(SOMEBODY, solve)
    rules.check(Caller("me", owner=True), solve)
    replace(rules, programs=(program,)).check(SOMEBODY, solve)


@pytest.mark.parametrize(
    "wish",
    [{"prologue": "id"}, {"epilogue": "id"}, {"native": ("--bcast",)}, {"modules": ("a",)}],
)
def test_what_can_run_anything_on_a_cluster_takes_what_a_command_takes(
    wish: dict[str, Any],
) -> None:
    risky = JobSpec(solver="nec", on="slurm", batch=BatchOptions(**wish))
    with pytest.raises(NotAllowed, match="--allow command"):
        Rules().check(SOMEBODY, risky)
    Rules(allow=frozenset({"command"})).check(SOMEBODY, risky)
    Rules().check(SOMEBODY, JobSpec(solver="nec", on="slurm", batch=BatchOptions(queue="a")))


def test_what_is_admitted_stays_bound_to_the_folders_that_are_open_by_then(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    rules, here = Rules(roots=(tmp_path / "root",)), Here()
    named = JobSpec(solver="nec", directory=str(tmp_path / "root" / "d"))
    own = JobSpec(solver="nec")
    real = (str((tmp_path / "real").resolve()),)
    assert rules.within(SOMEBODY, [own, named], here) == real
    assert rules.within(Caller("me", owner=True), [named], here) == real  # by TCP
    assert rules.within(SOMEBODY, [own], here) == ()
    assert rules.within(SOMEBODY, [JobSpec(solver="hfss")], here) == real  # what it copies
    assert rules.within(Caller("me", private=True), [named], here) == ()
    assert Rules().within(SOMEBODY, [named], here) == ()
