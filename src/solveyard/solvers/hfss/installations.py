"""Where ansysedt is on a machine: found by its variables, its PATH and the usual folders. Pure."""

import ntpath
import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from solveyard.solvers.base import Machine

_VARIABLES = (  # in the order of trust, and what lies between the root and the program
    (re.compile(r"ANSYSEM_ROOT(\d{3})\Z"), ("", "AnsysEM")),
    (re.compile(r"AWP_ROOT(\d{3})\Z"), ("AnsysEM",)),
    (re.compile(r"ANSYSEMSV_ROOT(\d{3})\Z"), ("", "AnsysEM")),
)
_RELEASE = re.compile(r"(?:v|AnsysEM)(\d\d)\.?(\d)\Z", re.IGNORECASE)
_LINUX_FOLDERS = (
    "/ansys_inc", "/usr/ansys_inc", "/usr/local/ansys_inc", "/opt/ansys_inc", "/opt/AnsysEM",
    "/usr/local/AnsysEM", "/usr/AnsysEM",
)  # fmt: skip
_WINDOWS_FOLDERS = ("ANSYS Inc", "AnsysEM", "ANSYS Inc\\ANSYS Student")
_BELOW = ("AnsysEM", "Linux64", "Win64", "AnsysEM/Linux64", "")


class Installation(NamedTuple):
    release: int  #: e.g. 252 for 2025 R2
    program: str  #: the path of ansysedt
    found_by: str  #: a variable's name, "PATH", or the folder
    student: bool = False


def installations(machine: Machine) -> list[Installation]:
    """All that there are, each once, the newest first; the student's last within a release."""
    found: dict[str, Installation] = {}
    for one in (*_by_variables(machine), *_by_path(machine), *_by_folders(machine)):
        found.setdefault(machine.resolve(one.program), one)
    return sorted(found.values(), key=lambda one: (-one.release, one.student))


def _by_variables(machine: Machine) -> Iterator[Installation]:
    for form, between in _VARIABLES:
        for name, root in sorted(machine.environment.items()):
            match = form.match(name.upper())
            if match is None or not root:
                continue
            for folder in between:
                yield from _in(machine, _join(machine, root, folder), int(match[1]), name)


def _by_path(machine: Machine) -> Iterator[Installation]:
    """Folders of an installation on PATH; a link in /usr/bin doesn't tell its release."""
    path = machine.environment.get("PATH", "")
    for folder in path.split(";" if machine.windows else ":"):
        parts = re.split(r"[/\\]", folder)
        releases = [match for part in parts if (match := _RELEASE.match(part))]
        if releases:
            yield from _in(machine, folder, _release(releases[-1]), "PATH")


def _by_folders(machine: Machine) -> Iterator[Installation]:
    for folder in _usual(machine):
        for name in sorted(machine.listing(folder)):
            match = _RELEASE.match(name)
            for below in _BELOW if match else ():
                place = _join(machine, folder, name, *below.split("/"))
                yield from _in(machine, place, _release(match), folder)


def _usual(machine: Machine) -> Iterator[str]:
    if not machine.windows:
        yield from _LINUX_FOLDERS
        return
    roots = (machine.environment.get(name, "") for name in ("ProgramFiles", "PROGRAMFILES"))
    for root in dict.fromkeys(filter(None, (*roots, "C:\\Program Files"))):
        for folder in _WINDOWS_FOLDERS:
            yield _join(machine, root, folder)


def _in(machine: Machine, folder: str, release: int, found_by: str) -> Iterator[Installation]:
    names = set(machine.listing(folder))
    suffix = ".exe" if machine.windows else ""
    for name, student in ((f"ansysedt{suffix}", False), (f"ansysedtsv{suffix}", True)):
        if name in names:
            yield Installation(release, _join(machine, folder, name), found_by, student)


def _release(match: re.Match[str] | None) -> int:
    return int(match[1] + match[2]) if match else 0


def _join(machine: Machine, root: str, *parts: str) -> str:
    join = ntpath.join if machine.windows else posixpath.join
    return join(root, *filter(None, parts))
