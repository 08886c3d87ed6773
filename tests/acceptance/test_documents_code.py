"""Every code block and command line of the PyEDB job manager's documents, run as it stands.

Changed are paths, ports, and imports that a block leaves out. Not run, by name: `lsof | xargs
kill` and `module load`, which are other people's programs. `from_dict({...})` gets real fields.
Where a block asks for Slurm there is none here: the configuration is made, and its submission is
refused as documented; the same block is run to its end with "none" in the place of "slurm". As
they stand they run in `cluster/test_pyedb_documents.py`.
"""

import json
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

from acceptance import documents
from acceptance.documents import BACKEND, FACADE, SERVICE
from solveyard.client.sync import Client
from solveyard.pyedb.errors import SubmissionFailed

pytestmark = documents.needed

BACKENDS = "from pyedb.workflows.job_manager.backend"
FACADES = "from pyedb.workflows.job_manager"


def block(document: str, number: int) -> str:
    return documents.blocks(document)[number].text


def placed(desk: Any, text: str) -> str:
    """With this desk's paths and port."""
    for name in ("/ansys/antenna.aedt", "/path/to/antenna.aedt"):
        text = text.replace(name, str(desk.folder / "antenna.aedt"))
    return text.replace("8080", str(desk.port)).replace(
        "JobManagerHandler()", f"JobManagerHandler(port={desk.port})"
    )


def here(text: str) -> str:
    """For this machine instead of a batch system."""
    assert '"slurm"' in text
    return text.replace('"slurm"', '"none"')


def refused(desk: Any, source: str, line: str) -> None:
    """The script ends at `line` with the documented error."""
    code, out, err = desk.ends(desk.script(source))
    assert (code, out) == (1, "")
    assert line in err
    last = err.strip().splitlines()[-1]
    assert last.startswith(f"{SubmissionFailed.__module__}.SubmissionFailed: "), err
    assert "no batch system is configured" in last
    assert issubclass(SubmissionFailed, RuntimeError)


def test_these_are_all_the_blocks_there_are() -> None:
    kinds = {
        name: [(one.language, one.text.split()[0]) for one in documents.blocks(name)]
        for name in documents.NAMES
    }
    assert kinds == {
        BACKEND: [("python", "from"), ("python", "from"), ("bash", "python")],
        FACADE: [
            ("python", "from"), ("bash", "$"), ("bash", "#"), ("python", "handler"),
            ("python", "handler"), ("bash", "lsof"), ("bash", "module"),
            ("python", "ResourceLimits(max_cpu_percent=100)"),
        ],
        SERVICE: [("bash", "python"), ("python", "from"), ("bash", "curl")],
    }  # fmt: skip
    lines = [line for name in documents.NAMES for one in documents.blocks(name)
             for line in documents.curl_lines(one)]  # fmt: skip
    assert len(lines) == 6
    everything = "".join(documents.text(name) for name in documents.NAMES)
    assert everything.count("code-block::") == 14
    assert len(re.findall(r"\bcurl (?=http|-)", everything)) == 6


# The facade's document


def test_the_quick_start_makes_its_configuration_and_is_refused_without_slurm(desk: Any) -> None:
    desk.install_edb()
    desk.project("antenna.aedt")
    refused(desk, placed(desk, block(FACADE, 0)), "submit_jobs_and_wait([cfg]")


def test_the_quick_start_runs_to_its_end_on_this_machine(desk: Any) -> None:
    desk.install_edb()
    desk.project("antenna.aedt")
    code, out, err = desk.ends(desk.script(here(placed(desk, block(FACADE, 0)))))
    assert (code, out) == (0, "Finished ['demo_001']\n"), err
    log = desk.folder / "antenna.aedt.batchinfo" / "antenna-demo_001.log"
    assert "Normal completion" in log.read_text()


@pytest.mark.parametrize(
    "block_number",
    [pytest.param((FACADE, 1), id="facade"), pytest.param((SERVICE, 0), id="service module")],
)
def test_the_service_starts_and_says_the_lines_that_the_document_prints(
    desk: Any, starter: Callable[..., Any], block_number: tuple[str, int]
) -> None:
    [command, *_] = block(*block_number).splitlines()
    printed = [line for line in block(FACADE, 1).splitlines() if line.startswith("INFO")]
    assert len(printed) == 2
    started = starter(command.removeprefix("$ "))
    told = [next(started.stderr) for _ in range(3)]
    assert told[0].startswith("token ")  # it listens for other machines, who need one
    assert [line.rstrip("\n") for line in told[1:]] == [placed(desk, line) for line in printed]
    started.send_signal(signal.SIGTERM)
    assert started.wait(60) == 0


@pytest.mark.parametrize("wrapped", [False, True], ids=["bare", "as the table says"])
@pytest.mark.parametrize(
    "block_number",
    [pytest.param((FACADE, 2), id="facade"), pytest.param((SERVICE, 2), id="service module")],
)
def test_every_curl_line_is_answered_as_documented(
    desk: Any, starter: Callable[..., Any], block_number: tuple[str, int], wrapped: bool
) -> None:
    started = starter(block(SERVICE, 0))
    [next(started.stderr) for _ in range(3)]
    config = {"project_path": str(desk.project("antenna.aedt")), "jobid": "curled"}
    for name in ("my_cfg.json", "cfg.json"):
        (desk.folder / name).write_text(
            json.dumps({"config": config, "priority": 0} if wrapped else config)
        )
    lines = documents.curl_lines(documents.blocks(block_number[0])[block_number[1]])
    answers = []
    for line in lines:
        done = desk.shell(placed(desk, line).replace("curl ", "curl --fail-with-body -sS ", 1))
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        answers.append(json.loads(done.stdout))
    resources, queue, submitted = answers
    assert {"cpu_percent", "memory_percent", "disk_usage_percent"} <= set(resources)
    assert (queue["total_queued"], queue["running_jobs"]) == (0, 0)
    assert (submitted["success"], submitted["job_id"]) == (True, "curled")
    with Client(desk.store) as client:
        assert client.wait(["curled"], 60)
        assert client.job("curled").state == "completed"


def test_the_batch_waits_for_both_of_its_jobs(desk: Any) -> None:
    desk.install_edb()
    desk.project("antenna.aedt")
    desk.project("patch.aedt", "fail")
    before = f'{FACADES} import JobManagerHandler\nfrom pyedb import Edb\nedb = Edb("b.aedb")\n'
    after = "for info in handler.manager.jobs.values(): print(info.status, info.return_code)\n"
    source = before + placed(desk, block(FACADE, 3)) + after
    code, out, err = desk.ends(desk.script(source))
    assert (code, out.splitlines()) == (
        0, ["Batch completed ['antenna_001', 'patch_001']", "completed 0", "failed 1"],
    ), err  # fmt: skip


SLURM_IMPORTS = (
    f"{FACADES} import JobManagerHandler\n"
    f"{FACADES}.job_submission import SchedulerOptions\n"
    'from pyedb import Edb\nedb = Edb("b.aedb")\n'
)


def test_scheduler_options_are_taken_and_the_submission_refused_without_slurm(desk: Any) -> None:
    desk.install_edb()
    desk.project("antenna.aedt")
    source = SLURM_IMPORTS + placed(desk, block(FACADE, 4))
    refused(desk, source, "job_id = handler.submit_jobs([cfg])[0]")


def test_submit_jobs_gives_the_ids_and_options_for_batch_systems_do_no_harm_here(
    desk: Any,
) -> None:
    desk.install_edb()
    desk.project("antenna.aedt")
    after = "handler.wait_until_all_done(timeout=60)\nprint(cfg.scheduler_options.nodes)\n"
    source = SLURM_IMPORTS + here(placed(desk, block(FACADE, 4))) + after
    code, out, err = desk.ends(desk.script(source))
    assert (code, out) == (0, "Job submitted to SLURM antenna_001\n4\n"), err


def test_the_throttle_is_disabled_as_the_note_says(desk: Any) -> None:
    source = (
        f"{FACADES}.service import ResourceLimits\n"
        f"limits = {block(FACADE, 7)}"
        "print(limits.max_cpu_percent, limits.max_concurrent_jobs)\n"
    )
    assert desk.ends(desk.script(source))[:2] == (0, "100 1\n")


# The service module's document


def test_the_embedded_manager_takes_a_job_with_its_priority(desk: Any) -> None:
    desk.project("antenna.aedt")
    before = (
        f"{FACADES}.job_submission import create_hfss_config\n"
        'config = create_hfss_config("antenna.aedt", jobid="embedded")\n'
    )
    after = (
        "await manager.wait_until_all_done(60)\n"
        "info = manager.jobs['embedded']\n"
        "print(info.status, info.priority, manager.resource_limits.max_concurrent_jobs)\n"
        "await manager.close()\n"
    )
    started = desk.awaiting_script(before + block(SERVICE, 1) + after)
    desk.open_gates("embedded")
    code, out, err = desk.ends(started)
    assert (code, out) == (0, "completed 10 4\n"), err


# The backend's document


def test_the_synchronous_example_is_refused_without_slurm(desk: Any) -> None:
    desk.project("antenna.aedt")
    source = "import asyncio, time\n" + placed(desk, block(BACKEND, 0))
    refused(desk, source, "asyncio.run(handler.submit_job(cfg))")


@pytest.mark.parametrize("scenario", ["success", "fail"])
def test_the_synchronous_example_runs_to_its_end_on_this_machine(desk: Any, scenario: str) -> None:
    desk.project("antenna.aedt", scenario)
    source = "import asyncio, time\n" + here(placed(desk, block(BACKEND, 0)))
    code, out, err = desk.ends(desk.script(source))
    assert code == 0, err
    job = re.fullmatch(r"Submitted (antenna_[0-9a-f]{6})\n", out)
    assert job is not None, out
    log = desk.folder / "antenna.aedt.batchinfo" / f"antenna-{job[1]}.log"
    assert "list=localhost:16:16:90%" in log.read_text()
    assert not (desk.store / "manager.json").exists()


def test_the_asynchronous_example_runs_to_its_end(desk: Any) -> None:
    fields = {"project_path": str(desk.project("antenna.aedt")), "jobid": "native"}
    text = block(BACKEND, 1)
    assert "from_dict({...})" in text
    before = f"{BACKENDS}.job_submission import HFSSSimulationConfig\n"
    after = (
        "print(job_id, manager.jobs[job_id].status, manager.jobs[job_id].priority)\n"
        "await manager.close()\n"
    )
    source = before + text.replace("{...}", repr(fields)) + after
    started = desk.awaiting_script(source)
    desk.open_gates("native")
    code, out, err = desk.ends(started)
    assert (code, out) == (0, "native completed 5\n"), err


def test_the_handlers_command_line_listens_where_it_says(
    desk: Any, starter: Callable[..., Any]
) -> None:
    started = starter(placed(desk, block(BACKEND, 2)))
    told = [next(started.stderr) for _ in range(3)]
    assert told[-1] == f"INFO:JobManager:aiohttp server on http://0.0.0.0:{desk.port}\n"
    done = desk.shell(f"curl --fail-with-body -sS http://127.0.0.1:{desk.port}/jobs")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
    started.send_signal(signal.SIGINT)
    assert started.wait(60) in {0, 130}


# What is said of blocks in words


def test_the_quick_start_runs_inside_a_loop_that_runs_as_in_a_notebook(desk: Any) -> None:
    desk.install_edb()
    desk.project("antenna.aedt")
    cell = "import asyncio\nawait asyncio.sleep(0)\n" + here(placed(desk, block(FACADE, 0)))
    code, out, err = desk.ends(desk.awaiting_script(cell))
    assert (code, out) == (0, "Finished ['demo_001']\n"), err


def test_blocks_run_without_ansys_until_an_ansysedt_is_needed(desk: Any) -> None:
    del desk.environment["ANSYSEM_ROOT252"]
    desk.project("antenna.aedt")
    source = "import asyncio, time\n" + here(placed(desk, block(BACKEND, 0)))
    code, out, err = desk.ends(desk.script(source))
    assert (code, out) == (1, "")
    assert "ansys_edt_path" in err.strip().splitlines()[-1]
    assert "submit_job(cfg)" in err
