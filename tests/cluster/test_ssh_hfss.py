"""Solves on a Slurm behind a real sshd, whose ansysedt this machine doesn't know: a stand-in."""

import json
import sys
from pathlib import Path

import msgspec

import standin
from cluster.jobs import ended
from cluster.over_ssh import Serving, solveyard
from conftest import Service
from solveyard.model.jobs import JobSpec
from standin.endings import QUICK


def told(service: Service, *words: str) -> str:
    done = solveyard(service, "hfss", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_ansysedt_that_only_the_cluster_has_is_found_there(
    serving: Serving, tmp_path: Path
) -> None:
    program = standin.install(tmp_path / "apps")
    python = Path(sys.executable).resolve().parent  # a shim on PATH may not bear a shell that talks
    prologue = f"PATH={python}:$PATH; export ANSYSEM_ROOT252={program.parent}"
    service = serving(f'prologue = "{prologue}"\n')
    board = str(standin.project(tmp_path / "projects", **QUICK))
    words = [board, "--on", "slurm", "--name", "b", "--min-disk", "0.001"]
    shown = told(service, *words, "--dry-run")
    assert "s/^ANSYSEM_ROOT" in shown, "the script looks for it"
    assert "solveyard.programs.hfss_run --least 1073742 -- /bin/sh -c" in shown
    assert "'/{ansysem}/ansysedt' -jobid b" in shown
    assert "# submitted by:\n# " in shown
    told(service, *words)
    record = ended(service, service.client.job("b").number)
    assert (record.state, record.reason) == ("completed", "success"), record
    said = (tmp_path / "projects" / "board.aedt.batchinfo" / "board-b.log").read_text()
    assert "STAND-IN (not Ansys software)" in said


def test_one_that_is_not_there_is_the_solves_end_and_says_what_to_do(
    serving: Serving, tmp_path: Path
) -> None:
    rule = '[[rules]]\non = "slurm"\nsolvers = ["hfss"]\n'
    service = serving(rule)
    board = str(standin.project(tmp_path / "projects", **QUICK))
    plan = json.loads(told(service, board, "--dry-run", "--json"))
    assert any("sbatch" in word for word in plan["submit"]), "a rule sends it there"
    encoded = msgspec.Raw(msgspec.json.encode({"project_path": board}))
    over = service.client.preview(JobSpec(solver="hfss", options=encoded))
    assert any("sbatch" in word for word in over.submit), "and says so over HTTP"
    assert (over.argv[3:5], over.spec["on"]) == (("ansysedt", "/{ansysem}/ansysedt"), "slurm")
    told(service, board, "--name", "gone")
    record = ended(service, service.client.job("gone").number)
    assert (record.reason, record.cause) == ("exit_code", "hfss.launch"), record
    assert b"no ansysedt was found on " in service.client.log("gone", "stderr").content
    elsewhere = "/apps/v252/AnsysEM/ansysedt"  # nobody here can tell that it isn't there
    told(service, board, "--name", "named", "--ansysedt", elsewhere)
    record = ended(service, service.client.job("named").number)
    assert (record.state, record.exit_code) == ("failed", 127), record
