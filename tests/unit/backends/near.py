"""A machine over SSH that is this one: its scripts run here, and can be had to fail."""

import asyncio
import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from solveyard.backends.batch.layout import Layout
from solveyard.backends.hosts.paths import PathMap
from solveyard.backends.hosts.remote import Remote
from solveyard.backends.hosts.ssh import Failed


class Near:
    where = "login"  #: as the settings name it

    def __init__(self, folder: Path) -> None:
        """`folder`: for what lies there."""
        self.there = folder / "there"
        self.programs = folder / "bin"
        self.failing: dict[str, str] = {}  #: words of what fails, by script
        self.asked: list[str] = []  #: scripts that began
        self.before: dict[
            str, Callable[[], Awaitable[object]]
        ] = {}  #: what happens before one, once
        self.there.mkdir()
        self.programs.mkdir()

    async def ask(
        self,
        script: str,
        *arguments: str,
        stdin: bytes = b"",
        timeout: float = 60.0,  # noqa: ASYNC109
    ) -> bytes:
        if script in self.before:
            await self.before.pop(script)()
        self.asked.append(script)
        if script in self.failing:
            raise Failed(self.failing[script])
        done = await asyncio.to_thread(
            subprocess.run,
            ["/bin/sh", "-c", script, "sh", *arguments],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            env={"PATH": f"{self.programs}:{os.environ['PATH']}", "LC_ALL": "C"},
        )
        if done.returncode:
            raise Failed(done.stderr.decode() or f"exit status {done.returncode}")
        return done.stdout

    def program(self, name: str, text: str) -> None:
        """In the place of the real one there, from now on."""
        place = self.programs / name
        place.write_text(f"#!/bin/sh\n{text}\n")
        place.chmod(0o700)

    async def layout(self) -> Layout:
        remote = Remote(self, str(self.there), "store")  # type: ignore[arg-type]
        await remote.ready()
        return Layout(remote, PathMap({}))
