"""A spawner: starts commands when the manager says so, and tells how they ended."""

from __future__ import annotations

import logging
from typing import Callable, Dict, Optional, Set

from solveyard.agent import orders, sessions
from solveyard.agent.connection import Connection, Owner
from solveyard.agent.identity import Identity
from solveyard.agent.ledger import Ledger
from solveyard.agent.loop import Loop, Timer
from solveyard.agent.platform.base import Platform
from solveyard.agent.recovery import recover
from solveyard.agent.runs import Runs, ended
from solveyard.agent.waiting import Waiting
from solveyard.wire.frames import Message

RETRY = 0.5  #: s between two tries to write a ledger that can't be written
LAST_WORDS = 2.0  #: s for the manager to take what is left to say when the spawner leaves
FORGOTTEN = "its end was reported and acknowledged before, and is no longer in the ledger"
_log = logging.getLogger(__name__)


class Spawner(Owner):
    """Takes the manager's messages; `Runs` does what they ask for."""

    def __init__(
        self,
        loop: Loop,
        platform: Platform,
        ledger: Ledger,
        identity: Identity,
        address: str,
        index: int,
        linger: float,
    ) -> None:
        self._loop = loop
        self._ledger = ledger
        self._identity = identity
        self._index = index
        self._linger = linger
        self._leaving = False
        self._waiting = Waiting()
        self._told: Set[str] = set()  # of whom the manager knows that they are blocked
        self._retry: Optional[Timer] = None
        self._farewell: Optional[Timer] = None
        self._runs = Runs(loop, platform, ledger, identity.boot_id, self._report)
        loop.on_wake.append(self._runs.reap)
        platform.open(loop.wakeup)
        loop.at_turn_end.append(self._turn)  # before the connection's own: what it adds goes too
        self._connection = Connection(loop, address, self)
        who = "spawner {}".format(index)
        recover(ledger, self._runs, platform, identity.boot_id, who)
        self._handlers: Dict[str, Callable[[Message], None]] = {
            "launch": self._launch,
            "recall": self._recall,
            "kill": self._kill,
            "signal": self._signal,
            "modify": self._modify,
            "forget": self._forget,
            "ask": self._ask,
            "ping": lambda message: self._send({"t": "pong", "n": message.get("n")}),
            "leave": self._leave,
        }

    def start(self) -> None:
        self._connection.dial()

    @property
    def adopted(self) -> Set[int]:
        """First processes of commands that run, and that a spawner before it started."""
        return self._runs.adopted

    # What the connection tells.

    def hello(self) -> Message:
        message = self._identity.hello("spawner")
        message["index"] = self._index
        message["ledger"] = self._ledger.id
        message["abilities"] = list(orders.ABILITIES)
        return message

    def joined(self) -> None:
        self._leaving = False  # that was the manager before this one
        self._say_ends()

    def _say_ends(self) -> None:
        for entry in self._ledger.entries.values():
            if entry.ended is not None:
                self._send(entry.ended)

    def behind(self) -> None:
        self._say_ends()
        for attempt in self._runs.running:
            self._runs.tell(attempt)

    @property
    def busy(self) -> bool:
        return bool(self._waiting)

    def away(self, seconds: float) -> None:
        if seconds >= sessions.ALONE:
            self._end_sessions()
        if seconds >= self._linger and self._idle:
            _log.info("no manager for %.0f s and nothing to do: leaving", seconds)
            self._loop.stop()

    def receive(self, message: Message) -> None:
        handler = self._handlers.get(message["t"])
        if handler is None:
            _log.info("ignored a message of an unknown type: %.50r", message["t"])
            return
        try:
            handler(message)
        except ValueError as error:  # Malformed, or a signal that there isn't
            _log.warning("ignored a %s: %s", message["t"], error)

    # What the manager asks for.

    def _launch(self, message: Message) -> None:
        attempt = orders.text(message, "attempt")
        if attempt in self._waiting:
            self._send({"t": "waiting", "attempt": attempt})
            return
        if self._answer(attempt):
            return
        try:
            launch = orders.launch(message)
        except orders.Malformed as error:
            self._runs.never(attempt, launch_error=str(error))
            return
        self._waiting.add(launch, self._runs.running)

    def _recall(self, message: Message) -> None:
        attempt = orders.text(message, "attempt")
        if self._waiting.withdraw(attempt):
            self._send({"t": "recalled", "attempt": attempt})
        elif not self._answer(attempt):  # whether it ever started, this ledger may not know
            self._send({"t": "missing", "attempt": attempt})

    def _kill(self, message: Message) -> None:
        attempt = orders.text(message, "attempt")
        grace = orders.seconds(message, "grace")
        because = orders.text(message, "because")
        if attempt in self._runs.running:
            self._runs.kill(attempt, grace, because)
        elif self._waiting.withdraw(attempt):
            self._runs.never(attempt, ended_by=because)
        elif not self._answer(attempt):
            self._send({"t": "missing", "attempt": attempt})

    def _signal(self, message: Message) -> None:
        attempt = orders.text(message, "attempt")
        if attempt in self._runs.running:
            self._runs.signal(attempt, orders.text(message, "signal"))

    def _modify(self, message: Message) -> None:
        attempt, limit = orders.text(message, "attempt"), orders.limit(message)
        if attempt in self._runs.running:
            self._runs.limit(attempt, limit)
        elif attempt in self._waiting:
            self._waiting.limit(attempt, limit)

    def _forget(self, message: Message) -> None:
        self._ledger.forget(orders.texts(message, "attempts"))

    def _ask(self, message: Message) -> None:
        for attempt in orders.texts(message, "attempts"):
            if attempt in self._waiting:
                self._send({"t": "waiting", "attempt": attempt})
            elif not self._answer(attempt):
                self._send({"t": "missing", "attempt": attempt})

    def _end_sessions(self) -> None:
        """As the manager would, of the sessions whose program died; it isn't there."""
        running = {
            attempt: run.record.get("session", "")
            for attempt, run in self._runs.running.items()
            if run.ending is None
        }
        waiting = {launch.attempt: launch.session for launch in self._waiting.launches}
        gone = sessions.dead([*running.values(), *waiting.values()], self._identity.boot_id)
        for attempt in [one for one, place in waiting.items() if place in gone]:
            self._waiting.withdraw(attempt)
            self._runs.never(attempt, ended_by="session")
        for attempt in [one for one, place in running.items() if place in gone]:
            self._runs.kill(attempt, sessions.GRACE, "session")

    def _leave(self, message: Message) -> None:
        self._leaving = True

    # How it is done.

    @property
    def _idle(self) -> bool:
        return not self._runs.running and not self._waiting

    def _send(self, message: Message, text: str = "") -> None:
        self._connection.send(message, text)

    def _report(self, message: Message, text: str) -> None:
        self._send(message, text)
        if message["t"] == "ended":
            self._waiting.ended(message["attempt"])

    def _answer(self, attempt: str) -> bool:
        """Say again what an attempt that was once started did last; False: it never was."""
        if attempt in self._runs.running:
            self._runs.tell(attempt)
            return True
        entry = self._ledger.entries.get(attempt)
        if entry is not None and entry.ended is not None:
            self._send(entry.ended)
            return True
        if attempt in self._ledger.forgotten:
            self._send(ended(attempt, lost=FORGOTTEN))
            return True
        return entry is not None

    def _turn(self) -> None:
        """Once for each turn of the loop: start what is ready, write, leave."""
        launch = self._waiting.next()
        while launch is not None:
            self._begin(launch)
            launch = self._waiting.next()
        if not self._ledger.flush():
            self._try_later()
        if self._leaving and self._idle:
            self._go()

    def _begin(self, launch: orders.Launch) -> None:
        try:
            self._runs.begin(launch)
        except OSError as error:
            self._waiting.block(launch)
            if launch.attempt not in self._told:
                self._told.add(launch.attempt)
                told = error.strerror or str(error)
                why = "its machine to be able to write: {}".format(told)
                self._send({"t": "blocked", "attempt": launch.attempt, "why": why})
            self._try_later()
        else:
            self._told.clear()

    def _try_later(self) -> None:
        if self._retry is None:
            self._retry = self._loop.later(RETRY, self._unblock)

    def _unblock(self) -> None:
        self._retry = None
        self._waiting.unblock()

    def _go(self) -> None:
        """Leave, once the manager has heard everything or had its time to."""
        if self._connection.idle or not self._connection.welcomed:
            self._loop.stop()
        elif self._farewell is None:
            self._farewell = self._loop.later(LAST_WORDS, self._loop.stop)
