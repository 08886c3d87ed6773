"""What the commands share: options, the way to the manager, answers and exit codes."""

import argparse
import json
import math
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from solveyard.client import find
from solveyard.client.find import Address
from solveyard.model.errors import InvalidRequest, ManagerUnavailable, SolveyardError
from solveyard.pyedb.errors import JobManagerError

OK = 0
FAILED = 1  #: refused, or a job did not succeed
USAGE = 2
UNREACHABLE = 3  #: no manager answers
INTERRUPTED = 130
HOST, PORT = "PYEDB_JOB_MANAGER_HOST", "PYEDB_JOB_MANAGER_PORT"
DEFAULT_PORT = 8080


def parser(name: str, about: str, *, host: str = "localhost") -> argparse.ArgumentParser:
    """With --host, --port and --json. Where they aren't given, the environment's hold."""
    made = argparse.ArgumentParser(prog=name, description=about)
    made.add_argument(
        "--host", default=os.environ.get(HOST) or host, help=f"else ${HOST}, else {host}"
    )
    made.add_argument(
        "--port", type=port, default=os.environ.get(PORT) or str(DEFAULT_PORT),
        help=f"else ${PORT}, else {DEFAULT_PORT}",
    )  # fmt: skip
    made.add_argument("--json", action="store_true", help="answer in JSON")
    return made


def run(
    command: Callable[[argparse.Namespace], int],
    made: argparse.ArgumentParser,
    arguments: list[str] | None,
) -> int:
    """One command; what it refuses is one line on standard error, and never exit code 0."""
    given = made.parse_args(arguments)
    try:
        return command(given)
    except KeyboardInterrupt:
        return INTERRUPTED
    except ManagerUnavailable as error:
        return refused(given, str(error), UNREACHABLE)
    except (SolveyardError, JobManagerError, OSError) as error:
        return refused(given, str(error), FAILED)


def refused(given: argparse.Namespace, why: str, code: int) -> int:
    if given.json:
        answer({"success": False, "error": why})
    say(f"error: {why}")
    return code


def manager(given: argparse.Namespace) -> Address:
    """Where the manager listens. Raises InvalidRequest."""
    host = f"[{given.host}]" if ":" in given.host else given.host
    if host in {"", "0.0.0.0", "[::]"}:
        host = "localhost"
    try:
        return find.remote(f"http://{host}:{given.port}")
    except InvalidRequest as error:
        raise InvalidRequest(f"--host {given.host}: {error}") from error


def answer(content: Any) -> None:
    """What the command found: on standard output."""
    text = content if isinstance(content, str) else json.dumps(content)
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """What people should know beside it: on standard error."""
    sys.stderr.write(f"{text}\n")


def port(text: str) -> int:
    value = whole(text)
    return value if 0 <= value <= 65535 else _wrong(text, "a port, from 0 to 65535")


def positive(text: str) -> int:
    value = whole(text)
    return value if value >= 1 else _wrong(text, "a whole number from 1")


def natural(text: str) -> int:
    value = whole(text)
    return value if value >= 0 else _wrong(text, "a whole number from 0")


def whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        _wrong(text, "a whole number")


def amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        _wrong(text, "a number from 0")
    return value if 0 <= value < math.inf else _wrong(text, "a number from 0")


def _wrong(text: str, expected: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"expected {expected}, not {text!r}")
