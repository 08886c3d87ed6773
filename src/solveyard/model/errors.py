"""Every error that solveyard raises on purpose, by whose fault it is.

SolveyardError
├── InvalidRequest      the caller's to fix
│   ├── InvalidJob          the specification can't be run as written
│   ├── UnknownJob          no such job
│   ├── Conflict            the job's state or name doesn't allow it
│   ├── QuotaReached        as many of this owner's jobs wait as may
│   ├── LogCompacted        the log of events begins later than that
│   ├── NotAllowed          this caller may not, or not that
│   ├── InvalidSettings     the settings can't be used as written
│   └── InvalidResult       a result file can't be read, or holds a value that isn't finite
├── BackendError        a backend could not do what it was asked; `transient`: try again
├── StoreError          the store can't be opened or written
│   ├── StoreFull           no space; goes on by itself when there is some
│   ├── StoreLocked         another process has it
│   └── StoreUnusable       corrupt, read-only, from a newer version
├── ManagerUnavailable  no manager answers, or it went away meanwhile
├── InternalFault       solveyard failed where it shouldn't (ours to fix)
└── IllegalTransition   an event that the job's state does not allow (ours to fix)
"""

#: How a refusal begins that is about a missing file: PyEDB's clients and documents know it so.
FILE_MISSING = "FileNotFoundError: "


class SolveyardError(Exception):
    """Base of all errors that solveyard raises on purpose."""


class InvalidRequest(SolveyardError):
    """The caller's to fix."""


class InvalidJob(InvalidRequest):
    """The specification can't be run as written."""


class UnknownJob(InvalidRequest):
    """No such job."""


class Conflict(InvalidRequest):
    """The job's state or name doesn't allow it."""


class QuotaReached(InvalidRequest):
    """As many of this owner's jobs wait as may."""


class LogCompacted(InvalidRequest):
    """The log of events begins later than that: with number `first`."""

    def __init__(self, message: str, *, first: int) -> None:
        super().__init__(message)
        self.first = first


class NotAllowed(InvalidRequest):
    """This caller may not, or not that."""


class InvalidSettings(InvalidRequest):
    """The settings can't be used as written."""


class InvalidResult(InvalidRequest):
    """A result file can't be read, or holds a value that isn't finite."""


class BackendError(SolveyardError):
    """A backend could not do what it was asked; `transient` says whether to try again."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class StoreError(SolveyardError):
    """The store can't be opened or written."""


class StoreFull(StoreError):
    """No space on the store's disk; goes on by itself when there is some."""


class StoreLocked(StoreError):
    """Another process has the store."""


class StoreUnusable(StoreError):
    """The store is corrupt, read-only, or from a newer version."""


class ManagerUnavailable(SolveyardError):
    """No manager answers, or it went away meanwhile."""


class InternalFault(SolveyardError):
    """Solveyard failed where it shouldn't; nothing of what it was doing was kept."""


class IllegalTransition(SolveyardError):
    """An event arrived that the job's state does not allow."""
