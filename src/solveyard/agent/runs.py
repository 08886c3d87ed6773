"""The commands that run: started once, watched, ended whole, reported."""

from __future__ import annotations

import errno
import logging
import os
import selectors
import time
from typing import Callable, Dict, List, Optional, Set

from solveyard.agent.folders import compare, entered, prepare
from solveyard.agent.ledger import Ledger, Record
from solveyard.agent.loop import Loop, Timer
from solveyard.agent.orders import Launch
from solveyard.agent.platform.base import Child, End, LaunchError, Order, Platform, Tree
from solveyard.agent.trees import Ending
from solveyard.wire.beneath import Folder
from solveyard.wire.frames import Message

STRAY_GRACE = 2.0  #: s that processes get which outlive their command
POLL = 0.2  #: s between two looks at a process that is no child of ours
SHORT = 1.0  #: s; a command that took longer leaves its control group to no other
NEWS = 0.010  #: s; a command that ends within it is told of once, by its end
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  #: of a disk, and of a share of it
_log = logging.getLogger(__name__)


class Run:
    """One command that was started and whose tree is not gone."""

    __slots__ = (
        "at", "began", "child", "ending", "exited", "lost", "message", "over", "record",
        "strays", "timers", "tree", "watched",
    )  # fmt: skip

    def __init__(self, record: Record, started: Record, *, child: bool) -> None:
        """`record` and `started` are what the ledger says; `child`: we'll get its status."""
        self.record = record
        self.tree = Tree(record["attempt"], started["pid"], started["start"], record["folder"])
        self.at: float = started["at"]  #: s since 1970
        self.began: float = started["began"]  #: s, monotonic
        self.child = child
        self.exited: Optional[End] = None
        self.over = False  #: its first process has ended
        self.ending: Optional[Ending] = None
        self.timers: List[Timer] = []
        self.watched: Optional[int] = None  #: a file that tells the end of what is no child
        self.strays = 0
        self.lost = ""
        self.message: Message = {
            "t": "started", "attempt": self.tree.attempt, "pid": self.tree.pid, "at": self.at,
        }  # fmt: skip


class Runs:
    """All running commands of one spawner."""

    def __init__(
        self,
        loop: Loop,
        platform: Platform,
        ledger: Ledger,
        boot_id: str,
        report: Callable[[Message, str], None],
    ) -> None:
        """`report` gets each message, and the same as JSON where that has been made."""
        self.running: Dict[str, Run] = {}
        self.adopted: Set[int] = set()  #: first processes that are no children of ours
        self._pids: Dict[int, Run] = {}
        self._news: Dict[str, Optional[Record]] = {}  # starts not told yet; None: it is written
        self._news_due: Optional[Timer] = None
        self._loop = loop
        self._platform = platform
        self._ledger = ledger
        self._boot_id = boot_id
        self._report = report

    def begin(self, launch: Launch) -> None:
        """Start a command. Raises OSError when the disk takes no more: it did not start."""
        try:
            folder = entered(launch)
        except LaunchError as error:
            _raise_if_full(error)
            self.never(launch.attempt, launch_error=str(error))
            return
        try:
            self._begin(launch, folder)
        finally:
            if folder is not None:
                folder.close()

    def _begin(self, launch: Launch, folder: Optional[Folder]) -> None:
        """In the `folder` that was opened for it, if it was."""
        try:
            stats = prepare(launch, folder)
        except LaunchError as error:
            _raise_if_full(error)
            self.never(launch.attempt, launch_error=str(error))
            return
        terms: Record = {
            "boot": self._boot_id,
            "cwd": launch.cwd,
            "outputs": stats,
            "limit": launch.limit,
            "warning": launch.warning,
            "warning_signal": launch.warning_signal,
            "grace": launch.grace,
            "brief": launch.brief,
            "folder": "" if launch.brief else self._platform.folder(),
        }
        if launch.session:
            terms["session"] = launch.session
        if launch.alone:
            terms["alone"] = launch.alone
        if launch.within:
            terms["within"] = list(launch.within)
        record = self._ledger.accept(launch.attempt, terms)
        order = Order(
            launch.attempt, launch.argv, launch.env, launch.cwd, launch.stdout, launch.stderr,
            record["folder"], launch.pin, folder.file if folder else None,
        )  # fmt: skip
        began, at = time.monotonic(), time.time()
        try:
            child = self._platform.spawn(order)
        except LaunchError as error:
            _raise_if_full(error)
            self.never(launch.attempt, launch_error=str(error))
            return
        started = {
            "attempt": launch.attempt, "pid": child.pid, "start": child.start,
            "at": at, "began": began,
        }  # fmt: skip
        self._keep(record, started, child=True)
        self._news[launch.attempt] = started if record["folder"] else None
        if not record["folder"]:  # its mark alone would lead to it, and that it may have lost
            self._ledger.started(launch.attempt, started)
        if self._news_due is None:
            self._news_due = self._loop.later(NEWS, self._tell_news)

    def adopt(self, record: Record, started: Record, lost: str) -> None:
        """See to a command that a spawner before us started; its status nobody will know."""
        run = self._keep(record, started, child=False)
        run.lost = lost
        self.adopted.add(run.tree.pid)
        run.watched = self._platform.watch(run.tree.pid)
        if run.watched is not None:
            self._loop.watch(run.watched, selectors.EVENT_READ, lambda: self._gone(run))
        self._look(run)

    def found(self, record: Record, started: Record, lost: str) -> None:
        """Adopt a command whose start was not written."""
        self._ledger.started(record["attempt"], started)
        self.adopt(record, started, lost)

    def never(self, attempt: str, **why: str) -> None:
        """An attempt ends without having started: `launch_error`, `lost` or `ended_by` is why."""
        self._ended(ended(attempt, **why))

    def tell(self, attempt: str) -> None:
        """Say that it runs; its start is written before."""
        started = self._news.pop(attempt, None)
        if started is not None:
            self._ledger.started(attempt, started)
        self._report(self.running[attempt].message, "")

    def _tell_news(self) -> None:
        """Of those that have run for a moment. Until then a start is news to nobody: a ledger that
        lacks it leads to the same process, by its control group.
        """
        self._news_due = None
        now = time.monotonic()
        while self._news:
            attempt = next(iter(self._news))
            left = self.running[attempt].began + NEWS - now
            if left > 0.0:
                self._news_due = self._loop.later(left, self._tell_news)
                return
            self.tell(attempt)

    def kill(self, attempt: str, grace: float, because: str) -> None:
        """End the whole tree. The first `because` stands; a later grace may only shorten."""
        self.reap()  # one that has ended by itself was not ended by us
        if attempt not in self.running or self._has_ended(self.running[attempt]):
            return
        run = self.running[attempt]
        now = time.monotonic()
        until = now + grace
        if run.ending is None:
            alone = now + min(run.record.get("alone", 0.0), grace / 2)
            run.ending = Ending(self._platform, run.tree, because, until, alone)
        else:
            run.ending.hurry(until)
        self._step(run)

    def _has_ended(self, run: Run) -> bool:
        """By itself, and its status is on the way to us."""
        if not run.child or run.over or run.ending is not None:
            return False
        try:
            return not self._platform.alive(Child(run.tree.pid, run.tree.start))
        except OSError:
            return False

    def signal(self, attempt: str, name: str) -> None:
        """To the first process's group. Raises ValueError for a signal that there isn't."""
        run = self.running[attempt]
        if not run.over:
            self._platform.signal_group(run.tree.pid, name)

    def limit(self, attempt: str, limit: Optional[float]) -> None:
        run = self.running[attempt]
        self._ledger.limited(attempt, limit)
        run.record["limit"] = limit
        if not run.over and run.ending is None:
            _disarm(run)
            self._arm(run)

    def _keep(self, record: Record, started: Record, *, child: bool) -> Run:
        run = Run(record, started, child=child)
        self.running[run.tree.attempt] = run
        if child:
            self._pids[run.tree.pid] = run
        self._arm(run)
        return run

    def reap(self) -> None:
        """Take in the children that have ended."""
        for end in self._platform.reap():
            run = self._pids.pop(end.pid, None)
            if run is not None:
                run.exited = end
                self._first_ended(run)
            else:  # an orphan of somebody whom we may be ending
                for ending in [run for run in self.running.values() if run.ending]:
                    self._step(ending)

    def _first_ended(self, run: Run) -> None:
        run.over = True
        _disarm(run)
        if run.ending is None:
            try:
                left = self._outlived(run)
            except OSError as error:
                self._put_off(run, self._first_ended, error)
                return
            if not left:
                self._finish(run)
                return
            run.ending = Ending(self._platform, run.tree, "", time.monotonic() + STRAY_GRACE)
        self._step(run)

    def _outlived(self, run: Run) -> bool:
        """Whether others of its tree may be left. Raises OSError where they can't be seen now."""
        alone = len(self.running) == 1
        left = self._platform.leftovers(run.tree, alone=alone)
        if left or (not self._platform.adopts and not run.record["brief"]) or not run.child:
            strays = self._platform.members(run.tree, alone=alone and run.child)
            run.strays = len(strays)
            return bool(strays) or self._platform.restless
        return False

    def _put_off(self, run: Run, look: Callable[[Run], None], error: OSError) -> None:
        """Nobody is taken for gone who can't be seen: `look` again soon."""
        _log.warning("cannot look at the processes of %s: %s", run.tree.attempt, error)
        run.timers.append(self._loop.later(POLL, lambda: look(run)))

    def _step(self, run: Run) -> None:
        """Go on ending a tree; `ended` is said only when nobody is left."""
        if run.ending is None:
            return
        _disarm(run)
        alone = run.child and len(self.running) == 1
        try:
            again = run.ending.step(time.monotonic(), alone=alone)
        except OSError as error:
            self._put_off(run, self._step, error)
            return
        if again is None and not run.child:
            run.over = True
        if again is not None:
            run.timers.append(self._loop.later(again, lambda: self._step(run)))
        elif run.over:
            self._finish(run)
        # else: the first process is dead, and its status on the way to us

    def _finish(self, run: Run) -> None:
        _disarm(run)
        self._unwatch(run)
        del self.running[run.tree.attempt]
        self._news.pop(run.tree.attempt, None)
        self.adopted.discard(run.tree.pid)
        wall = time.monotonic() - run.began
        again = run.child and run.ending is None and wall < SHORT
        self._platform.release(run.tree, again=again)
        because = run.ending.because if run.ending else ""
        end = run.exited
        message = ended(run.tree.attempt, ended_by=because, lost="" if because else run.lost)
        message["pid"] = run.tree.pid
        message["started_at"] = run.at
        message["since"] = min(run.at, time.time() - wall)  # somebody may have set the clock
        message["strays"] = run.strays
        message["wall"] = round(wall, 6)
        message["outputs"] = compare(run.record)
        if end is not None:
            message["code"], message["signal"] = end.code, end.signal
            message["cpu"], message["peak"] = round(end.cpu, 6), end.peak
        self._ended(message)

    def _ended(self, message: Message) -> None:
        self._report(message, self._ledger.ended(message["attempt"], message))

    def _look(self, run: Run) -> None:
        """Whether a first process that is no child of ours still is there."""
        if run.over or run.ending is not None:
            return
        try:
            alive = self._platform.alive(Child(run.tree.pid, run.tree.start))
        except OSError as error:
            self._put_off(run, self._look, error)
            return
        if not alive:
            self._gone(run)
        elif run.watched is None:
            self._loop.later(POLL, lambda: self._look(run))

    def _gone(self, run: Run) -> None:
        """A first process that is no child of ours has ended."""
        self._unwatch(run)
        self._first_ended(run)

    def _unwatch(self, run: Run) -> None:
        if run.watched is not None:
            self._loop.unwatch(run.watched)
            os.close(run.watched)
            run.watched = None

    def _arm(self, run: Run) -> None:
        if run.record["limit"] is not None:
            run.timers = deadlines(self._loop, self, run)


def deadlines(loop: Loop, runs: Runs, run: Run) -> List[Timer]:
    """What is due at a command's limit, and before."""
    record, attempt = run.record, run.tree.attempt

    def warn() -> None:
        try:
            runs.signal(attempt, record["warning_signal"])
        except ValueError as error:
            _log.warning("cannot warn %s: %s", attempt, error)

    left = run.began + record["limit"] - time.monotonic()
    timers = [loop.later(left, lambda: runs.kill(attempt, record["grace"], "time_limit"))]
    if record["warning"] is not None and left > record["warning"]:
        timers.append(loop.later(left - record["warning"], warn))
    return timers


def _raise_if_full(error: LaunchError) -> None:
    """Room may come back: then it is no fault of the command."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in FULL:
        raise OSError(cause.errno, str(error)) from cause


def _disarm(run: Run) -> None:
    for timer in run.timers:
        timer.cancel()
    run.timers = []


def ended(attempt: str, launch_error: str = "", lost: str = "", ended_by: str = "") -> Message:
    """An end, without what only a command that started has."""
    return {
        "t": "ended",
        "attempt": attempt,
        "pid": None,
        "started_at": None,
        "code": None,
        "signal": None,
        "ended_by": ended_by,
        "launch_error": launch_error,
        "lost": lost,
        "outputs": [],
        "strays": 0,
        "wall": 0.0,
        "cpu": 0.0,
        "peak": 0,
    }
