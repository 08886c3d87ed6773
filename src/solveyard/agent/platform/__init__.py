"""What differs between operating systems: starting, watching and ending process trees."""

from __future__ import annotations

import sys

from solveyard.agent.platform.base import Platform


def choose(name: str, group: str) -> Platform:
    """The platform of this machine; `name` "portable": the one that needs the least of it.

    `group` is a name for this spawner's control groups, unique on the machine.
    """
    if sys.platform == "win32":
        from solveyard.agent.platform.windows import Windows

        return Windows()
    else:  # noqa: RET505  so that the type checker skips it on Windows
        from solveyard.agent.platform import linux, posix

        if sys.platform == "linux" and name == "auto" and linux.usable():
            return linux.Linux(group)
        return posix.Posix()
