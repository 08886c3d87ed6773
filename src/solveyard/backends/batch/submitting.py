"""Submission: each has three ends, an id, a refusal, or nobody knows."""

import asyncio
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

from solveyard.backends.base import Order, RawEnd, Report
from solveyard.backends.batch import files
from solveyard.backends.batch.entries import Entries, Entry, Phase
from solveyard.backends.batch.following import Follower, absent
from solveyard.backends.batch.options import ClusterOptions
from solveyard.backends.dialects.base import (
    Accepted,
    BatchJob,
    Dialect,
    Refused,
    Run,
    Unknown,
)
from solveyard.backends.dialects.script import within
from solveyard.backends.hosts.local import LocalHost
from solveyard.model import messages
from solveyard.model.errors import InvalidJob
from solveyard.solvers.base import Exit

_AT_ONCE = 4  #: submissions under way


class Submitter:
    """Sends what waits, in order, never more in a second than may be."""

    def __init__(
        self,
        name: str,
        options: ClusterOptions,
        dialect: Dialect,
        host: LocalHost,
        entries: Entries,
        report: Callable[[Report], None],
        follower: Follower,
    ) -> None:
        self._name = name
        self._options = options
        self._dialect = dialect
        self._host = host
        self._entries = entries
        self._report = report
        self._line: deque[Entry] = deque()
        self._news = asyncio.Event()
        self._next_at = 0.0
        self._follower = follower

    def put(self, entry: Entry) -> None:
        self._line.append(entry)
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._news.wait()
            await self._follower.answers.wait()
            if not self._line:
                self._news.clear()
                continue
            entry = self._line.popleft()
            if entry.phase is Phase.WAITING and self._entries.holds(entry):
                entry.enter(Phase.SENDING, _now())
                await self._pace()
                await self._send(entry)

    async def _pace(self) -> None:
        now = _now()
        at = max(now, self._next_at)
        self._next_at = at + 1.0 / self._options.submit_rate
        if at > now:
            await asyncio.sleep(at - now)

    async def _send(self, entry: Entry) -> None:
        order = entry.order
        try:
            job = batch_job(order, self._options)
            script = self._dialect.script(job)
            call = self._dialect.submit(job, str(files.script(order)))
            await asyncio.to_thread(_write, order, script)
        except (InvalidJob, OSError) as error:
            self._refuse(entry, f"cannot start it: {error}")
            return
        answer = await self._host.run(within(call, self._options.site))
        if why := absent(call, answer, self._name):
            self._refuse(entry, why)
            return
        match self._dialect.submitted(answer):
            case Accepted(native_id=native_id):
                entry.native_id = native_id
                entry.enter(Phase.THERE, _now())
                self._report(messages.Accepted(attempt=entry.attempt, native_id=native_id))
            case Refused(words=words):
                self._refuse(entry, f"{self._name} refused it: {words}")
            case Unknown():
                entry.enter(Phase.UNKNOWN, _now())
            case unknown:
                assert_never(unknown)
        self._follower.wanted.set()

    def _refuse(self, entry: Entry, why: str) -> None:
        entry.enter(Phase.ENDED, _now())
        entry.end = RawEnd(entry.attempt, Exit(launch_error=why), "", None)
        self._report(entry.end)


def batch_job(order: Order, options: ClusterOptions) -> BatchJob:
    """What is submitted for one attempt."""
    launch, command = order.launch, order.command
    spec = launch.spec
    return BatchJob(
        name=spec.name or f"solveyard-{launch.job}",
        runs=(
            Run(
                attempt=launch.attempt,
                argv=command.argv,
                directory=command.directory,
                stdout=order.stdout,
                stderr=order.stderr,
                record=str(files.record(order)),
                env=command.env,
            ),
        ),
        resources=spec.resources,
        options=options.of(spec.batch),
        time_limit=spec.time_limit,
        warning=spec.warning,
        warning_signal=spec.warning_signal,
        log=str(files.log(order)),
    )


def _write(order: Order, script: str) -> None:
    """All that the job needs, before it is sent. Blocking."""
    directory = Path(order.command.directory)
    if order.command.own_folder:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in order.command.files.items():
        (directory / name).write_text(content)
    files.script(order).write_text(script)


def _now() -> float:
    return asyncio.get_running_loop().time()
