"""`python -m ...submit_local_job`: have a running manager solve one project on its machine."""

import argparse
import sys

from solveyard.pyedb import commands, sending


def main(arguments: list[str] | None = None) -> int:
    parser = commands.parser("submit_local_job", "Submit one project to a running job manager.")
    parser.add_argument("--project-path", required=True, help="an .aedt file or .aedb folder")
    parser.add_argument(
        "--num-cores", type=commands.positive, default=8, metavar="N", help="else 8"
    )
    return commands.run(_submit, parser, arguments)


def _submit(given: argparse.Namespace) -> int:
    return sending.one(given, sending.local(given.project_path, given.num_cores))


if __name__ == "__main__":
    sys.exit(main())
