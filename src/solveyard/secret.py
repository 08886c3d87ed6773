"""A secret that is named, never written down: it is in a variable or in a private file."""

import os
import stat
import sys
from collections.abc import Mapping
from typing import NamedTuple

from solveyard.model.errors import InvalidSettings

LIMIT = 64 * 1024  #: bytes of a secret


class Secret(NamedTuple):
    """Where a secret is; `read` it where it is used, and keep it nowhere."""

    env: str = ""  #: an environment variable of the manager's, or
    file: str = ""  #: an absolute path

    def read(self, environment: Mapping[str, str] | None = None) -> str:
        """The secret itself, without a last line end. `environment`: None for this process's.

        Raises InvalidSettings, which says where it should be and never what it is.
        """
        if self.file:
            return _checked(_private_text(self.file), self.file)
        known = os.environ if environment is None else environment
        text = known.get(self.env, "")
        if not text:
            raise InvalidSettings(
                f"the environment variable {self.env} is not set where the manager was started"
                " (set it there, or keep the secret in a file)"
            )
        return _checked(text, self.env)


def _private_text(path: str) -> str:
    """Of a file of our own that nobody else may read. Looks at what it has open, not at a name."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidSettings(f"cannot read the secret in {path}: {why}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidSettings(f"{path} is no file (a secret needs one, of mode 0600)")
        if sys.platform != "win32":
            if found.st_uid != os.getuid():
                raise InvalidSettings(
                    f"{path} belongs to account {found.st_uid}, not to the manager's, {os.getuid()}"
                    " (a secret's file must be its own: copy it)"
                )
            if found.st_mode & 0o077:
                raise InvalidSettings(
                    f"{path} has mode {stat.S_IMODE(found.st_mode):04o}: others may use it"
                    f" (chmod 600 {path})"
                )
        content = os.read(descriptor, LIMIT + 1)
    except OSError as error:
        raise InvalidSettings(f"cannot read the secret in {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # the error holds the bytes: nobody who prints causes shall print them
        raise InvalidSettings(f"the secret in {path} is not UTF-8 text") from None


def _checked(text: str, where: str) -> str:
    secret = text.rstrip("\r\n")
    if any("\ud800" <= letter <= "\udfff" for letter in secret):  # bytes of the environment
        raise InvalidSettings(f"the secret in {where} is not UTF-8 text")
    if not secret or "\0" in secret or len(secret) > LIMIT:
        what = "is empty" if not secret else "holds a NUL" if "\0" in secret else "is too long"
        raise InvalidSettings(f"the secret in {where} {what}")
    return secret
