"""A PyAEDT script as a job: with its licences, its project's lock, and a verdict of its own.

    python pyaedt_job.py /projects/board.aedt solve_with_pyaedt.py

What the script does is its own affair; what it must leave is a Touchstone file beside the project.
"""

import sys
from pathlib import Path

from solveyard import Yard
from solveyard.solvers.hfss.licences import cost_of


def main(project: Path, script: Path) -> int:
    cores = 4
    result = f"{project.stem}.s2p"
    with Yard() as yard:
        counted = yard.status()["licences"]
        licences = {name: n for name, n in cost_of(cores, kind="pool").items() if name in counted}
        job = yard.command(
            [sys.executable, str(script), str(project), result, str(cores)],
            name=f"{project.stem}-pyaedt",
            directory=str(project.parent),
            resources={"cores": cores, "licences": licences},  # it waits for them
            exclusive=[str(project.resolve())],  # as a solve of solveyard's own does
            retry={"tries": 3, "on": ["exit_code"], "delay": 60},
            measures={"match": {"from": result, "touchstone": "S11 dB min"}},
            success={"bounds": {"match": {"max": -1}}},  # a file of NaN, or of an old run, is none
        )
        record = job.wait()
    print(f"{record.id}: {record.state}, {record.message or record.values}")
    return 0 if record.state == "completed" else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()))
