"""What a job may ask of a batch system beside its resources."""

import re
from typing import Literal

import msgspec

from solveyard.model import walltime

Mail = Literal["begin", "end", "fail"]

_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}")
_MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,254}")
_CONDITION = re.compile(r"[A-Za-z0-9_\[(!][A-Za-z0-9_.,:;=&|<>!*()\[\] +/-]{0,511}")
_ADDRESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}(@[A-Za-z0-9][A-Za-z0-9.-]{0,252})?")
_NATIVE = re.compile(r"[-/][^\0-\x1f\x7f'\"]{1,1023}")
_TEXT = re.compile(r"[^\0]*")
_FORMS = {
    "queue": (_WORD, "a name such as 'debug'"),
    "account": (_WORD, "a name such as 'antennas'"),
    "reservation": (_WORD, "a name such as 'course_7'"),
    "qos": (_WORD, "a name such as 'high'"),
    "gpu_type": (_WORD, "a name such as 'a100'"),
    "constraint": (_CONDITION, "a condition such as 'intel&ib'"),
    "mail": (_ADDRESS, "a mail address"),
    "modules": (_MODULE, "a name such as 'ansys/2025r2'"),
    "native": (_NATIVE, "one option such as '--gres=shard:2', without quotes"),
    "prologue": (_TEXT, "text without NUL characters"),
    "epilogue": (_TEXT, "text without NUL characters"),
}


class BatchOptions(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True,
    omit_defaults=True,
):  # fmt: skip
    """Wishes to a batch system; each dialect refuses those that its system doesn't know.

    Cores, nodes, memory, GPUs and licences are those of the job's resources.
    """

    queue: str = ""  #: a partition, of Windows HPC a job template; empty: the site's default
    time: str = ""  #: wall time, see `walltime`; empty: the job's `time_limit`, or the queue's
    tasks_per_node: int | None = None  #: processes that share a node's cores; None: one a core
    account: str = ""  #: who pays: an account, of LSF and Windows HPC a project
    reservation: str = ""
    qos: str = ""  #: quality of service; of LSF a service class
    constraint: str = ""  #: what its nodes must be, in the batch system's own words
    gpu_type: str = ""
    exclusive: bool = False  #: nobody else's jobs on its nodes
    clean_environment: bool = False  #: without the variables of whoever submits it
    priority: int | None = None  #: the batch system's own; larger goes first
    nice: int | None = None  #: Slurm's: larger goes later
    mail: tuple[str, ...] = ()  #: addresses that the batch system writes to
    mail_on: tuple[Mail, ...] = ("end", "fail")
    modules: tuple[str, ...] = ()  #: environment modules, loaded before it starts
    prologue: str = ""  #: shell text, run before the command in its environment
    epilogue: str = ""  #: shell text, run after it; $SOLVEYARD_EXIT is its exit status
    native: tuple[str, ...] = ()  #: further options, one each: "--gres=shard:2", "-R select[ib]"

    def __post_init__(self) -> None:
        for name in _FORMS:
            given = getattr(self, name)
            for value in ([given] if given else []) if isinstance(given, str) else given:
                try:
                    word(name, value)
                except ValueError as problem:
                    raise ValueError(f"`batch.{name}`: {problem}, got {_short(value)}") from problem
        if self.time:
            try:
                walltime.seconds(self.time)
            except ValueError as problem:
                raise ValueError(f"`batch.time`: {problem}; got {_short(self.time)}") from problem
        for name, least in (("tasks_per_node", 1), ("priority", -(10**9)), ("nice", -(10**9))):
            number = getattr(self, name)
            if number is not None and not least <= number <= 10**9:
                raise ValueError(
                    f"`batch.{name}` is {number}; it must be from {least} to 1000000000"
                )


def word(field: str, value: str) -> str:
    """`value`, which that field may have, or be one of. Raises ValueError."""
    form, expected = _FORMS[field]
    if not form.fullmatch(value):
        raise ValueError(f"expected {expected}")
    return value


def _short(value: str) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
