"""What a job's `retry` may name: reasons, which are a closed list, and causes, which are open."""

from collections.abc import Container

from solveyard.model.errors import InvalidJob
from solveyard.model.jobs import JobSpec, Reason
from solveyard.model.policies import NEVER_RETRIED
from solveyard.model.reading import nearest

_REASONS = frozenset(Reason)
_CAUSES = frozenset({"result", "solver"})  #: how causes begin that begin with no solver's name
_RETRIED = tuple(reason for reason in Reason if reason not in NEVER_RETRIED)
_SHOWN = 40  #: letters of a word


def check(spec: JobSpec, solvers: Container[str]) -> None:
    """Raises InvalidJob for what no job ends with; `solvers`: names of those that are installed."""
    for word in spec.retry.on if spec.retry is not None else ():
        if why := unknown(word, solvers):
            raise InvalidJob(f"`retry.on`: {why}")


def unknown(word: str, solvers: Container[str]) -> str:
    """Why `word` is neither a reason nor a cause; "": it is one, or may be."""
    if word in _REASONS or word in _CAUSES or word in solvers or "." in word:
        return ""
    word = word[:_SHOWN]
    more = f" (there is: {', '.join(_RETRIED)}; or a cause, such as hfss.mpi)"
    return f"{word!r} is no reason why a job ends{nearest(word, _RETRIED) or more}"
