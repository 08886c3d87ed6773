"""Why a solve failed, by the sentences that ansysedt and its engines write.

The sentences come from public logs, forum threads and issues; no Ansys software was run.
"""

from typing import NamedTuple

import re2

from solveyard.model.jobs import Reason


class Cause(NamedTuple):
    """A class of failures."""

    name: str  #: "hfss.licence"
    reason: Reason | None  #: None: what the exit says
    advice: str  #: what to do about it


class Finding(NamedTuple):
    """A line of a log that says what went wrong."""

    rank: int  #: the lower, the more it explains
    line: int
    cause: str
    text: str
    where: str = ""
    fatal: bool = True  #: False: it explains a failure, but is none by itself

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"line {self.line}: {self.text}{place}"


#: Name, reason, and what to do.
_ALL: tuple[tuple[str, Reason | None, str], ...] = (
    ("licence", Reason.LICENCE, "see that the licence server has this feature free, and"
     " that ANSYSLMD_LICENSE_FILE names the server; with -waitforlicense ansysedt waits for one"),
    ("memory", Reason.OUT_OF_MEMORY, "give it more memory, fewer tasks at once, or a coarser mesh"),
    ("disk", None, "free disk where the project and its temporary files lie"),
    ("mpi", None, "see that the MPI of the batch options is installed and set up on every machine"),
    ("hang", Reason.HANG, "start it again; where it hangs again, with another MPI or fewer cores"),
    ("mesh", None, "look at the geometry that the line names: overlaps, gaps, tiny parts"),
    ("model", None, "correct the model or its setup: as it is, it fails again"),
    ("migration", None, "open the project once in this release's desktop, and save it"),
    ("lock", None, "close the project where it is open; a .lock that a crash left must be"
     " removed first, which `solveyard hfss PROJECT --unlock` does where nobody can hold it"),
    ("project", None, "see that the project and the files that it needs are there"),
    ("sweep", None, "look at the sweep's range, its error tolerance and its most solutions"),
    ("crash", None, "start it again; where it crashes again, with another release or fewer cores"),
    ("aborted", None, "somebody ended it: see who, then start it again"),
    ("error", None, "see the lines before it in the batch log"),
    ("incomplete", None, "ansysedt broke off before all was solved: see its output, and the"
     " machine's log for a process that was killed"),
    ("not_converged", Reason.NOT_CONVERGED, "allow more passes, or a larger delta S, in the setup"),
)  # fmt: skip
CAUSES = {f"hfss.{name}": Cause(f"hfss.{name}", reason, advice) for name, reason, advice in _ALL}
_ASIDE = 60  #: is added to the rank of a line that isn't one of an error
UNKNOWN = 50  #: the rank of an error line that nothing here knows
TAIL = 200  #: of one that only says that there was an error

#: Rank, cause, whether the line is a failure whatever its level, and what it says.
_SENTENCES: tuple[tuple[int, str, bool, str], ...] = (
    (0, "licence", False, r"does not exist in the licensing pool|FlexNet Licensing error"
     r"|Cannot connect to license server|Licensed number of users already reached"
     r"|Failed to check ?out|No such feature exists|license (?:request|checkout) (?:was )?denied"),
    (5, "licence", True, r"terminated by licen[sc]e error"),
    (1, "disk", False, r"No space left on device|Disk quota exceeded|not enough (?:free )?disk"
     r"|disk is full"),
    (12, "mesh", False, r"G3dMesher"),
    (2, "memory", False, r"OUT_OF_MEMORY|Out of memory|may have run out of memory"
     r"|not enough memory|insufficient memory|failed to allocate memory"),
    (3, "mpi", False, r"solvers via MPI failed|vendor MPI|MPI (?:launch|authentication|version)"
     r"[^.]*(?:fail|error)|password authentication failure"),
    (4, "hang", True, r"solver is hanging"),
    (6, "hang", False, r"Com ?Engine non-responsive"),
    (10, "lock", False, r"(?:project|file)\b[^.]*\bis (?:already )?locked|\.lock\b[^.]*exist"
     r"|locked by another"),
    (10, "migration", False, r"requires Parasolid migration|created with ACIS geometry kernel"),
    (10, "project", False, r"(?:project|file)\b[^.]*(?:does not exist|not found|could not be opened"
     r"|cannot be opened)|(?:cannot|could not|failed to|unable to) (?:open|find|read) "
     r"(?:the )?(?:project|file)"),
    (12, "mesh", False, r"mesh(?:er|ing)?\b[^.]*(?:fail|error|could not|cannot"
     r"|unable)|(?:fail|unable|error)[^.]*\bmesh"),
    (14, "model", False, r"Null body found|Port refinement|non-conducting edge"
     r"|Too few conductors|conduction path"
     r"|Terminal .* on port|port .* (?:invalid|not (?:defined|valid))|excitation .* invalid"
     r"|setup .* (?:does not exist|is invalid|not found)"),
    (20, "sweep", False, r"frequency sweep did NOT converge|Sweep \S+ failed"),
    (30, "crash", False, r"exited with code -?\d+|Unable to create child process"
     r"|Unable to locate or start COM engine|terminated abnormally|Segmentation|access violation"
     r"|unexpectedly (?:exited|terminated)"),
    (35, "incomplete", True, r"Failed to start next variation"),
    (40, "aborted", True, r"Simulation was aborted|aborted by user"),
    (TAIL, "error", True, r"completed with execution error|has failed with execution error"),
)  # fmt: skip
_EACH = tuple(
    (rank, f"hfss.{name}", fatal, re2.compile(f"(?i){pattern}"))
    for rank, name, fatal, pattern in _SENTENCES
)
_ANY = re2.compile("(?i)" + "|".join(pattern for *_, pattern in _SENTENCES))


def find(line: int, level: str, text: str, where: str = "") -> Finding | None:
    """What a line says of a failure; None: nothing. An error line always says something."""
    wrong = level == "error"
    told = text[:1000] or "(no text)"
    if _ANY.search(text):
        for rank, cause, fatal, pattern in _EACH:
            if pattern.search(text):
                aside = 0 if wrong or fatal else _ASIDE
                return Finding(rank + aside, line, cause, told, where, wrong or fatal)
    return Finding(UNKNOWN, line, "hfss.error", told, where) if wrong else None
