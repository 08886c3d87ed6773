"""What a solver adapter is: a specification becomes a command, evidence becomes a verdict. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from solveyard.model.jobs import JobSpec, Outcome, Usage
from solveyard.model.progress import Progress as Progress
from solveyard.model.resources import Allocation

#: As `argv[0]`: the Python that runs solveyard, whichever that is on the machine.
PYTHON = "{python}"


#: As a query's path: what the command wrote to standard error.
STDERR = "{stderr}"
#: After a path in the evidence: only the end of the file was read, or, where it is empty, nothing.
TAIL = "{tail}"


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something to run, independent of where."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = {}  #: added to the environment of the machine's agent
    secrets: Mapping[str, str] = {}  #: variable -> the name of a secret that it shall hold
    directory: str = ""  #: absolute, or empty: the job's own folder
    files: Mapping[str, str] = {}  #: written before the start; path in the directory -> content
    outputs: tuple[str, ...] = ()  #: expected results, paths in the directory
    own_folder: bool = False  #: it needs a folder of the job's own, even with `directory` empty
    #: Its first process ends the others when it gets TERM: for half of the grace it alone is told.
    ends_itself: bool = False


class OutputFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one expected output, as its machine saw it."""

    path: str
    size: int | None = None  #: bytes; None: it is not there
    fresh: bool = False  #: made or changed since just before the start


class Exit(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a command ended, before anybody judges it. Either code or signal, or neither: unknown."""

    code: int | None = None
    signal: int | None = None
    #: "", or who ended it: "cancelled", "time_limit", "hang", "shutdown", "session" (the agent,
    #: since the session's program died and no manager was there); of a batch system's jobs also
    #: "out_of_memory", "node_failure", "preempted", "dependency", "cancelled_there" (not from
    #: here), "wait_limit" (from here, before it began)
    ended_by: str = ""
    launch_error: str = ""  #: it never started: why
    lost: str = ""  #: its status was not observed: why
    outputs: tuple[OutputFile, ...] = ()
    strays: int = 0  #: processes that outlived the command and were ended
    usage: Usage | None = None
    told: tuple[str, ...] = ()  #: further evidence, in words

    def output(self, path: str) -> OutputFile:
        """What wasn't reported isn't there."""
        return next((one for one in self.outputs if one.path == path), OutputFile(path=path))


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose content the verdict needs; at most `limit` bytes, from the end."""

    path: str
    limit: int = 1 << 20
    #: A regular expression: `path` is a folder, and what is read are the files below it whose
    #: names match and that this run wrote, each by its own path; at most `limit` bytes of all,
    #: and with a limit of 0 their names alone.
    below: str = ""
    #: Of those, only what is newer than the start: where other things were written just before.
    strict: bool = False
    #: Of a file below `path` that would be too much, bytes from its end, by its path and TAIL; of
    #: as many files as `limit` has room for.
    tail: int = 0
    #: Left out where this is there: an output that is fresh, or a folder in which an earlier query
    #: found what this run wrote.
    unless: str = ""


class Reader(Protocol):
    """Reads a growing log, in any chunks; never raises."""

    def feed(self, chunk: bytes) -> Progress | None: ...


class Alarm(Protocol):
    """Reads the standard error of what runs, in any chunks; never raises."""

    def feed(self, chunk: bytes) -> str | None:
        """What is amiss, for people; "": nothing any more; None: no news."""
        ...


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a machine: which of `programs` are on its PATH?"""

    programs: tuple[str, ...]


class Solver(Protocol):
    name: str

    def command(self, spec: JobSpec, allocation: Allocation | None = None) -> Command:
        """Raises InvalidJob when the options make no sense for this solver."""
        ...

    def watch(self, spec: JobSpec) -> str:
        """The file in the job's directory that tells progress; "": its standard output does."""
        ...

    def reader(self) -> Reader | None:
        """A new one for each attempt; None: what it writes has no language that is known."""
        ...

    def evidence(self, spec: JobSpec) -> Sequence[Query]:
        """What `verdict` wants to read once the command has ended."""
        ...

    def verdict(self, spec: JobSpec, exit: Exit, evidence: Mapping[str, bytes | None]) -> Outcome:  # noqa: A002
        """Judge an end. `evidence` holds each query's content; None: no such file."""
        ...

    def probes(self) -> Sequence[Probe]: ...


@runtime_checkable
class Warns(Protocol):
    """A solver with a program that warns on standard error while it runs."""

    def alarm(self, spec: JobSpec) -> Alarm | None:
        """A new one for each attempt; None: of this job nothing is told."""
        ...


class Machine(Protocol):
    """What a solver may look at where the manager runs."""

    @property
    def windows(self) -> bool: ...

    @property
    def environment(self) -> Mapping[str, str]: ...

    @property
    def licences(self) -> Collection[str]:
        """The features whose seats are counted for its jobs."""
        ...

    @property
    def elsewhere(self) -> Collection[str]:
        """The clusters whose machines, and their files, can't be seen from there."""
        ...

    def listing(self, folder: str) -> Sequence[str]:
        """The names in a folder; none where there is no such folder."""
        ...

    def read_only(self, folder: str) -> bool:
        """Is it a folder in which nothing can be written?"""
        ...

    def resolve(self, path: str) -> str:
        """The path with all links resolved, whether it is there or not."""
        ...


@runtime_checkable
class OnSite(Protocol):
    """A solver of programs that somebody installed, and of projects that lie where they are.

    What it runs and reads is named by the job, so the doors ask what that is.
    """

    def complete(self, spec: JobSpec, machine: Machine) -> JobSpec:
        """`spec`, with what it leaves to the machine. Raises InvalidJob."""
        ...

    def programs(self, machine: Machine) -> Sequence[str]:
        """Those that are installed there, the best first."""
        ...

    def program(self, spec: JobSpec) -> str:
        """The one that a completed `spec` runs; empty: it is looked for where it runs."""
        ...

    def project(self, spec: JobSpec) -> str:
        """The path of what it works on; results go beside it."""
        ...

    def scratch(self, spec: JobSpec) -> str:
        """Where its temporary files go; empty: it wasn't said."""
        ...

    def scripts(self, spec: JobSpec) -> Sequence[str]:
        """Paths of the programs that it has the one of `program` run."""
        ...
