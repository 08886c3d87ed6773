"""`python -m ...submit_job_on_scheduler`: one project, for the manager's batch system."""

import argparse
import sys

from solveyard.model import walltime
from solveyard.pyedb import commands, sending
from solveyard.pyedb.job_submission import SchedulerType, create_hfss_config


def main(arguments: list[str] | None = None) -> int:
    parser = commands.parser("submit_job_on_scheduler", "Submit one project to a batch system.")
    parser.add_argument("--project-path", required=True, help="an .aedt file or .aedb folder")
    parser.add_argument("--partition", default="default", help="its partition or queue")
    parser.add_argument("--nodes", type=commands.positive, default=1, metavar="N")
    parser.add_argument("--cores-per-node", type=commands.positive, default=1, metavar="N")
    parser.add_argument(
        "--run-limit", type=run_limit, default="unlimited", metavar="TIME",
        help="hours, H:MM:SS or 'unlimited'; else unlimited",
    )  # fmt: skip
    parser.add_argument(
        "--scheduler", choices=[one.value for one in SchedulerType], default="slurm",
        help="else slurm",
    )  # fmt: skip
    return commands.run(_submit, parser, arguments)


def run_limit(text: str) -> str:
    """A number is hours; the rest is as in `SchedulerOptions.time`."""
    try:
        hours = float(text)
    except ValueError:
        hours = None
    try:
        seconds = walltime.seconds(text) if hours is None else round(hours * 3600)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{error}; a plain number is hours") from None
    if seconds is None:
        return "unlimited"
    if not 0 < seconds < 10**9:
        raise argparse.ArgumentTypeError(f"expected hours above 0, H:MM:SS or 'unlimited': {text}")
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _submit(given: argparse.Namespace) -> int:
    config = create_hfss_config(
        given.project_path,
        scheduler_type=given.scheduler,
        scheduler_options={
            "queue": given.partition,
            "nodes": given.nodes,
            "cores_per_node": given.cores_per_node,
            "time": given.run_limit,
        },
    )
    return sending.one(given, config)


if __name__ == "__main__":
    sys.exit(main())
