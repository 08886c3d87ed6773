"""Submission: each has three ends, an id, a refusal, or nobody knows."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import assert_never

from msgspec.structs import replace

from solveyard.backends.base import Order, RawEnd
from solveyard.backends.batch import files
from solveyard.backends.batch.common import Cluster
from solveyard.backends.batch.entries import Entry, Phase
from solveyard.backends.batch.files import Full, NoRoom
from solveyard.backends.batch.following import Follower
from solveyard.backends.batch.options import ClusterOptions
from solveyard.backends.dialects import alive
from solveyard.backends.dialects.base import (
    Accepted,
    BatchJob,
    Call,
    Refused,
    Run,
    Unknown,
)
from solveyard.backends.dialects.script import ABLE
from solveyard.backends.hosts.base import Away
from solveyard.model import messages
from solveyard.model.errors import InvalidJob
from solveyard.model.ids import number_of
from solveyard.model.resources import Resources
from solveyard.solvers.base import Exit

_AT_ONCE = 4  #: submissions under way
_LATER = 30.0  #: s after which it is tried again where a disk takes no files
_TOGETHER = 0.02  #: s within which what comes may go together
_ASKED = ("name", "resources", "batch", "time_limit", "warning", "warning_signal", "hang", "on")


class Submitter:
    """Sends what waits, in order, never more in a second than may be."""

    def __init__(self, cluster: Cluster, follower: Follower) -> None:
        self._cluster = cluster
        self._options, self._dialect = cluster.options, cluster.dialect
        self._files, self._entries, self._report = cluster.files, cluster.entries, cluster.report
        self._line: deque[Entry] = deque()
        self._news = asyncio.Event()
        self._next_at = 0.0
        self._follower = follower
        self._looked = asyncio.Event()
        self._able = False
        self._again_at = 0.0
        self.trouble = ""  #: why nothing can be sent to it now

    def put(self, entry: Entry) -> None:
        self._line.append(entry)
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look())
            for _ in range(_AT_ONCE):
                tasks.create_task(self._work())

    @property
    def together(self) -> int:
        """So many attempts that are alike go as one, at most."""
        return self._options.array_size if self._dialect.arrays else 1

    def job(self, orders: Sequence[Order]) -> BatchJob:
        """What is submitted at once: one attempt, or several that are alike."""
        return _batch_job(orders, self._options, able=self._able)

    async def _look(self) -> None:
        """Nodes should be able to do what can be done where the commands run."""
        await self._follower.answers.wait()
        if self._dialect.ending == "sh":
            self._able = (await self._cluster.host.run(ABLE)).code == 0
        self._looked.set()

    async def _work(self) -> None:
        while True:
            await self._news.wait()
            await self._follower.answers.wait()
            await self._looked.wait()
            await asyncio.sleep(self._again_at - _now())
            await self._gather()
            group = self._take()
            if group:
                await self._send(group)

    async def _gather(self) -> None:
        """While more and more comes, let it come: equal jobs go as one array."""
        known = 0
        while known < len(self._line) < self._options.array_size:
            known = len(self._line)
            await asyncio.sleep(_TOGETHER)

    def _take(self) -> list[Entry]:
        """The first that waits, and those behind it that may go with it."""
        group: list[Entry] = []
        while self._line and len(group) < self.together:
            entry = self._line[0]
            if entry.phase is Phase.WAITING and self._entries.holds(entry):
                if group and not _alike(entry, group[0]):
                    break
                entry.enter(Phase.SENDING, _now())
                group.append(entry)
            self._line.popleft()
        if not self._line:
            self._news.clear()
        return group

    async def _pace(self) -> None:
        now = _now()
        at = max(now, self._next_at)
        self._next_at = at + 1.0 / self._options.submit_rate
        if at > now:
            await asyncio.sleep(at - now)

    async def _send(self, group: Sequence[Entry]) -> None:
        prepared = await self._prepared(group)
        if prepared is None:
            return
        job, call = prepared
        await self._pace()
        for position, entry in enumerate(group if job.array else ()):
            entry.mark, entry.position = job.mark, position
        answer = await self._cluster.run(call)
        if why := self._cluster.absent(call, answer):
            self._refuse(group, why)
            return
        match self._dialect.submitted(answer):
            case Accepted(native_id=native_id):
                self._accepted(group, native_id)
            case Refused(words=words):
                self._refuse(group, f"{self._cluster.name} refused it: {words}")
            case Unknown(why=why):
                for entry in group:
                    entry.enter(Phase.UNKNOWN, _now())
                    self._follower.doubts[entry.attempt] = why
            case unknown:
                assert_never(unknown)
        self._follower.wanted.set()

    async def _prepared(self, group: Sequence[Entry]) -> tuple[BatchJob, Call] | None:
        """With all its files where it runs. None: it waits, or was refused."""
        orders = [entry.order for entry in group]
        try:
            await self._files.ready()
            there = [self._files.there(order) for order in orders]
            job = self.job(there)
            script = self._dialect.script(job)
            path = files.script(there[0], self._dialect.ending)
            call = self._dialect.submit(job, str(path))
            await self._files.send(orders, script, self._dialect.ending)
        except Away as error:
            self._put_back(group)
            self._follower.doubt(str(error))
        except NoRoom as error:
            self._wait_for_room(group, str(error))
        except (InvalidJob, OSError) as error:
            if isinstance(error, Full) and len({one.command.directory for one in orders}) == 1:
                self._wait_apart(group, str(error))
            else:
                self._refuse(group, f"cannot start it: {error}")
        else:
            self.trouble = ""
            for entry in group:
                self._follower.blocked.pop(entry.attempt, None)
            return job, call
        return None

    def _wait_for_room(self, group: Sequence[Entry], why: str) -> None:
        """Whatever comes next would find none either."""
        self._again_at = _now() + _LATER
        self.trouble = f"{why} (make room there; it is tried again)"
        self._put_back(group)

    def _wait_apart(self, group: Sequence[Entry], why: str) -> None:
        """They come to the end of the line later."""
        told = f"room for its files: {why} (make room there; it is tried again)"
        for entry in group:
            entry.enter(Phase.WAITING, _now())
            self._follower.blocked[entry.attempt] = told
            asyncio.get_running_loop().call_later(_LATER, self.put, entry)

    def _put_back(self, group: Sequence[Entry]) -> None:
        """Nothing was sent."""
        for entry in reversed(group):
            entry.enter(Phase.WAITING, _now())
            self._line.appendleft(entry)
        self._news.set()

    def _accepted(self, group: Sequence[Entry], native_id: str) -> None:
        for entry in group:
            entry.native_id = native_id
            if entry.position is not None:
                entry.array_id = native_id
                entry.native_id = self._dialect.member(native_id, entry.position)
            entry.enter(Phase.THERE, _now())
            self._follower.doubts.pop(entry.attempt, None)
            self._report(messages.Accepted(attempt=entry.attempt, native_id=entry.native_id))

    def _refuse(self, group: Sequence[Entry], why: str) -> None:
        """Of several perhaps one is the reason, or that they are an array: then each goes alone."""
        for entry in group:
            if len(group) > 1:
                entry.mark, entry.position, entry.alone = "", None, True
                entry.enter(Phase.WAITING, _now())
                self.put(entry)
                continue
            self._follower.blocked.pop(entry.attempt, None)
            entry.enter(Phase.ENDED, _now())
            entry.end = RawEnd(entry.attempt, Exit(launch_error=why), "", None)
            self._report(entry.end)


def _batch_job(orders: Sequence[Order], options: ClusterOptions, *, able: bool) -> BatchJob:
    first = orders[0]
    spec = first.launch.spec
    return BatchJob(
        name=spec.name or f"solveyard-{number_of(first.launch.job)}",
        runs=tuple(map(_run, orders)),
        resources=_needed(first),
        options=options.of(spec.batch),
        time_limit=spec.time_limit,
        warning=spec.warning,
        warning_signal=spec.warning_signal,
        watch=0 if spec.hang is None else alive.every(spec.hang.after),
        server=options.server,
        array=len(orders) > 1,
        able=able,
        log=str(files.log(first)),
    )


def _needed(order: Order) -> Resources:
    """What it asks for; a try after one that had too little memory asks for more of it."""
    memory = order.launch.placement.allocation.shares[0].memory
    return replace(order.launch.spec.resources, memory=memory)


def _run(order: Order) -> Run:
    command = order.command
    return Run(
        attempt=order.launch.attempt,
        argv=command.argv,
        directory=command.directory,
        stdout=order.stdout,
        stderr=order.stderr,
        record=str(files.record(order)),
        env=command.env,
    )


def _alike(one: Entry, other: Entry) -> bool:
    """Do they ask the same of the batch system, under the same name?"""
    if one.alone or other.alone:
        return False
    if one.order.launch.placement.allocation != other.order.launch.placement.allocation:
        return False
    first, second = one.order.launch.spec, other.order.launch.spec
    return first is second or all(
        getattr(first, field) == getattr(second, field) for field in _ASKED
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
