"""Programs that stand in for others that a test machine doesn't have."""

import json
import sys
from pathlib import Path

ANSYSEDT = Path(__file__).with_name("ansysedt.py")


def install(folder: Path, release: str = "v252") -> Path:
    """A stand-in ansysedt below `folder`, where an installation of that release would have it."""
    place = folder / release / "AnsysEM"
    place.mkdir(parents=True, mode=0o755)
    program = place / "ansysedt"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ANSYSEDT}" "$@"\n')
    for each in (folder, place.parent, place, program):
        each.chmod(0o755)
    return program


def project(folder: Path, scenario: str = "success", name: str = "board.aedt") -> Path:
    """A project of the stand-in."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    content = json.dumps({"stand_in": True, "scenario": scenario})
    if place.suffix == ".aedb":
        place.mkdir()
        (place / "project.json").write_text(content)
    else:
        place.write_text(content)
    return place
