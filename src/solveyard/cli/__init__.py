"""The command line. What costs time to import is imported where it's used."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status, as `cli.exits` documents them."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        from solveyard import __version__

        sys.stdout.write(f"solveyard {__version__}\n")
        return 0
    from solveyard.cli import app

    return app.run(given)
