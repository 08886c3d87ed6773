"""One run of the stand-in's ansysedt, from its header to its last line."""

import contextlib
import os
import resource
import shutil
import socket
import threading
import time
from pathlib import Path

from standin import licences, scenarios
from standin.arguments import Asked
from standin.batchlog import Log, clock, date, memory, span
from standin.results import SAYS
from standin.scenarios import Scenario
from standin.setup import Setup
from standin.solving import Engines

POLL = 0.05  #: s


def serve(port: int, stopping: threading.Event) -> None:
    """Whoever says "stop" to this port of the machine has it stop after this pass."""
    listener = socket.create_server(("127.0.0.1", port))

    def listen() -> None:
        while b"stop" not in listener.accept()[0].recv(64):
            pass
        stopping.set()

    threading.Thread(target=listen, daemon=True).start()


class Batch:
    """A run. `run` comes to its end or raises Failed; `close` ends the engines."""

    def __init__(self, asked: Asked, scenario: Scenario, log: Log) -> None:
        self.asked, self.scenario, self.log = asked, scenario, log
        self.engines: Engines | None = None
        self.licence: licences.Client | None = None
        self.began = time.monotonic()
        self.results = asked.project.parent / f"{asked.project.stem}.aedtresults"
        self.scratch: Path | None = None

    def run(self, command: str) -> None:
        self._header(command)
        if self.asked.command != "-batchsolve":
            return
        self._check_out()
        setup = Setup(self.asked, self.scenario, self.log, self._launch(), self.results)
        if port := self.asked.options.get("-grpcsrv"):
            serve(int(port), setup.stopping)
        if self.asked.parametric:
            self._variations(setup)
        else:
            setup.solve(self.scenario.model, self.asked.project.stem)
        self._completion()

    def close(self, *, well: bool) -> None:
        if self.engines is not None:
            (self.engines.end if well else self.engines.kill)()
        if self.licence is not None:
            with contextlib.suppress(OSError, licences.NoServer):
                self.licence.close()
        if self.scratch is not None:
            shutil.rmtree(self.scratch, ignore_errors=True)
        if self.scenario.scenario == "unsaved":
            shutil.rmtree(self.results, ignore_errors=True)

    def _header(self, command: str) -> None:
        say, twice, asked = self.log.header, self.log.twice, self.asked
        say(" ")
        say(f"{SAYS} for Ansys Electronics Desktop")
        say(f"Location: {Path(__file__).with_name('ansysedt.py')}")
        say(f"Batch Solve/Save: {asked.project}")
        say(f"Starting Batch Run: {clock()}")
        say(f"Running as user : {licences.account()}")
        say(f"Temp directory: {asked.batch.get('tempdirectory', self.results)}")
        say(f"Project directory: {asked.project.parent}")
        twice("Simulation settings:")
        twice("\nDesign type: HFSS")
        twice("Allow off core: True")
        twice(f"Using {'automatic' if '-auto' in asked.options else 'manual'} settings")
        twice("Two level: Disabled")
        twice("Distribution types: Variations, Frequencies")
        twice("Machines:")
        each = max(asked.cores // asked.tasks, 1)
        tasks = ", ".join(
            f"task{number}:{each} cores, num gpus:0, gpu indexes:" for number in range(asked.tasks)
        )
        for host in asked.hosts:
            twice(f"{host} RAM: 90%, {tasks}")
        say(f'[info] Using command line: "{command}"')
        if script := asked.options.get("-batchextract"):
            self.log.say(f"{SAYS}: the script {script} was not run", "warning")

    def _check_out(self) -> None:
        """A licence for the cores: of the stand-in's server, where there is one."""
        waits = "-waitforlicense" in self.asked.options
        token = Path(f"{self.asked.project}.licence")
        if self.scenario.scenario == "licence" and waits:
            while not token.exists():
                time.sleep(POLL)
        else:
            scenarios.fail_at("licence", self.scenario, self.log)
        address = os.environ.get(licences.VARIABLE)
        if not address:
            return
        needed = licences.needed(
            self.asked.cores, self.asked.batch_option("hpclicensetype") or "pack"
        )
        why = scenarios.NO_LICENCE
        try:
            self.licence = licences.Client(address)
            self.licence.check_out(needed, wait=waits)
        except licences.NoServer:
            scenarios.fail(self.log, why, scenarios.BY_LICENCE)
        except licences.Denied as denied:
            feature, kind = denied.args
            why = why.replace("elec_solve_hfss", feature)
            if kind == "used":
                why = scenarios.ALL_IN_USE.format(feature=feature)
            scenarios.fail(self.log, why, scenarios.BY_LICENCE)

    def _launch(self) -> Engines:
        """The engines; their process ids are in JOBID.pids beside the project."""
        temporary = Path(self.asked.batch.get("tempdirectory", self.results))
        self.scratch = temporary / f"ens_temp_{os.getpid()}.pjt"
        self.scratch.mkdir(parents=True)
        self.results.mkdir(exist_ok=True)
        deaf = self.scenario.scenario == "deaf"
        self.engines = Engines(self.asked.tasks, self.scratch, deaf=deaf)
        place = self.asked.project.parent / f"{self.asked.jobid}.pids"
        fresh = place.with_suffix(".new")
        fresh.write_text(" ".join(map(str, self.engines.pids)))
        fresh.replace(place)
        self.log.say("Mesh pre-processing took: 0.000sec\n")
        scenarios.fail_at("launch", self.scenario, self.log)
        return self.engines

    def _variations(self, setup: Setup) -> None:
        name = self.asked.setup or "ParametricSetup1"
        self.log.say(f"Parametric Analysis on {name} has been started")
        for number, values in enumerate(self.scenario.variations):
            told = " ".join(f"{name}='{value:g}meter'" for name, value in values.items())
            self.log.say(
                f"A variation ({told}) has been requested using the following machines:"
                f" {', '.join(self.asked.hosts)}"
            )
            setup.solve(self.scenario.model | values, f"{self.asked.project.stem}_{number}")
        self.log.say("Parametric Analysis is done.")

    def _completion(self) -> None:
        took = span(time.monotonic() - self.began)
        self.log.profile("Stop", f"Elapsed Time: {took}")
        self.log.note(f"Stop Time: {date()}, Status: Normal Completion")
        own = memory(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        self.log.profile("Stop", f"Elapsed Time: {took}, ComEngine Memory: {own}")
        self.log.say("Normal completion of simulation on server: localhost.")
