"""Stand-ins say what real ones said, where recordings of those lie beside the checkout."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from batchsystems import BatchSystem
from recordings import answers, wanted

pytestmark = wanted


@pytest.fixture
def pbs(tmp_path: Path) -> Iterator[BatchSystem]:
    system = BatchSystem("pbs", tmp_path / "pbs", cores=2)
    yield system
    system.stop()


@pytest.fixture
def lsf(tmp_path: Path) -> Iterator[BatchSystem]:
    system = BatchSystem("lsf", tmp_path / "lsf", next=1, queues=["normal"], ibm=False)
    yield system
    system.stop()


def said(system: BatchSystem, command: str) -> tuple[int, str]:
    """Status, and all that it wrote."""
    done = system.ran("sh", "-c", command, cwd=system.folder)
    return done.returncode, done.stderr + done.stdout


def recorded(command: str, *names: str) -> tuple[int, str]:
    answer = answers(re.escape(command), *names)[0]
    return answer.code or 0, answer.stderr + answer.stdout


@pytest.mark.parametrize(
    "command", ["qstat 9999", "qdel 9999", "echo 'sleep 1' | qsub -q nosuch", "qdel 0"]
)
def test_pbs_complains_as_it_did(pbs: BatchSystem, command: str) -> None:
    assert said(pbs, command) == recorded(command, "openpbs-1.txt")


@pytest.mark.parametrize(
    "command",
    [
        "bjobs 9999", "bkill 9999", "bsub -q nosuch sleep 1", "bsub -n 99 -J toobig sleep 1",
        "bjobs -o 'jobid stat exit_code delimiter=\"|\"' -a",
        "bsub -w 'done(99999)' true",
    ],
)  # fmt: skip
def test_the_relative_of_lsf_complains_as_it_did(lsf: BatchSystem, command: str) -> None:
    lsf.set(cores=8)
    assert said(lsf, command) == recorded(command, "lsf-like-1.txt", "lsf-like-2.txt")


@pytest.mark.parametrize("command", ["bmod -sp 50 26", "bstop 16", "bresume 16", "bkill 5"])
def test_the_relative_of_lsf_answers_as_it_did(lsf: BatchSystem, command: str) -> None:
    number = int(command.split()[-1])
    lsf.set(next=number)
    assert said(lsf, "bsub -J it sleep 300")[0] == 0
    if command.startswith("bresume"):
        said(lsf, f"bstop {number}")
    real = recorded(command, "lsf-like-1.txt", "lsf-like-2.txt")
    assert said(lsf, command) == real


def form(text: str) -> str:
    """Of an answer: without its values."""
    return re.sub(r':\t(?:"[^"]*"|[0-9]+)', ":\t...", text)


def test_pbs_json_has_the_recorded_layout(pbs: BatchSystem) -> None:
    command = "qstat -f 9999 -F json"
    code, text = said(pbs, command)
    assert (code, form(text)) == (153, form(recorded(command, "openpbs-2.txt")[1]))


def test_a_finished_job_of_pbs_is_told_as_it_was(
    pbs: BatchSystem, until: Callable[..., None]
) -> None:
    (answer,) = answers(r"qstat -xf -F json 14\.pbshost 9999", "openpbs-2.txt")
    real = json.loads(answer.stdout, strict=False)["Jobs"]["14.pbshost"]
    assert said(pbs, "echo 'exit 0' | qsub -N ok") == (0, "0.pbshost\n")
    until(lambda: pbs.part(0).state == "over", "it is over")
    told = json.loads(pbs.run("qstat", "-xf", "-F", "json", "0.pbshost"), strict=False)
    ours = told["Jobs"]["0.pbshost"]
    assert set(ours) <= set(real)
    assert list(ours) == [key for key in real if key in ours]
    assert {k: type(v) for k, v in ours.items()} == {k: type(real[k]) for k in ours}
    for key in ("job_state", "substate", "Exit_status", "run_count", "queue", "Job_Name"):
        assert ours[key] == real[key]
    ran = re.compile(r"run at .* on")
    assert ran.sub("", ours["comment"]) == ran.sub("", real["comment"])


def test_tables_have_the_recorded_heads(pbs: BatchSystem, lsf: BatchSystem) -> None:
    said(pbs, "echo 'sleep 300' | qsub -h")
    said(lsf, "bsub -H sleep 300")
    for system, command, name in (
        (pbs, "qstat", "openpbs-1.txt"),
        (lsf, "bjobs", "lsf-like-1.txt"),
        (lsf, "bhosts -w", "lsf-like-1.txt"),
    ):
        (first, *_) = answers(re.escape(command), name)
        assert said(system, command)[1].splitlines()[0] == first.stdout.splitlines()[0]


def test_json_of_the_relative_of_lsf_has_the_recorded_layout(lsf: BatchSystem) -> None:
    for _ in range(2):
        said(lsf, "bsub -H sleep 300")
    command = "bjobs -o 'jobid stat' -json"
    ours, real = said(lsf, command)[1], recorded(command, "lsf-like-1.txt")[1]
    assert form(ours).splitlines()[:7] == form(real).splitlines()[:7]
    assert form(ours).splitlines()[-3:] == form(real).splitlines()[-3:]
