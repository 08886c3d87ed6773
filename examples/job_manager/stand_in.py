"""Projects to try the job manager with where there is no Ansys software: stand_in.py FOLDER

Installs a STAND-IN for ansysedt (not Ansys software) and four projects that only it understands,
and prints the line for your shell by which the job manager finds it.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests"
PROJECTS = {"antenna": "success", "filter": "success", "patch": "fail", "array": "slow"}


def prepare(folder: str | Path) -> tuple[Path, dict[str, Path]]:
    """The stand-in, and its projects by name: `patch` fails, `array` would take ten minutes."""
    sys.path.insert(0, str(TESTS))
    import standin

    place = Path(folder).absolute()
    program = place / "ansys_inc" / "v252" / "AnsysEM" / "ansysedt"
    if not program.exists():
        standin.install(place / "ansys_inc")
    projects = {
        name: standin.project(place, scenario, f"{name}.aedt")
        for name, scenario in PROJECTS.items()
    }
    return program, projects


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: stand_in.py FOLDER")
    print(f"export ANSYSEM_ROOT252='{prepare(sys.argv[1])[0].parent}'")
