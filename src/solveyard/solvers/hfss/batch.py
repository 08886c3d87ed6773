"""What a solve may ask of ansysedt beside PyEDB's configuration: the options of our own form."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from solveyard.model.paths import absolute, inside
from solveyard.model.texts import is_plain
from solveyard.solvers.hfss.config import SUFFIXES, HFSSSimulationConfig, SchedulerType, Word

INCLUDE_TYPES = ("default", "variations", "frequencies", "mesh assembly", "transient excitations")
#: Variables that tell ansysedt something and name no program that it would start.
VARIABLES = frozenset({
    "ANSYSLMD_LICENSE_FILE", "ANSYSLI_SERVERS", "ANS_IGNOREOS", "ANS_NODEPCHECK", "LANG", "LC_ALL",
    "ANSYS_HFSS_DISABLE_GPU", "KMP_AFFINITY", "OMP_NUM_THREADS", "FI_PROVIDER", "I_MPI_FABRICS",
    "MPI_TIME_OUT_SECONDS", "PRESERVE_SOLVER_FILES", "SKIP_MESHCHECK", "ANSOFT_DEBUG_MODE",
})  # fmt: skip
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _./-]*\Z")
_OWN_KEYS = {  # said elsewhere, where it is checked
    "tempdirectory": "layout_options.temp_directory",
    "hpclicensetype": "hpc_licence",
    "remotespawncommand": "layout_options.remote_spawn_command",
}

Scalar = bool | int | str


def _script(path: str) -> str:
    if not absolute(path) or not is_plain(path):
        raise ValueError("expected the absolute path of a script")
    return path


def _keys(given: Mapping[str, Scalar]) -> Mapping[str, Scalar]:
    for key, value in given.items():
        if not _KEY.match(key):
            raise ValueError(f"expected a key such as 'HFSS/RAMLimitPercent', got {key[:60]!r}")
        if instead := _OWN_KEYS.get(key.rpartition("/")[2].lower()):
            raise ValueError(f"expected `{instead}` in place of {key!r}")
        if isinstance(value, str) and ("'" in value or not is_plain(value)):
            raise ValueError(f"expected text in one line and without ' as {key!r}")
    return given


def _variables(given: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in given.items():
        if name not in VARIABLES:
            raise ValueError(f"expected some of {', '.join(sorted(VARIABLES))}, got {name[:60]!r}")
        if not is_plain(value):
            raise ValueError(f"expected one line as {name}")
    return given


def _several(given: Any) -> Any:
    words = [given] if isinstance(given, str) else given
    return tuple(words) if isinstance(words, list) else words


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, PurePath) else value


def _known_type(word: str) -> str:
    if word.lower() not in INCLUDE_TYPES:
        raise ValueError(f"expected some of {', '.join(INCLUDE_TYPES)}")
    return word.lower()


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    if words and not absolute(words[0]):
        raise ValueError("expected the absolute path of a program, and its arguments")
    return words


def _one_line(text: str) -> str:
    if not is_plain(text) or '"' in text:
        raise ValueError('expected one line without "')
    return text


Flag = Literal["-showmonitorjob", "-usenonwebhelp", "-iconic", "-queue"]
Machines = Literal["nodes", "list", "file", "machinelistfile", "num", "numcores", "none"]
_LISTED = {"list", "file", "machinelistfile"}  #: whose entries say how many tasks a host has
Script = Annotated[str, AfterValidator(_script)]


def _project(text: str) -> str:
    if not text.lower().endswith((*SUFFIXES, ".aedtz")) or not is_plain(text):
        raise ValueError("expected the path of an .aedt or .aedb project, or of an .aedtz archive")
    return text


class HfssOptions(HFSSSimulationConfig):
    """The options of the solver `hfss`; what isn't said is as PyEDB's configuration has it."""

    project_path: Annotated[Word, AfterValidator(_project), BeforeValidator(_text)]
    workspace: Literal["project", "copy"] = "project"  #: where it is solved
    keep: Literal["all", "archive", "trimmed"] = "all"  #: of the result folder
    #: GiB that are to be free where it solves; None: 1 for a copy, else not looked at.
    min_disk_gb: float | None = Field(default=None, ge=0, lt=1e6)
    low_disk: Literal["report", "end"] = "report"  #: what is done when less is free meanwhile
    #: A command that asks ansysedt for its clean stop, in place of TERM.
    stop_with: Annotated[tuple[Word, ...], AfterValidator(_command), BeforeValidator(_several)] = ()
    run: Literal["batchsolve", "batchsave", "batchextract", "runscript"] = "batchsolve"
    #: Where `-machinelist` comes from: PyEDB's `machine_nodes`, or what the job was given.
    machines: Machines = "nodes"
    #: Under Slurm, through the launcher that Ansys ships; where it has none, without.
    batch_launcher: bool = True
    tasks: int | None = Field(default=None, ge=-1)  #: engines on all hosts; -1: as ansysedt likes
    ram_percent: int = Field(default=90, ge=1, le=100)  #: of each host's memory
    placing: Literal["", "local", "remote", "distributed"] = ""  #: "": by `distributed`
    include_types: Annotated[
        tuple[Annotated[str, AfterValidator(_known_type)], ...], BeforeValidator(_several)
    ] = ()
    max_levels: Literal[1, 2] | None = None
    level1_tasks: int | None = Field(default=None, ge=1)  #: engines of the first level
    variations: int = Field(default=1, ge=1)  #: of Optimetrics, at the same time
    hpc_licence: Literal["", "pool", "pack"] = ""  #: "": ansysedt's own default, pack
    wait_for_licence: bool = False
    ppe: bool = False
    batch_options: Annotated[Mapping[str, Scalar], AfterValidator(_keys)] = Field(
        default_factory=dict
    )
    batch_options_as: Literal["string", "each", "file"] = "string"
    script: Script | None = None  #: run before the solve, or alone with `run`: "runscript"
    script_arguments: Annotated[str, AfterValidator(_one_line)] = ""
    extract_script: Script | None = None  #: run after the solve, or alone: "batchextract"
    log_file: Annotated[str, AfterValidator(inside)] = ""  #: in the project's folder
    grpc_port: int | None = Field(default=None, ge=1, le=65535)
    flags: Annotated[tuple[Flag, ...], BeforeValidator(_several)] = ()  #: old and rare ones
    features: Annotated[tuple[Word, ...], BeforeValidator(_several)] = ()  #: beta flags
    environment: Annotated[Mapping[str, str], AfterValidator(_variables)] = Field(
        default_factory=dict
    )
    #: What it is when passes or a sweep don't converge, and all else is well.
    not_converged: Literal["failure", "warning"] = "failure"
    licence: Word = "elec_solve_hfss"  #: the feature of a solve, one seat

    @property
    def counted(self) -> Machines:
        """Where `-machinelist` comes from: under a batch system PyEDB's is the cores it gave."""
        forwarded = self.scheduler_type is not SchedulerType.NONE
        return "numcores" if self.machines == "nodes" and forwarded else self.machines

    @property
    def spread(self) -> bool:
        """Is -distributed passed?"""
        return self.placing == "distributed" or (
            not self.placing and self.counted in {"num", "numcores"} and self.distributed
        )

    @property
    def automatic(self) -> bool:
        """Is -auto passed? PyEDB's list of machines goes without."""
        return self.auto and self.counted not in {"nodes", "none"}

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        for wrong, why in self._combinations():
            if wrong:
                raise ValueError(why)
        return self

    def _combinations(self) -> tuple[tuple[bool, str], ...]:
        """What can't be, and why."""
        solves = self.run == "batchsolve"
        given = self.model_fields_set
        levels = bool(self.include_types) or self.max_levels is not None
        return (
            ((levels or self.level1_tasks is not None) and not self.spread,
             "expected `placing` 'distributed' beside `include_types`, `max_levels` and"
             " `level1_tasks`, which are -distributed's"),
            (self.level1_tasks is not None and self.max_levels != 2,
             "expected `max_levels` 2 beside `level1_tasks`, which is the first of two levels'"),
            (self.placing == "local" and self.machines in {"num", "numcores"},
             f"expected `machines` 'list' or 'none' beside `placing` 'local':"
             f" {self.machines}= takes hosts from a batch system"),
            (self.machines != "nodes" and "machine_nodes" in given,
             f"expected either `machine_nodes` or `machines` {self.machines!r}, which takes what"
             " the job was given"),
            (self.automatic and self.tasks not in {None, -1},
             "expected `auto` false beside `tasks`: with -auto ansysedt chooses their number"),
            (self.tasks == -1 and self.machines in _LISTED and not self.automatic,
             "expected `auto` true beside `tasks` -1: without it somebody must say how many"),
            (self.tasks == 0, "expected -1 or a number from 1 as `tasks`"),
            (self.tasks is not None and self.machines in {"nodes", "numcores", "none"},
             f"expected `machines` 'list', 'file' or 'num' beside `tasks`: {self.machines!r} has no"
             " place for it"),
            (self.variations > 1 and bool(self.design_name) and self.design_mode != "Optimetrics",
             "expected `design_mode` 'Optimetrics' beside `variations` above 1: a nominal solve has"
             " one"),
            (self.variations > 1 and self.machines in {"nodes", "none"},
             "expected `machines` 'list', 'file', 'num' or 'numcores' beside `variations` above 1"),
            (self.variations > 1 and self.tasks is not None and 0 < self.tasks < self.variations,
             "expected at least as many `tasks` as `variations`, which run in tasks of their own"),
            (self.run == "runscript" and self.script is None,
             "expected `script` beside `run` 'runscript'"),
            (self.run == "batchextract" and self.extract_script is None,
             "expected `extract_script` beside `run` 'batchextract'"),
            (bool(self.script_arguments) and self.script is None,
             "expected `script` beside `script_arguments`"),
            (self.extract_script is not None and not (solves or self.run == "batchextract"),
             "expected `run` 'batchsolve' or 'batchextract' beside `extract_script`"),
            (self.script is not None and self.run == "batchextract",
             "expected no `script` beside `run` 'batchextract'"),
            (bool(self.design_name) and not solves,
             "expected `run` 'batchsolve' beside `design_name`, which says what is solved"),
            (self.layout_options.validate_only and self.layout_options.solve_adaptive_only,
             "expected either `validate_only` or `solve_adaptive_only`: the one solves nothing"),
            (self.workspace == "project" and self.project_path.lower().endswith(".aedtz"),
             "expected `workspace` 'copy' for an .aedtz archive, which is unpacked there"),
            (self.low_disk == "end" and self.workspace != "copy" and not self.min_disk_gb,
             "expected `min_disk_gb` beside `low_disk` 'end': how much is to be free"),
            (self.batch_options_as == "file" and self.run == "runscript",
             "expected `batch_options_as` 'string' or 'each' beside `run` 'runscript'"),
        )  # fmt: skip
