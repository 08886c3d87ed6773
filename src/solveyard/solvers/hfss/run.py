"""What the entries of one run add up to."""

import math
import re

from msgspec.structs import force_setattr, replace

from solveyard.solvers.hfss import causes, log
from solveyard.solvers.hfss.causes import Finding
from solveyard.solvers.hfss.log import Entry
from solveyard.solvers.hfss.progress import HfssProgress, Pass
from solveyard.solvers.hfss.sweeps import Sweeps

MOST = 200  #: findings that are kept
_PASSES = 10_000  #: that are kept
_SCALES = {"B": 2.0**-20, "K": 2.0**-10, "M": 1.0, "G": 2.0**10, "T": 2.0**20}

_VERSION = re.compile(r"Version (\d[\w.]*)|\b(\d{4}\.\d[\d.]*)")
_PASS = re.compile(r"Adaptive Pass (\d{1,6})\b(?: : Frequency: (\S+))?")
_MEMORY = re.compile(r"\bMemory:? (\d+(?:\.\d+)?(?:e[+]?\d+)?) ?([BKMGT])", re.IGNORECASE)
_TETRAHEDRA = re.compile(r"\bTetrahedra: (\d{1,15})")
_MATRIX = re.compile(r"\bMatrix size: (\d{1,15})")
_HOST = re.compile(r"\bHost: ([^,\s]+)")
_NAME = re.compile(r"\bName: ([^,\s]+)")
_DISK = re.compile(r"Free Disk Space: (\d+(?:\.\d+)?) ?([BKMGT])", re.IGNORECASE)
_TASKS = re.compile(r"\bTasks: (\d{1,9})")
_CORES = re.compile(r"\bCores: (\d{1,9})")
_PRODUCT = re.compile(r"\bProduct: ([^,]+)")
_TARGET = re.compile(r"Target[\w .]*Delta S[\w .]*: (\S+)", re.IGNORECASE)
_DESIGN = re.compile(r"\bDesign:([^,|]+)")
_STATUS = re.compile(r"\bStatus: ([A-Za-z ]+)")
_VARIATIONS = re.compile(r"(\d{1,9}) variations")
#: Of a line of convergence, what is no measure.
_COUNTS = {"Pass Number", "Solved Elements", "Delta Output Var"}
_TITLES = ("Ansys Electronics Desktop", "STAND-IN")
_START = "Starting Batch Run:"
_MESHING = ("Initial Meshing", "Mesh ", "Coarsen", "Lambda Refine", "Port Adapt", "Port Refine")


class Run:
    """One run of ansysedt. A log that was written to again begins another."""

    def __init__(self, version: str = "", *, stand_in: bool = False) -> None:
        self.findings: list[Finding] = []
        self.unconverged: list[Finding] = []
        self.normal = 0
        self.parametric = 0  #: the line of a parametric analysis that isn't done
        self.stopped = 0
        self._told = HfssProgress()  #: this run's own, so it may change; others get a copy
        self._sweeps = Sweeps()
        self._version = version
        self._design = ""
        self._stand_in = stand_in
        self._frequency = ""
        self._memory: float | None = None  #: MiB, of the pass under way

    def progress(self) -> HfssProgress:
        told = self._sweeps.put(self._told)
        return replace(told, product=None if told.phase is None else self._product())

    def ends_before(self, entry: Entry) -> bool:
        """Does another run begin with this entry? Headers come twice, too, with one time."""
        if entry.level or not entry.text.startswith((*_TITLES, _START)):
            return False
        begun = self._told.started_at
        return bool(self.stopped) or (
            entry.text.startswith(_START) and begun is not None and entry.at != begun
        )

    def next(self) -> "Run":
        """The one that begins now; its title may have been read before its start was."""
        return Run() if self.stopped else Run(self._version, stand_in=self._stand_in)

    def take(self, entry: Entry) -> None:
        if not entry.level:
            self._header(entry)
        if self._told.phase is None:
            self._set(phase="starting")
        if entry.at is not None and not entry.text.startswith("Stopping Batch Run:"):
            self._set(last_at=max(entry.at, self._told.last_at or entry.at))
        if entry.level == "warning":
            self._set(warnings=self._told.warnings + 1)
        elif entry.level == "error":
            self._set(errors=self._told.errors + 1)
        self._judge(entry)
        if entry.kind == "PROFILE":
            self._profile(entry)
        elif entry.kind == "CONVERGE":
            self._converge(entry)
        elif entry.level:
            self._message(entry)

    # Headers, most of which come twice

    def _header(self, entry: Entry) -> None:
        text = entry.text
        if text.startswith(_TITLES):
            version = _VERSION.search(text)
            self._version = (version[1] or version[2]) if version else self._version
            self._stand_in = self._stand_in or text.startswith("STAND-IN")
        elif text.startswith(_START):
            self._set(started_at=entry.at)
        elif text.startswith("Stopping Batch Run:"):
            self.stopped = entry.line
            self._set(phase="ended", last_at=entry.at or self._told.last_at)
        elif text.startswith("Batch Solve/Save:"):
            self._set(project=text.partition(":")[2].strip())
        elif text.startswith("Design type:"):
            self._design = text.partition(":")[2].strip()

    # Failures

    def _judge(self, entry: Entry) -> None:
        text = entry.text
        if "id not converge" in text.lower() and entry.level != "error":
            cause = "hfss.sweep" if "sweep" in text.lower() else "hfss.not_converged"
            self.unconverged.append(Finding(0, entry.line, cause, text[:1000], entry.where))
            if cause == "hfss.not_converged":
                self._set(converged=False)
            return
        if entry.kind == "CONVERGE" or text.startswith("Using command line"):
            return  # a path in it may say anything
        if not entry.level and text.startswith(log.HEADERS):
            return
        found = causes.find(entry.line, entry.level, text, entry.where)
        if found is not None and len(self.findings) < MOST:
            self.findings.append(found)

    # Messages

    def _message(self, entry: Entry) -> None:
        text = entry.text
        if self._told.design is None and (design := _DESIGN.search(entry.where)):
            self._set(design=design[1].strip())
        if "siwave" in text.lower():
            self._design = "SIwave"
        if text.startswith("Design type:"):
            self._design = text.partition(":")[2].strip()
        elif text.startswith("A variation ("):
            self._variation()
        elif text.startswith("Parametric Analysis"):
            self._parametric(entry)
        elif "Normal completion of simulation" in text:
            self.normal = entry.line
        elif "frequency sweep with" in text:
            self._sweeps.announced(text)

    def _parametric(self, entry: Entry) -> None:
        """Its variations are not counted: one that is solved already may not be requested, and not
        each tells that it completed. Once they all have ended, the analysis says that it's done.
        """
        if entry.text.startswith("Parametric Analysis is done"):
            self.parametric = 0
        elif "has been started" in entry.text:
            self.parametric = entry.line
        if counted := _VARIATIONS.search(entry.text):
            self._set(variations=int(counted[1]))

    def _variation(self) -> None:
        self._set(variation=(self._told.variation or 0) + 1)

    def _profile(self, entry: Entry) -> None:
        text = entry.text
        if "siwave" in text.lower():
            self._design = "SIwave"
        self._remember(text)
        if match := _PASS.match(text):
            self._frequency, self._memory = match[2] or "", None
            self._set(phase="adaptive", adaptive_pass=int(match[1]))
        elif text.startswith("Solution Process"):
            self._solution(text)
        elif text.startswith("Machine"):
            self._machine(text)
        elif text.startswith(_MESHING) and self._told.phase in {"starting", "mesh"}:
            self._set(phase="mesh")
        elif text.startswith("Adaptive Passes converged"):
            self._set(converged=True)
        elif text.startswith("Adaptive Meshing"):
            self._set(phase="adaptive", adaptive_pass=self._told.adaptive_pass or 1)
        elif self._sweeps.take(text, entry.at):
            self._set(phase="sweep")
        elif status := _STATUS.search(text):
            self._status(entry, " ".join(status[1].split()))
        if target := _TARGET.match(text):
            self._set(target=_real(target[1]))

    def _remember(self, text: str) -> None:
        """What any step tells beside its name."""
        memory = _MEMORY.search(text)
        if memory is not None and not text.startswith("Machine"):
            amount = float(memory[1]) * _SCALES[memory[2].upper()]
            self._memory = max(amount, self._memory or 0.0)
            self._set(peak_memory=max(amount, self._told.peak_memory or 0.0))
        if matrix := _MATRIX.search(text):
            self._set(matrix_size=int(matrix[1]))
        fresh = self._told.adaptive_pass is None
        if fresh and not self._sweeps.begun and (elements := _TETRAHEDRA.search(text)):
            self._set(tetrahedra=int(elements[1]), initial_tetrahedra=int(elements[1]))

    def _solution(self, text: str) -> None:
        """Another one begins: of a setup, or of a variation."""
        self.normal = 0
        kept = self._told
        self._sweeps = Sweeps()
        self._set(passes=(), adaptive_pass=None, converged=None, phase="starting")
        host, product = _HOST.search(text), _PRODUCT.search(text)
        self._set(host=host[1] if host else kept.host)
        if product is not None and not self._design:
            self._design = _VERSION.sub("", product[1]).strip()
        if product is not None and not self._version:
            version = _VERSION.search(product[1])
            self._version = (version[1] or version[2]) if version else ""

    def _machine(self, text: str) -> None:
        name, tasks, cores, disk = (one.search(text) for one in (_NAME, _TASKS, _CORES, _DISK))
        if self._told.host is None and name:
            self._set(host=name[1])
        if tasks:
            self._set(tasks=int(tasks[1]))
        if cores:
            self._set(cores=int(cores[1]))
        if disk:
            self._set(free_disk=float(disk[1]) * _SCALES[disk[2].upper()] / 1024)

    def _status(self, entry: Entry, status: str) -> None:
        if status.lower().startswith("normal completion"):
            self.normal = entry.line
        elif len(self.findings) < MOST:
            cause = "hfss.aborted" if "abort" in status.lower() else "hfss.error"
            text = f"Status: {status}"
            self.findings.append(Finding(causes.TAIL, entry.line, cause, text, entry.where))

    def _converge(self, entry: Entry) -> None:
        """ "Pass Number: 8; Solved Elements: 65671; Max Mag. Delta S: 0.017318; ..." """
        facts = dict(_fact(part) for part in entry.text.split(";") if ":" in part)
        number, elements = _whole(facts.get("Pass Number")), _whole(facts.get("Solved Elements"))
        if number is None:
            return
        told = [
            name for name in facts if name not in _COUNTS and ("Delta" in name or "Error" in name)
        ]
        measure = told[0] if told else self._told.measure
        solved = Pass(
            number=number,
            tetrahedra=elements,
            delta=_real(facts.get(measure)),
            frequency=self._frequency,
            matrix_size=self._told.matrix_size,
            memory=self._memory,
            at=entry.at,
        )
        before = () if number == 1 else self._told.passes
        self._set(
            phase="adaptive",
            passes=(*before[-_PASSES:], solved),
            adaptive_pass=number,
            measure=measure,
            tetrahedra=elements or self._told.tetrahedra,
        )

    # All together

    def _product(self) -> str | None:
        name = self._design.removesuffix(" Design").strip()
        if not name:
            name = "Ansys Electronics Desktop" if self._version else ""
        told = " ".join(part for part in (name, self._version) if part)
        if self._stand_in:
            return f"stand-in for {told}" if told else "stand-in"
        return told or None

    def _set(self, **facts: object) -> None:
        for name, value in facts.items():  # a new one for each fact would take most of the time
            force_setattr(self._told, name, value)


def _fact(part: str) -> tuple[str, str]:
    name, _, value = part.partition(":")
    return name.strip(), value.strip()


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 16 else None


def _real(text: str | None) -> float | None:
    """None for "N/A", and for what is no finite number."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
