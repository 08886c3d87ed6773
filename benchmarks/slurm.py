"""Jobs through a real Slurm of the tests', on this machine, over the same jobs by bare `sbatch`."""

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.api import Wire
from benchmarks.failure import CannotMeasure
from benchmarks.figures import Figure, Judged, at_least, under
from benchmarks.room import Room
from benchmarks.samples import percentile
from benchmarks.service import Service
from solveyard.client import find
from solveyard.model.jobs import JobSpec, JobState
from solveyard.model.resources import Resources

if TYPE_CHECKING:
    from cluster.slurm import Slurm

name = "slurm"
sentence = "jobs through a real Slurm; over as many bare sbatch"

JOBS = 500
ROUNDS = 5  #: Slurm begins with an array up to a second after it has it
AT_ONCE = 4  #: bare submissions under way, as ours
GLANCE = 0.1  #: s between two looks whether the bare ones are over
BETWEEN = 0.01  #: s between two calls of whoever else asks
PATIENCE = 300.0  #: s

#: Asked as often as it may be, so that Slurm is what is measured.
_SETTINGS = """\
[clusters.slurm]
dialect = "slurm"
submit_rate = 10000
"""


def run(room: Room, jobs: int = JOBS) -> list[Figure]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    with _slurm(room) as slurm, _manager(room, slurm) as service:
        _ours(service, 1, alike=False)  # everything has been started once
        _bare(slurm, 1)
        return [
            _compared(room, slurm, service, jobs, alike=False),
            _compared(room, slurm, service, jobs, alike=True),
            *_meanwhile(service, jobs),
        ]


def _compared(room: Room, slurm: "Slurm", service: Service, jobs: int, *, alike: bool) -> Figure:
    """In turns: what is busy beside hits both."""
    bare, ours = [], []
    for _ in range(ROUNDS):
        bare.append(_bare_array(slurm, jobs) if alike else _bare(slurm, jobs))
        ours.append(_ours(service, jobs, alike=alike))
        room.tell(f"{jobs} jobs: bare {bare[-1]:.1f} s, ours {ours[-1]:.1f} s")
    what = "as one array" if alike else "one by one"
    mine, theirs = statistics.median(ours), statistics.median(bare)
    return Figure(
        name=f"{jobs} jobs {what}, end to end",
        value=jobs / mine,
        unit="jobs/s",
        ratio=theirs / mine,
        goal=at_least(0.95 if alike else 0.9),
    )


def _meanwhile(service: Service, jobs: int) -> list[Figure]:
    """What a short call takes while jobs go through, and what the cluster was asked for them."""
    wire = Wire(Path(find.running(service.store).socket))
    times: dict[str, list[float]] = {"/queue": [], "/jobs": []}
    over = threading.Event()

    def ask() -> None:
        while not over.wait(BETWEEN):
            for target, taken in times.items():
                begun = time.perf_counter()
                wire.ask("GET", target)
                taken.append(time.perf_counter() - begun)

    before = service.client.cluster_status()[0].commands
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            _ours(service, jobs, alike=False)
        finally:
            over.set()
        asking.result()
    issued = service.client.cluster_status()[0].commands - before
    figures = [
        Figure(
            name=f"GET {target} while {jobs} jobs go through Slurm, p99",
            value=percentile(taken, 99) * 1e3,
            unit="ms",
            goal=under(20.0),
            judged=Judged.TIME,
        )
        for target, taken in times.items()
    ]
    each = Figure(
        name="commands for 1000 jobs, one by one",
        value=issued * 1000 / jobs,
        unit="commands",
        judged=Judged.AMOUNT,
    )
    return [*figures, each]


def _ours(service: Service, jobs: int, *, alike: bool) -> float:
    """s from the submission until the client knows that all have ended well."""
    begun = time.perf_counter()
    specs = [_spec("" if alike else f"j-{begun}-{number}") for number in range(jobs)]
    numbers = [one.number for one in service.client.submit_many(specs)]
    if not service.client.wait(numbers, PATIENCE):
        raise CannotMeasure(f"{jobs} jobs had not ended after {PATIENCE:g} s")
    took = time.perf_counter() - begun
    for number in numbers:
        job = service.client.job(number)
        if job.state is not JobState.COMPLETED:
            raise CannotMeasure(f"job {number}: {job.reason}: {job.message}")
    return took


def _spec(given: str) -> JobSpec:
    return JobSpec(
        solver="command",
        name=given,
        options=msgspec.Raw(b'{"argv":["true"]}'),
        on="slurm",
        resources=Resources(memory=10),
    )


def _bare(slurm: "Slurm", jobs: int) -> float:
    """s from the first `sbatch` until Slurm says that all are over."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        natives = list(pool.map(lambda _: _sbatch(slurm), range(jobs)))
    _over(slurm, natives, jobs)
    return time.perf_counter() - begun


def _bare_array(slurm: "Slurm", jobs: int) -> float:
    begun = time.perf_counter()
    _over(slurm, [_sbatch(slurm, f"--array=0-{jobs - 1}")], jobs)
    return time.perf_counter() - begun


def _sbatch(slurm: "Slurm", *options: str) -> str:
    wish = ("--parsable", "--mem=10M", "--output=/dev/null", "--chdir=/", "--wrap=true")
    done = subprocess.run(
        ["sbatch", *options, *wish],
        env=slurm.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CannotMeasure(f"sbatch: {done.stderr}")
    return done.stdout.strip()


def _over(slurm: "Slurm", natives: list[str], jobs: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        told = slurm.run("squeue", "-h", "-r", "-t", "all", "-o", "%T", "-j", ",".join(natives))
        states = told.split()
        if states.count("COMPLETED") == jobs:
            return
        if len(states) != jobs or time.monotonic() > deadline:
            raise CannotMeasure(f"of {jobs} bare jobs {states.count('COMPLETED')} completed")
        time.sleep(GLANCE)


@contextmanager
def _slurm(room: Room) -> "Iterator[Slurm]":
    from cluster.slurm import Slurm, absent

    if missing := absent():
        raise CannotMeasure(f"Slurm is not installed: there is no {', '.join(missing)}")
    started = Slurm(room.fresh(), array_size=JOBS + 1)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@contextmanager
def _manager(room: Room, slurm: "Slurm") -> Iterator[Service]:
    config = room.fresh() / "config.toml"
    config.write_text(_SETTINGS)
    environment = {"SLURM_CONF": str(slurm.conf), "SOLVEYARD_CONFIG": str(config)}
    with room.service(environment=environment) as service:
        service.until(lambda: service.client.cluster_status()[0].answers, "has an answer of Slurm")
        yield service
