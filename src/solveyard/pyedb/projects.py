"""Which projects there are in a folder."""

from collections.abc import Iterator
from pathlib import Path


def below(folder: Path, *, recursive: bool = False) -> list[Path]:
    """Its .aedt files and .aedb folders, sorted; of a pair of one name the .aedt alone.

    Raises OSError.
    """
    found = sorted(_all(folder, recursive))
    return [one for one in found if one.suffix != ".aedb" or one.with_suffix(".aedt") not in found]


def _all(folder: Path, recursive: bool) -> Iterator[Path]:
    """What is inside a project is none."""
    for one in folder.iterdir():
        if one.is_dir() if one.suffix == ".aedb" else one.suffix == ".aedt" and one.is_file():
            yield one
        elif recursive and one.is_dir() and not one.is_symlink():
            yield from _all(one, recursive)
