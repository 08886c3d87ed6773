"""What a solve is asked to be: PyEDB's configuration, checked when it is made, and never changed.

What only a machine can say (the newest ansysedt, a unique id, where temporary files go) is None
where it isn't given; whoever knows the machine fills it in.
"""

import enum
import re
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from solveyard.model import batch, walltime
from solveyard.model.reading import nearest
from solveyard.model.texts import is_plain
from solveyard.solvers.options import Options

JOBID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
PRIORITIES = ("Low", "BelowNormal", "Normal", "AboveNormal", "High")
PROCESS_PRIORITIES = ("Normal", "Low", "High", "Idle")
MPI_VENDORS = ("Microsoft", "Intel", "Open MPI")
SUFFIXES = (".aedt", ".aedb")
#: What PyEDB's `to_dict` notes beside the fields; read over.
_NOTES = frozenset({"platform", "timestamp", "version"})
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.(?!-)[A-Za-z0-9_-]{1,63})*\Z")
_MEMORY = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?B?|B)?\Z", re.IGNORECASE | re.ASCII)


class SchedulerType(enum.StrEnum):
    """Which batch system runs it; NONE: none, it runs on the manager's machine."""

    NONE = "none"
    LSF = "lsf"
    SLURM = "slurm"
    PBS = "pbs"
    WINDOWS_HPC = "windows_hpc"

    @classmethod
    def _missing_(cls, value: object) -> "SchedulerType | None":
        """In any case, with "-" or " " for "_"."""
        if not isinstance(value, str):
            return None
        word = re.sub(r"[- ]", "_", value.strip().lower())
        return next((one for one in cls if one.value == word), None)


def _scheduler(value: Any) -> Any:
    if value is None:
        return SchedulerType.NONE
    try:
        return SchedulerType(value)
    except ValueError:
        words = [one.value for one in SchedulerType]
        hint = nearest(str(value)[:60].lower(), words)
        raise ValueError(f"expected one of {', '.join(words)}{hint}") from None


def _one_of(*words: str) -> BeforeValidator:
    """One of `words`, in any case."""

    def check(value: Any) -> Any:
        found = [word for word in words if isinstance(value, str) and value.lower() == word.lower()]
        if not found:
            hint = nearest(value[:60], words) if isinstance(value, str) else ""
            raise ValueError(f"expected one of {', '.join(words)}{hint}")
        return found[0]

    return BeforeValidator(check)


def _plain(text: str) -> str:
    if not is_plain(text):
        raise ValueError("expected one line without control characters")
    return text


def _word(text: str) -> str:
    if not text or text != text.strip():
        raise ValueError("expected text without blanks at its ends, and not empty")
    return _plain(text)


def _unquoted(text: str) -> str:
    if "'" in text:
        raise ValueError("expected text without ', which ansysedt's batch options can't hold")
    return _word(text)


def _name(text: str) -> str:
    if ":" in text:
        raise ValueError("expected a name without ':', which separates design, mode and setup")
    return _plain(text)


def _path(value: Any) -> Any:
    return str(value) if isinstance(value, PurePath) else value


def _host(text: str) -> str:
    if not _HOST.match(text) or len(text) > 253:
        raise ValueError("expected a host's name or IPv4 address, such as 'node-7.example.org'")
    return text


def _cores(value: int) -> int:
    if value != -1 and value < 1:
        raise ValueError("expected -1 (as many as there are) or a number from 1")
    return value


def _memory(text: str) -> str:
    if not _MEMORY.match(text) or not re.search("[1-9]", text):
        raise ValueError("expected an amount above 0 such as '4GB', or '512' for 512 MiB")
    return text


def _wish(field: str) -> AfterValidator:
    """As `BatchOptions` has it under that name."""
    return AfterValidator(lambda text: batch.word(field, text))


def _time(text: str) -> str:
    walltime.seconds(text)
    return text


def _jobid(text: str) -> str:
    if not JOBID.match(text):
        raise ValueError("expected 1 to 128 letters, digits, '_' and '-'")
    return text


def _project(text: str) -> str:
    if not _word(text).lower().endswith(SUFFIXES):
        raise ValueError("expected the path of an .aedt or .aedb project")
    return text


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


Plain = Annotated[str, AfterValidator(_plain), Field(max_length=1024)]
Word = Annotated[str, AfterValidator(_word), Field(max_length=1024)]
Unquoted = Annotated[str, AfterValidator(_unquoted), Field(max_length=1024)]
Name = Annotated[str, AfterValidator(_name), Field(max_length=1024)]
Scheduler = Annotated[SchedulerType, BeforeValidator(_scheduler)]


class Fields(Options):
    """Base of the configurations: an unknown key is refused with the nearest right one."""

    @model_validator(mode="before")
    @classmethod
    def _knows_its_keys(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and not given.keys() <= _names(cls):
            fields = cls.model_fields
            key = next(key for key in given if key not in fields)
            hint = nearest(str(key)[:60], fields) or f" (there is: {', '.join(fields)})"
            raise PydanticCustomError(
                "unknown_key", "there is no such field{hint}", {"key": key, "hint": hint}
            )
        return given


@cache
def _names(model: type[Fields]) -> frozenset[str]:
    """Of its fields: pydantic makes a mapping of them whenever it is asked."""
    return frozenset(model.model_fields)


class SchedulerOptions(Fields):
    """What a batch system is asked for."""

    queue: Annotated[str, _wish("queue")] = "default"  #: "default": the site's own
    time: Annotated[str, AfterValidator(_time)] = "24:00:00"  #: see `walltime`
    nodes: int = Field(default=1, ge=1)
    tasks_per_node: int = Field(default=1, ge=1)
    memory: Annotated[str, AfterValidator(_memory)] = "4GB"  #: on each node; without a unit MiB
    account: Annotated[str, _wish("account")] | None = None
    reservation: Annotated[str, _wish("reservation")] | None = None
    qos: Annotated[str, _wish("qos")] | None = None
    constraints: Annotated[str, _wish("constraint")] | None = None
    exclusive: bool = False
    gpus: int = Field(default=0, ge=0)
    gpu_type: Annotated[str, _wish("gpu_type")] | None = None
    priority: Annotated[str, _one_of(*PRIORITIES)] = "Normal"
    email_notification: Annotated[str, _wish("mail")] | None = None
    run_as_administrator: bool = False
    cores_per_node: int = Field(default=0, ge=0)  #: 0: `tasks_per_node`

    @property
    def cores(self) -> int:
        """On all nodes together."""
        return self.nodes * (self.cores_per_node or self.tasks_per_node)


class MachineNode(Fields):
    """One entry of ansysedt's machine list.

    The names are PyEDB's. ansysedt reads the entry as host:tasks:cores:RAM%, so that `cores` is
    its number of tasks (-1: as it likes), and `max_cores` that of cores, on this host.
    """

    hostname: Annotated[str, AfterValidator(_host)] = "localhost"
    cores: Annotated[int, AfterValidator(_cores)] = -1
    max_cores: int = Field(default=20, ge=1)
    utilization: int = Field(default=90, ge=1, le=100)  #: %

    def __str__(self) -> str:
        return f"{self.hostname}:{self.cores}:{self.max_cores}:{self.utilization}%"


class HFSS3DLayoutBatchOptions(Fields):
    """The product's own options."""

    create_starting_mesh: bool = False
    default_process_priority: Annotated[str, _one_of(*PROCESS_PRIORITIES)] = "Normal"
    enable_gpu: bool = False
    mpi_vendor: Annotated[str, _one_of(*MPI_VENDORS)] = "Intel"
    mpi_version: Unquoted = "Default"
    remote_spawn_command: Unquoted = "Scheduler"
    solve_adaptive_only: bool = False
    validate_only: bool = False
    #: None: ansysedt's own
    temp_directory: Annotated[Unquoted | None, BeforeValidator(_path)] = None


class HFSSSimulationConfig(Fields):
    """One solve of one project."""

    #: None: the newest that the machine has
    ansys_edt_path: Annotated[Word | None, BeforeValidator(_path)] = None
    solver: Plain = "Hfss3DLayout"
    #: None: whoever takes the job gives it one
    jobid: Annotated[str, AfterValidator(_jobid)] | None = None
    user: Annotated[Plain, BeforeValidator(lambda user: "unknown" if user is None else user)] = (
        "unknown"
    )
    distributed: bool = True
    machine_nodes: Annotated[tuple[MachineNode, ...], BeforeValidator(_listed)] = (MachineNode(),)
    auto: bool = True
    non_graphical: bool = True
    monitor: bool = True
    layout_options: HFSS3DLayoutBatchOptions = HFSS3DLayoutBatchOptions()
    project_path: Annotated[str, AfterValidator(_project), BeforeValidator(_path)]
    design_name: Name = ""
    design_mode: Name = ""
    setup_name: Name = ""
    scheduler_type: Scheduler = SchedulerType.NONE
    scheduler_options: SchedulerOptions = SchedulerOptions()

    @model_validator(mode="before")
    @classmethod
    def _reads_over_notes(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or _NOTES.isdisjoint(given):
            return given
        return {key: value for key, value in given.items() if key not in _NOTES}

    @model_validator(mode="after")
    def _names_the_design_of_a_setup(self) -> Self:
        if not self.design_name and (self.design_mode or self.setup_name):
            raise ValueError("expected `design_name` where `design_mode` or `setup_name` is given")
        return self

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `from_dict` gives the same configuration."""
        return self.model_dump(mode="json")

    def as_json(self) -> bytes:
        """As a job's options: without what is as by default, so that a record stays small."""
        return self.model_dump_json(exclude_defaults=True).encode()

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Raises pydantic.ValidationError, which is a ValueError."""
        return cls.model_validate(dict(content))
