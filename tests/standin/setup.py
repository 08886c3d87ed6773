"""A setup's solution: adaptive passes with ever more segments, then a frequency sweep."""

import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from standin import antenna, results, scenarios, sweep
from standin.arguments import Asked
from standin.batchlog import Log, cost, date, hertz, span
from standin.kept import Kept
from standin.results import SAYS, Pass
from standin.scenarios import Scenario
from standin.solving import EngineDied, Engines

Model = dict[str, float]
FIRST = 3  #: segments of the initial mesh
FOR_EVER = 1e6  #: s
LAPSE = 3  #: the pass before which `lapse` loses its licence


class Stopped(Exception):
    """A clean stop was asked for; what was solved is saved."""


class Setup:
    """Solves models. What fails raises Failed, and the log says why."""

    def __init__(
        self, asked: Asked, scenario: Scenario, log: Log, engines: Engines, place: Path
    ) -> None:
        self.asked, self.scenario, self.log, self.engines = asked, scenario, log, engines
        self.place = place
        self.stopping = threading.Event()  #: after this pass
        self.host = socket.gethostname()

    def solve(self, model: Model, name: str) -> None:
        """Everything of one variation; its results are called `name`."""
        self._process()
        if self.asked.batch_option("validateonly") == "1":
            self.log.note("Validation only: nothing was solved")
            return
        folder = self.place / f"{self.log.design}.results"
        folder.mkdir(exist_ok=True)
        wanted = self.scenario
        swept = {"frequency": wanted.frequency, "start": wanted.start, "stop": wanted.stop}
        kept = Kept(folder / f"{name}.asol", model | swept)
        self._mesh()
        passes, answer = self._adapt(model, kept)
        results.convergence(folder / f"{name}.conv", passes, wanted.passes, wanted.delta_s)
        results.profile(folder / f"{name}.profile", passes, self.asked.cores)
        frequencies: Sequence[float] = [wanted.frequency]
        s11 = [answer]
        stopped = self.stopping.is_set()
        if not stopped and self.asked.batch_option("solveadaptiveonly") != "1":
            sweeping = Sweeping(self, model, kept)
            frequencies, s11 = sweeping.run()
        if wanted.scenario == "nan":
            s11 = [complex("nan+nanj")] * len(s11)
        results.touchstone(self.place / f"{name}.s1p", frequencies, s11)
        if stopped:
            raise Stopped
        kept.finish()

    def solved(self, answer: dict[str, Any], segments: int) -> None:
        """The lines of one solve, whose cost is its engine's."""
        profile, told = self.log.profile, cost(answer, self.scenario.memory_scale)
        mesh = f"Tetrahedra: {segments}"
        profile("Simulation Setup", *told, f"{mesh}, Disk: 0 Bytes")
        profile("Matrix Assembly", *told, f"{mesh}, Lumped ports: 1, Disk (output): 0 Bytes")
        kind = f"Type: {antenna.engine()}, Cores: 1, Matrix size: {segments}"
        profile("Matrix Solve", *told, f"{kind}, Disk: 0 Bytes")
        profile("Field Recovery", *told, "Excitations: 1, Disk: 0 Bytes")

    def answers(
        self, model: Model, segments: int, frequencies: Sequence[float], **how: Any
    ) -> list[dict[str, Any]]:
        try:
            answers = self.engines.solve(model, segments, frequencies, **how)
        except EngineDied as died:
            why = f"process hf3d exited with code {died.args[0]}"
            scenarios.fail(self.log, why, scenarios.GENERIC, code=0 if how.get("crash") else 1)
        for answer in answers:
            if "unsolved" in answer:
                why = f"process hf3d error: {answer['unsolved']}"
                scenarios.fail(self.log, why, scenarios.GENERIC)
        return answers

    def _process(self) -> None:
        profile, asked = self.log.profile, self.asked
        system = f"Processor: {os.cpu_count()}, OS: {sys.platform}, Product: {SAYS}"
        profile("Solution Process", f"Start Time: {date()}, Host: {self.host}, {system}")
        self.log.note("Executing From: HFSSCOMENGINE.exe")
        room = shutil.disk_usage(self.place).free / (1 << 30)
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
        profile(
            "Machine",
            f"Name: {self.host}, Memory: {total:.3g} GB, RAM Limit: 90.000000%,"
            f" Tasks: {asked.tasks}, Cores: {asked.cores}, Free Disk Space: {room:.3g} GB",
        )
        profile("Stop", " ")

    def _mesh(self) -> None:
        profile = self.log.profile
        profile("Initial Meshing", f"Time: {date()}")
        scenarios.fail_at("mesh", self.scenario, self.log)
        used = {"real": 0, "cpu": 0, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
        told = f"Tetrahedra: {FIRST}, Type: wire segments, Cores: {self.asked.cores}"
        profile("Mesh", *cost(used), told)
        profile("Stop", "Elapsed Time: 00:00:00")

    def _adapt(self, model: Model, kept: Kept) -> tuple[list[Pass], complex]:
        """Refine until two solutions agree, or no pass is left; after those that are kept."""
        if antenna.engine() != "nec2c":
            why = "nec2c is not installed, so a ladder is solved, which is no antenna"
            self.log.say(f"{SAYS}: {why}", "warning")
        began, profile, wanted = time.monotonic(), self.log.profile, self.scenario
        profile("Adaptive Meshing", f"Time: {date()}")
        passes, converged = kept.passes, False
        segments = passes[-1].segments if passes else FIRST
        if passes:
            self.log.note(f"{SAYS}: goes on after pass {len(passes)}, which was kept")
            converged = passes[-1].delta is not None and passes[-1].delta <= wanted.delta_s
        while not (converged or self.stopping.is_set()) and len(passes) < wanted.passes:
            number = len(passes) + 1
            profile(f"Adaptive Pass {number}", f"Frequency: {hertz(wanted.frequency)}")
            if passes:
                segments = antenna.refined(segments)
            [answer] = self._pass(model, number, segments, resumed=bool(kept.found))
            s11 = complex(*answer["s11"])
            delta = abs(s11 - kept.answer) if passes else None
            used = answer["memory"] * wanted.memory_scale
            kept.add_pass(Pass(number, segments, delta, answer["real"], used), s11)
            self.solved(answer, segments)
            profile("Data Transfer", *cost(answer, wanted.memory_scale), f"Adaptive Pass {number}")
            if delta is not None:
                self.log.note(f"Max Mag. Delta S: {delta:.5f}")
            self.log.converge(number, segments, delta)
            converged = delta is not None and delta <= wanted.delta_s
            if converged:
                self.log.note("Adaptive Passes converged")
            profile("Stop", " ")
        if not converged:
            self.log.note("Adaptive Passes did not converge")
        profile("Stop", f"Elapsed Time: {span(time.monotonic() - began)}")
        return passes, kept.answer

    def _pass(
        self, model: Model, number: int, segments: int, *, resumed: bool
    ) -> list[dict[str, Any]]:
        """One solve, or what the scenario makes of it."""
        scenario, seconds = self.scenario.scenario, self.scenario.seconds
        wait = 0.0
        if scenario in {"slow", "deaf"}:
            wait = 120.0 if seconds is None else seconds
        if scenario == "cut":
            os._exit(0)
        if number == 2:
            if scenario == "partial":
                self.log.half()
                os.kill(os.getpid(), signal.SIGKILL)
            if scenario == "big":
                self._fill()
            if scenario == "hang":
                wait = FOR_EVER
            scenarios.fail_at("solve", self.scenario, self.log)
        if scenario == "lapse" and number == LAPSE and not resumed:
            scenarios.fail(self.log, scenarios.NO_LICENCE, scenarios.BY_LICENCE)
        crash = scenario == "crash" and number == 2
        where = [self.scenario.frequency]
        return self.answers(model, segments, where, seconds=wait, crash=crash)

    def _fill(self) -> None:
        with (self.place / "fields.sd").open("wb") as file:
            for _ in range(self.scenario.megabytes):
                file.write(bytes(1 << 20))


class Sweeping:
    """A frequency sweep with the last pass's segments; points that are kept aren't solved again."""

    def __init__(self, setup: Setup, model: Model, kept: Kept) -> None:
        self.setup, self.model, self.kept = setup, model, kept
        self.segments = kept.passes[-1].segments
        self.log, self.wanted, self.tasks = setup.log, setup.scenario, setup.asked.tasks

    def run(self) -> tuple[list[float], list[complex]]:
        wanted, note = self.wanted, self.log.note
        frequencies = sweep.points(wanted.start, wanted.stop, wanted.points)
        self.log.profile("Frequency Sweep", f"Time: {date()}")
        kind = f"{wanted.sweep.capitalize()} HFSS Frequency Sweep"
        if self.tasks > 1:
            kind += f", Solving Distributed - up to {self.tasks} frequencies in parallel"
        self.log.profile("Solution - Sweep1", f"{kind}, Time: {date()}")
        note(f"From {hertz(wanted.start)} to {hertz(wanted.stop)}, {wanted.points} Frequencies")
        if wanted.sweep == "discrete":
            return frequencies, self._solve(frequencies)
        search = sweep.Interpolation(
            self._solve, self._element, tolerance=wanted.tolerance, most=wanted.solutions
        )
        search.run(wanted.start, wanted.stop)
        if not search.converged:
            self.log.say("Interpolating frequency sweep did NOT converge.", "warning")
            scenarios.fail(self.log, "Sweep Sweep1 failed", scenarios.GENERIC)
        note("Interpolating sweep converged and is passive")
        note(f"Interpolating sweep converged after {len(search.basis):4} solutions")
        return frequencies, [search.at(frequency) for frequency in frequencies]

    def _solve(self, frequencies: Sequence[float]) -> list[complex]:
        """As many at once as there are tasks."""
        left = [one for one in frequencies if one not in self.kept.points]
        for first in range(0, len(left), self.tasks):
            self._group(left[first : first + self.tasks])
        return [self.kept.points[one] for one in frequencies]

    def _group(self, frequencies: Sequence[float]) -> None:
        for frequency in frequencies:
            self.log.profile(f"Frequency - {hertz(frequency)}", self.setup.host)
        found = self.setup.answers(self.model, self.segments, frequencies)
        for frequency, answer in zip(frequencies, found, strict=True):
            self.setup.solved(answer, self.segments)
            took = f"Elapsed time : {span(answer['real'])}"
            self.log.profile(f"Frequency - {hertz(frequency)}", took)
        solved = [complex(*answer["s11"]) for answer in found]
        self.kept.add_points(dict(zip(frequencies, solved, strict=True)))

    def _element(self, number: int, frequency: float, error: float | None) -> None:
        told = "Additional basis points are needed before the interpolation error can be computed."
        if error is not None:
            told = f"S Matrix Error = {error:6.3f}%"
        self.log.note(f"Basis Element # {number}, Frequency: {hertz(frequency)}; {told}")
