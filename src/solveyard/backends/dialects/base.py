"""What a dialect is: how to speak to one batch system, as a module of pure functions.

A function makes a `Call`; somebody runs it, in the C locale, and another function reads the
`Answer`. Nothing is believed of an answer that can't be read whole: it is `Unreadable`, which
says nothing about any job.
"""

import enum
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from solveyard.model.batch import BatchOptions
from solveyard.model.resources import ONE_CORE, Resources


class Run(NamedTuple):
    """One attempt at a command, as a batch job's script starts it."""

    attempt: str  #: its id
    argv: tuple[str, ...]
    directory: str  #: absolute; must exist
    stdout: str  #: absolute; so are the next two
    stderr: str
    record: str  #: where the script leaves its `Record`; a path of this attempt's own
    env: Mapping[str, str] = {}


class Server(NamedTuple):
    """Of licences that the batch system doesn't count: a job's script asks it as it starts."""

    features: tuple[str, ...]
    command: str  #: shell text that prints what `lmutil lmstat -a` does
    wait: float  #: s for which it asks again and again


class BatchJob(NamedTuple):
    """What is submitted at once: one attempt, or an array of them.

    An array's script grows by what tells a run from the others; Slurm takes 4 MiB.
    """

    name: str  #: for people
    runs: tuple[Run, ...]  #: one; of an array one for each position, from 0
    resources: Resources = ONE_CORE  #: of each run
    options: BatchOptions = BatchOptions()
    time_limit: float | None = None  #: s; `options.time` counts where it is given
    warning: float | None = None  #: s before the limit at which `warning_signal` is sent
    warning_signal: str = "USR1"
    watch: int = 0  #: s between two lines that tell of each run's processes; 0: none
    server: Server | None = None
    array: bool = False
    at_once: int | None = None  #: of an array
    able: bool = False  #: `env` on nodes should be able to give signals their defaults
    log: str = "/dev/null"  #: file for the batch system's own words; of an array all write to it

    @property
    def mark(self) -> str:
        """What the job is found by, in its comment or name: the id of its first attempt."""
        return self.runs[0].attempt


_SIGNALS = range(129, 129 + 64)  #: a shell's exit statuses for commands that signals ended


class Call(NamedTuple):
    """A client command to run: with arguments and no shell, unless it starts one itself."""

    argv: tuple[str, ...]
    stdin: str = ""
    timeout: float = 30.0  #: s; above what the command itself waits for a hung server


class Answer(NamedTuple):
    """What a call brought: everything it wrote, and its exit status."""

    code: int | None  #: None: it was ended, or the way to it broke
    stdout: str = ""
    stderr: str = ""

    @property
    def killed(self) -> bool:
        """A signal ended it, as far as its status tells; PBS has words of its own for some."""
        return self.code is None or self.code < 0 or self.code in _SIGNALS

    @property
    def words(self) -> str:
        """What it said, for people: one line."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        text = "; ".join(" ".join(line.split()) for line in lines if line.strip())
        if not text:
            text = "no answer" if self.code is None else f"exit status {self.code}, no words"
        return text if len(text) <= 600 else f"{text[:597]}..."


class Accepted(NamedTuple):
    """The batch system has the job."""

    native_id: str


class Refused(NamedTuple):
    """The batch system doesn't have it, or didn't do it, and says so."""

    words: str


class Unknown(NamedTuple):
    """It may have done it or not."""

    why: str


class Done(NamedTuple):
    """It did what was asked, as far as it says; the next query shows it."""


class Unreadable(NamedTuple):
    """The answer says nothing about any job."""

    why: str


class State(enum.StrEnum):
    """Where a job is, in words of our own for all batch systems."""

    PENDING = "pending"
    HELD = "held"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETING = "completing"  #: its end is being cleared up
    REQUEUED = "requeued"  #: taken back from its nodes, to start again
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    NODE_FAILURE = "node_failure"
    PREEMPTED = "preempted"
    ENDED = "ended"  #: over; the batch system doesn't tell how
    UNKNOWN = "unknown"  #: it says so itself, or has a word that we don't know

    @property
    def over(self) -> bool:
        return self in OVER


OVER = frozenset({
    State.COMPLETED, State.FAILED, State.CANCELLED, State.TIMEOUT, State.OUT_OF_MEMORY,
    State.NODE_FAILURE, State.PREEMPTED, State.ENDED,
})  # fmt: skip


class NativeState(NamedTuple):
    """What a batch system says about one job, or one task of an array."""

    state: State
    word: str  #: its own word for the state
    reason: str = ""  #: why it waits or ended, in its own words
    code: int | None = None  #: exit status, where it tells one
    signal: int | None = None  #: what ended it, where it tells that
    restarts: int = 0  #: how often it began anew under the same id
    nodes: str = ""  #: as it writes them
    explains: bool = True  #: it would say so, had it ended the job for its time
    mark: str | None = None  #: see `BatchJob.mark`; "": it bears none; None: that isn't told
    asked: bool = True  #: of a cancelled one: somebody asked for that; else it may be trouble
    submitted: float | None = None  #: Unix time by its own clock, where it tells that
    ended: float | None = None  #: the same, where it is over


class Queue(NamedTuple):
    """A partition or queue, and what is behind it; None: not told."""

    name: str
    up: bool  #: it starts jobs
    state: str = ""  #: its own word
    default: bool = False
    time_limit: int | None = None  #: s; None: none, or not told
    nodes: int | None = None
    nodes_free: int | None = None
    cores: int | None = None  #: of all its nodes
    cores_free: int | None = None
    memory: int | None = None  #: MiB, of its smallest node
    gpus: int | None = None  #: of all its nodes


class Dialect(Protocol):
    """A module of these names. Where a call is None, the batch system can't do that."""

    @property
    def name(self) -> str: ...

    @property
    def arrays(self) -> bool:
        """It has native arrays."""
        ...

    @property
    def ending(self) -> str:
        """Of its scripts' names; Windows runs none without it."""
        ...

    @property
    def minutes(self) -> bool:
        """It counts limits in minutes, rounded up."""
        ...

    def script(self, job: BatchJob) -> str:
        """The script that a node runs. Raises InvalidJob, naming the field."""
        ...

    def plain(self, job: BatchJob) -> str:
        """A script that asks the same, for whoever submits it by hand. Raises InvalidJob."""
        ...

    def submit(self, job: BatchJob, path: str) -> Call:
        """Hand in its script, which lies at `path`. Raises InvalidJob."""
        ...

    def submitted(self, answer: Answer) -> Accepted | Refused | Unknown: ...

    def member(self, native_id: str, position: int) -> str:
        """The native id of an array's task, as `queried` has it."""
        ...

    def query(self, ids: Sequence[str]) -> Call:
        """Ask for all of these at once, some thousand; an array's own id stands for its tasks."""
        ...

    def queried(self, answer: Answer) -> Mapping[str, NativeState] | Unreadable:
        """By native id. What isn't there, the batch system doesn't know any more."""
        ...

    def find(self, marks: Sequence[str]) -> Call:
        """Ask for what was submitted with these marks."""
        ...

    def found(self, answer: Answer) -> Mapping[str, Sequence[str]] | Unreadable:
        """Marks to native ids, of everything with a mark of ours that it still knows."""
        ...

    def cancel(self, ids: Sequence[str]) -> Call: ...

    def signal(self, ids: Sequence[str], signal: str) -> Call | None:
        """Send them a signal, a name without SIG."""
        ...

    def hold(self, ids: Sequence[str]) -> Call | None: ...

    def release(self, ids: Sequence[str]) -> Call | None: ...

    def prioritize(self, ids: Sequence[str], priority: int) -> Call | None:
        """Of its own kind of priority."""
        ...

    def acted(self, answer: Answer) -> Done | Refused | Unknown:
        """Read the answer to one of the last five."""
        ...

    def queues(self) -> Sequence[Call]:
        """Ask for its queues and what is behind them, in one or several calls."""
        ...

    def queues_told(self, answers: Sequence[Answer]) -> Sequence[Queue] | Unreadable:
        """Read the answers to these, in the same order."""
        ...

    def accounting(self, ids: Sequence[str]) -> Call | None:
        """Ask for how these ended, where it keeps that beyond `query`."""
        ...

    def accounted(self, answer: Answer) -> Mapping[str, NativeState] | Unreadable:
        """What isn't there isn't told; that says nothing about the job."""
        ...


def missing(call: Call, answer: Answer) -> str:
    """The command that wasn't found, of an answer that says so; else nothing."""
    if answer.code not in _NOT_FOUND:
        return ""
    match = _NAMED.search(answer.stderr)
    return match[1] if match else call.argv[0]


_NOT_FOUND = {127, 9009}  #: exit statuses of a shell, and of Windows' own
_NAMED = re.compile(
    r"['\u2018]?([\w./+-]+)['\u2019]?:? (?:command )?(?:not found|no such file|is not)",
    re.IGNORECASE,
)
