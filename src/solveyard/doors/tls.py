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
_OF_ANOTHER = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})


class UnfitKey(InvalidRequest):
    """The certificate will do, but not what was named as its key."""


class Certificate:
    """A certificate with what its issuer added, and its key, in two PEM files."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises InvalidRequest, with the way out, where browsers would refuse it; UnfitKey."""
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
        found = [_looked_at(self.path, InvalidRequest), _looked_at(self._key, UnfitKey)]
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)

    def _loaded(self) -> ssl.SSLContext:
        """Blocking, for some milliseconds."""
        _file(self.path, "certificate", InvalidRequest)
        _private(self._key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            trusting = trust.pinned(self.path)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise _unfit(self.path, error) from error
        try:
            context.load_cert_chain(self.path, self._key, password=_no_password)
        except _Encrypted as error:
            raise UnfitKey(
                f"the key {self._key} is encrypted (take its passphrase off: openssl pkey)"
            ) from error
        except (OSError, ValueError) as error:
            raise _apart(self.path, self._key, error) from error
        try:
            _shake_hands(context, trusting)
        except ssl.SSLCertVerificationError as error:
            raise InvalidRequest(
                f"the certificate {self.path} can't be used: {error.verify_message} (renew it)"
            ) from error
        except ssl.SSLError as error:
            raise _unfit(self.path, error) from error
        return context


class _Encrypted(Exception):
    pass


def _no_password() -> str:
    raise _Encrypted


def _looked_at(path: Path, fault: type[InvalidRequest]) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise fault(_unread(path, error)) from error


def _file(path: Path, what: str, fault: type[InvalidRequest]) -> os.stat_result:
    """Raises `fault` where it is a pipe or a device, which might never end."""
    found = _looked_at(path, fault)
    if not stat.S_ISREG(found.st_mode):
        raise fault(f"the {what} {path} is no file (name the file that holds it)")
    return found


def _private(key: Path) -> None:
    """Raises UnfitKey where others could read it."""
    mode = _file(key, "key", UnfitKey).st_mode
    if sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        shown = f"{stat.S_IMODE(mode):o}"
        raise UnfitKey(f"others can read the key {key} (its mode is {shown}: chmod 600 it)")


def _unfit(certificate: Path, error: Exception) -> InvalidRequest:
    """What is wrong with the certificate's file."""
    if isinstance(error, ssl.SSLError):
        why = f": {error.reason.replace('_', ' ').lower()}" if error.reason else ""
        return InvalidRequest(
            f"cannot use the certificate {certificate}{why} (it takes certificates in PEM form)"
        )
    if isinstance(error, OSError):
        return InvalidRequest(_unread(certificate, error))
    return InvalidRequest(str(error))


def _apart(certificate: Path, key: Path, error: Exception) -> InvalidRequest:
    """Which of the two it is that can't be loaded, after the first certificate was."""
    if isinstance(error, ssl.SSLError):
        if error.reason in _OF_ANOTHER:
            return UnfitKey(
                f"the key {key} is not that of the certificate {certificate} (name its own)"
            )
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(certificate)
        except ssl.SSLError:
            return _unfit(certificate, error)
        return UnfitKey(f"{key} holds no key that can be read (it takes one in PEM form)")
    if isinstance(error, OSError):
        return UnfitKey(_unread(key, error))
    return UnfitKey(str(error))


def _unread(path: Path, error: OSError) -> str:
    return (
        f"cannot read {path}: {error.strerror} (name a file that is there, and that the manager's"
        " account may read)"
    )


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
