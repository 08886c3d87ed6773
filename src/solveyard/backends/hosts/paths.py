"""Path maps: the same folders under the client's names and under the cluster's. Pure.

A Windows path has a drive or two backslashes before it, takes either slash, and large letters for
small ones. What is mapped is a whole folder, never a part of its name, and never what leaves it.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from solveyard.model.texts import is_plain

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\|//")


class PathMap:
    """Of several that fit, the longest counts."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        """By the client's folders. Raises ValueError: one of them isn't an absolute path."""
        self._pairs = [(_read(here), _read(there)) for here, there in pairs.items()]

    def there(self, path: str) -> str | None:
        """The cluster's name for it; None: it isn't there."""
        return _mapped(path, self._pairs)

    def word(self, text: str) -> str:
        """A command's argument with a path in it: alone, or after the first "="."""
        if (found := self.there(text)) is not None:
            return found
        name, sign, path = text.partition("=")
        found = self.there(path) if sign else None
        return text if found is None else f"{name}={found}"

    def __or__(self, more: Mapping[str, str]) -> "PathMap":
        both = PathMap(more)
        both._pairs += self._pairs
        return both


class _Folder(NamedTuple):
    windows: bool
    parts: tuple[str, ...]  #: of Windows the first is its drive, or the host of a share

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(part.casefold() for part in self.parts) if self.windows else self.parts

    def below(self, parts: tuple[str, ...]) -> str:
        whole = (*self.parts, *parts)
        if not self.windows:
            return "/" + "/".join(whole)
        text = "\\".join(whole)
        drive = text.partition("\\")[0].endswith(":")
        return (f"{text}\\" if len(whole) == 1 else text) if drive else f"\\\\{text}"


def _read(path: str) -> _Folder:
    """Raises ValueError."""
    windows = _WINDOWS.match(path) is not None
    if not windows and not path.startswith("/"):
        raise ValueError(f"expected an absolute path, got {path!r}")
    parts = tuple(part for part in re.split(r"[\\/]" if windows else "/", path) if part)
    if any(part in {".", ".."} for part in parts) or not is_plain(path):
        raise ValueError(f"expected a path without '.' and '..', got {path!r}")
    return _Folder(windows, parts)


def _mapped(path: str, pairs: list[tuple[_Folder, _Folder]]) -> str | None:
    try:
        asked = _read(path)
    except ValueError:
        return None
    best: tuple[_Folder, _Folder] | None = None
    for source, target in pairs:
        inside = asked.key[: len(source.key)] == source.key
        longer = best is None or len(source.parts) > len(best[0].parts)
        if source.windows is asked.windows and inside and longer:
            best = source, target
    return None if best is None else best[1].below(asked.parts[len(best[0].parts) :])
