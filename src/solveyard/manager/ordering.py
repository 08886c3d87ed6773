"""From a launch to an order: the command that its solver makes, and where its files are."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from solveyard import attendance, registry
from solveyard.backends import withheld
from solveyard.backends.base import Order
from solveyard.backends.here import LocalWorkspace
from solveyard.core.clusters import Clusters
from solveyard.model.criteria import files as named_files
from solveyard.model.errors import InvalidJob, InvalidSettings
from solveyard.model.ids import number_of, task_id
from solveyard.model.jobs import AttemptId, Job, JobId, JobSpec, JobState
from solveyard.model.messages import Launch
from solveyard.model.resources import Allocation
from solveyard.places import StorePlaces
from solveyard.secret import Secret
from solveyard.solvers import criteria, endings, options, tasks
from solveyard.solvers.base import PYTHON, Command


class Ordering:
    """Makes orders for one store's jobs.

    Blocking only where a folder of outputs is new or a secret is in a file.
    """

    def __init__(
        self, places: StorePlaces, secrets: Mapping[str, Secret] = MappingProxyType({})
    ) -> None:
        self._places = places
        self._store = withheld.Store(places.folder)
        self._secrets = secrets
        self._shards: set[str] = set()

    def check(self, spec: JobSpec) -> None:
        """Raises InvalidJob for what could not be launched later."""
        options.check(spec)
        endings.check(spec, registry.solvers())
        solver = registry.solver(spec.solver)
        for sample in tasks.samples(spec):
            self._secret_environment(solver.command(sample))
            criteria.check(sample)

    def preview(self, spec: JobSpec, position: int | None = None) -> Order:
        """What an order to its cluster would be like; of an array its task's at `position`.

        Raises InvalidJob.
        """
        if any(not isinstance(n, int | None) for n in (spec.resources.cores, spec.resources.nodes)):
            raise InvalidJob(
                "a batch system takes numbers of cores and nodes, not ranges (give `cores` as one)"
            )
        job = Job(
            id=JobId(0), spec=spec, owner="", submitted_at=0, arrival=0, priority=spec.priority,
            state=JobState.QUEUED,
        )  # fmt: skip
        return self.order(
            Launch(
                job=job.id if position is None else task_id(job.id, position),
                attempt=AttemptId(f"{'0' * 32}.0.{position or 0}.1"),
                spec=spec,
                placement=Clusters().placement(job),
            ),
            shard=False,
        )

    def order(self, launch: Launch, *, shard: bool = True) -> Order:
        """`shard`: make the folder of its output where it isn't there.

        Raises InvalidJob when its solver doesn't take it any more.
        """
        job = launch.job
        spec = tasks.spec_of(launch.spec, job)
        solver = registry.solver(spec.solver)
        command = solver.command(spec, launch.placement.allocation)
        number = int(launch.attempt.rpartition(".")[2])
        stdout, stderr = self._places.output(job, number)
        folder = stdout.rpartition("/")[0]
        if shard and folder not in self._shards:
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            self._shards.add(folder)
        looked_at = named_files(spec.measures, spec.success)
        if looked_at:
            command = replace(command, outputs=tuple(dict.fromkeys((*command.outputs, *looked_at))))
        watched = solver.watch(spec) if launch.placement.forwarded else ""
        session = attendance.place(self._places.folder, launch.session)
        return Order(launch, self._placed(command, launch, spec), stdout, stderr, watched, session)

    def directory(self, job: Job) -> str:
        """Where the job runs."""
        return job.directory or self._places.job_directory(job.id)

    def workspace(self, job: Job) -> LocalWorkspace:
        """Its folder here."""
        return LocalWorkspace(Path(self.directory(job)), job.bounds, self._store)

    def _placed(self, command: Command, launch: Launch, spec: JobSpec) -> Command:
        directory = spec.directory or command.directory
        if command.secrets and launch.placement.forwarded:
            raise InvalidJob("a job on a cluster can't have secrets: its script would hold them")
        argv = command.argv
        if argv[0] == PYTHON:
            argv = (sys.executable, *argv[1:])
        return replace(
            command,
            argv=argv,
            env={**command.env, **self._secret_environment(command), **_environment(launch)},
            directory=directory or self._places.job_directory(launch.job),
            own_folder=not directory,
        )

    def _secret_environment(self, command: Command) -> Mapping[str, str]:
        """The variables that hold secrets. They go to the spawner, and nowhere else.

        Raises InvalidJob.
        """
        found = {}
        for variable, name in command.secrets.items():
            if name not in self._secrets:
                known = ", ".join(sorted(self._secrets)) or "none"
                raise InvalidJob(
                    f"the settings name no secret {name!r} (there is: {known}; add it to the table"
                    " [secrets] in config.toml, and restart the manager)"
                )
            try:
                found[variable] = self._secrets[name].read()
            except InvalidSettings as error:
                raise InvalidJob(f"the secret {name!r} can't be used: {error}") from error
        return found


def _environment(launch: Launch) -> Mapping[str, str]:
    """What a job can know of itself."""
    allocation = launch.placement.allocation
    return {
        "SOLVEYARD_JOB": str(number_of(launch.job)),
        "SOLVEYARD_TRY": launch.attempt.rpartition(".")[2],
        **tasks.environment(launch.spec, launch.job),
        "SOLVEYARD_NAME": launch.spec.name,
        "SOLVEYARD_CORES": str(allocation.cores),
        **({} if launch.placement.forwarded else _places(allocation)),
        **({} if launch.placement.forwarded else _bounds(launch)),
    }


def _bounds(launch: Launch) -> Mapping[str, str]:
    """Where what it copies must be: for our own programs. A cluster's nodes have other paths."""
    if not launch.within:
        return {}
    return {"SOLVEYARD_WITHIN": msgspec.json.encode(launch.within).decode()}


def _places(allocation: Allocation) -> Mapping[str, str]:
    """Which nodes, cores and GPUs; a batch system tells that itself."""
    return {
        "SOLVEYARD_NODES": ",".join(f"{s.node}:{s.cores}" for s in allocation.shares),
        "SOLVEYARD_CORE_IDS": _numbers(share.core_ids for share in allocation.shares),
        **_gpus(allocation),
    }


def _gpus(allocation: Allocation) -> Mapping[str, str]:
    """CUDA numbers GPUs as nvidia-smi does where it is told to."""
    first = allocation.shares[0]
    if not first.gpus:
        return {}
    return {
        "SOLVEYARD_GPU_IDS": _numbers(share.gpu_ids for share in allocation.shares),
        "CUDA_VISIBLE_DEVICES": _numbers([first.gpu_ids]),
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }


def _numbers(nodes: Iterable[Sequence[int]]) -> str:
    """ "0,1;4": a node's with commas, nodes apart by semicolons, ordered as SOLVEYARD_NODES."""
    return ";".join(",".join(map(str, numbers)) for numbers in nodes)
