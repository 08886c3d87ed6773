"""What can go wrong, as the documents name it: each is a JobManagerError and a built-in error."""

import contextlib
from collections.abc import Iterator

from pydantic import ValidationError

from solveyard.model.errors import (
    FILE_MISSING,
    BackendError,
    Conflict,
    InvalidRequest,
    NotAllowed,
    SolveyardError,
    UnknownJob,
)
from solveyard.solvers import options


class JobManagerError(Exception):
    """Base of all errors that this package raises on purpose."""


class InvalidConfig(JobManagerError, ValueError):
    """What was asked for can't be run as written."""


class MissingFile(JobManagerError, FileNotFoundError):
    """A project, or an executable, isn't there."""


class AnsysNotFound(MissingFile, ValueError):
    """An ansysedt is needed, and none was found."""


class Forbidden(JobManagerError, PermissionError):
    """The manager's settings don't admit it."""


class ServiceError(JobManagerError, RuntimeError):
    """The service doesn't run, can't be reached, or can't do it in the job's state."""


class SubmissionFailed(ServiceError):
    """A batch system didn't take the job."""


class NotHere(JobManagerError, AttributeError):
    """What PyEDB's object had, and ours can't; it says what does it instead."""


class WaitTimeout(JobManagerError, TimeoutError):
    """The time is over; what was waited for goes on."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Errors of the model and the clients, raised inside, become this module's."""
    try:
        yield
    except JobManagerError:
        raise
    except SolveyardError as error:
        raise _translated(error) from error
    except TimeoutError as error:
        raise WaitTimeout(str(error)) from error


def invalid(error: ValidationError) -> InvalidConfig:
    """Its first problem, in one line."""
    found = options.problem(error)
    place = ".".join(map(str, found.place))
    more = f" (and {found.more} more)" if found.more else ""
    return InvalidConfig(f"`{place}`: {found.sentence}{more}" if place else found.sentence + more)


def _translated(error: SolveyardError) -> JobManagerError:
    text = str(error)
    match error:
        case BackendError():
            return SubmissionFailed(text)
        case UnknownJob():
            return ServiceError(f"{text} (it was removed, or never submitted)")
        case NotAllowed():
            return Forbidden(text)
        case Conflict():
            return ServiceError(text)
        case InvalidRequest() if text.startswith(FILE_MISSING):
            return MissingFile(text.removeprefix(FILE_MISSING))
        case InvalidRequest():
            return InvalidConfig(text)
        case _:
            return ServiceError(text)
