"""The engine: messages in, facts and effects out. No clock, no I/O, no randomness.

`requests` says what people may ask for, `reports` what is concluded from what machines say;
`scheduler` knows who goes next, `lifecycle.evolve` changes jobs, and `board` holds it all.
"""

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from solveyard.core.board import Board
from solveyard.core.dependencies import doom
from solveyard.core.inventory import Inventory
from solveyard.core.reports import CONCLUDE
from solveyard.core.requests import GRANT, Parts
from solveyard.core.roll import Roll
from solveyard.core.scheduler import Scheduler
from solveyard.core.shares import Standing
from solveyard.core.shelf import Shelf
from solveyard.core.slots import Pace
from solveyard.core.why import why
from solveyard.model.ids import array_of, position_of
from solveyard.model.jobs import (
    WAITING,
    Attempt,
    AttemptId,
    Counter,
    Job,
    JobId,
    JobState,
    Limits,
    Outcome,
    Reason,
)
from solveyard.model.messages import Action, AnyEvent, ArrayBegun, JobPlaced, JobStale, Message
from solveyard.model.shares import NO_SHARES, Shares, Spent

_PART = 32  #: starts between two pauses
_NO_NAMES: Mapping[str, JobId] = {}
_DECIDE: dict[type, Callable[[Board, Any], Parts | None]] = {**GRANT, **CONCLUDE}


class Step(NamedTuple):
    """What was decided: facts to store and publish, then effects to perform."""

    events: list[AnyEvent]
    actions: list[Action]
    foresee: Callable[[], float | None]

    @property
    def wake(self) -> float | None:
        """When time alone will cause something; None: not foreseen.

        Until the engine takes its next message. It is worked out when it is asked for: of many
        messages in one turn only the last one's matters.
        """
        return self.foresee()


InParts = Generator[None, None, Step]


class Engine:
    """All decisions about all jobs.

    Of messages that come together each is taken, and then all of them are concluded at once: who
    goes next is decided once for all. `handle` does both for one.
    """

    def __init__(
        self,
        store_uuid: str,
        jobs: Iterable[Job] = (),
        limits: Limits | None = None,
        counter: Counter | None = None,
        pace: Pace | None = None,
        shares: Shares = NO_SHARES,
        spent: Iterable[Spent] = (),
        shelf: Shelf | None = None,
        names: Mapping[str, JobId] = _NO_NAMES,
    ) -> None:
        """`spent`: what owners have used, as this engine's `spent` was when it was kept. `shelf`:
        where those are that `jobs` doesn't have, and `names` theirs.
        """
        self._board = Board(
            store_uuid,
            jobs,
            limits or Limits(),
            counter or Counter(),
            pace or Pace(),
            shares,
            spent,
            shelf or Shelf(),
            names,
        )

    def handle(self, message: Message, now: float) -> Step:
        """`take` one message, and `conclude`. Raises InvalidRequest, as `take` does."""
        taken = self.take(message, now)
        step = self.conclude()
        return step._replace(
            events=[*taken.events, *step.events], actions=[*taken.actions, *step.actions]
        )

    def take(self, message: Message, now: float) -> Step:
        """Take one message at time `now`, s since 1970, never before the last one's.

        Raises InvalidRequest where a request can't be granted; then nothing has changed.
        """
        self._board.begin(now)
        for _ in _DECIDE[type(message)](self._board, message) or ():
            pass
        return self._told()

    def take_in_parts(self, message: Message, now: float) -> InParts:
        """`take`, with pauses in long work; until it's done the engine does nothing else."""
        self._board.begin(now)
        yield from _DECIDE[type(message)](self._board, message) or ()
        return self._told()

    def conclude(self) -> Step:
        """What time and the messages lead to that were taken since."""
        for _ in self._follow_up():
            pass
        return self._told()

    def conclude_in_parts(self) -> InParts:
        """`conclude`, as `take_in_parts` does it."""
        yield from self._follow_up()
        return self._told()

    def put_away(self, job_id: JobId) -> None:
        """Who has ended, and is no array, or who `may_wait_away`: it is on the shelf alone now."""
        self._board.put_away(job_id)

    def may_wait_away(self, job_id: JobId) -> bool:
        """Does this job, which is at hand, only wait its turn, or for somebody's word?"""
        return self._board.may_wait_away(job_id)

    def attempt(self, attempt_id: AttemptId) -> tuple[Job, Attempt] | None:
        """Whose it is; None for one of another store, or of a job that was removed."""
        return self._board.attempt(attempt_id)

    def why(self, job_id: JobId, *, place: bool = True, away: Job | None = None) -> str:
        """Why a waiting job waits, in words; "" when it doesn't, or isn't there any more.

        Without `place` its place in line is not counted, which takes a look at all that wait.
        `away`: its record, so that it isn't brought back while it waits on the shelf.
        """
        board = self._board
        job = away if board.shelf.whole(job_id) is not None else None
        if job is None and (job := board.look(job_id)) is None:
            return ""
        return why(board.scheduler, job, board.limits, draining=board.draining, place=place)

    # What it knows

    def look(self, job_id: JobId) -> Job | None:
        """A job, or a task, be it that nothing has happened to it alone; None: there is none."""
        return self._board.look(job_id)

    def state(self, job_id: JobId) -> JobState | None:
        """The same one's state, which is always in memory."""
        return self._board.state(job_id)

    @property
    def jobs(self) -> Roll:
        """All of them, but for those that were put away: who names one has it brought back, if it
        is no task.
        """
        return self._board.jobs

    @property
    def names(self) -> Mapping[str, JobId]:
        return self._board.names

    @property
    def limits(self) -> Limits:
        return self._board.limits

    @property
    def counter(self) -> Counter:
        return self._board.counter

    @property
    def spent(self) -> Mapping[str, Spent]:
        """By owner what their ended runs have used, where that matters; to be kept."""
        return self._board.scheduler.owners.spent

    @property
    def shares(self) -> Shares:
        return self._board.scheduler.owners.shares

    def standings(self, now: float) -> list[Standing]:
        """What each owner has at `now`, where that matters; by name."""
        at = self._board.scheduler
        return at.owners.standings(now, at.seating.running())

    @property
    def draining(self) -> bool:
        """It starts nothing more."""
        return self._board.draining

    @property
    def scheduler(self) -> Scheduler:
        return self._board.scheduler

    @property
    def inventory(self) -> Inventory:
        return self._board.scheduler.inventory

    def _told(self) -> Step:
        """What was decided since this was last asked."""
        board = self._board
        step = Step(board.events, board.actions, board.scheduler.wake)
        board.events, board.actions = [], []
        return step

    # What time causes, and what room allows

    def _follow_up(self) -> Parts:
        self._let_time_pass()
        self._end_doomed()
        if self._board.scheduler.moved:
            yield from self._schedule()

    def _let_time_pass(self) -> None:
        board = self._board
        for job_id in board.scheduler.deadlines.due(board.now):
            job = board.jobs[job_id]
            if job.state in WAITING:
                why = self.why(job_id, place=False)
                board.end(
                    job,
                    Outcome(
                        reason=Reason.WAIT_LIMIT,
                        message=f"it waited {job.spec.wait_limit:g} s and had not started",
                        evidence=(f"it waited for {why}",) if why else (),
                    ),
                )
            else:  # it waits elsewhere
                board.kill_overdue(job)
        for job_id in board.scheduler.line.pauses.due(board.now):
            board.scheduler.line.pause_over(job_id)
            board.scheduler.moved = True
        for job_id in board.scheduler.seating.gone_stale(board.now):
            board.record(JobStale(job=job_id, at=board.now))
        board.actions += board.scheduler.seating.recall_impatient(board.now)

    def _end_doomed(self) -> None:
        """Those that wait for what can't come any more; and who waits for them in turn."""
        board = self._board
        dependencies, doomed = board.scheduler.dependencies, board.scheduler.line.doomed
        while doomed:
            found = sorted(set(doomed))  # however an engine came to know them
            doomed.clear()
            for job_id in found:
                job = board.jobs.get(job_id)
                never = dependencies.never(job_id) if job is not None else None
                if job is None or never is None:
                    continue
                if job.is_array and (never[1].each or job.state is JobState.RUNNING):
                    task = board.scheduler.arrays.candidate(job)
                    assert task is not None
                    board.end(task, doom(*never))
                else:
                    board.end(job, doom(*never))

    def _schedule(self) -> Parts:
        board = self._board
        if board.draining:
            return
        scheduler, started = board.scheduler, 0
        start = scheduler.next_start(board.limits, board.now)
        while start is not None:
            job, planned = start
            placement = replace(planned, slot=planned.slot or board.next("slot"))
            array = array_of(job.id)
            if array is not None and board.jobs[array].state is JobState.QUEUED:
                board.record(ArrayBegun(job=array, at=board.now))
            number = f"{array or job.id}.{position_of(job.id) or 0}.{len(job.attempts) + 1}"
            attempt = AttemptId(f"{board.uuid}.{number}")
            board.record(JobPlaced(job=job.id, at=board.now, attempt=attempt, placement=placement))
            board.actions.append(board.scheduler.seating.launch(board.jobs[job.id]))
            started += 1
            if started % _PART == 0:
                yield
            start = scheduler.next_like(job, board.now) if planned.turn else None
            start = start or scheduler.next_start(board.limits, board.now)
        line, seating = board.scheduler.line, board.scheduler.seating
        board.actions += seating.recall_outranked(
            line.head(), line.outranks, ordered=line.by_urgency
        )
        board.scheduler.moved = False
