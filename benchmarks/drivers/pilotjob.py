"""Has the real qcg-pilotjob, whose Python runs this, launch /bin/true with two output files each.

python pilotjob.py FOLDER COUNT
"""

import sys
from pathlib import Path

from qcg.pilotjob.api.job import Jobs
from qcg.pilotjob.api.manager import LocalManager


def main(folder: str, count: int) -> None:
    options = ["--log", "critical", "--wd", folder, "--nodes", "2"]
    manager = LocalManager(options, {"wdir": folder, "log_level": "critical"})
    jobs = Jobs()
    for number in range(count):
        jobs.add(
            name=f"job{number}",
            exec="/bin/true",
            stdout=f"{number}.out",
            stderr=f"{number}.err",
            numCores=1,
        )
    manager.submit(jobs)
    manager.wait4all()
    ends = [each["status"] for each in manager.list().values()]
    manager.finish()
    manager.cleanup()
    if ends != ["SUCCEED"] * count:
        sys.exit(f"of {count} jobs {ends.count('SUCCEED')} succeeded")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir()
    main(sys.argv[1], int(sys.argv[2]))
