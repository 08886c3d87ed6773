"""What may run for whom comes over the network. The private socket's owner is bound by nothing."""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from solveyard import registry
from solveyard.doors.keys import Caller
from solveyard.model import criteria
from solveyard.model.arrays import filled_text
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import InvalidRequest, NotAllowed
from solveyard.model.jobs import JobSpec
from solveyard.solvers import tasks
from solveyard.solvers.base import OnSite
from solveyard.surroundings import Here, open_to_others
from solveyard.wire.beneath import CLOSED

MOST = 10_000  #: tasks that may each have a directory of their own
GENERAL = frozenset({"command"})  #: solvers that run whatever they are told


def admissible(program: Path) -> None:
    """Raises InvalidRequest for what nobody should be let run over the network."""
    if not program.is_file() or not os.access(program, os.X_OK):
        raise InvalidRequest(f"there is no program {str(program)!r} (give the path of ansysedt)")
    if writable := open_to_others(program):
        raise InvalidRequest(
            f"{str(program)!r} can't be admitted: others may write {writable}"
            f" (chmod go-w {writable}, or take another)"
        )


@dataclass(frozen=True, kw_only=True)
class Rules:
    allow: frozenset[str] = frozenset()  #: solvers that are admitted beside the specialised ones
    programs: tuple[Path, ...] = ()  #: admitted beside those that solvers find on this machine
    roots: tuple[Path, ...] = ()  #: folders in which jobs may run; none: see `check`
    closed: tuple[Path, ...] = ()  #: folders in them in which only the owner's may: the store's

    def check(self, caller: Caller, spec: JobSpec, here: Here | None = None) -> None:
        """Raises NotAllowed, which names the setting that would admit it.

        Without `roots`, the owner may run jobs in any folder, and others only in a job's own.
        """
        if caller.private:
            return
        here = here or Here()
        if spec.solver in GENERAL - self.allow and spec.solver in registry.solvers():
            raise NotAllowed(
                f"the solver {spec.solver!r} may not be used over the network (admit it with"
                f" `allow` in config.toml or solveyard serve --allow {spec.solver}, or use the"
                " command line)"
            )
        if spec.batch is not None and GENERAL - self.allow and (text := _shell(spec.batch)):
            raise NotAllowed(
                f"`batch.{text}` may not be used over the network: it can run anything (admit that"
                " with `allow` in config.toml or solveyard serve --allow command)"
            )
        solver = registry.on_site(spec.solver)
        if solver is not None:
            for task in _tasks(spec):
                self._check_on_site(solver, task, here, owner=caller.owner)
            return
        inside = partial(self._inside, here=here, owner=caller.owner)
        outside = next((one for one in _directories(spec) if not inside(one)), None)
        if outside is not None:
            raise NotAllowed(
                f"`directory` {outside!r} is not in a folder that is open to the network (admit it"
                " with `project_roots` in config.toml or solveyard serve --project-root DIR)"
            )
        if spec.directory and any(self._shut(caller, here)):
            self._check_files(spec, here)

    def within(self, caller: Caller, specs: Iterable[JobSpec], here: Here) -> tuple[str, ...]:
        """The folders, links resolved, in one of which each directory of such jobs, and what they
        copy, must be whenever it is used: what is admitted now may be exchanged later. None:
        anywhere. What is closed to the caller in them has CLOSED before it.
        """
        if caller.private or not any(
            one.directory or registry.on_site(one.solver) for one in specs
        ):
            return ()
        shut = [f"{CLOSED}{one}" for one in self._shut(caller, here)]
        return (*map(str, here.real(self.roots)), *shut)

    def _shut(self, caller: Caller, here: Here) -> list[Path]:
        """What is closed to the caller in the roots."""
        if caller.owner or not self.roots:
            return []
        roots = here.real(self.roots)
        return [one for one in here.real(self.closed) if any(map(one.is_relative_to, roots))]

    def _check_files(self, spec: JobSpec, here: Here) -> None:
        """What it writes and reads in its directory lies in nothing that is closed, either."""
        for sample in tasks.samples(spec):
            command = registry.solver(spec.solver).command(sample)
            named = criteria.files(sample.measures, sample.success)
            for path in (*command.files, *command.outputs, *named):
                if here.inside(f"{sample.directory}/{path}", self.closed):
                    raise NotAllowed(
                        f"{path!r} is in the manager's own store (name a file of the job's own)"
                    )

    def _check_on_site(self, solver: OnSite, spec: JobSpec, here: Here, *, owner: bool) -> None:
        """Only what was found or admitted, where nobody else can exchange it, on what is open."""
        program = solver.program(spec)
        there = here.resolve(program)

        def among(programs: Iterable[str]) -> bool:
            return any(here.resolve(one) == there for one in programs)

        searched = not program  # where it runs, by its solver alone
        named = not searched and among(map(str, self.programs))
        if not searched and not named and not among(solver.programs(here)):
            raise NotAllowed(
                f"{program!r} may not be run over the network: it is none that was found on"
                " this machine (admit it with solveyard serve --ansysedt PATH)"
            )
        if not searched and (writable := here.open_to_others(program)):
            raise NotAllowed(
                f"{program!r} may not be run over the network: others may write {writable}"
                f" (chmod go-w {writable}, or admit another: solveyard serve --ansysedt PATH)"
            )
        if not searched and not named and not owner and (place := here.of_another(program)):
            raise NotAllowed(
                f"{program!r} may not be run over the network with a token: {place} belongs to"
                " another account, which may write it (admit that with solveyard serve --ansysedt"
                f" {program})"
            )
        scripts = solver.scripts(spec)
        if scripts and "command" not in self.allow:
            raise NotAllowed(
                f"the script {scripts[0]!r} may not be run over the network: scripts do"
                " whatever they say (admit them with `allow` in config.toml or solveyard serve"
                " --allow command, or use the command line)"
            )
        scratch = solver.scratch(spec)
        for path in (solver.project(spec), scratch):
            if path and not self._inside(path, here, owner=owner):
                temporary = here.resolve(tempfile.gettempdir())
                if path == scratch and Path(here.resolve(path)).is_relative_to(temporary):
                    continue
                raise NotAllowed(
                    f"{path!r} is not in a folder that is open to the network (admit it with"
                    " solveyard serve --project-root DIR)"
                )

    def _inside(self, directory: str, here: Here, *, owner: bool) -> bool:
        if not self.roots:
            return owner
        return here.inside(directory, self.roots) and (
            owner or not here.inside(directory, self.closed)
        )


def _tasks(spec: JobSpec) -> Iterable[JobSpec]:
    """As the solver gets it, of an array for each task. Raises NotAllowed for too many of them."""
    if spec.array is None or b"{{" not in bytes(spec.options):
        return (spec,)
    if len(spec.array) > MOST:
        raise NotAllowed(
            f"over the network an array whose tasks differ in their files has at most {MOST} tasks,"
            f" not {len(spec.array)} (use the command line)"
        )
    return (tasks.spec_at(spec, position) for position in range(len(spec.array)))


def _shell(wishes: BatchOptions) -> str:
    """A wish to a batch system by which any program could be run; "": there is none."""
    risky = ("prologue", "epilogue", "native", "modules")
    return next((name for name in risky if getattr(wishes, name)), "")


def _directories(spec: JobSpec) -> Iterable[str]:
    """All that it names, of an array for each task. Raises NotAllowed for too many of them."""
    if not spec.directory:
        return ()
    if spec.array is None or "{{" not in spec.directory:
        return (spec.directory,)
    if len(spec.array) > MOST:
        raise NotAllowed(
            f"over the network an array with a `directory` for each task has at most {MOST} tasks,"
            f" not {len(spec.array)} (use the command line)"
        )
    return {filled_text(spec.directory, spec.array, one) for one in range(len(spec.array))}
