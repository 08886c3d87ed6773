"""The manager: the one object that all doors talk to.

Requests go to the engine through `turns`, what is to be done leaves through `outbox`; this
file ties them to the store's reads, the backend's reports and the people who wait.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec

from solveyard.backends.agents import Agents
from solveyard.backends.batch import Batch
from solveyard.backends.routing import Routes
from solveyard.backends.workspace import Workspace
from solveyard.core.arrays import counted
from solveyard.core.destinations import Rule
from solveyard.core.retention import Policy
from solveyard.core.roll import Roll
from solveyard.core.why import NO_AGENT
from solveyard.licensing import LicenceServer, Licensing
from solveyard.manager import selecting, standings
from solveyard.manager.belongings import Belongings
from solveyard.manager.ends import Ends
from solveyard.manager.first_words import FirstWords
from solveyard.manager.following import Following
from solveyard.manager.forwarding import Forwarding
from solveyard.manager.ordering import Ordering
from solveyard.manager.outbox import Outbox
from solveyard.manager.paging import Pages
from solveyard.manager.repeats import Repeats, Whose
from solveyard.manager.retaining import Retention
from solveyard.manager.stalling import Stalls
from solveyard.manager.turns import Turns
from solveyard.manager.verdicts import Verdicts
from solveyard.model.errors import InvalidRequest, LogCompacted, StoreError, UnknownJob
from solveyard.model.ids import array_of
from solveyard.model.jobs import Job, JobId, JobSpec, JobState, Limits
from solveyard.model.messages import (
    Action,
    AnyEvent,
    AnyRequest,
    Drain,
    JobWish,
    Launch,
    OfSeveral,
    Submit,
)
from solveyard.model.progress import Progress
from solveyard.model.records import ClusterRecord, JobRecord, SharesRecord, record
from solveyard.model.shares import NO_SHARES, Shares
from solveyard.notify import Notices, Recipient, View
from solveyard.pauses import Pauses
from solveyard.places import StorePlaces
from solveyard.secret import Secret
from solveyard.store import failures
from solveyard.store.base import Filter, Numbered, Page, Store
from solveyard.workers import Workers

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE = 100_000  #: tasks that one request may change
_SLICE = 200  #: jobs that are read from disk at once
_CHECKPOINT = 2.0  #: s between looks whether the store's log should move into its file
_ENDING = 10.0  #: s beyond the grace period in which a killed tree has to be gone


class Manager:
    """Its methods belong to its event loop's thread."""

    def __init__(  # noqa: PLR0913  # all that it is made of
        self,
        store: Store,
        folder: Path,
        agents: Agents,
        *,
        clusters: Mapping[str, Batch] = MappingProxyType({}),
        rules: Sequence[Rule] = (),
        on_stop: str = "leave",
        secrets: Mapping[str, Secret] = MappingProxyType({}),
        retention: Policy | None = None,
        recipients: Sequence[Recipient] = (),
        public_url: str = "",
        licence_server: LicenceServer | None = None,
        shares: Shares = NO_SHARES,
    ) -> None:
        """`clusters`: those that jobs may be forwarded to; `rules` say which are. `secrets`: those
        that jobs may name; each is read when a job starts that does. `retention`: which ended jobs
        are removed; None: none. `recipients` are told of ends, with links below `public_url`.
        `licence_server` says what is free of the licences. `shares`: what decides between
        owners.
        """
        self.store_folder = folder
        self.store_uuid = store.uuid
        self.on_stop = on_stop
        self.agents = agents
        self._store = store
        self._places = StorePlaces(folder)
        self._ordering = Ordering(self._places, secrets)
        self.routes = Routes(agents, clusters)
        self.forwarding = Forwarding(self._ordering, clusters, rules)
        self._turns = Turns(
            store,
            lambda: [*self.routes.machines(), *self._licensing.told()],
            self._decided,
            shares,
        )
        for batch in clusters.values():
            batch.memory = lambda attempt: self.forwarding.remembered(self._turns.engine, attempt)
            batch.over = lambda attempt: self.forwarding.is_over(self._turns.engine, attempt)
        self._licensing = Licensing(licence_server, self._hosts, self._turns.put)
        self._outbox = Outbox(self.routes, self._ordering, self._turns.put)
        self._repeats = Repeats(self._turns.jobs.values(), self._turns.past())
        self.first_words = FirstWords(self.look)
        view = View(self.look, self._told, public_url)
        self.notices = Notices(store, self._turns.last, recipients, view)
        self.retention = Retention(
            self._turns, store, Belongings(self._places), retention or Policy(), self.notices
        )
        self.following = Following(
            self.look, self._ordering, self._places, lambda: self._turns.ahead
        )
        self._stalls = Stalls(self.look, self._ordering, self._places, self._turns.put)
        self._ends = Ends(self.lives)
        self._listeners: list[Callable[[Sequence[Numbered]], None]] = []
        if recipients:
            self.subscribe(self.notices.take)
        self._readers = Workers("reader", 2)
        self._pages = Pages(self._turns, store, self._readers)
        self._verdicts = Verdicts(
            lambda attempt: self._turns.engine.attempt(attempt),
            lambda job: self.forwarding.workspace(job, self.directory(job), runs=False),
            self._ordering.workspace,
            lambda job, attempt: self._places.output(job.id, attempt),
            self._turns.put,
        )

    # What people ask for

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
        """Take all of `specs`, or none; on disk when it returns. `key` is kept with the jobs.

        `any_name`: names that read like a selector are taken, too. `session`: of the program that
        they shall not go on without. `within`: real folders, in one of which each `directory` must
        be; none: anywhere. `checked`: by `check`.

        Raises InvalidJob or Conflict, naming the job by its place; StoreError.
        """
        placed: list[JobSpec] = []
        pauses = Pauses()
        for index, spec in enumerate(specs):
            if index and spec == specs[index - 1]:  # of many that are equal, one is looked at
                placed.append(placed[-1])
                continue
            try:
                if not checked:
                    self.check(spec, by)
                placed.append(self.forwarding.decided(spec, by)[0])
                self.notices.check(spec)
            except InvalidRequest as error:
                if len(specs) == 1:
                    raise
                raise type(error)(f"job {index + 1} of {len(specs)}: {error}") from error
            await pauses.due()
        asked = Submit(
            specs=tuple(placed), by=by, key=key, any_name=any_name, session=session, within=within
        )
        await self.retention.spare(placed)
        ids = await self._turns.ask(asked)
        return [self._turns.jobs[i] for i in ids if i in self._turns.jobs]

    def check(self, spec: JobSpec, by: str) -> None:
        """Raises InvalidJob for what could not be launched. Blocking where a secret is read."""
        self._ordering.check(self.forwarding.sent(spec, by))

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
        """`submit`, or the jobs that `by` submitted with this key before, and whether it is so.

        A key is free again once all of its jobs are removed, or where they were refused.
        """
        return await self._repeats.submit(
            Whose(by, key),
            self.jobs,
            lambda: self.submit(
                specs,
                by,
                key,
                any_name=any_name,
                session=session,
                within=within,
                checked=checked,
            ),
        )

    async def request(self, request: AnyRequest) -> None:
        """Have it done; on disk when it returns.

        Raises UnknownJob, Conflict, InvalidRequest; StoreError.
        """
        await self._turns.ask(request)

    async def request_of(self, jobs: Sequence[JobId], wish: JobWish) -> None:
        """`wish`, as it is for the first, for each of `jobs`: all of it, or nothing where one can't
        be granted.

        Raises as `request` does.
        """
        if len(jobs) > AT_ONCE:
            raise InvalidRequest(
                f"{len(jobs)} tasks are more than the {AT_ONCE} that one request may change (name"
                " the array as a whole, or fewer)"
            )
        asked = OfSeveral(jobs=tuple(jobs), wish=wish, by=wish.by) if len(jobs) > 1 else wish
        await self.request(asked)

    async def remove(self, job_id: JobId, by: str, *, files: bool = False) -> bool:
        """Forget an ended job; with `files` its output and its own folder, too.

        False: some of its files stay. Raises as `request` does.
        """
        return await self.retention.remove(job_id, by, files=files)

    async def wait(self, ids: Sequence[JobId], seconds: float | None) -> bool:
        """Until all of them have ended or are gone; False: the time is over."""
        return await self._ends.come(ids, seconds)

    async def stop(self, how: str) -> None:
        """Start nothing more, and deal with what runs; returns when that is done.

        `how`: "leave" it, "drain" it (TERM, KILL after 30 s), or end it "now".
        """
        graces = {"leave": 0.0, "drain": 30.0, "now": 0.0}
        if how not in graces:
            raise InvalidRequest(f"it can stop by 'leave', 'drain' or 'now', not by {how!r}")
        await self._turns.ask(Drain(leave=how == "leave", grace=graces[how]))
        if how != "leave" and not await self.wait(self.holding, graces[how] + _ENDING):
            log.error("stopped before all jobs had ended", extra={"jobs": self.holding})
        await self._outbox.flushed()

    # What people ask about

    def jobs(self) -> Roll:
        """All jobs, as they are on disk, but for tasks that ended a while ago: `look` has those.

        What goes through all of them passes those over that wait far down the line, too, and jobs
        that ended a while ago.
        """
        return self._turns.jobs

    def look(self, job_id: JobId) -> Job | None:
        """Of a task without a record of its own: as its array says. None: there is none."""
        return self._turns.kept.look(job_id)

    def state(self, job_id: JobId) -> JobState | None:
        """The same one's state, which is always in memory."""
        return self._turns.kept.state(job_id)

    def fresh(self, job: Job) -> Job | None:
        """As it is now; as it was read where it is on the shelf. None: it was removed."""
        return job if self._turns.jobs.away(job.id) is not None else self.look(job.id)

    def lives(self, job_id: JobId) -> bool:
        """Is there such a job, and hasn't it ended?"""
        state = self.state(job_id)
        return state is not None and not state.final

    async def looked(self, ids: Sequence[JobId]) -> list[Job]:
        """`look` at many, those that there are; what is read from disk keeps nobody waiting."""
        away: dict[JobId, list[JobId]] = {}
        jobs, shelf, read = self._turns.jobs, self._turns.kept.shelf, dict[JobId, Job]()
        whole = [one for one in ids if shelf.whole(one) is not None]
        for start in range(0, len(whole), _SLICE):
            some = partial(self._store.jobs, whole[start : start + _SLICE])
            read.update((job.id, job) for job in await self._readers.call(some))
        for one in ids:
            if shelf.state(one) is not None:
                away.setdefault(array_of(one) or one, []).append(one)
        for array, tasks in away.items():
            ask = partial(self._store.tasks, tasks, jobs[array].spec)
            read.update((task.id, task) for task in await self._readers.call(ask))
        there = [one for one in ids if (array_of(one) or one) in jobs]
        found = [jobs.at_hand(one) or read.get(one) or self.look(one) for one in there]
        return [job for job in found if job is not None]

    def job(self, job_id: JobId) -> Job:
        """Of a task without a record of its own: as its array says. Raises UnknownJob."""
        job = self.look(job_id)
        if job is None:
            raise UnknownJob(f"there is no job {job_id}")
        return job

    def find(self, key: str) -> Job:
        """By name, else by number, or by "#40" alone; a task as "sweep[3]". Raises UnknownJob."""
        found = self.select(key)
        if len(found) != 1:
            raise InvalidRequest(f"{key!r} names {len(found)} tasks, where one is expected")
        return self.job(found[0])

    def select(self, key: str) -> list[JobId]:
        """`find`, or some tasks: "sweep[3,5-9]". Raises UnknownJob."""
        return selecting.select(self._turns.jobs, self._turns.engine.names, key)

    def task_counts(self, array: Job) -> dict[JobState, int]:
        """All tasks of an array, by state."""
        followed = self._turns.engine.scheduler.arrays
        if array.id in followed:
            return followed.counts(array)
        # its removal is decided, and not on disk yet
        return counted(array, self._turns.jobs, self._turns.kept.shelf)

    def why(self, job: Job, *, place: bool = True) -> str:
        """Why a waiting job waits, and, with `place`, at which place in line; "": it doesn't.

        `job`: as it was read; one that waits on the shelf is not brought back for this.
        """
        if self._turns.jobs.away(job.id) is None:
            job = self.job(job.id)
            attempt = job.live_attempt
            if attempt is not None:
                told = self.routes.blocked(attempt.id, attempt.placement)
                if told:
                    return told
        told = self._turns.engine.why(job.id, place=place, away=job)
        if told == NO_AGENT and (trouble := self._agent_trouble()):
            return f"{told} ({trouble})"
        return self.forwarding.why(job, told)

    def progress(self, job_id: JobId) -> Progress | None:
        """How far a running job is; None: its solver doesn't tell."""
        return self.following.progress(job_id)

    def counts(self) -> dict[JobState, int]:
        """Jobs and tasks by state, as they are on disk; an array counts as its tasks."""
        return {state: self._turns.kept.tally.states[state] for state in JobState}

    def priorities(self) -> dict[int, int]:
        """How many jobs are queued at each priority that there is."""
        return dict(self._turns.kept.tally.queued)

    async def page(self, which: Filter, limit: int, cursor: str | None, offset: int = 0) -> Page:
        return await self._pages.page(which, limit, cursor, offset)

    async def events(self, after: int | None, limit: int) -> list[Numbered]:
        """Those after that number; None: from where the log begins.

        Raises LogCompacted where some of them are not kept any more.
        """
        start = self._turns.first - 1 if after is None else after
        found = await self._readers.call(lambda: self._store.events(start, limit))
        if (first := self._turns.first) > start + 1:
            raise LogCompacted(
                f"the log of events begins with number {first} by now, so what came after"
                f" {start} is not all there (read the jobs anew, then events after {first - 1})",
                first=first,
            )
        return found

    @property
    def last_event(self) -> int:
        """The number of the newest event on disk; 0: none."""
        return self._turns.last

    @property
    def first_event(self) -> int:
        """The number of the oldest event that is kept."""
        return self._turns.first

    def subscribe(self, listener: Callable[[Sequence[Numbered]], None]) -> Callable[[], None]:
        """Have `listener` called with each turn's events, once they are on disk; in order, all.

        It must be quick. Returns what ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def workspace(self, job_id: JobId) -> Workspace:
        job = self.job(job_id)
        directory = self.directory(job)
        runs = job.state is JobState.RUNNING
        there = self.forwarding.workspace(job, directory, runs=runs)
        return there or self._ordering.workspace(job)

    def directory(self, job: Job) -> str:
        """Where the job runs."""
        return self._ordering.directory(job)

    def log_paths(self, job_id: JobId, attempt: int | None = None) -> tuple[Path, Path]:
        """Standard output and standard error of an attempt, from 1; None: the newest.

        Raises UnknownJob; InvalidRequest when there was no such attempt.
        """
        attempts = len(self.job(job_id).attempts)
        if attempt is not None and not 1 <= attempt <= attempts:
            raise InvalidRequest(f"job {job_id} has no attempt {attempt}; it has had {attempts}")
        out, err = self._places.output(job_id, attempt or max(1, attempts))
        return Path(out), Path(err)

    def _agent_trouble(self) -> str:
        """Why this machine's agent, or a part of it, can't be started; "": nothing keeps it."""
        error = self.agents.unable
        if error is None:
            return self.agents.failing
        if error.errno in failures.NO_SPACE:
            return str(failures.full(self.store_folder))
        return f"the agent of this machine can't be started: {error}"

    def status(self) -> dict[str, object]:
        """How the manager and its machines are."""
        engine = self._turns.engine
        return {
            "store": str(self.store_folder),
            "blocked": str(self._turns.blocked or ""),
            "agent_trouble": self._agent_trouble(),
            "stopping": engine.draining,
            "on_stop": self.on_stop,
            "clock_ahead": round(self._turns.ahead, 3),
            "limits": msgspec.to_builtins(engine.limits),
            "machines": {
                name: {
                    "connected": machine.connected,
                    "spawners": self.agents.spawners(name),
                    "cores": sum(n.capacity.cores for n in machine.nodes.values()),
                    "free_cores": sum(max(0, n.free.cores) for n in machine.nodes.values()),
                    "memory": sum(n.capacity.memory for n in machine.nodes.values()),
                    "sample": self.agents.sample(name),
                }
                for name, machine in engine.inventory.machines.items()
            },
            "licences": engine.inventory.seats.status(),
            "clusters": msgspec.to_builtins(self.cluster_status()),
            "queue": {state.value: number for state, number in self.counts().items()},
            "agent_pid": self.agents.agent_pid,
            "spawner_pids": self.agents.spawner_pids,
        }

    def now(self) -> float:
        """By the clock that stamps what happens; s since 1970."""
        return self._turns.now()

    def measured_now(self, job: Job) -> float:
        """The same for who measures how long a job has been running."""
        return self._turns.engine.scheduler.measured(job, self.now())

    def shares(self) -> SharesRecord:
        """Who has what share, and what they have of it."""
        return standings.told(self._turns.engine, self.now())

    @property
    def limits(self) -> Limits:
        return self._turns.engine.limits

    def cluster_status(self) -> list[ClusterRecord]:
        """Each cluster as it answered last."""
        return self.forwarding.status(self._turns.engine.scheduler.seating.holding())

    @property
    def licences(self) -> frozenset[str]:
        """The features whose seats are counted."""
        return frozenset(self._turns.engine.inventory.seats.all())

    @property
    def holding(self) -> list[JobId]:
        """The jobs that are with a machine."""
        return [job.id for job in self._turns.engine.scheduler.seating.holding()]

    @property
    def busy(self) -> bool:
        """Is there a job that has not ended?"""
        at_hand = self._turns.engine.jobs.values()
        return self._turns.kept.shelf.waiting > 0 or any(not job.state.final for job in at_hand)

    async def aside(self, function: Callable[[], T]) -> T:
        """What `function`, which blocks, returns; also while the interpreter ends."""
        return await self._readers.call(function)

    # Its life

    async def run(self) -> None:
        """Until cancelled; then `close` it."""
        async with asyncio.TaskGroup() as group:
            self.following.begin(self._turns.jobs.values())
            self._stalls.begin(self._turns.jobs.values())
            self.forwarding.begin(self._turns.jobs.values())
            for backend in self.routes.backends:
                group.create_task(backend.run())
                group.create_task(self._verdicts.listen(backend))
            group.create_task(self._outbox.run())
            group.create_task(self._licensing.run())
            group.create_task(self._checkpoints())
            group.create_task(self.notices.run())
            group.create_task(self._turns.run())
            group.create_task(self.retention.run())
            group.create_task(self.following.run())
            group.create_task(self._stalls.run())

    def close(self) -> None:
        """No thread is left, and the store is closed."""
        self._turns.close()
        self.retention.close()
        self._readers.close()
        self._verdicts.close()
        self.notices.close()
        self.following.close()
        self._stalls.close()
        self._store.close()

    # Inside

    def _decided(self, first: int, events: Sequence[AnyEvent], actions: Sequence[Action]) -> None:
        """These are on disk."""
        self._outbox.put(actions)
        if any(isinstance(action, Launch) for action in actions):
            self.retention.launched()
        self._repeats.note(events)
        self.first_words.take(events)
        self._ends.take(events)
        self.following.take(events)
        self._stalls.take(events)
        if self._listeners and events:
            numbered = [Numbered(number, event) for number, event in enumerate(events, first)]
            for listener in tuple(self._listeners):
                listener(numbered)

    def _hosts(self) -> list[str]:
        """Where jobs run: nodes, by name."""
        machines = self._turns.engine.inventory.machines.values()
        return [node for machine in machines for node in machine.nodes]

    def _told(self, job: Job) -> JobRecord:
        """A job that has ended, for those who are told so."""
        directory = self.directory(job)
        tasks = self.task_counts(job) if job.is_array else None
        return record(job, job.ended_at or 0.0, directory=directory, tasks=tasks)

    async def _checkpoints(self) -> None:
        """Keep the store's log short, off the commit path, and long enough from the start."""
        with suppress(StoreError):
            while await self._beside_commits(self._store.make_room):
                pass
        while True:
            await asyncio.sleep(_CHECKPOINT)
            self._turns.now()  # a clock that is set is noticed also where nothing happens
            if self._turns.written:
                self._turns.written = False
                try:
                    await self._beside_commits(self._store.checkpoint)
                except StoreError as error:  # the log grows meanwhile; nothing is lost
                    self._turns.written = True
                    log.warning("checkpoint put off", extra={"error": str(error)})

    async def _beside_commits(self, function: Callable[[], T]) -> T:
        """What `function` returns, which keeps the disk busy."""
        self._turns.disk_busy = True
        try:
            return await self._readers.call(function)
        finally:
            self._turns.disk_busy = False
