"""A program in ansysedt's place that only plays a log: no Ansys software, and nothing is solved."""

import sys
from pathlib import Path

from standin import install

LOG = Path(__file__).parents[1] / "golden" / "hfss" / "written" / "converged.log"
FOURTH = "[info] Project:coupler, Setup2 : [PROFILE] Adaptive Pass 4"
_PROGRAM = f"""\
#!{sys.executable}
import pathlib, sys
project = pathlib.Path(sys.argv[-1])
folder = pathlib.Path(str(project) + ".batchinfo")
folder.mkdir()
text = pathlib.Path({str(LOG)!r}).read_text()
at = text.index({FOURTH!r})
with (folder / f"{{project.stem}}-{{sys.argv[2]}}.log").open("w") as log:
    log.write(text[:at])
    log.flush()
    project.with_suffix(".go").read_text()  # a pipe: until somebody writes to it
    log.write(text[at:])
results = pathlib.Path(str(project) + "results")
results.mkdir()
(results / "board.asol").write_text("solved")
"""


def player(folder: Path) -> Path:
    """Installed below `folder`. It plays up to the fourth pass, waits for PROJECT's pipe `.go`,
    and plays the rest.
    """
    program = install(folder)
    program.write_text(_PROGRAM)
    return program
