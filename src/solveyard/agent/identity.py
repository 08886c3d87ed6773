"""Who an agent's process is."""

from __future__ import annotations

import os
from typing import Callable, NamedTuple, Optional

from solveyard import __version__
from solveyard.agent.connection import PROTOCOL
from solveyard.wire.frames import Message


class Identity(NamedTuple):
    """How a process of an agent presents itself."""

    machine: str
    boot_id: str
    start: str  #: its own start time
    token: Callable[[], Optional[str]]

    def hello(self, role: str) -> Message:
        message: Message = {
            "t": "hello",
            "role": role,
            "protocol": PROTOCOL,
            "version": __version__,
            "machine": self.machine,
            "pid": os.getpid(),
            "start": self.start,
            "boot_id": self.boot_id,
        }
        token = self.token()
        if token:
            message["token"] = token
        return message
