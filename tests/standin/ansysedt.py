"""STAND-IN for ansysedt: not Ansys software. It takes ansysedt's command line and leaves its files.

Its project is a small JSON file of ours, or an .aedb folder that holds one as `project.json`. It
describes a wire antenna, which engines of its own solve by nec2c with ever more segments until two
solutions agree, and says what is to happen: {"scenario": "success"}. See `scenarios.py`.

success      passes that converge, an interpolating sweep, results; exits with 0
unconverged  passes that do not, and then as success
sweep        an interpolating sweep that does not converge, exits with 1
licence      the lines of a missing licence, exits with 1; with -waitforlicense it waits for a file
mpi          no engines, exits with 1
mesh         the mesher dies, exits with 1
memory       out of memory in the second pass, exits with 1
disk         no space left, exits with 1
fail         a model's error, exits with 1
error        the same, exits with 0
crash        an engine crashes in the second pass, exits with 0
nan          results that are no numbers, exits with 0
unsaved      as success, but nothing is left in the result folder
nolog        exits with 0 before the log's first line
cut          exits with 0 in the middle of the first pass, engines left over
partial      killed in the middle of a line, engines left over
lapse        the licence is lost before the third pass, exits with 1; a run that goes on doesn't
locked       somebody else has the project open, exits with 1
slow         120 s a pass, or `seconds`
hang         nothing more from the second pass on
deaf         slow, and SIGTERM is ignored for half a minute
big          as success, with a large file (`megabytes`)
"""

import errno
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import NoReturn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from standin import arguments, scenarios  # it runs as a program of its own
from standin.batch import Batch
from standin.batchlog import Log, clock
from standin.results import SAYS
from standin.setup import Stopped

DEAF = 30.0  #: s


class Aborted(BaseException):
    """SIGTERM came."""


def usage(why: object) -> NoReturn:
    print(f"{SAYS}: {why}", file=sys.stderr)
    sys.exit(1)


def abort(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Aborted


def main(words: list[str]) -> int:
    try:
        asked = arguments.read(words)
        scenario = scenarios.read(asked.project)
    except (arguments.Wrong, scenarios.NoProject) as error:
        usage(error)
    project = asked.project
    lock, queue = Path(f"{project}.lock"), Path(f"{project}.q")
    if scenario.scenario == "locked" and not lock.exists():
        lock.write_text("STAND-IN 1\nHost=elsewhere\n")
    if lock.exists():
        usage(f"{project} is locked")
    if scenario.scenario == "nolog":
        return 0
    lock.write_text(f"STAND-IN {os.getpid()}\nHost={socket.gethostname()}\n")
    queue.write_text(f"JobID='{asked.jobid}'\n")
    place = Path(f"{project}.batchinfo") / f"{project.stem}-{asked.jobid}.log"
    log = Log(
        Path(asked.options.get("-logfile", place)), project,
        echo="-monitor" in asked.options, crlf=scenario.crlf,
    )  # fmt: skip
    log.design, log.setup = asked.design or log.design, asked.setup or log.setup
    batch = Batch(asked, scenario, log)
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as whoever started it has it
            signal.signal(number, abort)
    if scenario.scenario == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _hear_later(DEAF if scenario.seconds is None else scenario.seconds)
    try:
        code = _outcome(batch, log, " ".join([sys.argv[0], *words]))
        log.header(f"Stopping Batch Run: {clock()}")
    except OSError as error:
        usage(f"the log can't be written: {error}")
    finally:
        queue.rename(f"{project}.q.completed")
        lock.unlink(missing_ok=True)
    return code


def _outcome(batch: Batch, log: Log, command: str) -> int:
    code, well = 0, False
    try:
        batch.run(command)
        well = True
    except scenarios.Failed as failed:
        code = int(failed.args[0])
    except (Aborted, Stopped):
        log.say("Simulation was aborted by user on server: localhost.", "error")
        code = 1
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        log.say(f"Error closing file: {error.filename}: {scenarios.NO_ROOM}", "error")
        log.say(scenarios.GENERIC, "error")
        code = 1
    finally:
        batch.close(well=well)
    return code


def _hear_later(seconds: float) -> None:
    """From then on SIGTERM ends it as ever; engines that never hear it are killed by `abort`."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.daemon = True
    signal.signal(signal.SIGUSR1, lambda *_: signal.signal(signal.SIGTERM, abort))
    timer.start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
