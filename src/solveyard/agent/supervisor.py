"""The supervisor: one on each machine; keeps its spawners alive and tells how the machine is."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from typing import Callable, List, Optional

from solveyard.agent import failing, gpus, locks, orders
from solveyard.agent.connection import Connection, Owner
from solveyard.agent.identity import Identity
from solveyard.agent.loop import Loop
from solveyard.agent.ours import Ours
from solveyard.agent.telemetry import Telemetry, probe
from solveyard.wire.apart import apart
from solveyard.wire.frames import Message

LOG = "agent.log"  #: in the agent's folder; spawners write it, too
LOOK = 1.0  #: s between two looks at a spawner that is no child of ours
SAMPLE = 5.0  #: s between two samples
SOON, LATEST = 0.05, 5.0  #: s until a spawner that died young is started again
YOUNG = 1.0  #: s
_log = logging.getLogger(__name__)


class Slot:
    """A spawner's place. It is alive while it holds its lock, whoever started it."""

    def __init__(self, index: int, lock: str) -> None:
        self.index = index
        self.lock = lock
        self.process: Optional["subprocess.Popen[bytes]"] = None
        self.born = 0.0
        self.wait = 0.0  #: s that its next start was put off, for having died young
        self.pending = False  #: somebody will look

    @property
    def empty(self) -> bool:
        return self.process is None and locks.free(self.lock)


class Supervisor(Owner):
    def __init__(
        self,
        loop: Loop,
        telemetry: Telemetry,
        identity: Identity,
        address: str,
        state: str,
        spawners: int,
        linger: float,
        command: Callable[[int], List[str]],
    ) -> None:
        """`command`: what starts the spawner of that index."""
        self._loop = loop
        self._log = os.path.join(state, LOG)
        self._telemetry = telemetry
        self._identity = identity
        self._linger = linger
        self._command = command
        self._leaving = False
        self._gpus = gpus.found()
        self._abandoned = False  # no manager for `linger` seconds
        self._connection = Connection(loop, address, self)
        self._slots = [
            Slot(index, os.path.join(state, "spawner-{}.lock".format(index)))
            for index in range(spawners)
        ]
        self._ours = Ours([slot.lock for slot in self._slots])

    def start(self) -> None:
        for slot in self._slots:
            self._look(slot)
        self._connection.dial()
        self._loop.later(SAMPLE, self._sample)

    def hello(self) -> Message:
        message = self._identity.hello("agent")
        message.update(
            host=socket.gethostname(),
            cores=self._telemetry.cores,
            memory=self._telemetry.memory,
            disk=self._telemetry.disk,
            processors=self._telemetry.processors,
            gpus=self._gpus,
            spawners=len(self._slots),
            platform=sys.platform,
        )
        return message

    def joined(self) -> None:
        self._abandoned = False
        self._leaving = False  # that was the manager before this one
        for slot in self._slots:
            self._look(slot)
        self._connection.send(self._told())

    def behind(self) -> None:
        """Samples that were dropped are of no use any more."""

    def away(self, seconds: float) -> None:
        self._abandoned = seconds >= self._linger
        if self._abandoned:
            self._leave_if_alone()

    def receive(self, message: Message) -> None:
        kind = message["t"]
        if kind == "ping":
            self._connection.send({"t": "pong", "n": message.get("n")})
        elif kind == "leave":
            self._leaving = True
            self._leave_if_alone()
        elif kind == "probe":
            self._probe(message)
        else:
            _log.info("ignored a message of an unknown type: %.50r", kind)

    def _probe(self, message: Message) -> None:
        try:
            programs = orders.texts(message, "programs")
        except orders.Malformed as error:
            _log.warning("ignored a probe: %s", error)
            return

        def look() -> None:  # a dead network file system may hold it for long
            answer = {"t": "probed", "programs": probe(programs)}
            self._loop.post(lambda: self._connection.send(answer))

        threading.Thread(target=look, daemon=True).start()

    def _sample(self) -> None:
        if self._connection.welcomed:
            self._connection.send(self._told())
        self._loop.later(SAMPLE, self._sample)

    def _told(self) -> Message:
        message = self._telemetry.sample()
        message["ours"] = self._ours.look()
        return message

    def _look(self, slot: Slot) -> None:
        """Start the slot's spawner if there is none and one is wanted."""
        if slot.process is not None or slot.pending:
            return
        if not locks.free(slot.lock):
            self._look_after(slot, LOOK)
        elif self._leaving or (self._abandoned and locks.left(slot.lock)):
            self._leave_if_alone()
        else:
            self._spawn(slot)

    def _look_after(self, slot: Slot, delay: float) -> None:
        slot.pending = True

        def look() -> None:
            slot.pending = False
            self._look(slot)

        self._loop.later(delay, look)

    def _spawn(self, slot: Slot) -> None:
        slot.born = time.monotonic()
        process = subprocess.Popen(self._command(slot.index), close_fds=True, **apart())
        slot.process = process

        def wait() -> None:
            process.wait()
            self._loop.post(lambda: self._ended(slot, process))

        threading.Thread(target=wait, daemon=True).start()

    def _ended(self, slot: Slot, process: "subprocess.Popen[bytes]") -> None:
        _log.info("spawner %d (pid %d) ended: %s", slot.index, process.pid, process.returncode)
        slot.process = None
        if process.returncode and self._connection.welcomed:
            why = failing.told(self._log, process.pid, process.returncode)
            self._connection.send({"t": "spawner_ended", "spawner": slot.index, "why": why})
        young = time.monotonic() - slot.born < YOUNG
        slot.wait = min(max(SOON, 2 * slot.wait), LATEST) if young else 0.0
        if slot.wait:
            self._look_after(slot, slot.wait)
        else:
            self._look(slot)

    def _leave_if_alone(self) -> None:
        if (self._leaving or self._abandoned) and all(slot.empty for slot in self._slots):
            self._loop.stop()
