"""What is told of jobs that are with a cluster, or for one."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from solveyard import registry
from solveyard.backends.batch import Batch, ClusterOptions
from solveyard.backends.dialects.base import Answer
from solveyard.backends.dialects.slurm_tables import _END
from solveyard.manager.forwarding import Forwarding
from solveyard.manager.ordering import Ordering
from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import Attempt, AttemptId, Job, JobId, JobSpec, JobState, Placement
from solveyard.model.resources import Allocation, Share
from solveyard.places import StorePlaces
from unit.backends.clustered import Told

GONE = (
    "cluster far, which the settings no longer name (give them its table [clusters.far] again, and"
    " restart the manager)"
)
SINFO = "\x1f".join(("debug*", "up", "1:00:00", "0/4", "0/16/0/16", "4000", "(null)", "4"))
PLACEMENT = Placement(
    machine="far", allocation=Allocation(shares=(Share(node="far", cores=1),)), slot=0,
    forwarded=True,
)  # fmt: skip


def job(state: JobState, placement: Placement | None) -> Job:
    attempts = (
        (Attempt(id=AttemptId("s.1.0.1"), placement=placement, placed_at=0.0),) if placement else ()
    )
    on = "far" if placement is None or placement.forwarded else ""
    return Job(
        id=JobId(1), spec=JobSpec(solver="x", on=on), owner="ada", submitted_at=0.0, arrival=1,
        priority=0, state=state, attempts=attempts,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "placement", "told", "expected"),
    [
        (JobState.RUNNING, PLACEMENT, "", GONE),
        (JobState.SUBMITTED, PLACEMENT, "far to start it", GONE),
        (JobState.QUEUED, None, "cluster far to answer", GONE),
        (JobState.HELD, None, "somebody to release it: it is held", None),
        (JobState.RUNNING, replace(PLACEMENT, machine="m", forwarded=False), "", None),
    ],
)
def test_a_cluster_that_the_settings_no_longer_name_is_told(
    tmp_path: Path, state: JobState, placement: Placement | None, told: str, expected: str | None
) -> None:
    forwarding = Forwarding(Ordering(StorePlaces(tmp_path)), {})
    assert forwarding.why(job(state, placement), told) == (told if expected is None else expected)


async def test_a_job_for_a_batch_system_that_has_yet_to_answer_waits_for_that(
    tmp_path: Path,
) -> None:
    pbs: Any = SimpleNamespace(asleep=True, asked=asyncio.Event())
    forwarding = Forwarding(Ordering(StorePlaces(tmp_path)), {"pbs": pbs})
    await forwarding.sought({"slurm", "here"})
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(forwarding.sought({"pbs"}))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not waiting.done()
        pbs.asked.set()


def unnamed(host: Told, folder: Path) -> tuple[Batch, Forwarding]:
    """A Slurm that no settings name."""
    options = ClusterOptions(dialect="slurm")
    slurm = Batch("slurm", options, registry.dialects()["slurm"], host, asleep=True)
    return slurm, Forwarding(Ordering(StorePlaces(folder)), {"slurm": slurm})


async def test_a_batch_system_whose_commands_are_here_and_do_not_answer_is_told_with_its_words(
    tmp_path: Path,
) -> None:
    host, words = Told(), "Unable to contact slurm controller"
    host.answer = lambda _: Answer(1, "", words)
    slurm, forwarding = unnamed(host, tmp_path)
    await slurm.answer()
    with pytest.raises(InvalidJob) as refused:
        forwarding.cluster("slurm")
    assert "its submit command is on this machine: Unable to contact" in str(refused.value)
    assert "submit it again once it does; or add a table [clusters.slurm]" in str(refused.value)
    with pytest.raises(InvalidJob, match="the settings name no cluster 'pbs'"):
        forwarding.cluster("pbs")


async def test_a_job_that_names_a_batch_system_which_did_not_answer_has_it_asked_again(
    tmp_path: Path,
) -> None:
    host = Told()
    host.answer = lambda _: Answer(1, "", "nobody there")
    slurm, forwarding = unnamed(host, tmp_path)
    await slurm.answer()
    host.answer = lambda _: Answer(0, f"{SINFO}\n{_END}\n")
    await forwarding.sought()
    assert slurm.asleep
    await forwarding.sought({"slurm"})
    assert forwarding.cluster("slurm") is slurm


async def test_a_cluster_that_no_files_can_be_sent_to_answers_all_the_same(tmp_path: Path) -> None:
    host = Told()
    host.answer = lambda _: Answer(0, f"{_END}\n")
    slurm, forwarding = unnamed(host, tmp_path)
    slurm.wake()
    assert await slurm._follower.look()
    slurm._submitter.trouble = "login takes no files: /far: Disk quota exceeded"
    (told,) = forwarding.status([])
    assert told.answers
    assert told.trouble == slurm._submitter.trouble
    slurm._follower.doubt("cannot reach login")
    (told,) = forwarding.status([])
    assert (told.answers, told.trouble) == (False, "cannot reach login")
