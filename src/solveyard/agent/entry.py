"""The agent's command line: `supervisor ...` and `spawner ...`."""

from __future__ import annotations

import argparse
import contextlib
import gc
import hashlib
import logging
import os
import sys
from typing import Callable, List, Optional

from solveyard.agent import failing, locks, platform
from solveyard.agent.identity import Identity
from solveyard.agent.ledger import Ledger
from solveyard.agent.loop import Loop
from solveyard.agent.platform.base import Platform, name_agent
from solveyard.agent.spawner import Spawner
from solveyard.agent.supervisor import LOG, Supervisor
from solveyard.agent.telemetry import Telemetry

LOG_LIMIT = 1_000_000  #: bytes; a longer log is put aside when a supervisor starts


def main(argv: List[str]) -> int:
    """Run until it leaves by itself: 0, also when another process has this place already.

    1: it can't go on, and the log says why.
    """
    options = _parser().parse_args(argv)
    state: str = os.path.abspath(options.state)
    os.makedirs(state, mode=0o700, exist_ok=True)
    if options.role == "supervisor":
        lock = locks.Lock(os.path.join(state, "supervisor.lock"))
    else:
        lock = locks.Lock(os.path.join(state, "spawner-{}.lock".format(options.index)))
    if not lock.take():
        return 0
    lock.note(str(os.getpid()))
    _detach(os.path.join(state, LOG), rotate=options.role == "supervisor")
    try:
        _work(options, state, lock)
    except Exception as error:  # whoever started this reads it in the log, to tell it
        failing.say(error)
        return 1
    lock.note(locks.LEFT)
    lock.release()
    return 0


def _work(options: argparse.Namespace, state: str, lock: locks.Lock) -> None:
    command = _command(options, state)
    os.chdir(state)
    name_agent(state)
    loop = Loop()
    if options.role == "supervisor":
        _supervise(options, state, loop, command)
    else:
        _spawn(options, state, loop, lock)


def _supervise(
    options: argparse.Namespace, state: str, loop: Loop, command: Callable[[int], List[str]]
) -> None:
    identity = _identity(options, platform.choose(options.platform, ""))
    supervisor = Supervisor(
        loop,
        Telemetry(state),
        identity,
        options.address,
        state,
        options.spawners,
        options.linger,
        command,
    )
    supervisor.start()
    _settle()
    loop.run()


def _spawn(options: argparse.Namespace, state: str, loop: Loop, lock: locks.Lock) -> None:
    place = "{}\0{}".format(options.machine, state).encode("utf-8", "surrogateescape")
    name = "solveyard-{}-{}".format(hashlib.sha256(place).hexdigest()[:12], options.index)
    system = platform.choose(options.platform, name)
    ledger = Ledger(os.path.join(state, "ledger-{}.log".format(options.index)))
    spawner = Spawner(
        loop,
        system,
        ledger,
        _identity(options, system),
        options.address,
        options.index,
        options.linger,
    )
    if spawner.adopted:
        _note_adopted(lock, spawner, loop)
    spawner.start()
    _settle()
    loop.run()
    ledger.close()
    system.close()


def _note_adopted(lock: locks.Lock, spawner: Spawner, loop: Loop) -> None:
    """Keep in the lock file whom the supervisor can't find below this process; see ours.py."""
    noted = 0

    def note() -> None:
        nonlocal noted
        if noted != len(spawner.adopted):
            noted = len(spawner.adopted)
            lock.note(" ".join(map(str, (os.getpid(), *sorted(spawner.adopted)))))

    note()
    loop.at_turn_end.append(note)


def _settle() -> None:
    """What is there now stays: keep the garbage collector from looking at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _identity(options: argparse.Namespace, system: Platform) -> Identity:
    boot_id = os.environ.get("SOLVEYARD_BOOT_ID") or system.boot_id()
    row = system.row(os.getpid())
    start = "{:.2f}".format(row.start) if row else ""
    return Identity(options.machine, boot_id, start, _token(options.token_file))


def _token(path: Optional[str]) -> Callable[[], Optional[str]]:
    """Read anew for each connection: a manager may have made another."""

    def read() -> Optional[str]:
        if path is None:
            return os.environ.get("SOLVEYARD_TOKEN")
        try:
            with open(path, encoding="ascii") as file:
                return file.read().strip()
        except (OSError, ValueError) as error:
            logging.getLogger(__name__).warning("cannot read the token in %s: %s", path, error)
            return None

    return read


def _command(options: argparse.Namespace, state: str) -> Callable[[int], List[str]]:
    """How the supervisor starts a spawner: by the same Python, from the same place."""
    place = os.path.abspath(sys.argv[0])
    isolated = ["-I"] if sys.flags.isolated else []
    archive = getattr(__spec__.loader, "archive", "")  # to import zipfile is a tenth of a start
    how = [place] if os.path.abspath(archive) == place else ["-m", "solveyard.agent"]
    token = ["--token-file", os.path.abspath(options.token_file)] if options.token_file else []

    def command(index: int) -> List[str]:
        return [
            *[sys.executable, *isolated, *how, "spawner", "--state", state],
            *["--address", options.address, "--machine", options.machine],
            *["--index", str(index), "--linger", str(options.linger)],
            *["--platform", options.platform, *token],
        ]

    return command


def _detach(log: str, *, rotate: bool) -> None:
    """A session of our own; nothing to read, and everything that is said goes to the log."""
    if sys.platform != "win32":
        with contextlib.suppress(PermissionError):  # it is one already
            os.setsid()
    if rotate:
        try:
            if os.path.getsize(log) > LOG_LIMIT:
                os.replace(log, log + ".1")
        except OSError:  # there is none, or Windows has it open: it goes on growing for now
            pass
    for path, flags, targets in (
        (os.devnull, os.O_RDONLY, (0,)),
        (log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, (1, 2)),
    ):
        file = os.open(path, flags, 0o600)
        for target in targets:
            os.dup2(file, target)
        os.close(file)
    line = "%(asctime)s %(process)d %(levelname)s %(message)s"
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(line))
    logger = logging.getLogger("solveyard")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", required=True, help="folder for ledgers, locks and the log")
    common.add_argument("--address", required=True, help="unix:PATH, tcp:HOST:PORT, file:PATH")
    common.add_argument("--machine", required=True, help="what the manager calls this machine")
    common.add_argument("--token-file", help="a file with the manager's token")
    common.add_argument("--linger", type=float, default=30.0, help="s without a manager")
    common.add_argument("--platform", choices=("auto", "portable"), default="auto")
    parser = argparse.ArgumentParser(prog="solveyard-agent", description=__doc__)
    roles = parser.add_subparsers(dest="role", required=True)
    supervisor = roles.add_parser("supervisor", parents=[common])
    supervisor.add_argument("--spawners", type=int, required=True)
    spawner = roles.add_parser("spawner", parents=[common])
    spawner.add_argument("--index", type=int, required=True)
    return parser
