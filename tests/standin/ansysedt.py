"""STAND-IN for ansysedt: not Ansys software. It takes ansysedt's command line and leaves its files.

It solves nothing: its project is a small JSON file of ours, or an .aedb folder that holds one as
`project.json`, and says what is to happen: {"scenario": "success"}.

success   passes, converges, exits with 0
fail      an error line, exits with 1
error     an error line, exits with 0
licence   the two lines of a missing licence, exits with 1
cut       exits with 0 in the middle of a pass
nolog     exits with 0 before the log's first line
slow      its engines go on until they are ended
"""

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

FLAGS = {"-ng", "-monitor", "-distributed", "-local", "-remote", "-auto", "-waitforlicense"}
VALUED = {"-jobid", "-machinelist", "-batchoptions", "-logfile"}


def usage(why: str) -> NoReturn:
    print(f"STAND-IN (not Ansys software): {why}", file=sys.stderr)
    sys.exit(1)


def read(arguments: list[str]) -> dict[str, Any]:
    """The options, by their names; `project`, and `design` where one is given."""
    found: dict[str, Any] = {"-jobid": "RSM", "design": ""}
    rest = list(arguments)
    while rest:
        name = rest.pop(0).lower()
        if name in FLAGS:
            found[name] = True
        elif name in VALUED and rest:
            found[name] = rest.pop(0)
        elif name == "-batchsolve" and 1 <= len(rest) <= 2:
            found["project"] = Path(rest.pop())
            found["design"] = rest.pop() if rest else ""
        else:
            usage(f"unknown or incomplete option {name!r}")
    if "project" not in found:
        usage("-batchsolve is missing")
    return found


class Log:
    """Lines in ansysedt's form, flushed one by one."""

    def __init__(self, place: Path, project: Path, echo: bool) -> None:
        place.parent.mkdir(exist_ok=True)
        self.file = place.open("a", encoding="utf-8")
        self.about = f"Project:{project.stem}, Design:stand-in|Setup1"
        self.echo = echo

    def header(self, line: str) -> None:
        self.file.write(line + "\n")
        self.file.flush()
        if self.echo:
            print(line, flush=True)

    def say(self, text: str, level: str = "info") -> None:
        self.header(f"[{level}] {self.about} : {text} ({clock()})")


def clock() -> str:
    return datetime.now().astimezone().strftime("%I:%M:%S %p  %b %d, %Y")


def engines(folder: Path, jobid: str, seconds: float) -> subprocess.Popen[bytes]:
    """An engine with a child of its own in another session; their ids go into a file."""
    program = [sys.executable, __file__, "--engine", str(seconds), str(folder / f"{jobid}.pids")]
    return subprocess.Popen(program)


def engine(seconds: float, place: Path) -> None:
    sleep = [sys.executable, "-c", f"import time; time.sleep({seconds})"]
    child = subprocess.Popen(sleep, start_new_session=True)
    temporary = place.with_suffix(".new")
    temporary.write_text(f"{os.getpid()} {child.pid}")
    temporary.replace(place)
    child.wait()


def main(arguments: list[str]) -> int:
    options = read(arguments)
    project: Path = options["project"]
    inside = project / "project.json" if project.is_dir() else project
    try:
        scenario = json.loads(inside.read_text())["scenario"]
    except (OSError, ValueError, KeyError):
        usage(f"{project} is no project of the stand-in")
    jobid = options["-jobid"]
    lock, queue = Path(f"{project}.lock"), Path(f"{project}.q")
    if lock.exists():
        usage(f"{project} is locked")
    if scenario == "nolog":
        return 0
    lock.write_text(f"STAND-IN {os.getpid()}\n")
    queue.write_text(f"JobID='{jobid}'\n")
    place = Path(f"{project}.batchinfo") / f"{project.stem}-{jobid}.log"
    log = Log(Path(options.get("-logfile", place)), project, bool(options.get("-monitor")))

    def done(code: int) -> int:
        log.header(f"Stopping Batch Run: {clock()}")
        queue.rename(f"{project}.q.completed")
        lock.unlink()
        return code

    def aborted(*_: object) -> NoReturn:
        log.say("Simulation was aborted by user on server: localhost.", "error")
        sys.exit(done(1))

    signal.signal(signal.SIGTERM, aborted)
    log.header(" ")
    log.header("STAND-IN (not Ansys software) for Ansys Electronics Desktop")
    log.header(f"Batch Solve/Save: {project}")
    log.header(f"Starting Batch Run: {clock()}")
    log.say(f'Using command line: "{" ".join(arguments)}"')
    log.say("[PROFILE] Solution Process : Start Time: now, Host: localhost, Product: stand-in")
    running = engines(project.parent, jobid, 600.0 if scenario == "slow" else 0.0)
    if scenario == "licence":
        log.say("Request name elec_solve_hfss does not exist in the licensing pool.", "error")
        log.say("Simulation was terminated by license error.", "error")
        return done(1)
    if scenario in {"fail", "error"}:
        log.say("Port refinement, process hf3d error: Too few conductors were found on port 1",
                "error")  # fmt: skip
        log.say("Simulation completed with execution error on server: localhost.", "error")
        return done(1 if scenario == "fail" else 0)
    for number, delta in ((1, "N/A"), (2, "0.091794"), (3, "0.017318")):
        log.say(f"[PROFILE] Adaptive Pass {number} : Frequency: 4GHz")
        if scenario == "cut":
            os._exit(0)
        log.say(f"[CONVERGE] Pass Number: {number}; Solved Elements: 1000; "
                f"Max Mag. Delta S: {delta};")  # fmt: skip
    log.say("[PROFILE] Adaptive Passes converged")
    running.wait()
    results = Path(f"{project}results")
    results.mkdir(exist_ok=True)
    (results / f"{project.stem}.s1p").write_text("# GHz S RI R 50\n4 0.1 -0.2\n")
    log.say("[PROFILE] Stop Time: now, Status: Normal Completion")
    log.say("Normal completion of simulation on server: localhost.")
    return done(0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--engine"]:
        engine(float(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1:]))
