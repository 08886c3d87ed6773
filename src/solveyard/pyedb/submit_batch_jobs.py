"""`python -m ...submit_batch_jobs`: have a running manager solve all projects of a folder."""

import argparse
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from solveyard.model.errors import ManagerUnavailable, SolveyardError
from solveyard.pyedb import commands, projects, sending
from solveyard.pyedb.errors import JobManagerError


def main(arguments: list[str] | None = None) -> int:
    parser = commands.parser("submit_batch_jobs", "Submit all projects of a folder.")
    parser.add_argument("--root-dir", required=True, metavar="DIR")
    parser.add_argument(
        "--num-cores", type=commands.positive, default=8, metavar="N", help="of each job; else 8"
    )
    parser.add_argument("--recursive", action="store_true", help="look into its folders, too")
    parser.add_argument(
        "--max-concurrent", type=commands.positive, default=5, metavar="N",
        help="submissions at once; else 5",
    )  # fmt: skip
    parser.add_argument(
        "--delay-ms", type=commands.natural, default=100, metavar="MS",
        help="between two submissions; else 100",
    )  # fmt: skip
    parser.add_argument("--verbose", "-v", action="store_true", help="tell each project")
    return commands.run(_submit, parser, arguments)


def _submit(given: argparse.Namespace) -> int:
    root = Path(given.root_dir)
    if not root.is_dir():
        return commands.refused(given, f"no such folder: {root}", commands.FAILED)
    found = projects.below(root, recursive=given.recursive)
    if not found:
        return commands.refused(given, f"no projects in {root}", commands.FAILED)
    with ThreadPoolExecutor(given.max_concurrent) as pool:
        answers = list(pool.map(lambda one: _attempt(given, one), _paced(given, found)))
    ids = [job for job, _, _ in answers if job]
    unreachable = all(code == commands.UNREACHABLE for _, _, code in answers)
    if given.json:
        told = [
            {"project": str(project), "job_id": job or None, "error": why or None}
            for project, (job, why, _) in zip(found, answers, strict=True)
        ]
        commands.answer({"success": len(ids) == len(found), "jobs": told})
    for project, (job, why, _) in zip(found, answers, strict=True):
        if job and not given.json:
            commands.answer(f"{job}\t{project}" if given.verbose else job)
        if why:
            commands.say(f"error: {project}: {why}")
    if not given.json:
        commands.say(f"submitted {len(ids)} of {len(found)}")
    if len(ids) == len(found):
        return commands.OK
    return commands.UNREACHABLE if unreachable else commands.FAILED


def _paced(given: argparse.Namespace, found: list[Path]) -> Iterator[Path]:
    """One after the other, with the delay that was asked for."""
    for index, project in enumerate(found):
        if index:
            time.sleep(given.delay_ms / 1000)
        yield project


def _attempt(given: argparse.Namespace, project: Path) -> tuple[str, str, int]:
    """Its id, or why there is none and how the command exits for that."""
    try:
        config = sending.local(str(project), given.num_cores)
        return sending.submitted(given, config).id, "", commands.OK
    except ManagerUnavailable as error:
        return "", str(error), commands.UNREACHABLE
    except (SolveyardError, JobManagerError, OSError) as error:
        return "", str(error), commands.FAILED


if __name__ == "__main__":
    sys.exit(main())
