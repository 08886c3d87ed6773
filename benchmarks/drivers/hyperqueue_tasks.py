"""Has the real HyperQueue, whose Python runs this, launch /bin/true with two output files each.

python hyperqueue_tasks.py FOLDER COUNT
"""

import sys
from pathlib import Path

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def main(folder: Path, count: int) -> None:
    job = Job(default_workdir=folder)
    for number in range(count):
        job.program(
            ["/bin/true"],
            stdout=str(folder / f"{number}.out"),
            stderr=str(folder / f"{number}.err"),
        )
    with LocalCluster(str(folder.with_name("server")), WorkerConfig(cores=2)) as cluster:
        client = cluster.client()
        client.wait_for_jobs([client.submit(job)])


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir()
    main(place, int(sys.argv[2]))
