"""A manager that only remembers, behind the real REST on a real Unix socket."""

import asyncio
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec import to_builtins
from msgspec.structs import replace

from solveyard.backends.here import LocalWorkspace
from solveyard.doors import peer, rest
from solveyard.manager import belongings
from solveyard.manager.first_words import FirstWords
from solveyard.manager.forwarding import Forwarding
from solveyard.manager.ordering import Ordering
from solveyard.model.errors import Conflict, InvalidJob, InvalidRequest, StoreFull, UnknownJob
from solveyard.model.jobs import (
    Attempt,
    AttemptId,
    Job,
    JobId,
    JobSpec,
    JobState,
    Limits,
    Outcome,
    Placement,
    Reason,
    Usage,
)
from solveyard.model.messages import (
    Annotate,
    AnyRequest,
    Cancel,
    Hold,
    JobSubmitted,
    JobWish,
    Release,
    Remove,
    Retry,
    SetLimits,
    SetPriority,
)
from solveyard.model.progress import Progress
from solveyard.model.records import ClusterRecord
from solveyard.model.resources import Allocation, Share
from solveyard.places import StorePlaces
from solveyard.store.base import Filter, Numbered, Page

NOW = 1_790_000_000.0


class FakeManager:
    """Keeps jobs in a dict; a test starts and ends them by hand."""

    licences: frozenset[str] = frozenset()

    def __init__(self, folder: Path) -> None:
        self.store_folder = folder
        self.store_uuid = "5" * 32
        self.records: dict[JobId, Job] = {}
        self.advances: dict[JobId, Progress] = {}
        self.log: list[Numbered] = []
        self.requests: list[AnyRequest] = []
        self.limits = Limits()
        self.keys: dict[str, list[JobId]] = {}
        self.blocked = ""
        self.connected = True
        self.spawners = 2
        self.changed = asyncio.Event()
        self.asked = threading.Event()  # somebody waits
        self.first_words = FirstWords(self.records.get)
        self._places = StorePlaces(folder)
        self.forwarding = Forwarding(Ordering(self._places), {})
        self._belongings = belongings.Belongings(self._places)

    def cluster_status(self) -> list[ClusterRecord]:
        return []

    async def submit_once(
        self,
        specs: Sequence[JobSpec],
        by: str,
        key: str,
        *,
        any_name: bool = False,
        session: str = "",
        within: tuple[str, ...] = (),
        checked: bool = False,
    ) -> tuple[list[Job], bool]:
        if key in self.keys:
            return [self.records[number] for number in self.keys[key]], True
        jobs = await self.submit(specs, by, within=within)
        self.keys[key] = [job.id for job in jobs]
        return jobs, False

    @property
    def first_event(self) -> int:
        return 1

    @property
    def last_event(self) -> int:
        return len(self.log)

    async def submit(
        self,
        specs: Sequence[JobSpec],
        by: str,
        key: str = "",
        *,
        any_name: bool = False,
        session: str = "",
        within: tuple[str, ...] = (),
        checked: bool = False,
    ) -> list[Job]:
        if self.blocked:
            raise StoreFull(self.blocked)
        for index, spec in enumerate(specs):
            try:
                self.check(spec, by)
            except InvalidJob as error:
                place = f"job {index + 1} of {len(specs)}: " if len(specs) > 1 else ""
                raise InvalidJob(f"{place}{error}") from error
            if spec.name and any(job.spec.name == spec.name for job in self.records.values()):
                raise Conflict(f"the name {spec.name!r} is taken")
        return [self._new(spec, by, within) for spec in specs]

    def check(self, spec: JobSpec, by: str) -> None:
        if spec.solver not in {"command", "nec"}:
            raise InvalidJob(f"there is no solver {spec.solver!r}")

    def _new(self, spec: JobSpec, by: str, within: tuple[str, ...]) -> Job:
        job_id = JobId(max(self.records, default=0) + 1)
        state = JobState.HELD if spec.hold else JobState.QUEUED
        job = Job(
            id=job_id,
            spec=spec,
            owner=by,
            submitted_at=NOW,
            arrival=job_id,
            priority=spec.priority,
            state=state,
            within=within,
        )
        self.records[job_id] = job
        event = JobSubmitted(at=NOW, by=by, job=job_id, spec=spec, arrival=job_id)
        self.log.append(Numbered(len(self.log) + 1, event))
        return job

    def select(self, key: str) -> list[JobId]:
        return [self.find(key).id]

    async def remove(self, job_id: JobId, by: str, *, files: bool = False) -> bool:
        await self.request(Remove(job=job_id, by=by))
        if files:
            belongings.delete(list(self._belongings.pieces(job_id)))
        return not (files and self._belongings.roots(job_id))

    async def request_of(self, jobs: Sequence[JobId], wish: JobWish) -> None:
        for job in jobs:
            await self.request(replace(wish, job=job))

    async def request(self, request: AnyRequest) -> None:
        self.requests.append(request)
        if isinstance(request, SetLimits):
            only = Limits.__struct_fields__ if request.only is None else request.only
            given = {name: getattr(request.limits, name) for name in only}
            self.limits = replace(self.limits, **given)
            return
        job = self.job(request.job)  # type: ignore[union-attr]  # Submit and Drain don't come here
        match request:
            case Cancel() if not job.state.final:
                outcome = Outcome(reason=Reason.CANCELLED, message="cancelled on request")
                self.put(replace(job, state=JobState.CANCELLED, outcome=outcome, ended_at=NOW + 9))
            case Hold() if job.state is JobState.QUEUED:
                self.put(replace(job, state=JobState.HELD))
            case Release() if job.state is JobState.HELD:
                self.put(replace(job, state=JobState.QUEUED))
            case Release() if job.held:
                self.put(replace(job, held=False))
            case Retry() if job.state.final:
                self.put(replace(job, state=JobState.QUEUED, outcome=None, ended_at=None))
            case Remove() if job.state.final:
                del self.records[job.id]
            case SetPriority(priority=priority) if not job.state.final:
                self.put(replace(job, priority=priority))
            case Annotate(note=note):
                spec = job.spec
                tags, note = request.tagged(spec.tags), spec.note if note is None else note
                self.put(replace(job, spec=replace(spec, tags=tags, note=note)))
            case Cancel():
                pass
            case _:
                raise Conflict(f"job {job.id} is {job.state}")

    def put(self, job: Job) -> None:
        self.records[job.id] = job
        self.changed.set()
        self.changed = asyncio.Event()

    def start(self, number: int) -> None:
        job = self.records[JobId(number)]
        attempt = Attempt(
            id=AttemptId(f"store.{number}.0.{len(job.attempts) + 1}"),
            placement=Placement(
                machine="here",
                allocation=Allocation(shares=(Share(node="here", cores=2),)),
                slot=1,
            ),
            placed_at=NOW + 1,
            started_at=NOW + 2,
            native_id="4242",
        )
        self.put(replace(job, state=JobState.RUNNING, attempts=(*job.attempts, attempt)))

    def end(self, number: int, code: int = 0) -> None:
        job = self.records[JobId(number)]
        outcome = Outcome(reason=Reason.SUCCESS, exit_code=0)
        state = JobState.COMPLETED
        if code:
            message = f"exit code {code}"
            outcome = Outcome(reason=Reason.EXIT_CODE, exit_code=code, message=message)
            state = JobState.FAILED
        usage = Usage(wall=5.5, cpu=5.0, peak_memory=12)
        attempts = job.attempts
        if attempts:
            last = replace(attempts[-1], ended_at=NOW + 7.5, outcome=outcome, usage=usage)
            attempts = (*attempts[:-1], last)
        self.put(replace(job, state=state, outcome=outcome, ended_at=NOW + 7.5, attempts=attempts))

    def again(self, number: int, *, withdrawn: bool = False) -> None:
        """Its attempt has failed, or was taken back before it started: it waits for another."""
        job = self.records[JobId(number)]
        outcome = None if withdrawn else Outcome(reason=Reason.EXIT_CODE, exit_code=1)
        last = replace(job.attempts[-1], withdrawn=withdrawn, outcome=outcome)
        self.put(replace(job, state=JobState.QUEUED, attempts=(*job.attempts[:-1], last)))

    def write(self, number: int, text: bytes, stream: str = "stdout") -> None:
        path = self.log_paths(JobId(number))[stream == "stderr"]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text)

    def jobs(self) -> Mapping[JobId, Job]:
        return self.records

    def look(self, job_id: JobId) -> Job | None:
        return self.records.get(job_id)

    async def looked(self, ids: Sequence[JobId]) -> list[Job]:
        return [self.records[one] for one in ids if one in self.records]

    def job(self, job_id: JobId) -> Job:
        if job_id not in self.records:
            raise UnknownJob(f"there is no job {job_id}")
        return self.records[job_id]

    def lives(self, job_id: JobId) -> bool:
        return job_id in self.records and not self.records[job_id].state.final

    def find(self, key: str) -> Job:
        for job in self.records.values():
            if key in {job.spec.name, str(job.id), f"#{job.id}"}:
                return job
        raise UnknownJob(f"there is no job {key!r}")

    def counts(self) -> dict[JobState, int]:
        states = [job.state for job in self.records.values()]
        return {state: states.count(state) for state in JobState}

    def task_counts(self, array: Job) -> dict[JobState, int]:
        """None of its tasks has begun."""
        assert array.spec.array is not None
        return {array.state: len(array.spec.array)}

    def priorities(self) -> dict[int, int]:
        queued = [job.priority for job in self.records.values() if job.state is JobState.QUEUED]
        return {priority: queued.count(priority) for priority in queued}

    async def page(self, which: Filter, limit: int, cursor: str | None, offset: int = 0) -> Page:
        if cursor is not None and not cursor.isdecimal():
            raise InvalidRequest(f"{cursor!r} is no cursor")
        fitting = [
            job
            for job in sorted(self.records.values(), key=lambda job: -job.id)
            if (which.states is None or job.state in which.states)
            and which.name in {None, job.spec.name}
            and which.owner in {None, job.owner}
            and (which.tag is None or which.tag in job.spec.tags)
            and (which.since is None or job.submitted_at >= which.since)
            and (which.search or "") in job.spec.name
        ]
        rest_ = [job for job in fitting if cursor is None or job.id < int(cursor)][offset:]
        more = str(rest_[limit - 1].id) if len(rest_) > limit else None
        return Page(rest_[:limit], len(fitting), more)

    async def events(self, after: int | None, limit: int) -> list[Numbered]:
        return [one for one in self.log if one.number > (after or 0)][:limit]

    async def wait(self, ids: Sequence[JobId], timeout: float | None) -> bool:  # noqa: ASYNC109  the manager's own
        self.asked.set()
        try:
            async with asyncio.timeout(timeout):
                while not all(self.job(job_id).state.final for job_id in ids):
                    await self.changed.wait()
        except TimeoutError:
            return False
        return True

    def why(self, job: Job, *, place: bool = True) -> str:
        return "waits for a core" if self.job(job.id).state is JobState.QUEUED else ""

    def fresh(self, job: Job) -> Job | None:
        return self.records.get(job.id)

    def progress(self, job_id: JobId) -> Progress | None:
        return self.advances.get(job_id)

    def workspace(self, job_id: JobId) -> LocalWorkspace:
        job = self.job(job_id)
        return LocalWorkspace(Path(self.directory(job)), job.bounds)

    def directory(self, job: Job) -> str:
        return job.spec.directory or self._places.job_directory(job.id)

    def log_paths(self, job_id: JobId, attempt: int | None = None) -> tuple[Path, Path]:
        number = len(self.job(job_id).attempts) if attempt is None else attempt
        out, err = self._places.output(job_id, max(1, number))
        return Path(out), Path(err)

    def now(self) -> float:
        return time.time()

    def measured_now(self, job: Job) -> float:
        return time.time()

    def status(self) -> dict[str, object]:
        sample = {"at": NOW, "cpu": 12.5, "memory_free": 1024, "memory_total": 4096}
        sample |= {"disk_free": 2048, "disk_total": 8192}
        machine = {"connected": self.connected, "spawners": self.spawners, "cores": 2}
        machine |= {"free_cores": 1, "sample": sample}
        return {
            "blocked": self.blocked,
            "limits": to_builtins(self.limits),
            "on_stop": "leave",
            "store": str(self.store_folder),
            "machines": {"here": machine},
        }


class Served:
    """A fake manager that listens, with its `manager.json` in `folder`."""

    def __init__(self, folder: Path, socket: Path) -> None:
        self.folder = folder
        self.socket = socket
        self.stops: list[str] = []
        self.locked: dict[str, str] = {}
        self.on_stop: Callable[[], None] = lambda: None
        self.manager: FakeManager
        self._loop = asyncio.new_event_loop()
        self._open = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])
        self._close = asyncio.Event()

    def start(self) -> None:
        self._thread.start()
        assert self._open.wait(10)
        self.announce(os.getpid())

    def announce(self, pid: int) -> None:
        told = {
            "url": f"unix:{self.socket}",
            "token": "",
            "pid": pid,
            "agent_pid": os.getpid(),
            "spawner_pids": [os.getpid()],
            "store": str(self.folder),
        }
        StorePlaces(self.folder).manager_json.write_text(json.dumps(told))

    def stop(self) -> None:
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._close.set)
        self._thread.join(60)
        self._loop.close()

    def do(self, *acts: Callable[[], object]) -> None:
        """In the manager's thread."""
        self.later(0.0, *acts)

    def later(self, seconds: float, *acts: Callable[[], object]) -> None:
        """In the manager's thread, after a while; at once when it is 0, before this returns."""
        done = threading.Event()

        def act() -> None:
            for one in acts:
                one()
            done.set()

        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, act)
        if not seconds:
            assert done.wait(10)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _run(self) -> None:
        self.manager = FakeManager(self.folder)
        app = rest.application(
            self.manager,  # type: ignore[arg-type]  # the part of a manager that doors use
            stop=self._stop,
            keepers=[peer.own_user_only],
            locked=self.locked,
        )
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
        )
        await runner.setup()
        await web.UnixSite(runner, str(self.socket)).start()
        self._open.set()
        await self._close.wait()
        await runner.cleanup()

    def _stop(self, how: str) -> None:
        self.stops.append(how)
        self.on_stop()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = tmp_path / "store"
    folder.mkdir(mode=0o700)
    runtime = Path(tempfile.mkdtemp(prefix="sy"))  # a socket's path must be short
    one = Served(folder, runtime / "s")
    one.start()
    yield one
    one.stop()
    shutil.rmtree(runtime)
