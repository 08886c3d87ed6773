"""The dashboard in a real Chromium, before a real manager that runs real jobs."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchsystems import BatchSystem
from pages import LOOK_AWAY, findings, open_job, row, shell, waits_for
from standin.player import player

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=20_000)

HEARD = "The manager tells what happens"


def test_a_first_visitor_is_told_how_to_submit_a_job(page: Any, served: Any) -> None:
    page.goto(served.url)
    expect(page.get_by_role("heading", name="No jobs yet.")).to_be_visible()
    code = page.locator(".empty code")
    expect(code).to_have_count(3)
    assert f"--store {served.folder} submit" in code.nth(0).inner_text()
    assert f"curl {served.url}jobs " in code.nth(2).inner_text()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy: In a shell").click()
    expect(page.get_by_role("button", name="Copied: In a shell")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == code.nth(0).inner_text()


def test_the_command_over_http_that_it_shows_is_a_job_that_runs(page: Any, served: Any) -> None:
    page.goto(served.url)
    text = page.locator(".empty code").nth(2).inner_text()
    served.ask("POST", "jobs", json.loads(text[text.index("'{") + 1 : text.rindex("'")]))
    expect(row(page, "dipole")).to_contain_text("completed")


def test_who_came_by_a_token_is_told_how_to_submit_with_it(page: Any, served: Any) -> None:
    guest = {"name": "token:laptop", "owner": False, "session": True}
    page.route("**/yard/session", lambda route: route.fulfill(json=guest))
    page.goto(served.url)
    expect(page.locator(".empty")).to_contain_text("SOLVEYARD_TOKEN before")
    in_shell, in_python, over_http = page.locator(".empty pre").all_inner_texts()
    assert str(served.folder) not in in_shell + in_python + over_http
    assert '-H "Authorization: Bearer $SOLVEYARD_TOKEN"' in over_http
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "SOLVEYARD_TOKEN": "of the laptop", "PATH": path}
    for program in (["sh", "-c", in_shell], [sys.executable, "-c", in_python]):
        subprocess.run(program, env=env, check=True, timeout=60)
        assert served.ask("GET", "jobs/dipole/wait")["state"] == "completed"
        served.ask("DELETE", "jobs/dipole")


def test_a_job_is_seen_from_queued_to_completed(page: Any, served: Any, tmp_path: Path) -> None:
    go, end = tmp_path / "go", tmp_path / "end"
    served.submit(shell("first", waits_for(go), resources={"cores": 2}))
    page.goto(served.url)
    expect(row(page, "first")).to_contain_text("running")
    served.submit(shell("second", waits_for(end), tags=["board-A"]))
    expect(row(page, "second")).to_contain_text("queued")
    expect(row(page, "second")).to_contain_text("Waiting for 1 core")
    go.touch()
    expect(row(page, "second")).to_contain_text("running")
    end.touch()
    expect(row(page, "second")).to_contain_text("completed")
    expect(page.get_by_role("button", name="2 completed")).to_be_visible()
    expect(page.get_by_role("meter", name="Cores")).to_have_attribute(
        "aria-valuetext", "0 of 2 in use"
    )


def test_the_log_grows_while_it_is_looked_at(page: Any, served: Any, tmp_path: Path) -> None:
    more = tmp_path / "more"
    lines = "seq 1 30000; echo begun; echo oops >&2"
    served.submit(shell("writer", f"{lines}; {waits_for(more)}; printf '\\033[31mred\\033[0m end'"))
    detail = open_job(page, served, "writer")
    detail.get_by_role("tab", name="Log").click()
    output = detail.get_by_role("region", name="stdout of the job")
    expect(output).to_contain_text("begun")
    earlier = detail.get_by_role("button", name=re.compile("Earlier output"))
    expect(earlier).to_be_visible()
    more.touch()
    expect(output).to_contain_text("red end")
    expect(detail).to_contain_text("ended")
    for _ in range(2):
        earlier.click()
    expect(earlier).to_have_count(0)
    assert output.inner_text().startswith("1\n2\n3\n")
    assert output.inner_text().split() == [*map(str, range(1, 30_001)), "begun", "red", "end"]
    with page.expect_download() as saved:
        detail.get_by_role("link", name="Download").click()
    assert Path(saved.value.path()).read_bytes().endswith(b"begun\n\x1b[31mred\x1b[0m end")
    detail.get_by_role("button", name="stderr").click()
    expect(detail.get_by_role("region", name="stderr of the job")).to_have_text("oops\n")


def test_a_log_that_its_job_cuts_is_shown_from_its_new_beginning(
    page: Any, served: Any, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    cut = 'python3 -c "import os; os.ftruncate(1, 0); os.lseek(1, 0, 0)"'
    served.submit(shell("cut", f"echo before; {waits_for(go)}; {cut}; echo anew; sleep 1000"))
    detail = open_job(page, served, "cut")
    detail.get_by_role("tab", name="Log").click()
    expect(detail.locator(".output")).to_have_text("before\n")
    go.touch()
    expect(detail.locator(".output")).to_have_text("anew\n")


def test_no_letter_is_broken_where_two_readings_of_a_log_meet(page: Any, served: Any) -> None:
    served.submit(shell("writer", "yes é | head -n 70000; printf zz"))
    detail = open_job(page, served, "writer")
    detail.get_by_role("tab", name="Log").click()
    output = detail.get_by_role("region", name="stdout of the job")
    expect(output).to_contain_text("zz")
    earlier = detail.get_by_role("button", name=re.compile("Earlier output"))
    written = "é\n" * 70_000 + "zz"
    for before in ("141 KiB", "77.1 KiB", "13.1 KiB"):  # each cut is within a letter
        expect(earlier).to_contain_text(before)
        shown = output.text_content()
        assert shown
        assert written.endswith(shown)
        earlier.click()
    expect(earlier).to_have_count(0)
    assert output.text_content() == written


def test_a_job_is_cancelled_after_a_question_and_retried(page: Any, served: Any) -> None:
    served.submit(shell("endless", "sleep 1000"))
    detail = open_job(page, served, "endless")
    expect(detail).to_contain_text("running")
    detail.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("button", name="Let it go on")).to_be_focused()
    page.keyboard.press("Enter")
    assert served.ask("GET", "jobs/endless")["cancel_requested"] is False
    page.keyboard.press("c")
    page.get_by_role("button", name="Cancel the job").click()
    expect(detail.locator(".badge")).to_contain_text("cancelled")
    expect(detail).to_contain_text("Cancelled on request.")
    assert served.ask("GET", "jobs/endless")["state"] == "cancelled"
    page.keyboard.press("r")
    page.get_by_role("button", name="Retry", exact=True).click()
    expect(detail.locator(".badge")).to_contain_text("running")
    expect(detail.locator(".attempts > li")).to_have_count(2)


def test_several_selected_jobs_are_cancelled_by_one_answer(page: Any, served: Any) -> None:
    served.submit(*[shell(f"job-{i}", "true", hold=True) for i in range(4)])
    page.goto(served.url)
    expect(page.locator("tr.row")).to_have_count(4)
    row(page, "job-0").click(modifiers=["Control"])
    for key in "kkx":
        page.keyboard.press(key)
    selected = page.get_by_role("group", name="Selected jobs")
    expect(selected).to_contain_text("2 selected")
    assert findings(page) == []
    page.keyboard.press("c")
    expect(page.get_by_role("dialog", name="Cancel 2 jobs?")).to_contain_text("job-0, job-2.")
    page.get_by_role("button", name="Cancel them").click()
    expect(page.get_by_role("button", name="2 cancelled")).to_be_visible()
    states = [served.ask("GET", f"jobs/job-{i}")["state"] for i in range(4)]
    assert states == ["cancelled", "held", "cancelled", "held"]
    page.keyboard.press("Escape")
    expect(selected).to_have_count(0)


def test_what_a_filter_hides_is_not_acted_on(page: Any, served: Any) -> None:
    served.submit(*[shell(name, "true", hold=True) for name in ("mine", "kept", "other")])
    page.goto(served.url)
    for name in ("mine", "kept"):
        row(page, name).click(modifiers=["Control"])
    selected = page.get_by_role("group", name="Selected jobs")
    search = page.get_by_role("searchbox")
    search.fill("mine")
    expect(selected).to_contain_text("2 selected, 1 not shown")
    selected.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("dialog", name="Cancel mine?")).to_be_visible()
    page.keyboard.press("Escape")
    search.fill("other")
    expect(row(page, "kept")).to_have_count(0)
    expect(selected).to_contain_text("2 selected, 2 not shown")
    expect(selected.get_by_role("button")).to_have_text(["Select none"])
    search.press("Escape")
    page.keyboard.press("c")  # the keyboard was at a row that is hidden
    expect(page.get_by_role("dialog")).to_have_count(0)
    row(page, "other").focus()
    page.keyboard.press("c")
    expect(page.get_by_role("dialog", name="Cancel other?")).to_be_visible()


def test_a_job_is_held_released_and_removed(page: Any, served: Any) -> None:
    served.submit(shell("waiting", "true", hold=True))
    detail = open_job(page, served, "waiting")
    expect(detail).to_contain_text("Waiting for somebody to release it: it is held.")
    detail.get_by_role("button", name="Release").click()
    expect(detail.locator(".badge")).to_contain_text("completed")
    detail.get_by_role("button", name="Remove…").click()
    page.get_by_role("checkbox", name="Its output and its own folder, too").check()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(row(page, "waiting")).to_have_count(0)
    expect(detail).to_have_count(0)
    assert served.ask("GET", "jobs") == []
    page.expected.append("404 (Not Found)")  # it may be asking for what is just being removed


@pytest.fixture
def full_pbs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchSystem]:
    """On the manager's PATH; it takes jobs, and starts none."""
    system = BatchSystem("pbs", tmp_path / "pbs", stopped=["workq"])
    monkeypatch.setenv("PATH", system.environment["PATH"])
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "no Slurm"))
    yield system
    system.stop()


def test_what_waits_in_a_batch_system_is_submitted_held_and_released_there(
    full_pbs: BatchSystem, page: Any, served: Any
) -> None:
    served.submit(
        shell("away", "true", on="pbs"), shell("tasks", "true", on="pbs", array={"stop": 2})
    )
    served.until(lambda: bool(served.ask("GET", "jobs/tasks[1]")["scheduler_job_id"]))
    number = int(served.ask("GET", "jobs/away")["scheduler_job_id"].partition(".")[0])
    detail = open_job(page, served, "away")
    expect(detail.locator("header .badge")).to_have_text(re.compile("submitted"))
    expect(detail.locator(".attempts")).to_contain_text("Submitted.")
    expect(row(page, "away").locator(".badge")).to_contain_text("submitted")
    expect(page.get_by_role("button", name="3 submitted")).to_be_visible()
    expect(detail.get_by_role("button", name="Release")).to_have_count(0)
    detail.get_by_role("button", name="Hold").click()
    expect(detail.get_by_role("button", name="Release")).to_be_visible()
    expect(detail.get_by_role("button", name="Hold")).to_have_count(0)
    served.until(lambda: full_pbs.knows().jobs[number].held)
    detail.get_by_role("button", name="Release").click()
    expect(detail.get_by_role("button", name="Hold")).to_be_visible()
    served.until(lambda: not full_pbs.knows().jobs[number].held)
    page.goto(f"{served.url}#/jobs/2/1")
    task = page.get_by_role("complementary", name="Job tasks[1]")
    expect(task.locator("header .badge")).to_contain_text("submitted")
    expect(task.get_by_role("button", name="Hold")).to_be_visible()
    expect(task.get_by_role("button", name="Release")).to_have_count(0)
    page.keyboard.press("Escape")
    detail = page.get_by_role("complementary", name="Job tasks")
    detail.get_by_role("button", name="Hold").click()
    expect(detail).to_contain_text("Its next task is waiting for somebody to release it")
    detail.get_by_role("button", name="Release").click()
    expect(detail.get_by_role("button", name="Hold")).to_be_visible()
    for name in ("away", "tasks"):
        served.ask("POST", f"jobs/{name}/cancel", {})
        served.ask("GET", f"jobs/{name}/wait")


def test_what_this_machine_is_about_to_run_is_starting(page: Any, served: Any) -> None:
    def earlier(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        for one in told["jobs"]:
            one["state"] = "submitted"
        route.fulfill(response=answer, json=told)

    page.route("**/dashboard/jobs**", earlier)
    served.submit(shell("soon", "sleep 1000"))
    served.until(lambda: served.ask("GET", "jobs/soon")["state"] == "running")
    detail = open_job(page, served, "soon")
    expect(row(page, "soon").locator(".badge")).to_contain_text("starting")
    expect(detail.locator("header .badge")).to_contain_text("starting")
    expect(detail.get_by_role("button", name="Hold")).to_have_count(0)


def test_a_refused_action_is_told_in_the_managers_words(page: Any, served: Any) -> None:
    served.submit(shell("gone", "true"))
    detail = open_job(page, served, "gone")
    expect(detail.locator(".badge")).to_contain_text("completed")
    detail.get_by_role("button", name="Remove…").click()
    served.ask("DELETE", "jobs/gone")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Could not remove gone: there is no job")
    page.expected.append("404 (Not Found)")


def test_an_action_meets_its_row_be_another_job_called_by_its_number(
    page: Any, served: Any, tmp_path: Path
) -> None:
    served.submit({"solver": "command", "options": {"argv": ["sh", "-c", "echo mine; sleep 1000"]}})
    board = tmp_path / "board.aedt"
    board.touch()
    os.mkfifo(tmp_path / "board.go")
    program = player(tmp_path / "ansys_inc")
    config = {"project_path": str(board), "ansys_edt_path": str(program), "jobid": "1"}
    served.ask("POST", "jobs/submit", {"config": config})
    assert served.ask("GET", "jobs/1")["number"] == 2
    page.goto(f"{served.url}#/jobs/1")
    detail = page.get_by_role("complementary", name="Job 1")
    expect(detail.locator(".facts")).to_contain_text("command")
    page.keyboard.press("l")
    expect(detail.get_by_role("region", name="stdout of the job")).to_have_text("mine\n")
    page.keyboard.press("c")
    page.get_by_role("button", name="Cancel the job").click()
    expect(detail.locator(".badge")).to_contain_text("cancelled")
    assert served.ask("GET", "jobs/%231")["state"] == "cancelled"
    assert served.ask("GET", "jobs/%232")["cancel_requested"] is False


def test_a_failure_is_told_with_its_evidence_and_attempt(page: Any, served: Any) -> None:
    served.submit(shell("broken", "exit 3"))
    detail = open_job(page, served, "broken")
    expect(detail).to_contain_text("Exit code 3.")
    expect(detail.locator(".evidence")).to_contain_text("exit code 3")
    expect(detail.locator(".attempts")).to_contain_text("1 on ")


def test_a_touchstone_result_is_drawn_and_summed_up(page: Any, served: Any) -> None:
    lines = ["# MHz S DB R 50", "100 -1 0 -20 0 -20 0 -2 0", "200 -15.5 0 -3 0 -3 0 -4 0"]
    spec = shell("filter", "true")
    spec["options"]["files"] = {"sub/line 1.s2p": "\n".join(lines)}
    served.submit(spec)
    detail = open_job(page, served, "filter")
    detail.get_by_role("tab", name=re.compile("Files")).click()
    detail.get_by_role("button", name="Plot sub/line 1.s2p").click()
    expect(detail.locator(".facts-table")).to_contain_text("-15.50 dB at 200 MHz")
    assert colours(page) > 2
    detail.get_by_role("button", name="S21", exact=True).click()
    expect(detail.locator(".facts-table")).to_contain_text("-3.00 dB at 200 MHz")
    expect(detail.locator(".canvas")).to_have_attribute(
        "aria-label", re.compile("S21 from -20.00 dB")
    )


def test_in_a_folder_that_jobs_share_only_the_jobs_own_result_is_drawn_unasked(
    page: Any, served: Any, tmp_path: Path
) -> None:
    line = "# MHz S DB R 50\\n100 -7 0\\n"
    for name, end in {"good": f"printf '{line}' > good.s1p", "bad": "exit 3"}.items():
        spec = shell(name, end, directory=str(tmp_path))
        spec["options"]["outputs"] = [f"{name}.s1p"]
        served.submit(spec)
        served.ask("GET", f"jobs/{name}/wait")
    detail = open_job(page, served, "good")
    plots = detail.get_by_role("tab", name=re.compile("Plots"))
    expect(plots).to_have_text("Plots 1")
    plots.click()
    expect(detail.locator(".facts-table")).to_contain_text("-7.00 dB")
    detail = open_job(page, served, "bad")
    expect(detail).to_contain_text("No Touchstone files (.s1p, .s2p, …) of its own yet.")
    expect(detail.get_by_role("tab", name=re.compile("Plots"))).to_have_text("Plots")
    expect(detail.locator(".canvas")).to_have_count(0)
    group = detail.locator("optgroup")
    expect(group).to_have_attribute("label", "Other files in this folder")
    detail.get_by_role("combobox", name="File").select_option("good.s1p")
    expect(detail.locator(".facts-table")).to_contain_text("good.s1p")
    expect(detail.locator(".canvas")).to_have_count(1)
    assert findings(page) == []


def colours(page: Any) -> int:
    """How many different ones are on the plot's canvas."""
    found: int = page.locator(".canvas canvas").evaluate(
        """canvas => {
            const {width, height} = canvas;
            const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
            return new Set(new Uint32Array(pixels.buffer)).size;
        }"""
    )
    return found


def test_a_solve_is_seen_to_converge(page: Any, served: Any, tmp_path: Path) -> None:
    program = player(tmp_path / "ansys_inc")
    board = tmp_path / "board.aedt"
    board.touch()
    os.mkfifo(tmp_path / "board.go")
    options = {"project_path": str(board), "ansys_edt_path": str(program), "jobid": "board-7"}
    served.submit({"solver": "hfss", "name": "board-7", "options": options})
    detail = open_job(page, served, "board-7")
    told = "Pass 3, delta S 0.118302, 15391 tetrahedra."
    expect(detail.locator(".advance")).to_have_text(told)
    expect(row(page, "board-7")).to_contain_text(told)
    curve = detail.locator(".canvas")
    expect(curve).to_have_attribute("aria-label", re.compile("Delta S over pass: 0.118302 in pass"))
    assert colours(page) > 2
    (tmp_path / "board.go").write_text("go on")
    expect(row(page, "board-7")).to_contain_text("completed")
    expect(detail.locator(".advance")).to_have_count(0)
    expect(curve).to_have_attribute("aria-label", re.compile("Delta S over pass: 0.0143 in pass 4"))


def test_a_disk_that_fills_is_seen_while_it_lasts(
    page: Any, served: Any, tmp_path: Path, small_disk: Path
) -> None:
    program = player(tmp_path / "ansys_inc")
    board = small_disk / "board.aedt"
    board.touch()
    os.mkfifo(small_disk / "board.go")
    options = {"project_path": str(board), "ansys_edt_path": str(program), "min_disk_gb": 32 / 1024}
    served.submit({"solver": "hfss", "name": "board-8", "options": options})
    detail = open_job(page, served, "board-8")
    expect(detail.locator(".advance")).to_contain_text("Pass 3")
    (small_disk / "filler").write_bytes(bytes(48 << 20))
    told = re.compile(r"Warning: only \d+ MiB of disk are free where it solves .*, pass 3")
    expect(detail.locator(".advance.warned")).to_have_text(told)
    expect(row(page, "board-8")).to_contain_text(told)
    (small_disk / "filler").unlink()
    expect(detail.locator(".advance.warned")).to_have_count(0)
    (small_disk / "board.go").write_text("go on")
    expect(row(page, "board-8")).to_contain_text("completed")


def test_files_that_a_running_job_writes_show_up(page: Any, served: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    served.submit(shell("writer", f"{waits_for(go)}; echo hello > result.txt; sleep 1000"))
    detail = open_job(page, served, "writer")
    detail.get_by_role("tab", name="Files").click()
    expect(detail).to_contain_text("No files in its folder")
    go.touch()
    with page.expect_download() as saved:
        detail.get_by_role("link", name="result.txt").click()
    assert Path(saved.value.path()).read_text() == "hello\n"


def test_of_a_folder_with_very_many_files_the_page_says_so_and_finds_what_can_be_plotted(
    page: Any, served: Any
) -> None:
    line = "# GHz S RI R 50\\n1 0.5 0\\n2 0.5 0\\n"
    made = f"seq -f a%05g.dat 10002 | xargs touch; printf '{line}' >z.s1p"
    served.submit(shell("many", made))
    detail = open_job(page, served, "many")
    expect(detail.locator(".badge")).to_contain_text("completed")
    detail.get_by_role("tab", name=re.compile("Plots")).click()
    expect(detail.locator(".facts-table")).to_contain_text("-6.02 dB")
    detail.get_by_role("tab", name=re.compile("Files")).click()
    caption = detail.locator(".files caption")
    expect(caption).to_contain_text(re.compile("the first 10.000 of 10.003 files"))


def test_no_page_waits_for_the_library_that_draws(page: Any, served: Any) -> None:
    loaded: list[str] = []
    page.on("request", lambda asked: loaded.append(asked.url.rpartition("/")[2]))
    page.goto(served.url)
    expect(page.locator(".connection")).to_contain_text("live")
    assert "main.js" in loaded
    assert not {"uplot.js", "plot.js", "results.js", "overlay.js", "smith.js"} & set(loaded)


def test_a_broken_touchstone_file_is_refused_in_words(page: Any, served: Any) -> None:
    spec = shell("diverged", "true")
    spec["options"]["files"] = {"a.s1p": "# GHz S RI R 50\n1 nan 0\n"}
    served.submit(spec)
    detail = open_job(page, served, "diverged")
    detail.get_by_role("tab", name=re.compile("Plots")).click()
    expect(detail.get_by_role("alert")).to_contain_text("a.s1p: line 2: nan is not finite")
    page.expected.append("400 (Bad Request)")


def test_a_lost_manager_is_told_and_found_again(page: Any, served: Any) -> None:
    served.submit(shell("before", "sleep 1000"))
    page.goto(served.url)
    expect(row(page, "before")).to_contain_text("running")
    expect(page.locator(".connection")).to_contain_text("live")
    served.cut()
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("Connection lost. What you see is from ")
    expect(row(page, "before")).to_be_visible()
    served.mend()
    served.submit(shell("meanwhile", "true"))
    expect(row(page, "meanwhile")).to_contain_text("completed")
    expect(banner).to_have_count(0)
    page.expected.append("net::ERR_")


def test_a_job_that_is_gone_is_asked_for_once_and_its_files_not_at_all(
    page: Any, served: Any
) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/jobs/%23" in one.url else None)
    page.goto(f"{served.url}#/jobs/7")
    expect(page.get_by_role("complementary")).to_contain_text("There is no job")
    assert [url.removeprefix(served.url) for url in asked] == ["jobs/%237"]
    page.expected.append("404 (Not Found)")


def test_a_job_opened_while_nobody_answers_is_told_as_its_row_says_and_read_afterwards(
    page: Any, served: Any
) -> None:
    served.submit(shell("broken", "exit 3", tags=["board-A"]))
    page.goto(served.url)
    expect(row(page, "broken")).to_contain_text("failed")
    served.cut()
    expect(page.get_by_role("alert")).to_contain_text("Connection lost.")
    row(page, "broken").click()
    detail = page.get_by_role("complementary", name="Job broken")
    expect(detail.locator(".verdict")).to_have_text("Exit code 3.")
    expect(detail.locator(".facts")).to_contain_text("board-A")
    expect(detail).to_contain_text("The manager does not answer, so no more is known of it now.")
    assert findings(page) == []
    served.mend()
    expect(detail.locator(".evidence")).to_contain_text("exit code 3")
    expect(detail).not_to_contain_text("does not answer")
    page.expected.append("net::ERR_")


def test_what_happens_is_heard_and_not_asked_for_each_second(page: Any, served: Any) -> None:
    page.goto(served.url)
    expect(page.locator(".connection")).to_have_attribute("title", HEARD)
    page.clock.install()  # from now on no timer of the page is due by itself
    page.clock.pause_at(page.evaluate("Date.now() + 1000"))
    with page.expect_request("**/dashboard/changes?after=*") as asked:
        served.submit(shell("heard", "true", hold=True))
        page.clock.run_for(200)
    assert asked.value.url.startswith(served.url)
    expect(row(page, "heard")).to_contain_text("held")


def test_where_no_websocket_gets_through_the_page_asks_by_itself(page: Any, served: Any) -> None:
    served.websockets = False
    page.goto(served.url)
    expect(page.get_by_role("heading", name="No jobs yet.")).to_be_visible()
    served.submit(shell("asked", "true"))
    expect(row(page, "asked")).to_contain_text("completed")
    expect(page.locator(".connection")).to_have_attribute("title", re.compile("each second"))
    served.websockets = True
    expect(page.locator(".connection")).to_have_attribute("title", HEARD)
    page.expected.append("WebSocket connection to")


def test_where_no_websocket_gets_through_a_running_job_goes_on_telling(
    page: Any, served: Any
) -> None:
    passes = iter(range(1, 1000))

    def further(route: Any) -> None:
        answer = route.fetch()
        told = answer.json()
        told["jobs"][0]["why"] = f"pass {next(passes)}"
        route.fulfill(response=answer, json=told)

    served.websockets = False
    served.submit(shell("solves", "sleep 1000"))
    served.until(lambda: served.ask("GET", "jobs/solves")["state"] == "running")
    page.route("**/dashboard/jobs/1", further)
    page.goto(served.url)
    expect(row(page, "solves")).to_contain_text("Pass 2")
    page.expected.append("WebSocket connection to")


def test_a_running_row_that_tells_nothing_any_more_says_nothing(page: Any, served: Any) -> None:
    served.submit(shell("sweep", "sleep 1000", array={"stop": 2, "at_once": 1}))
    served.until(lambda: served.ask("GET", "jobs/sweep")["state"] == "running")
    page.goto(served.url)
    expect(row(page, "sweep")).to_contain_text("0/2")
    told = page.evaluate(
        """async (name) => {
            const place = document.querySelector("script[type=module]").src;
            const jobs = await import(new URL("jobs.js", place));
            const progress = { text: "pass 3" };
            jobs.advance({ job: 1, task: 0, id: `${name}[0]`, attempt: 1, progress });
            const before = jobs.row(1).why;
            jobs.take([{ ...jobs.row(1), why: null }]);
            return [before, jobs.row(1).why];
        }""",
        "sweep",
    )
    assert told == ["task 0: pass 3", ""]


def test_a_name_that_is_cut_is_told_in_full(page: Any, served: Any) -> None:
    name = "antenna_array_patch_" + "x" * 60
    served.submit(shell(name, "true", hold=True, tags=["draft"]))
    page.goto(served.url)
    cell = row(page, name).locator(".col-job")
    expect(cell).to_have_attribute("title", f"{name} · draft")


def test_a_page_that_nobody_sees_hears_nothing_and_misses_nothing(page: Any, served: Any) -> None:
    page.goto(served.url)
    expect(page.locator(".connection")).to_have_attribute("title", HEARD)
    page.evaluate(LOOK_AWAY, True)
    expect(page.locator(".connection")).not_to_have_attribute("title", HEARD)
    served.submit(shell("unseen", "true"))
    assert served.ask("GET", "jobs/unseen/wait")["state"] == "completed"
    assert row(page, "unseen").count() == 0
    page.evaluate(LOOK_AWAY, False)
    expect(row(page, "unseen")).to_contain_text("completed")
    expect(page.locator(".connection")).to_have_attribute("title", HEARD)


def test_a_log_that_nobody_sees_is_not_asked_for_and_goes_on_where_it_was(
    page: Any, served: Any, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    served.submit(shell("writer", f"echo begun; {waits_for(more)}; echo over"))
    detail = open_job(page, served, "writer")
    with page.expect_request(lambda asked: "wait=20" in asked.url) as waiting:
        detail.get_by_role("tab", name="Log").click()
    with page.expect_event("requestfailed", lambda asked: asked == waiting.value):
        page.evaluate(LOOK_AWAY, True)
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "/logs" in one.url else None)
    more.touch()
    assert served.ask("GET", "jobs/writer/wait")["state"] == "completed"
    output = detail.get_by_role("region", name="stdout of the job")
    assert output.text_content() == "begun\n"
    assert asked == []
    page.evaluate(LOOK_AWAY, False)
    expect(output).to_have_text("begun\nover\n")
    expect(detail.locator(".log > .foot")).to_contain_text("ended")


def test_who_has_no_token_is_asked_for_one_and_sees_nothing_before(page: Any, served: Any) -> None:
    served.submit(shell("secret", "true"))
    served.locked = True
    signed_in = {"name": "token:laptop", "owner": False, "session": True}

    def session(route: Any) -> None:
        asked = route.request
        if asked.method == "POST" and asked.headers["authorization"] != "Bearer right":
            error = {"success": False, "error": "the token is not one of this manager's"}
            route.fulfill(status=401, json=error)
        else:
            served.locked = asked.method == "DELETE"
            route.fulfill(json=signed_in)

    page.route("**/yard/session", session)
    page.goto(served.url)
    dialog = page.get_by_role("dialog", name="Sign in")
    expect(dialog).to_contain_text("solveyard token create NAME")
    expect(dialog.get_by_label("Token")).to_be_focused()
    page.keyboard.type("wr")
    for _ in range(4):
        page.keyboard.press("Escape")  # Chromium closes a dialog at the second one
    expect(dialog.get_by_label("Token")).to_be_focused()
    page.keyboard.type("ong")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("the token is not one of this manager's")
    expect(dialog.get_by_label("Token")).to_have_value("wrong")
    assert findings(page) == []
    dialog.get_by_label("Token").fill(" right ")
    dialog.get_by_role("button", name="Sign in").click()
    expect(row(page, "secret")).to_contain_text("completed")
    expect(dialog).to_have_count(0)
    expect(page.locator(".who")).to_have_text("laptop")
    page.get_by_role("button", name="Sign out").click()
    expect(dialog).to_be_visible()
    expect(page.get_by_text("secret")).to_have_count(0)
    expect(page.locator(".who")).to_have_count(0)
    page.expected.append("401 (Unauthorized)")


def test_another_store_at_the_same_address_is_read_from_its_beginning(
    page: Any, served: Any, tmp_path: Path
) -> None:
    served.submit(*[shell(f"old-{i}", "true", hold=True) for i in range(3)])
    page.goto(served.url)
    expect(row(page, "old-2")).to_be_visible()
    expect(page.locator(".connection")).to_contain_text("live")
    served.cut()
    expect(page.get_by_role("alert")).to_contain_text("Connection lost")
    other = type(served)(tmp_path / "other", served.port)
    try:
        expect(page.get_by_role("heading", name="No jobs yet.")).to_be_visible()
        other.submit(shell("new", "true", hold=True))
        expect(page.locator("tr.row")).to_have_count(1)
        expect(row(page, "new")).to_contain_text("held")
    finally:
        other.close()
    page.expected.append("net::ERR_")


def test_a_store_with_more_events_at_the_same_address_is_told_from_the_one_before(
    page: Any, served: Any, tmp_path: Path
) -> None:
    served.submit(*[shell(f"old-{i}", "true", hold=True) for i in range(3)])
    other = type(served)(tmp_path / "other")
    try:
        other.submit(*[shell(f"new-{i}", "true", hold=True) for i in range(6)])
        other.cut()
        page.goto(f"{served.url}#/jobs/1")
        detail = page.get_by_role("complementary", name="Job old-0")
        detail.get_by_role("button", name="Cancel…").click()
        expect(page.locator(".connection")).to_have_attribute("title", HEARD)
        page.clock.install()  # from now on nothing is looked at by itself
        page.clock.pause_at(page.evaluate("Date.now() + 1000"))
        served.cut()
        other.port = served.port
        other.mend()
        page.get_by_role("button", name="Cancel the job").click()
        expect(page.get_by_role("status")).to_contain_text(
            "Could not cancel old-0: another store answers at this address by now"
        )
        expect(page.locator("tr.row .name")).to_have_text([f"new-{i}" for i in (5, 4, 3, 2, 1, 0)])
        expect(page.get_by_role("complementary")).to_have_count(0)
        assert {one["state"] for one in other.ask("GET", "jobs")} == {"held"}
    finally:
        other.close()
    page.expected.append("net::ERR_")


def test_dark_follows_the_system_and_a_choice_is_kept(page: Any, served: Any) -> None:
    def ground() -> str:
        found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return found

    light, dark = "rgb(243, 245, 248)", "rgb(15, 20, 26)"
    page.goto(served.url)
    expect(page.get_by_role("heading", name="No jobs yet.")).to_be_visible()
    assert ground() == light
    page.emulate_media(color_scheme="dark")
    assert ground() == dark
    page.keyboard.press(".")
    assert ground() == light
    page.reload()
    assert ground() == light


def test_the_keyboard_reaches_every_job_and_its_parts(page: Any, served: Any) -> None:
    served.submit(*[shell(f"job-{i}", "echo hello", tags=["odd"] * (i % 2)) for i in range(6)])
    page.goto(served.url)
    expect(page.locator("tr.row")).to_have_count(6)
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    expect(row(page, "job-4")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Job job-4")).to_be_visible()
    page.keyboard.press("l")
    expect(page.get_by_role("region", name="stdout of the job")).to_have_text("hello\n")
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary")).to_have_count(0)
    expect(row(page, "job-4")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("odd")
    expect(page.locator("tr.row")).to_have_count(3)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("4")
    expect(page.get_by_role("button", name="0 running")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("tr.row")).to_have_count(0)


def test_an_address_that_names_an_old_job_leads_to_its_row(page: Any, served: Any) -> None:
    served.submit(*[shell(f"job-{i}", "true", hold=True) for i in range(1200)])
    open_job(page, served, "job-9")
    expect(row(page, "job-9")).to_be_in_viewport(ratio=1)
    expect(page.locator("body")).to_be_focused()
    page.evaluate("location.hash = '#/jobs/1100'")
    expect(row(page, "job-1099")).to_be_in_viewport(ratio=1)


def test_a_search_finds_endings_and_of_what_waits_the_same_wherever_it_stands(
    page: Any, served: Any
) -> None:
    served.submit(shell("broken", "exit 3"), shell("kept", "true", hold=True))
    page.goto(served.url)
    expect(row(page, "kept")).to_contain_text("Waiting for somebody to release it")
    expect(row(page, "broken")).to_contain_text("Exit code 3.")
    search, names = page.get_by_role("searchbox"), page.locator("tr.row .name")
    for words, found in {"exit code": ["broken"], "release": [], "": ["kept", "broken"]}.items():
        search.fill(words)
        expect(names).to_have_text(found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Any, served: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(served.url)
    expect(page.get_by_role("heading", name="No jobs yet.")).to_be_visible()
    assert findings(page) == []
    spec = shell("antenna", "echo pass 1; sleep 1000")
    spec["options"]["files"] = {"a.s2p": "# GHz S RI R 50\n1 0 0 1 0 1 0 0 0\n2 0 0 1 0 1 0 0 0\n"}
    held = shell("later", "true", hold=True, tags=["board-A"])
    served.submit(spec, shell("broken", "exit 3"), held, shell("fine", "true"))
    expect(row(page, "fine")).to_contain_text("completed")
    expect(row(page, "antenna")).to_contain_text("running")
    assert findings(page) == []
    row(page, "antenna").click()
    for key in "olpf":
        page.keyboard.press(key)
        name = {"o": "Overview", "l": "Log", "p": "Plots", "f": "Files"}[key]
        tab = page.get_by_role("tab", name=re.compile(name))
        expect(tab).to_have_attribute("aria-selected", "true")
        assert findings(page) == []
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert findings(page) == []


COUNT_WORK = """() => {
    window.work = {rows: 0, most: 0, long: 0};
    new PerformanceObserver(list => (work.long += list.getEntries().length))
        .observe({type: "longtask"});
    new MutationObserver(changes => {
        for (const {addedNodes} of changes)
            work.rows += [...addedNodes].filter(node => node.matches?.("tr.row")).length;
        work.most = Math.max(work.most, document.querySelectorAll("tr.row").length);
    }).observe(document.querySelector("tbody"), {childList: true});
}"""


def test_ten_thousand_jobs_cost_no_more_than_the_rows_on_the_screen(
    page: Any, served: Any, record_property: Any
) -> None:
    served.submit(*[shell(f"blocker-{i}", "sleep 1000", tags=["north"]) for i in range(2)])
    for _ in range(5):
        served.submit(*[{"solver": "command", "options": {"argv": ["true"]}}] * 2000)
    page.goto(served.url)
    expect(page.locator(".list > .foot")).to_have_text("10\u202f002 jobs")
    assert page.get_by_role("grid").get_attribute("aria-rowcount") == "10003"
    page.evaluate(COUNT_WORK)
    steps = 20
    for step in range(1, steps + 1):
        page.locator(".pane").evaluate(
            "(pane, share) => (pane.scrollTop = share * pane.scrollHeight)", step / steps
        )
        served.ask("POST", f"jobs/{3 + 400 * step}/cancel", {})
    expect(row(page, "blocker-0")).to_be_visible()
    expect(page.get_by_role("button", name=f"{steps} cancelled")).to_be_visible()
    work = page.evaluate("work")
    record_property("long tasks", work["long"])
    assert 0 < work["most"] < 60
    assert steps < work["rows"] < steps * 60  # a change elsewhere makes no row anew
    page.keyboard.press("/")
    page.keyboard.type("north")
    expect(page.locator("tr.row")).to_have_count(2)


def test_of_more_jobs_than_fit_those_that_run_or_failed_are_listed_and_the_rest_is_counted(
    page: Any, served: Any
) -> None:
    def smaller(route: Any) -> None:
        answer = route.fetch()
        assert "const KEPT = 20_000;" in answer.text()
        body = answer.text().replace("const KEPT = 20_000;", "const KEPT = 20;")
        route.fulfill(response=answer, body=body)

    page.route("**/page/jobs.js", smaller)
    served.submit(shell("broken", "exit 3"), shell("fine", "true"))
    for name in ("broken", "fine"):
        served.ask("GET", f"jobs/{name}/wait")
    served.submit(*[shell(f"runs-{i}", "sleep 1000") for i in range(2)])
    served.submit(shell("kept", "true", hold=True))
    served.submit(*[shell(f"waits-{i}", "true") for i in range(40)])
    served.until(lambda: served.ask("GET", "queue")["running"] == 2)
    page.goto(served.url)
    foot = page.locator(".list > .foot")
    expect(foot).to_have_text("20 jobs · not in this list: 24 queued, 1 completed")
    for state, names in {
        "running": ["runs-1", "runs-0"],
        "failed": ["broken"],
        "held": ["kept"],
    }.items():
        chip = page.get_by_role("button", name=f"{len(names)} {state}")
        chip.click()
        expect(page.locator("tr.row .name")).to_have_text(names)
        chip.click()
    served.submit(*[shell(f"more-{i}", "true") for i in range(30)])
    expect(foot).to_have_text("20 jobs · not in this list: 54 queued, 1 completed")
    expect(row(page, "more-29")).to_have_count(1)
    page.get_by_role("searchbox").fill("runs-")
    expect(page.locator("tr.row .name")).to_have_text(["runs-1", "runs-0"])


def test_it_fits_a_telephone(page: Any, served: Any) -> None:
    page.set_viewport_size({"width": 375, "height": 740})
    served.submit(shell("a-job-with-a-rather-long-name-that-nobody-can-remember", "true"))
    page.goto(served.url)
    page.locator("tr.row").click()
    expect(page.get_by_role("complementary")).to_contain_text("completed")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_what_is_said_of_a_long_name_fits_a_telephone(page: Any, served: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 740})
    served.submit(shell("n" * 200, "true", hold=True))
    open_job(page, served, "n" * 200).get_by_role("button", name="Release").click()
    said = page.locator(".message")
    expect(said).to_contain_text("waits for its turn.")
    assert said.evaluate("one => one.scrollWidth <= one.clientWidth")


SIZES = [(1280, 720), (390, 664), (360, 640), (1366, 650), (1280, 600), (1024, 600), (740, 360)]
WORDS = "cannot connect to the licence server system; see that it has this feature free " * 4
SEEN_IN = """(element, panel) => {
    const [mine, its] = [element.getBoundingClientRect(), panel.getBoundingClientRect()];
    return mine.top >= its.top && mine.bottom <= Math.min(its.bottom, innerHeight);
}"""


def test_a_long_failure_leaves_all_of_a_small_window_within_reach(page: Any, served: Any) -> None:
    def lengthened(route: Any) -> None:
        answer = route.fetch()
        evidence = [f"licence.log: line {line}: {WORDS}" for line in range(6)]
        route.fulfill(
            response=answer, json=answer.json() | {"message": WORDS, "evidence": evidence}
        )

    page.route("**/yard/jobs/%231", lengthened)
    served.submit(shell("broken", "seq 1 500; exit 3"))
    detail = open_job(page, served, "broken")
    panel = detail.element_handle()
    log = detail.get_by_role("tab", name="Log")
    first = [detail.get_by_role("button", name="Retry…"), log]
    expect(detail.locator(".evidence > li")).to_have_count(6)
    log.click()
    output = detail.get_by_role("region", name="stdout of the job")
    expect(output).to_contain_text("500")
    last = detail.get_by_role("link", name="Download")
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        panel.evaluate("panel => (panel.scrollTop = 0)")
        assert [one.evaluate(SEEN_IN, panel) for one in first] == [True, True], (width, height)
        detail.locator(".verdict").hover()
        page.mouse.wheel(0, 2000)
        page.wait_for_function(
            SEEN_IN.replace("(element, panel)", "([element, panel])"),
            arg=[last.element_handle(), panel],
        )
        assert [one.evaluate(SEEN_IN, panel) for one in (log, last)] == [True, True], (
            width,
            height,
        )
        assert output.evaluate("output => output.clientHeight") >= 130, (width, height)
