"""HFSS as a job: PyEDB's configuration is its options, the project's folder its directory."""

import ntpath
import posixpath
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.model.resources import Allocation, Resources
from solveyard.solvers import options, tasks, touchstone, verdicts
from solveyard.solvers.base import STDERR, Alarm, Command, Exit, Machine, Probe, Query, Reader
from solveyard.solvers.hfss import (
    arguments,
    copies,
    forwarded,
    installations,
    licences,
    reader,
    retries,
    searched,
    verdict,
    wrapped,
)
from solveyard.solvers.hfss.batch import HfssOptions
from solveyard.solvers.hfss.config import JOBID, HFSSSimulationConfig, SchedulerType
from solveyard.solvers.hfss.reader import HfssReader

LOG_LIMIT = 16 << 20  #: bytes of a batch log that are read to judge it, from its end
RESULT_TAIL = 1 << 20  #: bytes, of a result that is too large to be read whole
LOCK_LIMIT = 1 << 10  #: bytes of a project's lock
NOT_FOUND = (
    "no ansysedt was found on this machine (give `ansys_edt_path`, or set ANSYSEM_ROOT and the"
    " release, such as ANSYSEM_ROOT252, where the manager runs)"
)


#: What the exit alone says that a log may say more of.
_BY_LOG = {Reason.SUCCESS, Reason.EXIT_CODE, Reason.SIGNAL}


class HfssSolver:
    name = "hfss"

    def command(self, spec: JobSpec, allocation: Allocation | None = None) -> Command:
        chosen = options.read(HfssOptions, spec)
        if chosen.scheduler_type is not SchedulerType.NONE and not spec.on:
            raise InvalidJob(
                f"`options.scheduler_type` {chosen.scheduler_type.value!r} is for a cluster (name"
                " it: `on`; or leave `scheduler_type` out, to run on this machine)"
            )
        if chosen.ansys_edt_path is None and not spec.on:
            raise InvalidJob(NOT_FOUND)
        program = chosen.ansys_edt_path or searched.PROGRAM
        _absolute("ansys_edt_path", program)
        _absolute("project_path", chosen.project_path)
        home = _folder(chosen.project_path)
        where = options.directory(spec)
        given = allocation or arguments.asked(spec.resources)
        jobid = job_id(chosen, spec)
        if chosen.workspace == "copy":
            if where:
                raise InvalidJob("`directory` can't be chosen for a copy (leave it out)")
            owed = batch_log(chosen, spec)
            return copies.command(spec, chosen, program, jobid, given, owed)
        if where and _plain_path(where) != _plain_path(home):
            raise InvalidJob(f"`directory` must be the project's folder, {home!r} (leave it out)")
        made = arguments.made(chosen, program, jobid, given)
        return Command(
            argv=wrapped.argv(spec, chosen, wrapped.found(chosen, made.argv)),
            env=chosen.environment,
            directory=home,
            files=made.files,
            ends_itself=bool(chosen.stop_with),
            outputs=() if chosen.run == "runscript" else (batch_log(chosen, spec),),
        )

    def watch(self, spec: JobSpec) -> str:
        chosen = _accepted(spec)
        return batch_log(chosen, spec) if chosen else ""

    def reader(self) -> Reader | None:
        return HfssReader()

    def alarm(self, spec: JobSpec) -> Alarm | None:
        chosen = _readable(spec)
        return wrapped.alarm(chosen) if chosen else None

    def evidence(self, spec: JobSpec) -> Sequence[Query]:
        chosen = _readable(spec)
        if chosen is None:
            return ()
        if chosen.run == "runscript":
            return wrapped.evidence(chosen)
        log, (folder, *others) = batch_log(chosen, spec), saved_in(chosen)
        return (
            *wrapped.evidence(chosen),
            Query(path=log, limit=LOG_LIMIT),
            *(Query(path=one, limit=LOCK_LIMIT, unless=log) for one in locks(chosen)),
            Query(path=folder, below=".", limit=0),
            *(Query(path=one, below=".", limit=0, strict=True, unless=folder) for one in others),
            Query(
                path=folder, below=touchstone.NAME, limit=verdicts.RESULT_LIMIT, tail=RESULT_TAIL
            ),
        )

    def verdict(self, spec: JobSpec, exit: Exit, evidence: Mapping[str, bytes | None]) -> Outcome:  # noqa: A002  # the contract's name
        chosen = _readable(spec)
        if chosen is not None and (ours := wrapped.own_end(chosen, exit)) is not None:
            return ours
        if chosen is None:
            return verdicts.judge(spec, exit, ())
        alone = chosen.run == "runscript"
        judged = (
            verdicts.judge(spec, exit, ()) if alone else self._judged(spec, chosen, exit, evidence)
        )
        return wrapped.with_disk(chosen, judged, evidence.get(STDERR))

    def _judged(
        self, spec: JobSpec, chosen: HfssOptions, end: Exit, evidence: Mapping[str, bytes | None]
    ) -> Outcome:
        name = batch_log(chosen, spec)
        outcome = verdicts.judge(spec, end, (name,))
        if outcome.reason is Reason.HANG:
            outcome = replace(outcome, cause="hfss.hang")
        if not end.output(name).fresh:
            return verdict.locked(outcome, locks(chosen), evidence)
        content = evidence.get(name)
        if content is None:
            return _unread(outcome, name)
        told, ending = reader.read(content)
        if outcome.reason not in _BY_LOG:
            return verdict.so_far(outcome, name, told, ending)
        judged = verdict.judge(
            outcome,
            name,
            told,
            ending,
            unconverged_fails=chosen.not_converged == "failure",
            solves=chosen.run == "batchsolve",
        )
        if len(content) >= LOG_LIMIT:
            only = f"{name}: only its last {LOG_LIMIT >> 20} MiB were read, and its lines counted"
            judged = replace(judged, evidence=(*judged.evidence, only))
        owed = saved_in(chosen) if _owes_results(chosen) else ()
        return verdict.results(judged, evidence, owed)

    def probes(self) -> Sequence[Probe]:
        return (Probe(programs=("ansysedt",)),)

    # What the doors ask, since the job names what it runs and where

    def complete(self, spec: JobSpec, machine: Machine) -> JobSpec:
        """The newest ansysedt where none is named, the project's folder, and its project's key; or
        a copy, where nothing can be written beside the project.

        On a cluster whose machines can't be seen from here ansysedt is looked for there. Jobs on
        one project don't run at once: it can be open only once.
        """
        spec = retries.completed(spec)
        if spec.array is not None and b"{{" in bytes(spec.options):
            return self._complete_tasks(spec, machine)
        chosen = options.read(HfssOptions, spec)
        more: dict[str, str | bool] = {}
        if spec.on in machine.elsewhere:
            _solves_there(chosen, spec.on)
        else:
            if chosen.ansys_edt_path is None:
                more["ansys_edt_path"] = self._newest(machine)
            if not _launches(chosen.model_copy(update=more), machine):
                more["batch_launcher"] = False
        _absolute("project_path", chosen.project_path)
        if not spec.on and machine.read_only(_folder(chosen.project_path)):
            more["workspace"] = "copy"
        if more:
            chosen = chosen.model_copy(update=more)
            spec = replace(spec, options=msgspec.Raw(chosen.as_json()))
        if chosen.workspace == "copy":
            return replace(spec, resources=_with_licences(spec, chosen, machine))
        project = machine.resolve(chosen.project_path)
        return replace(
            spec,
            resources=_with_licences(spec, chosen, machine),
            directory=spec.directory or sys.intern(_folder(chosen.project_path)),
            exclusive=tuple(dict.fromkeys((*spec.exclusive, *_keys(project)))),
        )

    def _complete_tasks(self, spec: JobSpec, machine: Machine) -> JobSpec:
        """The same where tasks differ in their options: their places stay, to be filled in later.

        A link in a task's own part of the path is not resolved, so two names of one project
        would not exclude each other.
        """
        first = options.read(HfssOptions, tasks.spec_at(spec, 0))
        _absolute("project_path", first.project_path)
        given = msgspec.json.decode(bytes(spec.options))
        if spec.on in machine.elsewhere:
            _solves_there(first, spec.on)
        else:
            if first.ansys_edt_path is None:
                given["ansys_edt_path"] = self._newest(machine)
                first = first.model_copy(update={"ansys_edt_path": given["ansys_edt_path"]})
            if not _launches(first, machine):
                given["batch_launcher"] = False
        if not spec.on and machine.read_only(_folder(first.project_path)):
            given["workspace"] = "copy"
        if "copy" in {first.workspace, given.get("workspace")}:
            return replace(
                spec,
                resources=_with_licences(spec, first, machine),
                options=msgspec.Raw(msgspec.json.encode(given)),
            )
        project = str(given["project_path"])
        folder, name = _parts(project)
        key = project if not folder or "{{" in folder else f"{machine.resolve(folder)}/{name}"
        return replace(
            spec,
            resources=_with_licences(spec, first, machine),
            options=msgspec.Raw(msgspec.json.encode(given)),
            directory=spec.directory or folder,
            exclusive=tuple(dict.fromkeys((*spec.exclusive, *_keys(key)))),
        )

    def _newest(self, machine: Machine) -> str:
        found = self.programs(machine)
        if not found:
            raise InvalidJob(NOT_FOUND)
        return found[0]

    def programs(self, machine: Machine) -> Sequence[str]:
        return [one.program for one in installations.installations(machine)]

    def program(self, spec: JobSpec) -> str:
        return options.read(HfssOptions, spec).ansys_edt_path or ""

    def project(self, spec: JobSpec) -> str:
        return options.read(HfssOptions, spec).project_path

    def scratch(self, spec: JobSpec) -> str:
        return options.read(HfssOptions, spec).layout_options.temp_directory or ""

    def scripts(self, spec: JobSpec) -> Sequence[str]:
        chosen = options.read(HfssOptions, spec)
        named = (chosen.script, chosen.extract_script, *chosen.stop_with[:1])
        return [path for path in named if path]


def _solves_there(chosen: HfssOptions, on: str) -> None:
    """Raises InvalidJob for a copy of what isn't there."""
    if chosen.workspace == "copy":
        raise InvalidJob(
            f"`options.workspace`: a copy can't be made on cluster {on!r}, which doesn't see the"
            " original (leave it out: a job over SSH has a folder of its own; unpack an archive)"
        )


def _launches(chosen: HfssOptions, machine: Machine) -> bool:
    """Is Ansys' own launcher there, where it is wanted?"""
    if chosen.scheduler_type is not SchedulerType.SLURM or not chosen.batch_launcher:
        return True
    scripts = machine.listing(forwarded.utilities(chosen.ansys_edt_path or ""))
    return forwarded.LAUNCHER in scripts


def _with_licences(spec: JobSpec, chosen: HfssOptions, machine: Machine) -> Resources:
    """What it needs, with what it takes of the licences that are counted there; said ones stand."""
    need = spec.resources
    if not machine.licences:
        return need
    cost = licences.cost(chosen, need)
    counted = {name: seats for name, seats in cost.items() if name in machine.licences}
    return replace(need, licences={**counted, **need.licences})


def _keys(project: str) -> tuple[str, ...]:
    """What one job alone may have open: the project; of a layout also the project around it."""
    stem = project[: -len(".aedb")]
    return (project, f"{stem}.aedt") if project.lower().endswith(".aedb") else (project,)


def job_id(chosen: HFSSSimulationConfig, spec: JobSpec) -> str:
    """The one it was given, else its job's name, else by its project."""
    if chosen.jobid is not None:
        return chosen.jobid
    if JOBID.match(spec.name):
        return spec.name
    stem = re.sub(r"[^A-Za-z0-9_-]", "_", _parts(chosen.project_path)[1].rpartition(".")[0])
    return f"{stem[:100]}_job"


def batch_log(chosen: HfssOptions, spec: JobSpec) -> str:
    """Where ansysedt writes it: a path in the project's folder."""
    if chosen.log_file:
        return chosen.log_file
    project = copies.name(chosen)
    stem = project.rpartition(".")[0]
    return f"{project}.batchinfo/{stem}-{job_id(chosen, spec)}.log"


def locks(chosen: HfssOptions) -> tuple[str, ...]:
    """What says that the project is open, or of a layout the one around it: paths in its folder."""
    return tuple(f"{project}.lock" for project in _keys(copies.name(chosen)))


def results_folder(chosen: HFSSSimulationConfig) -> str:
    """Where ansysedt keeps solutions: a path in the project's folder.

    Of a layout "board.aedb", too: it is opened as a project "board.aedt" beside it.
    """
    return f"{_parts(chosen.project_path)[1].rpartition('.')[0]}.aedtresults"


def saved_in(chosen: HfssOptions) -> tuple[str, ...]:
    """Where a solve that was saved leaves something: the results, or a layout's own folder.

    Which of them a solve of an .aedb folder changes was not seen on Ansys software, so either does.
    """
    name = copies.name(chosen)
    layout = (name,) if name.lower().endswith(".aedb") else ()
    return (results_folder(chosen), *layout)


def _owes_results(chosen: HfssOptions) -> bool:
    return chosen.run == "batchsolve" and not chosen.layout_options.validate_only


def _unread(passed: Outcome, name: str) -> Outcome:
    if passed.reason is Reason.SUCCESS:
        return verdicts.criterion(passed, "hfss.no_log", f"{name} could not be read")
    return passed


def _accepted(spec: JobSpec) -> HfssOptions | None:
    """None: its end alone tells how it went."""
    chosen = _readable(spec)
    return None if chosen is None or chosen.run == "runscript" else chosen


def _readable(spec: JobSpec) -> HfssOptions | None:
    """None: another version accepted it; its end must still be judged."""
    try:
        return options.read(HfssOptions, spec)
    except InvalidJob:
        return None


def _absolute(name: str, path: str) -> None:
    if not (path.startswith(("/", "\\\\")) or re.match(r"[A-Za-z]:[/\\]", path)):
        raise InvalidJob(f"`options.{name}`: expected an absolute path, got {path[:200]!r}")


@lru_cache(maxsize=256)
def _parts(path: str) -> tuple[str, str]:
    """Folder and name, by the rules of the system whose path it is."""
    return posixpath.split(path) if path.startswith("/") else ntpath.split(path)


def _folder(path: str) -> str:
    return _parts(path)[0]


def _plain_path(path: str) -> str:
    return posixpath.normpath(path) if path.startswith("/") else ntpath.normcase(path)
