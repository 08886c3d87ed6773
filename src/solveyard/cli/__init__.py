"""The command line. What costs time to import is imported where it's used."""

import contextlib
import os
import sys
from collections.abc import Sequence

from solveyard import footprint


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status, as `cli.exits` documents them."""
    _open_streams()
    if arguments is None:  # a process of its own
        footprint.begin()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        from solveyard import __version__

        with contextlib.suppress(OSError):  # a full disk: told as for any command
            sys.stdout.write(f"solveyard {__version__}\n")
            sys.stdout.flush()
            return 0
    from solveyard.cli import app

    return app.run(given)


def _open_streams() -> None:
    """Standard streams that were closed: what goes there is lost, and nothing comes from there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
