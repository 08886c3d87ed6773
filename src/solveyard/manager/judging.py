"""From a command's end to a verdict: gathers the evidence that its solver and its criteria want."""

import contextlib
import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec.structs import replace

from solveyard import registry
from solveyard.backends.here import LocalWorkspace
from solveyard.backends.workspace import FileEntry, NoSuchFile, Workspace
from solveyard.manager.written import Old, nothing_old, written
from solveyard.model.criteria import STREAMS, files
from solveyard.model.errors import InvalidJob, InvalidRequest
from solveyard.model.jobs import Job, JobSpec, Outcome, Reason
from solveyard.solvers import tasks
from solveyard.solvers.base import STDERR, TAIL, Exit, OutputFile, Query
from solveyard.solvers.criteria import Criteria, Source
from solveyard.solvers.patterns import PIECE
from solveyard.solvers.verdicts import accepted

log = logging.getLogger(__name__)

_SHORT = 4096  #: bytes of options that are remembered


class Case:
    """One attempt's end, to be judged: `read` what it wants, then ask for the `verdict`."""

    def __init__(self, job: Job) -> None:
        self._invalid = ""
        self._criteria: Criteria | None = None
        self._evidence: dict[str, bytes | None] = {}
        self._spec = job.spec
        try:
            self._spec = tasks.spec_of(job.spec, job.id)
            if self._spec.success is not None or self._spec.measures:
                self._criteria = Criteria(self._spec)
        except InvalidJob as error:  # accepted by another version; its end must still be judged
            self._invalid = str(error)
        self._solver = registry.solvers().get(self._spec.solver)
        self._queries = list(self._solver.evidence(self._spec)) if self._solver else []
        self._read = False

    @property
    def wants(self) -> bool:
        """Is there something to read?"""
        return bool(self._queries or (self._criteria is not None and self._criteria.sources))

    @property
    def plain(self) -> bool:
        """Is all of that in the job's directory?"""
        if self._criteria is not None and self._criteria.sources:
            return False
        return all(query.path != STDERR for query in self._queries)

    def read(
        self,
        workspace: Workspace,
        streams: tuple[str, str],
        since: float = 0.0,
        outputs: Sequence[OutputFile] = (),
        old: Old = nothing_old,
    ) -> None:
        """Files of the job's directory, and of its `streams`, standard output and error. Blocking.

        What isn't there, or can't be read, is evidence, too. `since`: when the command started;
        `outputs`: what its machine told of them; `old`: what others left before of what a folder
        holds now.
        """
        self._read = True
        listed: dict[Query, list[FileEntry]] = {}
        there = {one.path for one in outputs if one.fresh}
        for query in self._queries:
            if query.unless in there:
                continue
            if query.path == STDERR:
                stderr = Path(streams[1])
                told = _content(LocalWorkspace(stderr.parent), stderr.name, query.limit)
                self._evidence[STDERR] = told
            elif query.below:
                if query not in listed:
                    listed |= written(workspace, query.path, self._queries, since, old)
                found = _below(workspace, query, listed[query], since)
                self._evidence |= found
                if found:
                    there.add(query.path)
            else:
                self._evidence[query.path] = _content(workspace, query.path, query.limit)
        for name, source in (self._criteria.sources if self._criteria else {}).items():
            place, path = workspace, name
            if name in STREAMS:
                stream = Path(streams[STREAMS.index(name)])
                place, path = LocalWorkspace(stream.parent), stream.name
            try:
                if not _feed(source, place, path):
                    source.missing = f"{name} is missing"
            except (InvalidRequest, OSError) as error:
                log.warning("evidence not read", extra={"path": path, "error": str(error)})
                source.missing = f"{name} can't be read: {error}"

    def verdict(self, end: Exit) -> Outcome:
        """The solver's word, and the criteria's on top of it; in text that can be stored."""
        return storable(self._verdict(end))

    def _verdict(self, end: Exit) -> Outcome:
        outcome = self._word(end)
        if outcome.reason is Reason.EXIT_CODE and end.code in accepted(self._spec):
            outcome = replace(self._word(replace(end, code=0)), exit_code=end.code)
        elif outcome.reason is Reason.SUCCESS and end.code not in accepted(self._spec):
            outcome = replace(
                outcome, reason=Reason.EXIT_CODE, message=f"exit code {end.code} is no success here"
            )
        if self._invalid and outcome.reason is Reason.SUCCESS:
            message = f"its criteria can't be read by this version: {self._invalid}"
            return replace(
                outcome, reason=Reason.CRITERIA, cause="criteria.unreadable", message=message
            )
        if self._criteria is None or (self._criteria.sources and not self._read):
            return outcome
        return self._criteria.judge(outcome, end)

    def _word(self, end: Exit) -> Outcome:
        """The solver's; where the solver itself fails, that is the outcome."""
        if self._solver is None:
            return Outcome(
                reason=Reason.CRITERIA,
                cause="solver.missing",
                exit_code=end.code,
                signal=end.signal,
                message=f"the solver {self._spec.solver!r} is not installed any more, so nobody"
                " judged the result (install it, then retry)",
            )
        try:
            return self._solver.verdict(self._spec, self._own(end), self._evidence)
        except Exception as error:  # somebody else's code: its fault becomes the job's outcome
            log.exception("a solver's verdict failed", extra={"solver": self._spec.solver})
            return Outcome(
                reason=Reason.CRITERIA,
                cause="solver.verdict",
                exit_code=end.code,
                signal=end.signal,
                message=f"the solver {self._spec.solver!r} could not judge the result: {error!r}",
            )

    def _own(self, end: Exit) -> Exit:
        """The end without the files that the criteria alone look at."""
        added = set(files(self._spec.measures, self._spec.success))
        if not added or self._solver is None:
            return end
        with contextlib.suppress(InvalidJob):  # accepted by another version
            added -= set(self._solver.command(self._spec).outputs)
        return replace(end, outputs=tuple(one for one in end.outputs if one.path not in added))


def read_later(spec: JobSpec) -> bool:
    """Does a verdict read files in a folder that other jobs may have named, too?

    What begins right after such a job could write them anew before they were read. What a solver
    reads beside its project is nobody else's: one job at a time has the project.
    """
    if not spec.directory:
        return False
    if files(spec.measures, spec.success):
        return True
    if spec.exclusive and registry.on_site(spec.solver) is not None:
        return False
    options = bytes(spec.options)
    if spec.array is not None or len(options) > _SHORT:
        return _reads(spec)
    return _known_to_read(spec.solver, options)


@lru_cache(maxsize=1024)
def _known_to_read(solver: str, options: bytes) -> bool:
    """Of many jobs that run the same command one is asked about."""
    return _reads(JobSpec(solver=solver, options=msgspec.Raw(options)))


def _reads(spec: JobSpec) -> bool:
    """Does its solver read files, once it has ended?"""
    solver = registry.solvers().get(spec.solver)
    try:
        queries = solver.evidence(tasks.spec_at(spec, 0)) if solver is not None else ()
    except Exception:  # somebody else's code, or options of another version
        return True
    return any(query.path != STDERR for query in queries)


def storable(outcome: Outcome) -> Outcome:
    """A file's name may hold bytes that are no character."""
    texts = (outcome.message, outcome.cause, *outcome.evidence)
    if all(map(str.isascii, texts)):
        return outcome
    message, cause, *evidence = (text.encode("utf-8", "replace").decode() for text in texts)
    return replace(outcome, message=message, cause=cause, evidence=tuple(evidence))


def _content(workspace: Workspace, path: str, limit: int) -> bytes | None:
    """At most `limit` bytes, from the end; None: no such file."""
    try:
        return workspace.read(path, -limit, limit)
    except NoSuchFile:
        return None
    except (InvalidRequest, OSError) as unread:
        error = unread
    with contextlib.suppress(InvalidRequest, OSError):
        if workspace.stat(path) is None:
            return None
    log.warning("evidence not read", extra={"path": path, "error": str(error)})
    return None


def _below(
    workspace: Workspace, query: Query, listed: Sequence[FileEntry], since: float
) -> dict[str, bytes | None]:
    """Of the `listed`, by path; those that would be too much are left out."""
    found: dict[str, bytes | None] = {}
    left = room = query.limit
    for one in listed:
        path = one.path
        if query.strict and one.modified < since:
            continue
        if not query.limit:
            found[path] = b""
        elif one.size <= left:
            left -= one.size
            found[path] = _content(workspace, path, query.limit)
        elif query.tail:
            room -= query.tail
            found[path + TAIL] = _content(workspace, path, query.tail) if room >= 0 else b""
    return found


def _feed(source: Source, workspace: Workspace, path: str) -> bool:
    """In pieces: a log may be larger than memory. False: there is no such file."""
    found = workspace.stat(path)
    if found is None:
        return False
    source.left_out = offset = max(0, found.size - source.limit)
    while offset < found.size:
        piece = workspace.read(path, offset, min(PIECE, found.size - offset))
        if not piece:
            break
        offset += len(piece)
        source.feed(piece)
    source.feed(b"", last=True)
    return True
