"""What a job is: the specification a user writes, and the record the system keeps."""

import enum
from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from solveyard.model import criteria
from solveyard.model.arrays import ArraySpec, Value, filled_text
from solveyard.model.batch import BatchOptions
from solveyard.model.criteria import Measure, SuccessCriteria
from solveyard.model.ids import AttemptId as AttemptId
from solveyard.model.ids import JobId as JobId
from solveyard.model.ids import array_of, position_of
from solveyard.model.policies import Dependency, HangWatch, Link, RetryPolicy
from solveyard.model.resources import ONE_CORE, Allocation, Resources
from solveyard.model.shares import Spent


class JobState(enum.StrEnum):
    """Where a job is in its life. The legal moves are in `core.lifecycle.TRANSITIONS`."""

    HELD = "held"  #: waits until somebody releases it
    QUEUED = "queued"  #: ready; waits for capacity or its turn
    SUBMITTED = "submitted"  #: handed to a backend; not known to have started
    RUNNING = "running"  #: the command has started
    COMPLETED = "completed"  #: ended, and the evidence says success
    FAILED = "failed"  #: ended without success; `Outcome.reason` says why
    CANCELLED = "cancelled"  #: ended because somebody asked

    @property
    def final(self) -> bool:
        return self in FINAL


WAITING = frozenset({JobState.HELD, JobState.QUEUED})
FINAL = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})


class Reason(enum.StrEnum):
    """Why a job ended. A state says where a job is, a reason says why; the list is closed."""

    SUCCESS = "success"
    EXIT_CODE = "exit_code"
    SIGNAL = "signal"
    TIME_LIMIT = "time_limit"
    WAIT_LIMIT = "wait_limit"
    OUT_OF_MEMORY = "out_of_memory"
    LICENCE = "licence"
    NO_OUTPUT = "no_output"
    CRITERIA = "criteria"
    NOT_CONVERGED = "not_converged"
    LAUNCH = "launch"
    DEPENDENCY = "dependency"
    CANCELLED = "cancelled"
    PREEMPTED = "preempted"
    NODE_FAILURE = "node_failure"
    HANG = "hang"
    SHUTDOWN = "shutdown"
    LOST = "lost"


class Usage(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """What an attempt used, as the operating system counted it."""

    wall: float = 0.0  #: s, by a clock that nobody can set
    cpu: float = 0.0  #: s, user and system, of the command and the children it waited for
    peak_memory: int = 0  #: MiB, of the largest single process; 0: not known


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """How an attempt, or a job that never started, ended, and how that is known."""

    reason: Reason
    cause: str = ""  #: open, dotted, from the solver: "nec.geometry"
    exit_code: int | None = None
    signal: int | None = None
    message: str = ""  #: one sentence an engineer acts on
    evidence: tuple[str, ...] = ()
    values: Mapping[str, Value] = {}  #: what was measured in its results


class JobSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    gc=False,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """What the user asks for. Only `tags` and `note` can be changed after submission.

    `options` belong to the solver, which alone reads them.
    """

    solver: str
    options: msgspec.Raw = msgspec.Raw(b"{}")
    name: str = ""
    priority: int = 0  #: larger goes first
    resources: Resources = ONE_CORE
    pin: bool = False  #: its processes stay on the cores that it is given
    directory: str = ""  #: where the command runs; empty: a folder of the job's own
    time_limit: float | None = None  #: s of running; None: none
    warning: float | None = None  #: s before the limit at which `warning_signal` is sent
    warning_signal: str = "USR1"  #: a signal's name without SIG
    grace: float = 30.0  #: s between TERM and KILL when it is ended
    wait_limit: float | None = None  #: s of waiting before it starts; None: none
    exclusive: tuple[str, ...] = ()  #: keys that one running job holds, e.g. a project's path
    hold: bool = False  #: waits until released
    tags: tuple[str, ...] = ()
    note: str = ""
    array: ArraySpec | None = None  #: run it once for each of these; None: once
    after: tuple[Dependency, ...] = ()  #: waits for these
    retry: RetryPolicy | None = None  #: None: it's not started again by itself
    hang: HangWatch | None = None  #: None: nobody looks whether it moves
    success: SuccessCriteria | None = None  #: beside the solver's own verdict
    measures: Mapping[str, Measure] = {}  #: what to read from its results, by name
    notify: tuple[str, ...] = ()  #: receivers, by name, that are told how it ends
    on: str = ""  #: the cluster that it is forwarded to, by its name; empty: it runs here. Whoever
    #: submits it says "here" for that; left empty, the settings' rules decide
    batch: BatchOptions | None = None  #: wishes to a batch system

    def __post_init__(self) -> None:
        if (  # few give any
            self.time_limit is not None
            or self.warning is not None
            or self.wait_limit is not None
            or not 0 <= self.grace < 1e10
        ):
            _check_seconds(self)
        if not -(10**9) <= self.priority <= 10**9:
            raise ValueError(f"`priority` is {self.priority}; it must be within +-1 000 000 000")
        if self.resources.nodes == 0:
            raise ValueError("`resources.nodes` is 0; it is 1 at least (leave it out: any will do)")
        if self.exclusive and len(set(self.exclusive)) != len(self.exclusive):
            raise ValueError("`exclusive` names a key twice")
        if self.measures or self.success is not None:
            criteria.check_measures(self.measures, self.success)


def _check_seconds(spec: JobSpec) -> None:
    for name in ("time_limit", "warning", "wait_limit", "grace"):
        value = getattr(spec, name)
        if value is not None and not 0 <= value < 1e10:
            raise ValueError(f"`{name}` is {value}; it must be a number of seconds, from 0")


class Passed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whom an attempt went before, the first in line then, though it takes from its place."""

    job: JobId
    lent: float  #: what that one had lent to all such by then; 1.0: as much as its place has


class Placement(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """Where an attempt was sent, and under which promises.

    Attempts that share a `slot` share one allocation and run one after the other, by `turn`.
    """

    machine: str
    allocation: Allocation
    slot: int
    turn: int = 0
    spawner: int = 0  #: which of the machine's spawners
    boot_id: str = ""  #: the machine's, when the launch was decided
    ledger: str = ""  #: the spawner's ledger, by its id
    forwarded: bool = False  #: `machine` is a batch system, which places it itself
    passed: Passed | None = None  #: None: it was its turn, or it delays nobody


class Attempt(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One try at running a job. Its end is final."""

    id: AttemptId
    placement: Placement
    placed_at: float
    runs_as: str = ""  #: the account that the command runs under; empty: the manager's own
    native_id: str = ""  #: the backend's own name for it: a process id, a Slurm job id
    started_at: float | None = None
    ended_at: float | None = None
    withdrawn: bool = False  #: taken back before it started
    outcome: Outcome | None = None
    usage: Usage | None = None
    notes: tuple[str, ...] = ()  #: evidence that came after the end

    @property
    def live(self) -> bool:
        return self.outcome is None and not self.withdrawn


class Submission(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One that is known again by its key: whoever repeats it gets its jobs."""

    owner: str
    key: str
    arrival: int  #: its place among those of the same key


def submissions(
    owner: str, key: str, arrival: int, earlier: tuple[Submission, ...]
) -> tuple[Submission, ...]:
    """The `earlier` ones of a job, and its present one where that has a key."""
    return (*earlier, Submission(owner, key, arrival)) if key else earlier


class Job(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The record of one job, of an array as a whole, or of one task of an array.

    A task has a record once something happened to it alone; before, it's as its array says.
    """

    id: JobId
    spec: JobSpec
    owner: str  #: the authenticated user who submitted it
    submitted_at: float  #: of its present specification
    arrival: int  #: its place among equals; a retry arrives anew
    priority: int
    state: JobState
    waiting_since: float = 0.0  #: start of the wait that `wait_limit` bounds
    cancel_requested: bool = False  #: a wish, not a state
    stale_since: float | None = None  #: since when its state is not confirmed
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome | None = None
    ended_at: float | None = None
    key: str = ""  #: of the submission that it comes from
    earlier: tuple[Submission, ...] = ()  #: those with a key that it came from before
    granted: tuple[str, ...] = ()  #: keys of the newest changes that were asked for
    after: tuple[Link, ...] = ()  #: whom `spec.after` means
    held: bool = False  #: an array that has begun begins no more tasks; a batch system holds it
    closed: bool = False  #: of an array: its tasks without a record were ended with it
    tries: int = 1  #: those of `spec.retry` used by now, with the present one
    mishaps: int = 0  #: ends that used up no try
    not_before: float | None = None  #: when its next try may start
    memory: int | None = None  #: MiB, where a retry asks for more than the specification
    session: str = ""  #: of the program that it shall not go on without; empty: it may
    within: tuple[str, ...] = ()  #: see `bounds`

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def live_attempt(self) -> Attempt | None:
        """The attempt that holds resources now."""
        last = self.attempts[-1] if self.attempts else None
        return last if last is not None and last.live else None

    @property
    def is_array(self) -> bool:
        """It's an array as a whole: its tasks run, not itself."""
        return self.spec.array is not None and position_of(self.id) is None

    @property
    def submissions(self) -> tuple[Submission, ...]:
        """Those with a key that are remembered, from the oldest on."""
        return submissions(self.owner, self.key, self.arrival, self.earlier)

    @property
    def need(self) -> Resources:
        if self.memory is None:
            return self.spec.resources
        return replace(self.spec.resources, memory=self.memory)

    @property
    def keys(self) -> tuple[str, ...]:
        """The exclusive keys that it holds while it runs, a task's own values filled in."""
        keys = self.spec.exclusive
        if not keys or self.spec.array is None or (position := position_of(self.id)) is None:
            return keys
        return tuple({filled_text(key, self.spec.array, position): None for key in keys})

    @property
    def directory(self) -> str:
        """Where its specification says that it runs, a task's own values filled in."""
        position, array = position_of(self.id), self.spec.array
        if position is None or array is None:
            return self.spec.directory
        return filled_text(self.spec.directory, array, position)

    @property
    def bounds(self) -> tuple[str, ...]:
        """Real folders, in one of which its directory must be whenever somebody looks, since it
        came over the network; none: it may be anywhere, or is the job's own. With "!" before it
        one in which it must not be; see `wire.beneath`.
        """
        return self.within if self.spec.directory else ()

    @property
    def label(self) -> str:
        """Its name if it has one, else its number; of a task "sweep[3]"."""
        position = position_of(self.id)
        if position is None:
            return self.spec.name or str(self.id)
        assert self.spec.array is not None
        whose = self.spec.name or str(array_of(self.id))
        return f"{whose}[{self.spec.array.index(position)}]"


class Limits(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """What the store's owner allows at once, on all machines together."""

    max_concurrent: int | None = None  #: running jobs; None: as many as there are cores for
    max_cpu_percent: float | None = None  #: no job starts on a machine as busy; None, 100: ever
    min_memory_gb: float | None = None  #: GiB that stay free on a machine; None, 0: none need to
    min_disk_gb: float | None = None  #: GiB that stay free on the store's disk there

    def __post_init__(self) -> None:
        if self.max_concurrent is not None and self.max_concurrent < 0:
            raise ValueError(f"`max_concurrent` is {self.max_concurrent}; it can't be negative")
        if self.max_cpu_percent is not None and not 0 < self.max_cpu_percent <= 100:
            raise ValueError(
                f"`max_cpu_percent` is {self.max_cpu_percent}; it must be above 0, up to 100"
            )
        for name in ("min_memory_gb", "min_disk_gb"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1e9:
                raise ValueError(f"`{name}` is {value}; it must be a number of GiB, from 0")


class Counter(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The next numbers. They never go back, so no id is ever used again."""

    next: int = 1  #: job
    arrival: int = 1
    slot: int = 1


class Removed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """In a commit's records: this job's record goes away."""

    id: JobId


Record = Job | Limits | Counter | Removed | Spent
