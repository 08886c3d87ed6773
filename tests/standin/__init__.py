"""Programs that stand in for others that a test machine doesn't have. None is Ansys software."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ANSYSEDT = HERE / "ansysedt.py"


def install(folder: Path, release: str = "v252") -> Path:
    """A stand-in ansysedt below `folder`, where an installation of that release would have it."""
    place = folder / release / "AnsysEM"
    place.mkdir(parents=True, mode=0o755)
    program = _program(place / "ansysedt", ANSYSEDT)
    for each in (folder, place.parent, place):
        each.chmod(0o755)
    return program


def install_launcher(folder: Path, release: str = "v252") -> Path:
    """Ansys' scripts for Slurm beside that ansysedt, stood in for: each runs what it is given."""
    utilities = folder / release / "AnsysEM" / "schedulers" / "scripts" / "utils"
    utilities.mkdir(parents=True)
    for name in ("ansysedt_launcher.sh", "slurm_srun_wrapper.sh"):
        place = utilities / name
        place.write_text(f'#!/bin/sh\necho "STAND-IN {name}"\nexec "$@"\n')
        place.chmod(0o755)
    return utilities / "ansysedt_launcher.sh"


def install_lmutil(folder: Path) -> Path:
    """A stand-in lmutil in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return _program(folder / "lmutil", HERE / "lmutil.py")


def project(
    folder: Path, scenario: str = "success", name: str = "board.aedt", **values: Any
) -> Path:
    """A project of the stand-in; `values` are fields of `scenarios.Scenario`."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    content = json.dumps({"stand_in": True, "scenario": scenario, **values})
    if place.suffix == ".aedb":
        place.mkdir()
        (place / "project.json").write_text(content)
    else:
        place.write_text(content)
    return place


@contextlib.contextmanager
def licence_server(*options: str, **features: int) -> Iterator[str]:
    """A stand-in licence server that issues `features`; gives its address, PORT@HOST."""
    process = subprocess.Popen(
        [sys.executable, "-m", "standin.licence_server", *options,
         *(f"{name}={number}" for name, number in features.items())],
        cwd=HERE.parent, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def working_in(folder: Path) -> list[str]:
    """The processes whose command line or directory is of `folder`, each with its id."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                line = (entry / "cmdline").read_bytes()
                if str(folder).encode() in line + bytes(entry.joinpath("cwd").readlink()):
                    found.append(f"{entry.name} {line!r}")
    return found


def _program(place: Path, source: Path) -> Path:
    place.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{source}" "$@"\n')
    place.chmod(0o755)
    return place
