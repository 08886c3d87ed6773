"""How one cluster is spoken to, as the settings have it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from solveyard.backends.dialects.base import Server
from solveyard.model.batch import BatchOptions
from solveyard.model.messages import ClusterJoined


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """Times in s."""

    dialect: str
    queue: str = ""  #: for jobs that name none; empty: the site's default
    max_queued: int = 1000  #: jobs that wait and run there at once
    counts: Mapping[str, int] = field(default_factory=dict)  #: of named counts there
    shared: tuple[str, ...] = ()  #: named counts that are this store's, too
    poll_min: float = 2.0  #: between two queries while much happens
    poll_max: float = 60.0  #: and while little does
    submit_rate: float = 20.0  #: submissions a second, at most
    array_size: int = 1000  #: tasks of a native array, at most; 1: each job is submitted alone
    modules: tuple[str, ...] = ()  #: environment modules that its jobs and commands need
    prologue: str = ""  #: shell text before each job's command, and each command of the system's
    licences: tuple[str, ...] = ()  #: features that its batch system doesn't count
    licence_command: str = ""  #: shell text by which jobs' scripts ask for these
    licence_wait: float = 600.0  #: for which they do
    settle: float = 15.0  #: after which what can't be found there was never taken
    lost_after: float = 60.0  #: after which what it doesn't know any more, unrecorded, is lost
    host: str = ""  #: where its commands run, for ssh; empty: this machine
    ssh_options: Mapping[str, str] = field(default_factory=dict)
    ssh_config: Path | None = None  #: None: the user's and the machine's
    folder: str = "~/.solveyard"  #: there, for what its jobs need and leave
    path_map: Mapping[str, str] = field(default_factory=dict)  #: folders here to the same there
    max_input: int = 10 << 30  #: bytes of a job's folder that are sent

    def joined(self, name: str) -> ClusterJoined:
        """What is told when it answers."""
        return ClusterJoined(
            machine=name, most=self.max_queued, counts=self.counts, shared=self.shared
        )

    @property
    def server(self) -> Server | None:
        """Whom jobs' scripts ask for licences."""
        if not self.licences:
            return None
        return Server(self.licences, self.licence_command, self.licence_wait)

    @property
    def site(self) -> BatchOptions:
        """What the batch system's own commands need, too; on Windows no shell runs them."""
        if self.dialect == "winhpc":
            return BatchOptions()
        return BatchOptions(modules=self.modules, prologue=self.prologue)

    def of(self, options: BatchOptions | None) -> BatchOptions:
        """A job's own wishes, and what the cluster's settings add."""
        asked = options if options is not None else BatchOptions()
        prologue = "\n".join(text for text in (self.prologue, asked.prologue) if text)
        return replace(
            asked,
            queue=asked.queue or self.queue,
            modules=tuple(dict.fromkeys((*self.modules, *asked.modules))),
            prologue=prologue,
        )
