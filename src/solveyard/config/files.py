"""A file of settings: TOML, and the line of each of its keys."""

import os
import stat
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from solveyard.model.errors import InvalidSettings

LIMIT = 64 * 1024  #: bytes of a file


class Document(NamedTuple):
    """What a file says."""

    path: Path
    values: dict[str, Any]
    lines: Mapping[str, int]  #: of each key, by its full name

    def where(self, name: str) -> str:
        """Where `name`, or what it is in, is written: "/etc/solveyard/config.toml:3"."""
        while name and name not in self.lines:
            name = name.rpartition(".")[0]
        return f"{self.path}:{self.lines[name]}" if name else str(self.path)


def read(path: Path, *, needed: bool = False) -> Document | None:
    """None: there is no such file, and it is not `needed`. Raises InvalidSettings."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not needed:
            return None
        raise InvalidSettings(f"there is no file of settings {path}") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InvalidSettings(f"cannot read the settings in {path}: {why}") from error
    if len(content) > LIMIT:
        raise InvalidSettings(f"{path} has more than {LIMIT} bytes: no settings are that long")
    try:
        text = content.decode("utf-8-sig")
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InvalidSettings(f"{path}: byte {error.start} is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        why = str(error)
        raise InvalidSettings(f"{path} is not TOML: {why[:1].lower()}{why[1:]}") from error
    except RecursionError as error:
        raise InvalidSettings(f"{path} is nested too deeply") from error
    return Document(path, values, _lines(text))


def refuse_foreign(path: Path, *, owned: bool) -> None:
    """Others must not be able to write what widens who comes in. Raises InvalidSettings.

    `owned`: it has to be this account's, or root's.
    """
    if sys.platform == "win32":
        return
    found = path.stat()
    if found.st_mode & stat.S_IWOTH:
        raise InvalidSettings(f"everybody may write the settings in {path} (chmod o-w {path})")
    if owned and found.st_uid not in {0, os.getuid()}:
        raise InvalidSettings(
            f"the settings in {path} belong to account {found.st_uid}, not to yours"
            " (copy the file, so that it's your own)"
        )


def _lines(text: str) -> dict[str, int]:
    """Statement by statement: a line that isn't whole by itself goes on in the next."""
    lines: dict[str, int] = {}
    table, pending, begin = "", "", 1
    for number, line in enumerate(text.split("\n"), 1):
        if not pending:
            begin = number
        pending += line + "\n"
        try:
            found = tomllib.loads(pending)
        except tomllib.TOMLDecodeError:
            continue
        names = list(_names(found))
        if pending.lstrip().startswith("["):
            table = f"{names[-1]}."
        else:
            names = [f"{table}{name}" for name in names]
        for name in names:
            lines.setdefault(name, begin)
        pending = ""
    return lines


def _names(values: Mapping[str, Any], at: str = "") -> Iterator[str]:
    for word, value in values.items():
        yield f"{at}{word}"
        if isinstance(value, dict):
            yield from _names(value, f"{at}{word}.")
