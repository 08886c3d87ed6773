"""Jobs for clusters: what may be submitted there, and what the store remembers of them."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from solveyard.backends.batch import Batch, Remembered
from solveyard.backends.dialects.base import Queue
from solveyard.backends.workspace import Workspace
from solveyard.core import destinations
from solveyard.core.destinations import Rule
from solveyard.core.engine import Engine
from solveyard.manager.ordering import Ordering
from solveyard.model.errors import BackendError, InvalidJob, StoreError
from solveyard.model.jobs import Attempt, AttemptId, Job, JobId, JobSpec, JobState
from solveyard.model.messages import Launch
from solveyard.model.records import ClusterRecord, CountRecord, PartitionRecord, instant
from solveyard.solvers import tasks

_FIRST = 20.0  #: s in which all have answered, or it's known that they don't

log = logging.getLogger(__name__)


class Known(NamedTuple):
    """A cluster, for whoever asks which there are."""

    name: str
    dialect: str
    known_by: str  #: in words
    answers: bool

    @classmethod
    def of(cls, batch: Batch) -> "Known":
        known_by = "the settings name it" if batch.named else "its commands answered here"
        answers = batch.answered_at is not None and not batch.away
        return cls(batch.name, batch.options.dialect, known_by, answers)


class Forwarding:
    """Between one store's jobs and its clusters."""

    def __init__(
        self, ordering: Ordering, clusters: Mapping[str, Batch], rules: Sequence[Rule] = ()
    ) -> None:
        """`rules` decide where jobs go that don't say so."""
        self._ordering = ordering
        self._rules = rules
        self.clusters = clusters

    def begin(self, jobs: Iterable[Job]) -> None:
        """Use each cluster that one of `jobs` is with, or for, whoever named it."""
        for job in jobs:
            if not job.state.final and (batch := self.clusters.get(job.spec.on)) is not None:
                batch.wake()

    def why(self, job: Job, told: str) -> str:
        """Why a job waits, as the engine told, and what its cluster's trouble is."""
        attempt = job.live_attempt
        name = job.spec.on if attempt is None else attempt.placement.machine
        waits = told.startswith((f"{name} to ", f"cluster {name} to "))
        if not name or not (waits or (job.state is JobState.RUNNING and not told)):
            return told
        batch = self.clusters.get(name)
        if batch is None:
            forwarded = attempt is None or attempt.placement.forwarded
            gone = (
                f"cluster {name}, which the settings no longer name (give them its table"
                f" [clusters.{name}] again, and restart the manager)"
            )
            return gone if forwarded else told
        if not waits:
            return told
        doubt = "" if attempt is None else batch.doubts.get(attempt.id, "")
        trouble = _trouble(batch) or (f"last time it said: {doubt}" if doubt else "")
        return f"{told} ({trouble})" if trouble else told

    @property
    def awake(self) -> "list[Known]":
        """Those that jobs go to, the settings' own first."""
        awake = [batch for batch in self.clusters.values() if not batch.asleep]
        return [Known.of(batch) for batch in sorted(awake, key=lambda one: not one.named)]

    async def sought(self, names: Collection[str] | None = None) -> None:
        """Wait until each that no settings name was asked whether it answers; not for long.

        `names`: those that somebody wants, which are asked again; None: all are waited for.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST):
                for name, batch in self.clusters.items():
                    if not batch.asleep or (names is not None and name not in names):
                        continue
                    if names is not None and batch.asked.is_set():
                        await batch.answer()
                    await batch.asked.wait()

    async def seek(self) -> None:
        """Ask those that nobody named and that have not answered yet."""
        for batch in self.clusters.values():
            await batch.answer()

    async def speaking(self, dialect: str) -> str:
        """The name of the cluster that is spoken to so: one of that name, else the first.

        Raises BackendError where there is none, with what it said.
        """
        found = [one for one in self.clusters.values() if one.options.dialect == dialect]
        batch = min(found, key=lambda one: (one.name != dialect, not one.named), default=None)
        why = "its submit command is not on PATH" if batch is None else await batch.answer()
        if batch is None or why:
            raise BackendError(
                f"no batch system is configured on this manager for {dialect}, and none answers on"
                f" its machine: {why} (add a table [clusters.{dialect}] to config.toml; or leave"
                " `scheduler_type` out, or say 'none', to run on this machine)"
            )
        return batch.name

    def status(self, jobs: Iterable[Job]) -> list[ClusterRecord]:
        """Each cluster as it answered last, at once; `jobs` are those that are with a machine."""
        there: dict[str, Counter[str]] = {name: Counter() for name in self.clusters}
        counts: dict[str, Counter[str]] = {name: Counter() for name in self.clusters}
        for job in jobs:
            attempt = job.live_attempt
            if attempt is not None and attempt.placement.machine in there:
                there[attempt.placement.machine][job.state.value] += 1
                if job.spec.resources.counts:
                    counts[attempt.placement.machine].update(job.spec.resources.counts)
        return [
            ClusterRecord(
                name=name,
                dialect=batch.options.dialect,
                answers=batch.answered_at is not None and not batch.away,
                trouble=_trouble(batch),
                answered_at=instant(batch.answered_at),
                max_queued=batch.options.max_queued,
                counts={
                    count: CountRecord(total=total, taken=counts[name][count])
                    for count, total in batch.options.counts.items()
                },
                jobs=dict(there[name]),
                commands=batch.host.commands,
                partitions=tuple(partition(name, queue) for queue in batch.queues),
            )
            for name, batch in sorted(self.clusters.items())
            if not batch.asleep
        ]

    def decided(self, spec: JobSpec, owner: str) -> tuple[JobSpec, str]:
        """The job with the place where it runs, and which rule decided that; "": none did.

        Raises InvalidJob for what can't run there.
        """
        found, place = destinations.decided(spec, owner, self._rules)
        if place is None:
            self.check(found)
            return found, ""
        on = self._rules[place].on
        where = on if on == destinations.HERE else f"on {on}"
        told = f"rule {place + 1} of the settings has it run {where}"
        try:
            self.check(found)
        except InvalidJob as error:
            raise InvalidJob(f"{error} ({told}; its own `on` overrules that)") from error
        return found, told

    @property
    def elsewhere(self) -> frozenset[str]:
        """The clusters whose machines can't be seen from here."""
        return frozenset(name for name, batch in self.clusters.items() if batch.options.host)

    def sent(self, spec: JobSpec, owner: str) -> JobSpec:
        """The job with the place where it runs, whether it can or not."""
        return destinations.decided(spec, owner, self._rules)[0]

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidJob for what the cluster that it names could not be asked for."""
        if not spec.on:
            if spec.batch is not None:
                raise InvalidJob("`batch` (--queue) is for jobs on a cluster (name it: `on`, --on)")
            return
        options = self.cluster(spec.on).options
        for count, amount in spec.resources.counts.items():
            if count not in options.shared and amount > (have := options.counts.get(count, 0)):
                raise InvalidJob(
                    f"it needs {amount} of {count}, and cluster {spec.on} has {have}"
                    f" (`clusters.{spec.on}.counts` says how many there are)"
                )
        for sample in tasks.samples(spec):
            self.preview(sample)

    def together(self, spec: JobSpec) -> int:
        """So many tasks of an array are submitted at once, at most. Raises InvalidJob."""
        if spec.array is None or any("{{" not in key for key in spec.exclusive):
            return 1
        count = len(spec.array)
        return min(count, spec.array.at_once or count, self.cluster(spec.on).together)

    def preview(self, spec: JobSpec) -> tuple[str, tuple[str, ...]]:
        """The script and the command that would submit a job; of an array the first that would.

        Raises InvalidJob.
        """
        batch = self.cluster(spec.on)
        positions = [None] if spec.array is None else range(self.together(spec))
        script, call = batch.preview(*(self._ordering.preview(spec, each) for each in positions))
        return script, call.argv

    def workspace(self, job: Job, directory: str, *, runs: bool) -> Workspace | None:
        """The files of one that began where nobody here sees them; None: they are here.

        `runs`: its results have not been brought.
        """
        attempt = job.attempt
        if attempt is None or attempt.placement.machine not in self.clusters:
            return None
        shared = self.clusters[attempt.placement.machine].files
        return shared.workspace(attempt.id, directory, runs=runs)

    def cluster(self, name: str) -> Batch:
        """Raises InvalidJob where there is none of that name."""
        batch = self.clusters.get(name)
        if batch is not None and batch.asleep:
            raise InvalidJob(
                f"{name} doesn't answer, though its submit command is on this machine:"
                f" {batch.unheard or 'it has not said a word yet'} (submit it again once it does;"
                f" or add a table [clusters.{name}] to config.toml, and restart the manager: then"
                " jobs wait for it)"
            )
        if batch is None:
            awake = sorted(one.name for one in self.clusters.values() if not one.asleep)
            known = ", ".join(awake) or "none"
            raise InvalidJob(
                f"the settings name no cluster {name!r} (there is: {known}; add a table"
                f" [clusters.{name}] to config.toml, and restart the manager)"
            )
        return batch

    def is_over(self, engine: Engine, attempt_id: AttemptId) -> bool:
        """Has an attempt of this store ended, or is its job removed?

        A store that was copied, or restored from an older copy, doesn't know what came after.
        """
        if (found := _known(engine, attempt_id)) is not None:
            return not found[1].live
        number = attempt_id.split(".")[1]
        removed = number.isdecimal() and JobId(int(number)) not in engine.jobs
        return removed and int(number) < engine.counter.next

    def remembered(self, engine: Engine, attempt_id: AttemptId) -> Remembered | None:
        """What the store has of an attempt that has not ended; None: nothing that can be used."""
        found = _known(engine, attempt_id)
        if found is None or not found[1].live:
            return None
        job, attempt = found
        launch = Launch(job=job.id, attempt=attempt.id, spec=job.spec, placement=attempt.placement)
        try:
            return Remembered(self._ordering.order(launch), attempt.native_id)
        except (InvalidJob, OSError):
            log.exception("a forwarded job can't be followed", extra={"job": job.id})
            return None


def _known(engine: Engine, attempt_id: AttemptId) -> tuple[Job, Attempt] | None:
    """Whose it is; None also where that can't be read now."""
    try:
        return engine.attempt(attempt_id)
    except StoreError:
        log.exception("an attempt's record can't be read", extra={"attempt": attempt_id})
        return None


def partition(cluster: str, queue: Queue) -> PartitionRecord:
    memory = None
    if queue.memory is not None and queue.nodes is not None:
        memory = round(queue.memory * queue.nodes / 1024, 2)
    return PartitionRecord(
        name=queue.name,
        cluster=cluster,
        up=queue.up,
        default=queue.default,
        time_limit=queue.time_limit,
        nodes_total=queue.nodes,
        nodes_used=_used(queue.nodes, queue.nodes_free),
        cores_total=queue.cores,
        cores_used=_used(queue.cores, queue.cores_free),
        memory_total_gb=memory,
        memory_used_gb=None,
        gpus_total=queue.gpus,
    )


def _used(total: int | None, free: int | None) -> int | None:
    return None if total is None or free is None else total - free


def _trouble(batch: Batch) -> str:
    """Why it is away or takes no jobs, or that its machine owes an answer; "": neither."""
    return batch.trouble or batch.host.silent
