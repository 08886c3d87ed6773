"""TLS by a certificate file: judged before anybody is let in, and taken anew when it changes."""

import logging
import os
import ssl
import stat
import sys
from pathlib import Path

from solveyard import trust
from solveyard.model.errors import InvalidRequest

log = logging.getLogger(__name__)

_ROUNDS = 4  #: of messages that a handshake takes, at most


class Certificate:
    """A certificate with what its issuer added, and its key, in two PEM files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises InvalidRequest, with the way out, where browsers would refuse it."""
        self.path = certificate
        self._key = key
        self._seen = self._version()
        self._newest = self._loaded()
        self.context = self._loaded()  #: for listeners
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        """Called at each handshake: a renewed certificate counts from the next connection on."""
        try:
            seen = self._version()
        except InvalidRequest:
            seen = self._seen  # it's just being replaced
        if seen != self._seen:
            self._seen = seen
            try:
                self._newest = self._loaded()
            except InvalidRequest as error:
                log.warning("the renewed certificate is not used", extra={"error": str(error)})
        connection.context = self._newest

    def _version(self) -> tuple[tuple[int, int, int], ...]:
        found = [_looked_at(path) for path in (self.path, self._key)]
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)

    def _loaded(self) -> ssl.SSLContext:
        """Blocking, for some milliseconds."""
        _private(self._key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            trusting = trust.pinned(self.path)
            context.load_cert_chain(self.path, self._key, password=_no_password)
        except _Encrypted as error:
            raise InvalidRequest(
                f"the key {self._key} is encrypted (take its passphrase off: openssl pkey)"
            ) from error
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise InvalidRequest(_explained(error, self.path, self._key)) from error
        try:
            _shake_hands(context, trusting)
        except ssl.SSLCertVerificationError as error:
            raise InvalidRequest(
                f"the certificate {self.path} can't be used: {error.verify_message} (renew it)"
            ) from error
        except ssl.SSLError as error:
            raise InvalidRequest(_explained(error, self.path, self._key)) from error
        return context


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    raise _Encrypted


def _looked_at(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise InvalidRequest(f"cannot read {path}: {error.strerror}") from error


def _private(key: Path) -> None:
    """Raises InvalidRequest where others could read it."""
    mode = stat.S_IMODE(_looked_at(key).st_mode)
    if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidRequest(f"others can read the key {key} (its mode is {mode:o}: chmod 600 it)")


def _explained(error: Exception, certificate: Path, key: Path) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return f"the key {key} is not that of the certificate {certificate} (name its own)"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return f"cannot read {error.filename or f'{certificate} or {key}'}: {error.strerror}"
    if isinstance(error, ssl.SSLError):
        why = (error.reason or str(error)).replace("_", " ").lower()
        return f"cannot use the certificate {certificate} with the key {key}: {why} (PEM is read)"
    return str(error)


def _shake_hands(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    """What a client will find, found here: in memory. Raises ssl.SSLError."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [trusting.wrap_bio(back, there), serving.wrap_bio(there, back, server_side=True)]
    for _ in range(_ROUNDS):
        for end in list(ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            ends.remove(end)
