"""Between the wire's messages and the manager's."""

from typing import Annotated, Literal, NamedTuple

import msgspec

from solveyard.backends.base import Order, RawEnd, Report
from solveyard.model.jobs import AttemptId, Usage
from solveyard.model.messages import Accepted, Missing, Recalled, Sampled, Started
from solveyard.model.resources import MOST_CORES
from solveyard.solvers.base import Exit, OutputFile
from solveyard.wire import frames

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
_Numbers = Annotated[  # of cores or GPUs
    tuple[Annotated[int, msgspec.Meta(ge=0, lt=65536)], ...], msgspec.Meta(max_length=65536)
]
_MIB = 1024 * 1024
_Seconds = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]  # finite


class Hello(msgspec.Struct, frozen=True):
    """How an agent, or one of its spawners, presents itself."""

    role: Literal["agent", "spawner"]
    protocol: int
    machine: str
    pid: _Count
    boot_id: str
    token: str = ""
    cores: Annotated[int, msgspec.Meta(ge=0, le=MOST_CORES)] = 1
    memory: _Count = 0  #: MiB
    disk: _Count = 0  #: MiB, of the file system where it keeps its state
    processors: _Numbers = ()  #: that it may be scheduled on
    gpus: _Numbers = ()
    spawners: _Count = 1
    index: _Count = 0
    ledger: str = ""
    version: Annotated[str, msgspec.Meta(max_length=100)] = ""
    abilities: Annotated[tuple[str, ...], msgspec.Meta(max_length=100)] = ()


class _About(msgspec.Struct, frozen=True):
    attempt: AttemptId


class _Started(_About, frozen=True):
    pid: _Count
    at: _Seconds


class _Sample(msgspec.Struct, frozen=True):
    cpu: Annotated[float, msgspec.Meta(ge=0, le=100)]  #: percent of its cores
    memory_free: _Count  #: MiB
    disk_free: _Count  #: MiB
    #: Cores' worth of work by our own attempts; None: not known.
    ours: Annotated[float, msgspec.Meta(ge=0, le=1e6)] | None = None


class _Blocked(_About, frozen=True):
    why: str


class _Ended(_About, frozen=True):
    code: int | None
    signal: int | None
    ended_by: str
    launch_error: str
    lost: str
    outputs: list[tuple[str, _Count | None, bool]]
    strays: _Count
    wall: _Seconds
    cpu: _Seconds
    peak: _Count
    pid: _Count | None = None
    started_at: _Seconds | None = None
    since: _Seconds | None = None


class SpawnerEnded(msgspec.Struct, frozen=True):
    """A spawner ended that nobody told to; it is started again."""

    spawner: _Count
    why: str


class Blocked(NamedTuple):
    """An attempt can't be started for now."""

    attempt: AttemptId
    why: str


def hello(message: frames.Message) -> Hello:
    """Raises msgspec.ValidationError when it is none."""
    return msgspec.convert(message, Hello)


def sample(message: frames.Message, machine: str, cores: int) -> Sampled:
    """How busy a machine of so many `cores` is. Raises msgspec.ValidationError."""
    told = msgspec.convert(message, _Sample)
    return Sampled(
        machine=machine,
        cpu=told.cpu / 100.0 * cores,
        ours=told.ours,
        memory_free=told.memory_free,
        disk_free=told.disk_free,
    )


def spawner_ended(message: frames.Message) -> SpawnerEnded:
    """Raises msgspec.ValidationError."""
    return msgspec.convert(message, SpawnerEnded)


def report(message: frames.Message, boot_id: str, ledger: str) -> Report | Blocked | None:
    """What a spawner says of an attempt; None: not a type we know.

    Raises msgspec.ValidationError when a field is missing or not what it should be.
    """
    match message["t"]:
        case "started":
            start = msgspec.convert(message, _Started)
            return Started(attempt=start.attempt, native_id=str(start.pid), at=start.at)
        case "ended":
            return _ended(msgspec.convert(message, _Ended))
        case "recalled":
            return Recalled(attempt=msgspec.convert(message, _About).attempt)
        case "waiting":
            return Accepted(attempt=msgspec.convert(message, _About).attempt, native_id="")
        case "missing":
            attempt = msgspec.convert(message, _About).attempt
            return Missing(attempt=attempt, boot_id=boot_id, ledger=ledger)
        case "blocked":
            blocked = msgspec.convert(message, _Blocked)
            return Blocked(blocked.attempt, blocked.why)
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
        "pin": list(order.launch.placement.allocation.shares[0].core_ids) if spec.pin else [],
        "session": order.session,
        "alone": spec.grace / 2 if command.ends_itself else 0.0,
        "within": list(order.within),
    }


def too_large(order: Order, size: int, most: int) -> RawEnd:
    """The end of what can't be sent to a spawner: its message takes `size` bytes."""
    return unsendable(
        order,
        f"its command, environment and files take {size / _MIB:.1f} MiB, and {most / _MIB:g} MiB at"
        " most can be sent (put what is large into a file of its own, and name that)",
    )


def unsendable(order: Order, why: str) -> RawEnd:
    """The end of what can't be sent to a spawner."""
    return RawEnd(
        attempt=order.launch.attempt,
        exit=Exit(launch_error=why),
        native_id="",
        started_at=None,
    )


def _ended(end: _Ended) -> RawEnd:
    started = end.started_at is not None
    return RawEnd(
        attempt=end.attempt,
        exit=Exit(
            code=end.code,
            signal=end.signal,
            ended_by=end.ended_by,
            launch_error=_text(end.launch_error),
            lost=_text(end.lost),
            outputs=tuple(
                OutputFile(path=_text(path), size=size, fresh=fresh)
                for path, size, fresh in end.outputs
            ),
            strays=end.strays,
            usage=Usage(wall=end.wall, cpu=end.cpu, peak_memory=end.peak) if started else None,
        ),
        native_id="" if end.pid is None else str(end.pid),
        started_at=end.started_at,
        since=end.since,
    )


def _text(text: str) -> str:
    """Text that can be stored: a file's name may hold bytes that are no character."""
    return text.encode("utf-8", "backslashreplace").decode()
