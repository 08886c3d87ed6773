"""main.py SYSTEM FOLDER PROGRAM ARGUMENTS: one of the programs of a stand-in batch system."""

import contextlib
import importlib
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parents[1])

from batchsystems import node  # noqa: E402
from batchsystems.answering import Failed  # noqa: E402


def main(kind: str, folder: Path, program: str, arguments: list[str]) -> int:
    if program == "node":
        node.run(kind, folder, int(arguments[0]), arguments[1])
        return 0
    fault = _Fault(folder, program, arguments)
    how = fault.how
    if how == "say":
        (folder / "said").touch()
        return fault.say()
    if how == "hang":
        fault.hang()
    out, sys.stdout = sys.stdout, io.StringIO()
    try:
        module = importlib.import_module(f"batchsystems.{kind}.commands")
        code: int = module.COMMANDS[program](folder, arguments)
    except Failed as failure:
        sys.stderr.write(failure.text)
        code = failure.code
    told, sys.stdout = sys.stdout.getvalue(), out
    if how == "hang after":
        fault.hang()
    if how == "say after":
        return fault.say()
    out.write(told[: len(told) // 2] if how == "cut" else told)
    return int(fault.told["code"]) if how == "cut" else code


class _Fault:
    """What a test has set for a program, or for one of its subcommands."""

    def __init__(self, folder: Path, program: str, arguments: list[str]) -> None:
        self._folder = folder
        places = [
            folder / "faults" / name for name in (program, " ".join([program, *arguments[:1]]))
        ]
        self._place = next((one for one in places if one.exists()), None)
        self.told: dict[str, Any] = {}
        if self._place is not None:
            with contextlib.suppress(FileNotFoundError):
                self.told = json.loads(self._place.read_bytes())

    @property
    def how(self) -> str:
        return str(self.told.get("how", ""))

    def hang(self) -> None:
        """Until that is mended, or whoever waits has had enough."""
        assert self._place is not None
        parent = os.getppid()
        (self._folder / "hung").touch()
        while self._place.exists() and os.getppid() == parent:
            time.sleep(0.02)

    def say(self) -> int:
        sys.stderr.write(f"{self.told['text']}\n")
        return int(self.told["code"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]))
