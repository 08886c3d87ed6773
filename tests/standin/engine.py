"""The stand-in's engines: engine.py ROLE TASKS DEAF FOLDER. Not Ansys software.

A COM engine or an mpiexec hands requests to its children, and an hf3d answers them. Requests and
answers are lines of JSON; the first line tells the process ids, top down. Without its parent an
engine stays for half a minute, as those that people find left over do.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

NAMES = {"com": "HFSSCOMENGINE.exe", "mpiexec": "mpiexec", "hf3d": "hf3d"}
ORPHANED = 30.0  #: s
MOST = 8  #: hf3d processes, whatever was asked for


def main(role: str, tasks: str, deaf: str, folder: str) -> None:
    comm = Path("/proc/self/comm")
    if comm.exists():
        comm.write_text(NAMES[role])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if deaf == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    children = [
        _child(child, tasks if child == "mpiexec" else str(number), deaf, folder)
        for number, child in enumerate(_children(role, int(tasks)))
    ]
    pids = [os.getpid()]
    for child in children:
        pids += _heard(child)
    _say(pids)
    for line in sys.stdin:
        requests = json.loads(line)
        if requests is None:
            for child in children:
                _tell(child, None)
                child.wait()
            return
        if children:
            _say(_shared(children, requests))
        else:
            _say([_answer(request, Path(folder), tasks) for request in requests])
    time.sleep(ORPHANED)


def _children(role: str, tasks: int) -> list[str]:
    if role == "com":
        return ["hf3d"] if tasks == 1 else ["mpiexec"]
    return ["hf3d"] * min(tasks, MOST) if role == "mpiexec" else []


def _child(role: str, tasks: str, deaf: str, folder: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-E", "-S", __file__, role, tasks, deaf, folder],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=role == "hf3d",
    )  # fmt: skip


def _shared(children: "list[subprocess.Popen[str]]", requests: list[Any]) -> list[Any]:
    """Each child gets every so-manieth request; all at once."""
    parts = [requests[number :: len(children)] for number in range(len(children))]
    for child, part in zip(children, parts, strict=True):
        _tell(child, part)
    answers: list[Any] = [None] * len(requests)
    for number, child in enumerate(children):
        answers[number :: len(children)] = _heard(child, len(parts[number]))
    return answers


def _tell(child: "subprocess.Popen[str]", message: Any) -> None:
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(message) + "\n")
        child.stdin.flush()
    except BrokenPipeError:
        pass  # it is dead, which its silence tells


def _heard(child: "subprocess.Popen[str]", expected: int = 1) -> list[Any]:
    assert child.stdout is not None
    line = child.stdout.readline()
    if line:
        return list(json.loads(line))
    code = child.wait()
    return [{"died": 128 - code if code < 0 else code}] * expected


def _answer(request: dict[str, Any], folder: Path, number: str) -> dict[str, Any]:
    from standin import antenna  # the others needn't know it

    time.sleep(request["seconds"])
    if request["crash"]:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGSEGV)
    own = folder / number
    own.mkdir(exist_ok=True)
    try:
        return antenna.solve(request["model"], request["segments"], request["frequency"], own)
    except antenna.Unsolved as error:
        return {"unsolved": str(error)}


def _say(message: Any) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main(*sys.argv[1:])
