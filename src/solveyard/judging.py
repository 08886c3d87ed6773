"""From a command's end to a verdict: gathers the evidence that its solver asks for."""

import logging
from collections.abc import Mapping

from solveyard import registry
from solveyard.backends.workspace import LocalWorkspace
from solveyard.model.errors import InvalidRequest
from solveyard.model.jobs import JobSpec, Outcome, Reason
from solveyard.solvers.base import Exit, Query

log = logging.getLogger(__name__)


def queries(spec: JobSpec) -> list[Query]:
    """The files that the verdict on `spec` needs; none where its solver is gone."""
    solver = registry.solvers().get(spec.solver)
    return list(solver.evidence(spec)) if solver is not None else []


def gather(wanted: list[Query], workspace: LocalWorkspace) -> dict[str, bytes | None]:
    """Each query's content; None: no such file. Blocking."""
    found: dict[str, bytes | None] = {}
    for query in wanted:
        try:
            entry = workspace.stat(query.path)
            found[query.path] = (
                None if entry is None else workspace.read(query.path, -query.limit, query.limit)
            )
        except (InvalidRequest, OSError) as error:
            log.warning("evidence not read", extra={"path": query.path, "error": str(error)})
            found[query.path] = None
    return found


def verdict(spec: JobSpec, exit: Exit, evidence: Mapping[str, bytes | None]) -> Outcome:  # noqa: A002
    """The solver's word; where the solver itself fails, that is the outcome."""
    solver = registry.solvers().get(spec.solver)
    if solver is None:
        return Outcome(
            reason=Reason.CRITERIA,
            cause="solver.missing",
            exit_code=exit.code,
            signal=exit.signal,
            message=f"the solver {spec.solver!r} is not installed any more, so nobody judged"
            " the result (install it, then retry)",
        )
    try:
        return solver.verdict(spec, exit, evidence)
    except Exception as error:  # somebody else's code: its fault becomes the job's outcome
        log.exception("a solver's verdict failed", extra={"solver": spec.solver})
        return Outcome(
            reason=Reason.CRITERIA,
            cause="solver.verdict",
            exit_code=exit.code,
            signal=exit.signal,
            message=f"the solver {spec.solver!r} could not judge the result: {error!r}",
        )
