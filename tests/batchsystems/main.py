"""main.py SYSTEM FOLDER PROGRAM ARGUMENTS: one of the programs of a stand-in batch system."""

import importlib
import io
import json
import os
import sys
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from batchsystems import node  # noqa: E402
from batchsystems.answering import Failed  # noqa: E402


def main(kind: str, folder: Path, program: str, arguments: list[str]) -> int:
    if program == "node":
        node.run(kind, folder, int(arguments[0]), arguments[1])
        return 0
    fault = _fault(folder, program)
    how = fault.get("how", "")
    if how == "say":
        (folder / "said").touch()
        return _say(fault)
    if how == "hang":
        _hang(folder, program)
    out, sys.stdout = sys.stdout, io.StringIO()
    try:
        module = importlib.import_module(f"batchsystems.{kind}.commands")
        code = module.COMMANDS[program](folder, arguments)
    except Failed as failure:
        sys.stderr.write(failure.text)
        code = failure.code
    told, sys.stdout = sys.stdout.getvalue(), out
    if how == "hang after":
        _hang(folder, program)
    if how == "say after":
        return _say(fault)
    out.write(told[: len(told) // 2] if how == "cut" else told)
    return code


def _fault(folder: Path, program: str) -> dict[str, object]:
    try:
        return json.loads((folder / "faults" / program).read_bytes())
    except FileNotFoundError:
        return {}


def _hang(folder: Path, program: str) -> None:
    """Until that is mended, or whoever waits has had enough."""
    parent = os.getppid()
    (folder / "hung").touch()
    while _fault(folder, program) and os.getppid() == parent:
        time.sleep(0.02)


def _say(fault: dict[str, object]) -> int:
    sys.stderr.write(f"{fault['text']}\n")
    return int(str(fault["code"]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4:]))
