"""What may run for whom comes over the network. The private socket's owner is bound by nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from solveyard import registry
from solveyard.doors.keys import Caller
from solveyard.model.errors import NotAllowed
from solveyard.model.jobs import JobSpec

GENERAL = frozenset({"command"})  #: solvers that run whatever they are told


@dataclass(frozen=True, kw_only=True)
class Rules:
    allow: frozenset[str] = frozenset()  #: solvers that are admitted beside the specialised ones
    roots: tuple[Path, ...] = ()  #: folders in which jobs may run; none: see `check`

    def check(self, caller: Caller, specs: Sequence[JobSpec]) -> None:
        """Raises NotAllowed, which names the setting that would admit it.

        Without `roots`, the owner may run jobs in any folder, and others only in a job's own.
        """
        if caller.private:
            return
        for index, spec in enumerate(specs):
            place = f"job {index + 1} of {len(specs)}: " if len(specs) > 1 else ""
            if spec.solver in GENERAL - self.allow and spec.solver in registry.solvers():
                raise NotAllowed(
                    f"{place}the solver {spec.solver!r} may not be used over the network (admit it"
                    f" with `allow` in config.toml or solveyard serve --allow {spec.solver}, or use"
                    " the command line)"
                )
            if spec.directory and not self._inside(spec.directory, owner=caller.owner):
                raise NotAllowed(
                    f"{place}`directory` {spec.directory!r} is not in a folder that is open to the"
                    " network (admit it with `project_roots` in config.toml or solveyard serve"
                    " --project-root DIR)"
                )

    def _inside(self, directory: str, *, owner: bool) -> bool:
        """Links are resolved first."""
        if not self.roots:
            return owner
        try:
            found = Path(directory).resolve()
        except (OSError, ValueError, RuntimeError):
            return False
        return any(found.is_relative_to(root.resolve()) for root in self.roots)
