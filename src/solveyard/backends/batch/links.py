"""Symbolic links among results: here as they were there, as long as they stay in their folder."""

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

from solveyard.model.texts import is_plain, plain
from solveyard.wire.beneath import Folder

_OUT = "a link leads it out of the job's folder"
_NAMED = 5  #: links that lead out, in words


def inside(path: str, target: str, there: str) -> str | None:
    """What a link at `path` in the folder `there` says in a copy of that; None: it leads out.

    No ".." comes behind a name: that name may be a link's.
    """
    if f"{target}/".startswith(f"{there}/"):  # by its absolute name
        below = target.removeprefix(there).lstrip("/") or "."
        target = os.path.relpath(below, PurePosixPath(path).parent)
    parts = PurePosixPath(target).parts
    up = 0
    while parts[up : up + 1] == ("..",):
        up += 1
    if (
        parts[:1] == ("/",)
        or not target
        or ".." in parts[up:]
        or up >= len(PurePosixPath(path).parts)
    ):
        return None
    return target


def make(root: Path, path: str, target: str, within: Sequence[str] = ()) -> str:
    """Why it isn't here; "": it is. Replaces a file or another link. Blocking.

    `within`: real folders, in one of which `root` must be; none: anywhere.
    """
    if not is_plain(path) or not is_plain(target):
        return "its name isn't plain"
    here, real = root / path, os.path.realpath(root)
    folder, slash, name = path.rpartition("/")
    fresh = f"{folder}{slash}.{sha256(os.fsencode(name)).hexdigest()}.link.part"
    try:
        if why := astray(root, here):
            return why
        if not f"{os.path.realpath(here.parent / target)}/".startswith(f"{real}/"):
            return _OUT
        if not within:
            root.mkdir(parents=True, exist_ok=True)  # should it have gone
        with Folder(str(root), within) as inside:
            inside.make(folder)
            if here.is_symlink() and str(here.readlink()) == target:
                return ""
            inside.unlink(fresh)
            inside.symlink(fresh, target)
            inside.replace(fresh, path)
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def astray(root: Path, here: Path) -> str:
    """That one of the folders above it, up to the job's, is a link; "": none is. Blocking."""
    real, top = here.parent.resolve(), root.resolve()
    if real == top / here.parent.relative_to(root):
        return ""
    return "a link leads it to another folder" if top in (real, *real.parents) else _OUT


def told(out: Mapping[str, str]) -> str:
    """Of links that lead out, by their paths. They hold nothing but what is told."""
    named = [f"{path!r} to {plain(target)!r}" for path, target in sorted(out.items())]
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    return f"links that may lead out of its folder did not come: {', '.join(named[:_NAMED])}{more}"
