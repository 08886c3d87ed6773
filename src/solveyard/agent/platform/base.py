"""The seam between a spawner and its operating system."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set

MARK = "SOLVEYARD_ATTEMPT"  #: the environment variable that names a command's attempt
#: Whose command it is: in a copy of a store the same attempts are named again.
AGENT = "SOLVEYARD_AGENT"


class LaunchError(Exception):
    """A command can't be started, and why; a sentence for the job's user."""


class Order(NamedTuple):
    """A command as the platform starts it."""

    attempt: str
    argv: List[str]
    env: Dict[str, str]  #: beside the agent's own
    cwd: str
    stdout: str
    stderr: str
    folder: str  #: its control group, "": none
    pin: Sequence[int] = ()  #: the processors that it is bound to; none: unbound
    entered: Optional[int] = None  #: `cwd`, open: nobody can exchange it; None: it isn't


class Child(NamedTuple):
    pid: int
    start: str  #: "earliest:latest" start time, in the platform's unit; tells pids apart


class End(NamedTuple):
    """A child's end."""

    pid: int
    code: Optional[int]
    signal: Optional[int]
    cpu: float  #: s, with the children that it waited for
    peak: int  #: MiB, of the largest process; 0: not known


class Tree(NamedTuple):
    """What is known of a command's processes: enough to find them all again."""

    attempt: str
    pid: int  #: of the first process; its session's and group's id too
    start: str
    folder: str


class Row(NamedTuple):
    """A line of the process table."""

    parent: int
    group: int
    session: int
    start: float
    dead: bool  #: a zombie


def during(start: str, moment: float) -> bool:
    """Whether a process that began at `moment` may be the one recorded as `start`."""
    earliest, _, latest = start.partition(":")
    return float(earliest) <= moment <= float(latest)


def earliest(start: str) -> float:
    return float(start.partition(":")[0])


class Platform:
    """An operating system's processes. `reap` and `spawn` belong to one thread."""

    adopts = False  #: orphans of our commands become our children

    def open(self, wakeup: socket.socket) -> None:
        """Get ready to start commands; write a byte to `wakeup` when a child has ended."""
        raise NotImplementedError

    def boot_id(self) -> str:
        raise NotImplementedError

    def folder(self) -> str:
        """The control group that the next command would get, "" where there are none."""
        return ""

    def spawn(self, order: Order) -> Child:
        """Start a command in a session of its own. Raises LaunchError."""
        raise NotImplementedError

    def reap(self) -> List[End]:
        """The children that have ended since the last call."""
        raise NotImplementedError

    def watch(self, pid: int) -> Optional[int]:
        """A file that is readable once `pid`, no child of ours, has ended; None: poll."""
        return None

    def table(self) -> Dict[int, Row]:
        """All processes."""
        raise NotImplementedError

    def row(self, pid: int) -> Optional[Row]:
        """One process; None: there is none. Raises OSError where that can't be seen now."""
        return self.table().get(pid)

    def age(self, start: float) -> float:
        """How many seconds ago a process began, from its row's `start`."""
        raise NotImplementedError

    def marks(self, pids: Iterable[int]) -> Dict[int, str]:
        """Which attempt's mark each of `pids` carries; those that carry none are left out."""
        raise NotImplementedError

    def is_anothers(self, pid: int) -> bool:
        """Does it carry another agent's mark? One that carries none may be ours."""
        return False

    def contained(self, folder: str) -> Set[int]:
        """The processes of a control group."""
        return set()

    def alive(self, child: Child) -> bool:
        row = self.row(child.pid)
        return row is not None and not row.dead and during(child.start, row.start)

    def leftovers(self, tree: Tree, *, alone: bool) -> bool:
        """Whether others of the tree may be left after its first process ended; cheap.

        `alone`: no other command runs.
        """
        raise NotImplementedError

    def members(self, tree: Tree, *, alone: bool) -> Set[int]:
        """Every living process of the tree; the dead that nobody waited for don't count.

        By control group, session, group and mark, and the descendants of all these; `alone`:
        no other command runs, so children that we adopted are of this tree too. Raises OSError
        where they can't be seen now.
        """
        rows = self.table()
        us = os.getpid()
        first = rows.get(tree.pid)
        # A number is given again only when no group or session has it: then all are gone.
        ours = first is None or during(tree.start, first.start)
        begin = earliest(tree.start)
        contained = self.contained(tree.folder) if tree.folder else set()
        found = set(contained)
        young = []
        for pid, row in rows.items():
            if (ours and tree.pid in (pid, row.group, row.session)) or (
                alone and self.adopts and row.parent == us
            ):
                found.add(pid)
            elif row.start >= begin and not row.dead:
                young.append(pid)
        found.update(pid for pid, mark in self.marks(young).items() if mark == tree.attempt)
        found.discard(us)
        found = with_descendants(found, rows)
        found.discard(us)
        born_since = contained.difference(rows)
        living = {pid for pid in found if pid in rows and not rows[pid].dead}
        return living | born_since | self.orphans(tree, alone=alone)

    def orphans(self, tree: Tree, *, alone: bool) -> Set[int]:
        """Those of the tree that we adopted: found even as they become other processes."""
        return set()

    @property
    def restless(self) -> bool:
        """Whether the last look at these had no end: somebody, of whatever tree, is too fast."""
        return False

    def sure(self, tree: Tree, *, alone: bool) -> bool:
        """Whether `members` misses nobody; else it may miss who forks or execs all the time."""
        return alone and self.adopts

    def signal(self, pids: Iterable[int], name: str) -> None:
        """Send a signal, by its name without SIG, to each of `pids` that still is there."""
        raise NotImplementedError

    def signal_group(self, pid: int, name: str) -> None:
        """Send a signal to the group that `pid` leads. Raises ValueError for an unknown name."""
        raise NotImplementedError

    def kill(self, tree: Tree, members: Set[int], *, alone: bool) -> None:
        """End `members`, and whatever joined them in the meantime, at once."""
        self.signal(members, "KILL")

    def release(self, tree: Tree, *, again: bool) -> None:
        """The tree is gone: give back what was held for it. `again`: it may serve another."""

    def close(self) -> None:
        """No command runs any more, and none will."""


@contextlib.contextmanager
def bound(processors: Sequence[int]) -> Iterator[None]:
    """What this thread starts meanwhile begins on these processors, and can't leave them by itself.

    Raises LaunchError.
    """
    if not processors:
        yield
        return
    if sys.platform != "linux":
        raise LaunchError("cannot pin it to its cores: only Linux can (leave `pin` out)")
    ours = os.sched_getaffinity(0)
    strange = sorted(set(processors) - ours)
    if strange:
        raise LaunchError(
            "cannot pin it to its cores: this machine has no processor {} for jobs, only {} (does"
            " the setting `cores` say more than there are?)".format(
                ", ".join(map(str, strange)), ", ".join(map(str, sorted(ours)))
            )
        )
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, ours)


def with_descendants(pids: Set[int], rows: Dict[int, Row]) -> Set[int]:
    children: Dict[int, List[int]] = {}
    for pid, row in rows.items():
        children.setdefault(row.parent, []).append(pid)
    found, todo = set(pids), list(pids)
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def clean_environment() -> Dict[str, str]:
    """The agent's own environment as commands get it: without the agent's own variables."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SOLVEYARD_") or name in ("SOLVEYARD_HOME", AGENT)
    }


def name_agent(state: str) -> None:
    """Have this process and its commands carry the mark of the agent whose folder is `state`."""
    os.environ[AGENT] = agent_of(state)


def agent_of(state: str) -> str:
    """The mark of the agent whose folder is `state`. Raises OSError."""
    found = os.stat(state)
    return "{:x}-{:x}".format(found.st_dev, found.st_ino)


def agent_at(place: str) -> str:
    """The same; "": there is no such folder."""
    try:
        return agent_of(place)
    except (OSError, ValueError):
        return ""


def keeper_of(path: str) -> Optional[Dict[str, str]]:
    """The agent in whose folder `path` is, and that; None: there is no such folder."""
    place = os.path.realpath(os.path.dirname(path))
    agent = agent_at(place)
    return {"agent": agent, "place": place} if agent else None


def own_mark(mark: Optional[str], agent: Optional[str]) -> str:
    """The attempt that a process is of by its `mark`; "": none, or another agent's.

    `agent`: whose it is; None: it was started by a version that marked none.
    """
    ours = os.environ.get(AGENT)  # as `name_agent` set it
    return (mark or "") if agent is None or ours is None or agent == ours else ""


class Programs:
    """Finds programs on a command's own PATH; remembers where they were."""

    def __init__(self) -> None:
        self._known: Dict[str, str] = {}

    def find(self, order: Order, path: str) -> str:
        """The program of `order`, on `path`. Raises LaunchError."""
        name = order.argv[0]
        if os.path.dirname(name):
            return name
        key = name + "\0" + path
        program = self._known.get(key)
        if program is None:
            found = shutil.which(name, path=path)
            if not found:
                raise LaunchError(
                    "cannot start {}: no such program on its PATH ({}): give its full path, or a"
                    " PATH in the job's environment".format(name, path)
                )
            program = found
            if os.path.isabs(program):  # others depend on the folder
                self._known[key] = program
        return program

    def forget(self) -> None:
        """A start failed: what was remembered may be gone."""
        self._known.clear()


def why_not(order: Order, error: BaseException) -> str:
    """Say which part of a command kept it from starting."""
    reason = getattr(error, "strerror", None) or str(error)
    if not os.path.isdir(order.cwd) or not os.access(order.cwd, os.X_OK):
        return "cannot enter the folder {}: {}".format(order.cwd, reason)
    for path in (order.stdout, order.stderr):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666))
        except (OSError, ValueError) as closed:
            return "cannot write {}: {}".format(path, getattr(closed, "strerror", closed))
    if isinstance(error, OSError) and error.errno == 8:  # ENOEXEC
        reason += " (a script needs a first line such as #!/bin/sh)"
    return "cannot start {}: {}".format(order.argv[0], reason)
