"""Between the wire's messages and the manager's."""

from solveyard.backends.base import Order, RawEnd, Report
from solveyard.model.jobs import AttemptId, Usage
from solveyard.model.messages import Accepted, Missing, Recalled, Started
from solveyard.solvers.base import Exit, OutputFile
from solveyard.wire import frames


def report(message: frames.Message, boot_id: str, ledger: str) -> Report | None:
    """What a spawner says of an attempt; None: not a type we know.

    Raises KeyError, TypeError or ValueError when a field is missing or of the wrong type.
    """
    match message["t"]:
        case "started":
            return Started(
                attempt=AttemptId(message["attempt"]),
                native_id=str(message["pid"]),
                at=float(message["at"]),
            )
        case "ended":
            return _ended(message)
        case "recalled":
            return Recalled(attempt=AttemptId(message["attempt"]))
        case "waiting":
            return Accepted(attempt=AttemptId(message["attempt"]), native_id="")
        case "missing":
            attempt = AttemptId(message["attempt"])
            return Missing(attempt=attempt, boot_id=boot_id, ledger=ledger)
        case _:
            return None


def launch(order: Order) -> frames.Message:
    """The message that has a spawner start a command."""
    command, spec = order.command, order.launch.spec
    return {
        "t": "launch",
        "attempt": order.launch.attempt,
        "argv": list(command.argv),
        "env": dict(command.env),
        "cwd": command.directory,
        "mkdir": command.own_folder,
        "stdout": order.stdout,
        "stderr": order.stderr,
        "files": dict(command.files),
        "outputs": list(command.outputs),
        "limit": spec.time_limit,
        "warning": spec.warning,
        "warning_signal": spec.warning_signal,
        "grace": spec.grace,
        "after": order.launch.after,
        "brief": order.launch.brief,
    }


def _ended(message: frames.Message) -> RawEnd:
    started = message.get("started_at")
    usage = Usage(
        wall=float(message["wall"]), cpu=float(message["cpu"]), peak_memory=int(message["peak"])
    )
    pid = message.get("pid")
    return RawEnd(
        attempt=AttemptId(message["attempt"]),
        exit=Exit(
            code=message["code"],
            signal=message["signal"],
            ended_by=message["ended_by"],
            launch_error=message["launch_error"],
            lost=message["lost"],
            outputs=tuple(
                OutputFile(path=path, size=size, fresh=bool(fresh))
                for path, size, fresh in message["outputs"]
            ),
            strays=int(message["strays"]),
            usage=usage if started is not None else None,
        ),
        native_id="" if pid is None else str(pid),
        started_at=None if started is None else float(started),
    )
