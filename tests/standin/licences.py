"""How the stand-in asks its licence server, which is a STAND-IN, too (`licence_server.py`)."""

import json
import os
import pwd
import socket
from typing import Any

VARIABLE = "STANDIN_LICENSE_SERVER"  #: PORT@HOST; never a real server's variable
HELLO = "STAND-IN licence server (not FlexNet software)"


class NoServer(Exception):
    """Nothing answers there, or not a stand-in."""


class Denied(Exception):
    """A feature isn't there, or not free; the arguments are its name and "missing" or "used"."""


class Client:
    """A connection, and what is held by it."""

    def __init__(self, address: str) -> None:
        port, _, host = address.partition("@")
        try:
            self.wire = socket.create_connection((host, int(port)), timeout=10)
        except (OSError, ValueError) as error:
            raise NoServer(f"cannot connect to the licence server {address}: {error}") from error
        self.file = self.wire.makefile("rw", encoding="utf-8")
        greeting = self.file.readline()
        if not greeting.startswith(f'"{HELLO}'):
            raise NoServer(f"{address} is no stand-in's licence server")

    def ask(self, request: dict[str, Any]) -> Any:
        self.file.write(json.dumps(request) + "\n")
        self.file.flush()
        line = self.file.readline()
        if not line:
            raise NoServer("the licence server went away")
        return json.loads(line)

    def state(self) -> dict[str, Any]:
        return dict(self.ask({"op": "state"}))

    def check_out(
        self, features: dict[str, int], *, wait: bool = False, user: str = "", host: str = ""
    ) -> None:
        """All of them or none. Raises Denied; with `wait` it waits, for a missing one for ever."""
        self.wire.settimeout(None if wait else 10)
        answer = self.ask(
            {"op": "checkout", "features": features, "wait": wait, "user": user or account(),
             "host": host or socket.gethostname()}
        )  # fmt: skip
        if "denied" in answer:
            raise Denied(*answer["denied"])

    def close(self) -> None:
        """Give back at once; a connection that only ends may linger."""
        self.ask({"op": "checkin"})
        self.file.close()
        self.wire.close()


def needed(cores: int, kind: str) -> dict[str, int]:
    """What one solve takes: four cores come with the solver; the rest from a pool or by packs."""
    features = {"elec_solve_hfss": 1}
    more = max(cores - 4, 0)
    if more and kind == "pool":
        features["anshpc"] = more
    elif more:
        features["anshpc_pack"] = next(n for n in range(1, 12) if 2 * 4**n >= more)
    return features


def account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container
        return str(os.getuid())
