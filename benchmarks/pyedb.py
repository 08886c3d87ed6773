"""PyEDB's job manager and ours, with the same solver, the same submissions, in one run."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import bare, documents, environments
from benchmarks.documents import Documented
from benchmarks.failure import CannotMeasure
from benchmarks.figures import Figure, Judged, at_least, under
from benchmarks.room import Room
from benchmarks.samples import percentile

name = "pyedb"
sentence = "4000 solves that do nothing, as the PyEDB documents submit them; over its own service"

JOBS = 4000
QUEUED = 10_000  #: jobs whose memory is looked at
HERE = Path(__file__).parent
PAUSE = 0.005  #: s between two looks at the queue

Make = Callable[[Path, Path, int], Documented]  #: folder, program, jobs at once


class Run(NamedTuple):
    rate: float  #: jobs/s, from the first submission to the last end
    submits: list[float]  #: s that each submission took
    stall: float  #: s that the queue's slowest answer took meanwhile
    first_answer: float  #: s


def run(room: Room, jobs: int = JOBS, queued: int = QUEUED) -> list[Figure]:
    python = environments.python_with(documents.PACKAGE, room.fresh() / "environment")
    room.tell(f"{documents.PACKAGE} is there")
    programs = {"compiled": _compiled(room.fresh()), "shell": _shell(room.fresh())}

    def theirs(folder: Path, program: Path, limit: int) -> Documented:
        return Documented.pyedbs(folder, python, program, limit)

    figures: list[Figure] = []
    runs: list[tuple[Run, Run]] = []
    for kind, program in programs.items():
        for limit in (2, 16):
            other = _run(room, theirs, program, limit, jobs)
            single = _run(room, Documented.ours, program, limit, jobs)
            our = _run(room, Documented.ours, program, limit, jobs, at_once=True)
            loop = _loop(room, program, limit, jobs)
            runs.append((single, other))
            what = f"{kind} solves, {limit} at once"
            room.tell(
                f"{what}: {our.rate:.0f}/s, submitted one by one {single.rate:.0f}/s,"
                f" PyEDB {other.rate:.0f}/s, C loop {loop:.0f}/s"
            )
            least = at_least(2.0) if kind == "compiled" else None
            figures += [
                Figure(name=f"{what}, over PyEDB's", value=our.rate, unit="jobs/s",
                       ratio=our.rate / other.rate, target=least),
                Figure(name=f"{what}, over the C loop", value=our.rate, unit="jobs/s",
                       ratio=our.rate / loop, target=at_least(0.6), goal=at_least(0.8)),
                Figure(name=f"{what}, submitted one by one, over PyEDB's", value=single.rate,
                       unit="jobs/s", ratio=single.rate / other.rate),
            ]  # fmt: skip
    return [*figures, *_waits(runs), *_memory(room, theirs, programs["compiled"], queued)]


def _waits(runs: list[tuple[Run, Run]]) -> list[Figure]:
    """Of all runs together: how long a submission, any answer and a start take."""
    ours, others = ([run for pair in runs for run in pair[side : side + 1]] for side in (0, 1))
    p99, their_p99 = (
        percentile([taken for run in side for taken in run.submits], 99) for side in (ours, others)
    )
    stall, their_stall = (max(run.stall for run in side) for side in (ours, others))
    first, their_first = (max(run.first_answer for run in side) for side in (ours, others))
    return [
        Figure(name="a submission meanwhile, p99", value=p99 * 1e3, unit="ms",
               ratio=p99 / their_p99, target=under(0.5)),
        Figure(name="the queue's slowest answer meanwhile", value=stall * 1e3, unit="ms",
               ratio=stall / their_stall, target=under(50), judged=Judged.TIME),
        Figure(name="the first answer after a start", value=first, unit="s",
               ratio=first / their_first, target=under(0.5), judged=Judged.TIME),
    ]  # fmt: skip


def _memory(room: Room, theirs: Make, program: Path, queued: int) -> list[Figure]:
    """Growth for each job that waits behind one that runs."""
    other, our = (_growth(room, make, program, queued) for make in (theirs, Documented.ours))
    room.tell(f"memory of a waiting job: {our:.0f} B, PyEDB {other:.0f} B")
    return [
        Figure(name="memory of a waiting job", value=our / 1000, unit="kB",
               ratio=our / other, target=under(0.25)),
    ]  # fmt: skip


def _growth(room: Room, make: Make, program: Path, queued: int) -> float:
    projects = _projects(room.fresh(), queued + 1)
    slow = program.with_name("slow") / "ansysedt"
    if not slow.exists():
        slow.parent.mkdir()
        slow.write_text("#!/bin/sh\nexec /bin/sleep 600\n")
        slow.chmod(0o755)
    with make(room.fresh(), slow, 1) as service:
        wire = service.wire()
        wire.ask("POST", "/jobs/submit", _submission(slow, projects, queued))
        for number in range(1000):
            wire.ask("POST", "/jobs/submit", _submission(slow, projects, number))
        before = service.memory
        for number in range(1000, queued):
            wire.ask("POST", "/jobs/submit", _submission(slow, projects, number))
        return (service.memory - before) / (queued - 1000)


def _run(
    room: Room, make: Make, program: Path, limit: int, jobs: int, *, at_once: bool = False
) -> Run:
    """`at_once`: submitted as `submit_jobs` does it, in one request. PyEDB's takes one job each."""
    projects = _projects(room.fresh(), jobs)
    with make(room.fresh(), program, limit) as service:
        watch = _Watch(service)
        wire = service.wire()
        begun = time.perf_counter()
        submits = []
        bodies: list[object] = [_submission(program, projects, number) for number in range(jobs)]
        for body in [bodies] if at_once else bodies:
            asked = time.perf_counter()
            wire.ask("POST", "/jobs/submit", body)
            submits.append(time.perf_counter() - asked)
        ended = watch.until_idle()
        listed = wire.ask("GET", "/api/jobs")
    done = sum(1 for job in listed if job["status"] == "completed")
    if done != jobs:
        raise CannotMeasure(f"of {jobs} jobs {done} were completed")
    return Run(jobs / (ended - begun), submits, watch.stall, service.first_answer)


class _Watch(threading.Thread):
    """Asks for the queue again and again, and keeps the longest wait."""

    def __init__(self, service: Documented) -> None:
        super().__init__(daemon=True)
        self.stall = 0.0
        self._wire = service.wire()
        self._all_in = threading.Event()
        self._ended = 0.0
        self._trouble: Exception | None = None
        self.start()

    def until_idle(self) -> float:
        """Nothing more comes: the moment at which nothing waits and nothing runs."""
        self._all_in.set()
        self.join(documents.PATIENCE * 3)
        if self._trouble is not None or not self._ended:
            raise CannotMeasure(f"the jobs don't end: {self._trouble}")
        return self._ended

    def run(self) -> None:
        try:
            while not self._ended:
                last = self._all_in.is_set()
                asked = time.perf_counter()
                queue: Any = self._wire.ask("GET", "/queue")
                answered = time.perf_counter()
                self.stall = max(self.stall, answered - asked)
                if last and not queue["total_queued"] and not queue["running_jobs"]:
                    self._ended = answered
                time.sleep(PAUSE)
        except (OSError, CannotMeasure) as error:
            self._trouble = error


def _loop(room: Room, program: Path, limit: int, jobs: int) -> float:
    projects = _projects(room.fresh(), jobs)
    words = (str(program), "-jobid", "bench_{}", "-machinelist", "list=localhost:1:1:90%", "-ng",
             "-batchsolve", f"{projects}/{{}}.aedb")  # fmt: skip
    return room.bare.launches(jobs, limit, words).rate


def _submission(program: Path, projects: Path, number: int) -> dict[str, object]:
    config = {
        "jobid": f"bench_{number}",
        "project_path": f"{projects}/{number}.aedb",
        "ansys_edt_path": str(program),
        "user": "bench",
        "scheduler_type": "none",
    }
    return {"config": config, "priority": 0}


def _projects(folder: Path, count: int) -> Path:
    for number in range(count):
        (folder / f"{number}.aedb").mkdir()
        (folder / f"{number}.aedb.batchinfo").mkdir()
        (folder / f"{number}.aedtresults").mkdir()
    return folder


def _compiled(folder: Path) -> Path:
    return bare.compiled(HERE / "solver.c", folder / "ansysedt")


def _shell(folder: Path) -> Path:
    program = folder / "ansysedt"
    shutil.copyfile(HERE / "solver.sh", program)
    program.chmod(0o755)
    return program
