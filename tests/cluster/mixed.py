"""Two hundred jobs with all kinds of endings at once, whatever happens meanwhile."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from cluster.accounted import CGROUP, MEMORY
from cluster.jobs import ended, job, known, submit, waits_for
from cluster.slurm import Slurm, absent
from conftest import Service, until
from solveyard.model.arrays import ArraySpec
from solveyard.model.jobs import JobSpec, JobState, Reason
from solveyard.model.resources import Resources

#: Nodes of their own for what takes others with it.
PREEMPTED, FAILING = "n3", "n4"
ELSEWHERE = f"--exclude={PREEMPTED},{FAILING}"
LATER = "--begin=now+1hour"
SUBMISSIONS = 50  #: at least, each by an sbatch of its own
TASKS = 40
LIMITED = os.access(MEMORY, os.W_OK)  #: memory can be, by cgroups


class Constrained(Slurm):
    """Keeps its jobs' memory limits where the machine lets it.

    Its jobs' numbers are nobody else's on this machine, since its cgroups are named after them.
    """

    def prepare(self) -> None:
        if LIMITED:
            self.instead = {"TaskPlugin": "task/cgroup", "FirstJobId": str(os.getpid() * 1000)}
            (self.folder / "cgroup.conf").write_text(CGROUP)


def constrained(folder: Path) -> Iterator[Slurm]:
    if missing := absent():
        pytest.skip(f"Slurm is not installed: there is no {', '.join(missing)}")
    started = Constrained(folder)
    try:
        started.start()
        yield started
    finally:
        started.stop()


class Kind(NamedTuple):
    many: int
    text: str
    reason: Reason
    native: tuple[str, ...] = (ELSEWHERE,)
    batch: Mapping[str, Any] = MappingProxyType({})
    outputs: tuple[str, ...] = ()
    memory: int = 10  #: MiB
    runs: bool = True  #: its command does, surely


def kinds(mark: str, failed: str) -> dict[str, Kind]:
    lasts = f"{mark}; sleep 600"
    takes = f"{mark}; {sys.executable} -c 'len(bytearray(150 << 20))'"
    return {
        "success": Kind(30, mark, Reason.SUCCESS),
        "exit code": Kind(22, f"{mark}; exit 3", Reason.EXIT_CODE),
        "signal": Kind(14, f"{mark}; kill -SEGV $$", Reason.SIGNAL),
        "kill": Kind(10, f"{mark}; kill -KILL $$", Reason.SIGNAL),
        "output": Kind(12, f"{mark}; echo 1 > result", Reason.SUCCESS, outputs=("result",)),
        "no output": Kind(12, mark, Reason.NO_OUTPUT, outputs=("result",)),
        "prologue": Kind(10, mark, Reason.LAUNCH, batch={"prologue": "exit 9"}, runs=False),
        "refused": Kind(10, mark, Reason.LAUNCH, batch={"queue": "nosuch"}, runs=False),
        "never": Kind(
            8, mark, Reason.DEPENDENCY, (ELSEWHERE, f"--dependency=afterok:{failed}"), runs=False
        ),
        "waiting": Kind(10, mark, Reason.CANCELLED, (ELSEWHERE, LATER), runs=False),
        "running": Kind(8, lasts, Reason.CANCELLED),
        "held": Kind(4, mark, Reason.SUCCESS, (ELSEWHERE, LATER)),
        "too long": Kind(4, lasts, Reason.TIME_LIMIT),
        "preempted": Kind(
            4, lasts, Reason.PREEMPTED, (f"--nodelist={PREEMPTED}",), {"queue": "low"}
        ),
        "node": Kind(4, lasts, Reason.NODE_FAILURE, (f"--nodelist={FAILING}",)),
        "memory": Kind(4 if LIMITED else 0, takes, Reason.OUT_OF_MEMORY, memory=60),
    }


def specs(name: str, kind: Kind) -> list[JobSpec]:
    """Names of their own keep them from going as arrays."""
    return [
        job(
            kind.text, name=f"{name}-{number}".replace(" ", "-"),
            resources=Resources(memory=kind.memory), time_limit=600.0,
            batch={"native": kind.native, **kind.batch}, options={"outputs": kind.outputs},
        )
        for number in range(kind.many)
    ]  # fmt: skip


def each_ends_in_the_right_state_for_the_right_reason(
    slurm: Slurm, service: Service, marks: Path, trouble: Callable[[], None], patience: float
) -> None:
    """`trouble`: comes while they are submitted; `patience`: s for the last of them to end."""
    mark = f"echo $SOLVEYARD_JOB.$SOLVEYARD_TASK >> {marks}"
    failed = ended(service, submit(service, "exit 1")).scheduler_job_id
    all_kinds = kinds(mark, failed or "")
    wanted = [spec for name, kind in all_kinds.items() for spec in specs(name, kind)]
    submitted = iter([one.number for one in service.client.submit_many(wanted)])
    of = {name: [next(submitted) for _ in range(kind.many)] for name, kind in all_kinds.items()}
    array = service.client.submit(
        job(f"{mark}; exit $((SOLVEYARD_TASK % 2))", array=ArraySpec(stop=TASKS),
            resources=Resources(memory=10), batch={"native": (ELSEWHERE,)})
    ).number  # fmt: skip
    known(service, of["success"][0])
    trouble()

    each(of["waiting"], lambda one: known(service, one))
    each(of["waiting"], service.client.cancel)
    each(of["held"], lambda one: waits_for(service, one, "BeginTime"))
    each(of["held"], service.client.hold)
    each(of["held"], lambda one: waits_for(service, one, "JobHeld"))
    for name in ("running", "too long", "preempted", "node"):
        each(of[name], lambda one: until(lambda: _runs(service, one), f"job {one} runs"))
    each(of["running"], service.client.cancel)
    for one in of["too long"]:
        slurm.run("scontrol", "update", f"JobId={known(service, one)}", "EndTime=now+2")
    slurm.run("scontrol", "update", f"NodeName={FAILING}", "State=down", "Reason=test")
    high = submit(
        service, "true", resources=Resources(cores=8, nodes=1),
        batch={"queue": "high", "native": (f"--nodelist={PREEMPTED}",)},
    )  # fmt: skip
    each(of["held"], service.client.release)
    each(of["held"], lambda one: waits_for(service, one, "BeginTime"))
    for one in of["held"]:
        slurm.run("scontrol", "update", f"JobId={known(service, one)}", "StartTime=now")
    assert ended(service, high).state is JobState.COMPLETED
    numbers = [one for some in of.values() for one in some]
    if not service.client.wait([*numbers, array], patience):
        records = [service.client.job(one) for one in [*numbers, array]]
        pytest.fail(str([one for one in records if not one.state.final][:3]))
    slurm.run("scontrol", "update", f"NodeName={FAILING}", "State=resume", check=False)

    for name, kind in all_kinds.items():
        records = [service.client.job(one) for one in of[name]]
        assert [one.reason for one in records] == [kind.reason] * kind.many, (name, records)
        assert {len(one.attempts) for one in records} <= {1}
    tasks = service.client.tasks(array)
    wrong = [task for number, task in enumerate(tasks) if task.exit_code != number % 2]
    assert (len(tasks), wrong) == (TASKS, []), (len(tasks), wrong)
    expected = [f"{one}." for name, kind in all_kinds.items() if kind.runs for one in of[name]]
    expected += [f"{array}.{number}" for number in range(TASKS)]
    assert Counter(marks.read_text().split()) == Counter(expected), "each command runs once"
    assert len(numbers) + TASKS > 200
    natives = [service.client.job(one).scheduler_job_id or "" for one in numbers]
    alone = {native for native in natives if native and "_" not in native}
    assert len(alone) >= SUBMISSIONS
    assert len({(task.scheduler_job_id or "").partition("_")[0] for task in tasks}) < TASKS / 2
    given = slurm.given(service.client.job(high).attempts[0].id.partition(".")[0])
    taken = len(numbers) - len(of["refused"]) + TASKS + 2  # with the first and the urgent one
    assert len(given) == len(set(given)) == taken
    for one in of["output"]:
        assert b"".join(service.client.read_file(one, "result")) == b"1\n"
    until(lambda: slurm.idle() == 4, "the node is back")


def away_and_killed(
    service: Service, cut: Callable[[], None], mend: Callable[[], None]
) -> Callable[[], None]:
    """The way to the cluster is cut, the manager is killed, another comes, the way is mended."""

    def trouble() -> None:
        cut()
        until(lambda: not service.client.cluster_status()[0].answers, "it is known to be away")
        service.kill()
        service.start()
        mend()

    return trouble


def controller_away(slurm: Slurm, service: Service) -> Callable[[], None]:
    return away_and_killed(
        service,
        lambda: slurm.send("slurmctld", signal.SIGSTOP),
        lambda: slurm.send("slurmctld", signal.SIGCONT),
    )


def each(numbers: list[int], act: Callable[[int], object]) -> None:
    for one in numbers:
        act(one)


def _runs(service: Service, number: int) -> bool:
    record = service.client.job(number)
    assert not record.state.final, record
    return record.state is JobState.RUNNING
