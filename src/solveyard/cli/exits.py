"""Exit statuses, and the one line that every error is told in."""

import contextlib
import json

from solveyard.cli import talk
from solveyard.model.errors import (
    FILE_MISSING,
    Conflict,
    InvalidRequest,
    InvalidSettings,
    ManagerUnavailable,
    NotAllowed,
    QuotaReached,
    SolveyardError,
    StoreFull,
    StoreLocked,
)

OK = 0
NOT_SUCCEEDED = 1
USAGE = 2
UNAVAILABLE = 3
REFUSED = 4
TIMED_OUT = 5
INVALID_SETTINGS = 7
INTERRUPTED = 130

HELP = """\b
Exit statuses:
  0    done; for wait, run, demo and submit --wait: all jobs succeeded
  1    a job that was run or waited for did not succeed; doctor: something fails
  2    wrong usage or input; no such job
  3    no manager or cluster answers, or the store can't be used
  4    refused: the job's state or name, or a rule, doesn't allow it, or the store is full or taken
  5    the time given to wait or stop is over
  7    the settings can't be used as written: solveyard config show
  130  interrupted
"""


class Refused(SolveyardError):
    """Somebody said no to a question."""


def status(error: BaseException) -> int:
    """The exit status that an error ends the command with."""
    match error:
        case Conflict() | NotAllowed() | QuotaReached() | StoreFull() | StoreLocked() | Refused():
            return REFUSED
        case InvalidSettings():
            return INVALID_SETTINGS
        case InvalidRequest():
            return USAGE
        case TimeoutError():
            return TIMED_OUT
        case KeyboardInterrupt():
            return INTERRUPTED
        case _:
            return UNAVAILABLE


def tell(why: str, *, as_json: bool) -> None:
    """One line on standard error; with `--json` the same on standard output, for programs."""
    line = " ".join(why.split())
    if as_json:
        with contextlib.suppress(talk.NobodyReads, talk.Unwritable):
            talk.answer(json.dumps({"success": False, "error": line}))
    talk.say(f"error: {line}")


def told(error: SolveyardError | TimeoutError | OSError) -> str:
    """The error's sentence; never empty."""
    if isinstance(error, ManagerUnavailable) and not str(error):
        return "no manager answers (start one: solveyard serve)"
    return str(error).replace(FILE_MISSING, "", 1) or type(error).__name__
