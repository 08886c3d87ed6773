"""Is there a PyEDB beside us whose own job manager lies at the same paths?"""

import base64
import functools
import hashlib
import re
import warnings
from importlib import metadata

WITHOUT = (0, 66)  #: the first PyEDB that has no job manager
MEND = (
    'pip install "pyedb>=0.66"'
    " && pip install --force-reinstall --no-deps ./packages/solveyard-pyedb"
)


_OURS = "solveyard-pyedb"


class MixedFiles(UserWarning):
    """Two distributions wrote files at the same paths."""


@functools.cache
def check() -> None:
    """Warn where there is, once."""
    try:
        found = metadata.version("pyedb")
    except metadata.PackageNotFoundError:
        return
    numbers = tuple(int(number) for number in re.findall(r"\d+", found)[:2])
    if numbers < WITHOUT:
        warnings.warn(
            f"PyEDB {found} has a job manager of its own at the same paths, so its files and"
            f" solveyard's are mixed: mend it in solveyard's repository by {MEND} (the last word is"
            " solveyard-pyedb where an index has that)",
            MixedFiles,
            stacklevel=3,
        )


def trouble() -> str:
    """Why our files at PyEDB's paths are not what is imported there; empty: they are, or nobody
    installed them.
    """
    try:
        ours = metadata.distribution(_OURS)
    except metadata.PackageNotFoundError:
        return ""
    files = [file for file in ours.files or () if file.parts[0] == "pyedb"]
    changed = [str(file) for file in files if not _as_installed(file)]
    if changed:
        return (
            f"{len(changed)} files of {_OURS} were replaced, such as {changed[0]}: a PyEDB that was"
            " installed later has its own job manager there"
        )
    if not files and _found("pyedb"):
        return f"{_OURS} is installed as editable beside PyEDB, whose package hides it"
    return ""


def _found(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _as_installed(file: metadata.PackagePath) -> bool:
    """Is its content what its distribution's record says?"""
    if file.hash is None:
        return True
    try:
        content = file.read_binary()
    except OSError:
        return False
    digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, content).digest())
    return digest.decode().rstrip("=") == file.hash.value
