"""When a request is sent again, and what is said once it isn't: the same for both clients."""

import ssl
from typing import Any

from solveyard.client import find, given, replies
from solveyard.client.calls import Call
from solveyard.client.find import Address
from solveyard.client.replies import Reply
from solveyard.model.errors import InvalidRequest, ManagerUnavailable

FIRST = 0.05  #: s before the second try; each pause is twice the one before
LONGEST = 2.0  #: s that a pause lasts at most
CONNECTING = 1.0  #: s of pauses, in all, while nothing has been sent
PATIENCE = 15.0  #: s of pauses, in all, once something was sent: a successor may come


def deadline(timeout: float | None, now: float) -> float | None:
    """When `timeout` s are over; None: never. Raises InvalidRequest for what is no such number."""
    if timeout is None:
        return None
    if (number := given.seconds(timeout)) is None:
        raise InvalidRequest(f"`timeout` must be a number of seconds, or None, not {timeout!r}")
    return now + number


class Tries:
    """The tries of one call. What was sent and not answered is sent again with its key."""

    def __init__(self, call: Call[Any], patience: float) -> None:
        self.sent = False  #: a manager may have read it
        self._call = call
        self._patience = patience
        self._pause = FIRST
        self._paused = 0.0

    def failed(self, error: Exception, where: Address | None) -> float:
        """s to wait before the next try; `where` nobody was, or None: nobody was found.

        Raises ManagerUnavailable when there is to be no other.
        """
        if isinstance(error, TimeoutError):  # that took its time already
            self._paused += self._patience / 3
        nobody = where is None or find.gone(where) or isinstance(error, ssl.SSLError)
        pause = None if nobody and not self.sent else self._next()
        if pause is not None:
            return pause
        if isinstance(error, ManagerUnavailable) and not self.sent:
            raise error
        raise ManagerUnavailable(self._told(error, where)) from error

    def answered(self, reply: Reply) -> float | None:
        """None: that is its answer; else s to wait for a manager that can give one."""
        return self._next() if replies.away(reply) else None

    def _next(self) -> float | None:
        if self.sent and not self._call.repeatable:
            return None
        limit = self._patience if self.sent else min(self._patience, CONNECTING)
        pause, self._pause = self._pause, min(LONGEST, 2 * self._pause)
        self._paused += pause
        return pause if self._paused <= limit else None

    def _told(self, error: Exception, where: Address | None) -> str:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        local = where is None or where.pid is not None or bool(where.socket)
        way_out = (
            "start one on that store: solveyard serve"
            if local
            else "is it up, and is the address right?"
        )
        if self.sent and self._call.doubt:
            return f"the manager went away before it answered: {why}; {self._call.doubt}"
        if self.sent:
            return f"the manager went away before it answered: {why} ({way_out})"
        if isinstance(error, ssl.SSLCertVerificationError) and where is not None:
            return (
                f"the certificate of {where.url} is not trusted: {error.verify_message}"
                " (name one that is by SOLVEYARD_CA_FILE)"
            )
        return f"no manager answers at {where.url if where else 'its address'}: {why} ({way_out})"
