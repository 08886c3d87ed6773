"""Arrays in the dashboard: a real Chromium before a real manager that runs real tasks."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from pages import findings, open_job, row, shell, waits_for
from standin.player import player

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

SOLVE = 'echo "gain $(({{length}} * {{width}}))"; [ {{length}} != 3 ] || [ -e %s ]'


def sweep(mended: Path, **more: Any) -> dict[str, Any]:
    """Six tasks, of which two fail until somebody mends them."""
    return shell(
        "sweep",
        SOLVE % mended,
        array={"grid": {"length": [1, 2, 3], "width": [10, 20]}},
        measures={"gain": {"pattern": r"gain (\d+)"}},
        **more,
    )


def open_sweep(page: Any, served: Any) -> Any:
    detail = open_job(page, served, "sweep")
    expect(detail.locator("header .badge")).to_contain_text("failed")
    return detail


def test_an_array_is_a_row_with_its_progress(page: Any, served: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    line = f"[ {{{{index}}}} -lt 3 ] || {waits_for(go)}; [ {{{{index}}}} != 1 ]"
    served.submit(shell("series", line, array={"stop": 5}))
    page.goto(served.url)
    cell = row(page, "series").locator(".col-tasks")
    expect(cell).to_have_text(re.compile(r"^3/5.*failed: 1$", re.DOTALL))
    expect(row(page, "series")).to_contain_text("running")
    go.touch()
    expect(cell).to_contain_text("5/5")
    expect(row(page, "series").locator(".col-state")).to_contain_text("failed")


def test_a_state_shows_the_arrays_whose_tasks_it_counts(
    page: Any, served: Any, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    line = f"[ {{{{index}}}} = 0 ] || {waits_for(go)}"
    served.submit(shell("series", line, array={"stop": 6}), shell("later", "true", hold=True))
    page.goto(served.url)
    states = page.get_by_role("group", name="Jobs and tasks by state")
    expect(states).to_contain_text("Jobs and tasks")
    expect(states.get_by_role("button", name="7 all")).to_be_visible()
    for name, shown in {
        "3 queued": ["series"],
        "2 running": ["series"],
        "1 completed": ["series"],
        "1 held": ["later"],
        "0 failed": [],
    }.items():
        states.get_by_role("button", name=name).click()
        expect(page.locator("tr.row .name")).to_have_text(shown)
    go.touch()
    states.get_by_role("button", name="6 completed").click()
    expect(page.locator("tr.row .name")).to_have_text(["series"])


def test_an_array_shows_its_tasks_and_a_task_shows_all_about_itself(
    page: Any, served: Any, tmp_path: Path
) -> None:
    served.submit(sweep(tmp_path / "mended"))
    detail = open_sweep(page, served)
    tasks = detail.locator("tr.task")
    expect(tasks).to_have_count(6)
    expect(tasks.nth(3)).to_contain_text("length 2, width 20")
    detail.get_by_role("button", name="2 failed").click()
    expect(tasks).to_have_count(2)
    expect(tasks.first).to_contain_text("Exit code 1.")
    tasks.first.click()
    task = page.get_by_role("complementary", name="Job sweep[4]")
    expect(task.locator(".verdict")).to_have_text("Exit code 1.")
    expect(task).to_contain_text("Task of sweep: length 3, width 10")
    expect(task.locator(".facts")).to_contain_text("gain 30")
    page.keyboard.press("l")
    expect(task.get_by_role("region", name="stdout of the job")).to_have_text("gain 30\n")
    page.keyboard.press("Escape")
    expect(detail.get_by_role("link", name="Task 4")).to_be_focused()
    expect(tasks).to_have_count(2)


def test_the_keyboard_goes_from_an_array_to_a_task_and_back(
    page: Any, served: Any, tmp_path: Path
) -> None:
    served.submit(sweep(tmp_path / "mended"))
    page.goto(served.url)
    expect(row(page, "sweep")).to_contain_text("failed")
    for key in ("j", "Enter"):
        page.keyboard.press(key)
    detail = page.get_by_role("complementary", name="Job sweep")
    expect(detail.locator("tr.task")).to_have_count(6)
    page.get_by_role("tab", name=re.compile("Tasks")).focus()
    for key in ("ArrowDown", "j", "ArrowDown", "k", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("complementary", name="Job sweep[1]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Task 1", exact=True)).to_be_focused()
    page.keyboard.press("v")
    expect(detail.locator("table.results")).to_be_visible()
    page.keyboard.press("t")
    expect(detail.locator("tr.task")).to_have_count(6)
    page.keyboard.press("Escape")
    expect(page.get_by_role("complementary")).to_have_count(0)
    expect(row(page, "sweep")).to_be_focused()


def test_only_what_failed_is_retried(page: Any, served: Any, tmp_path: Path) -> None:
    mended = tmp_path / "mended"
    served.submit(sweep(mended))
    detail = open_sweep(page, served)
    mended.touch()
    detail.get_by_role("button", name="Retry failed…").click()
    dialog = page.get_by_role("dialog", name="Run what failed of sweep again?")
    expect(dialog).to_contain_text("2 tasks failed")
    dialog.get_by_role("button", name="Retry what failed").click()
    expect(detail.locator("header .badge")).to_contain_text("completed")
    expect(detail.locator("header .progress")).to_have_text("6/6")
    tasks = served.ask("GET", "jobs/sweep/tasks")
    assert [len(task["attempts"]) for task in tasks] == [1, 1, 1, 1, 2, 2]


def test_a_task_alone_is_cancelled_then_the_whole_array(page: Any, served: Any) -> None:
    served.submit(shell("endless", "sleep 1000", array={"stop": 4}))
    detail = open_job(page, served, "endless")
    expect(detail.locator("tr.task .badge.running")).to_have_count(2)
    detail.get_by_role("link", name="Task 1").click()
    task = page.get_by_role("complementary", name="Job endless[1]")
    expect(task.locator("header .badge")).to_contain_text("running")
    page.keyboard.press("c")
    page.get_by_role("dialog", name="Cancel endless[1]?").get_by_role(
        "button", name="Cancel the job"
    ).click()
    expect(task.locator("header .badge")).to_contain_text("cancelled")
    expect(task.get_by_role("button", name="Remove…")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(detail.locator("tr.task .badge.cancelled")).to_have_count(1)
    assert served.ask("GET", "jobs/endless")["state"] == "running"
    detail.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the array").click()
    expect(detail.locator("header .badge")).to_contain_text("cancelled")
    expect(detail.locator("tr.task .badge.cancelled")).to_have_count(4)


def test_results_are_a_table_and_a_plot(page: Any, served: Any, tmp_path: Path) -> None:
    served.submit(sweep(tmp_path / "mended"))
    detail = open_sweep(page, served)
    detail.get_by_role("tab", name="Results").click()
    table = detail.locator("table.results")
    heads = ["index", "length", "width", "state", "reason", "run_time", "gain"]
    expect(table.locator("thead th")).to_have_text(heads)
    expect(table.locator("tbody tr")).to_have_count(6)
    expect(table.locator("tbody tr").nth(5).locator("td")).to_have_text(
        ["3", "20", "failed", "exit_code", re.compile(r"\d"), "60"]
    )
    canvas = detail.get_by_role("img", name="Plot of gain over length: 6 points")
    expect(canvas.locator(".u-legend")).to_contain_text("width 10")
    expect(canvas.locator(".u-legend")).to_contain_text("width 20")
    detail.get_by_role("combobox", name="over").select_option("width")
    expect(detail.get_by_role("img", name="Plot of gain over width: 6 points")).to_be_visible()
    with page.expect_download() as saved:
        detail.get_by_role("link", name="Download CSV").click()
    assert Path(saved.value.path()).read_text().startswith("id,index,length,width,state")
    table.get_by_role("link", name="Task 5").click()
    expect(page.get_by_role("complementary", name="Job sweep[5]")).to_be_visible()


NOTE_TEXTS = """() => {
    const {fillText, clearRect} = CanvasRenderingContext2D.prototype;
    window.texts = [];
    CanvasRenderingContext2D.prototype.clearRect = function (...all) {
        window.texts = [];
        return clearRect.apply(this, all);
    };
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
        const {width} = this.measureText(text), height = 10;
        const left = x - width * {left: 0, center: 0.5, right: 1}[this.textAlign];
        const top = y - height * {top: 0, middle: 0.5, bottom: 1}[this.textBaseline];
        const corners = [[left, top], [left + width, top + height]].map(
            ([x, y]) => this.getTransform().transformPoint({x, y}));
        const [xs, ys] = [corners.map(one => one.x), corners.map(one => one.y)];
        window.texts.push({text, left: Math.min(...xs), right: Math.max(...xs),
            top: Math.min(...ys), bottom: Math.max(...ys), width: this.canvas.width});
        return fillText.call(this, text, x, y, ...more);
    };
}"""


def test_no_text_of_a_plot_lies_on_another_or_is_cut(page: Any, served: Any) -> None:
    page.add_init_script(f"({NOTE_TEXTS})()")
    served.submit(
        shell(
            "antennas",
            'echo "at $(({{length}} * 3000))"',
            array={"grid": {"length": [100_000, 200_000, 300_000]}},
            measures={"resonance": {"pattern": r"at (\d+)"}},
        )
    )
    detail = open_job(page, served, "antennas")
    expect(detail.locator("header .badge")).to_contain_text("completed")
    detail.get_by_role("tab", name="Results").click()
    expect(
        detail.get_by_role("img", name="Plot of resonance over length: 3 points")
    ).to_be_visible()
    page.wait_for_function("() => window.texts.some(one => one.text === 'resonance')")
    texts = page.evaluate("window.texts")
    assert {"resonance", "length", "300,000", "800,000,000"} <= {one["text"] for one in texts}
    for one in texts:
        assert 0 <= one["left"] <= one["right"] <= one["width"], one
    [name] = [one for one in texts if one["text"] == "resonance"]
    for one in texts:
        assert one is name or name["right"] <= one["left"], one


def test_long_parameters_fit_a_telephone_and_none_that_all_curves_share_is_repeated(
    page: Any, served: Any
) -> None:
    page.set_viewport_size({"width": 390, "height": 740})
    meshes = [f"/home/ann/{'a_long_folder/' * 8}mesh_{one}.nas" for one in (1, 2)]
    grid = {"k": [1, 2], "mesh": meshes, "board": ["the same"]}
    measures = {"gain": {"pattern": "gain=(.*)"}}
    served.submit(shell("paths", "echo gain={{k}}", array={"grid": grid}, measures=measures))
    detail = open_job(page, served, "paths")
    expect(detail.locator("header .badge")).to_contain_text("completed")
    detail.get_by_role("tab", name="Results").click()
    legend = detail.locator(".canvas .u-legend")
    expect(legend).to_contain_text("mesh_2.nas")
    expect(legend).not_to_contain_text("board")
    assert detail.evaluate("one => one.scrollWidth <= one.clientWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_about_arrays(
    page: Any, served: Any, tmp_path: Path, scheme: str
) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    served.submit(
        sweep(tmp_path / "mended"), shell("later", "true", array={"stop": 120}, hold=True)
    )
    detail = open_sweep(page, served)
    expect(detail.locator("tr.task")).to_have_count(6)
    assert findings(page) == []
    page.keyboard.press("v")
    expect(detail.locator("table.results")).to_be_visible()
    assert findings(page) == []
    page.keyboard.press("o")
    expect(detail.locator(".facts")).to_be_visible()
    assert findings(page) == []
    detail = open_job(page, served, "later")
    page.keyboard.press("t")
    expect(detail.get_by_role("navigation", name="Pages of tasks")).to_contain_text(
        "1\u201350 of 120"
    )
    assert findings(page) == []
    page.goto(f"{served.url}#/jobs/1/5")
    expect(page.get_by_role("complementary", name="Job sweep[5]")).to_be_visible()
    assert findings(page) == []


def test_an_array_of_ten_thousand_tasks_shows_a_page_of_them(
    page: Any, served: Any, record_property: Any
) -> None:
    served.submit(shell("long", "true", array={"stop": 10_000}))
    detail = open_job(page, served, "long")
    page.evaluate(
        """() => {
            window.work = {long: 0, most: 0};
            new PerformanceObserver(list => (work.long += list.getEntries().length))
                .observe({type: "longtask"});
            new MutationObserver(() => (work.most =
                Math.max(work.most, document.querySelectorAll("tr.task").length))
            ).observe(document.querySelector(".detail"), {childList: true, subtree: true});
        }"""
    )
    expect(detail.locator("tr.task")).to_have_count(50)
    pages = detail.get_by_role("navigation", name="Pages of tasks")
    for _ in range(3):
        pages.get_by_role("button", name="Next").click()
    expect(pages).to_contain_text("151\u2013200 of 10\u202f000")
    expect(detail.locator("tr.task").first).to_contain_text("150")
    served.ask("POST", "jobs/long/cancel", {})
    expect(detail.locator("header .badge")).to_contain_text("cancelled")
    page.keyboard.press("v")
    expect(detail.locator("table.results tbody tr")).to_have_count(50)
    expect(detail.get_by_role("navigation", name="Pages of results")).to_contain_text("10\u202f000")
    work = page.evaluate("work")
    record_property("long tasks", work["long"])
    assert 0 < work["most"] <= 50


def test_a_task_that_there_is_not_is_told(page: Any, served: Any, tmp_path: Path) -> None:
    served.submit(sweep(tmp_path / "mended"))
    page.goto(f"{served.url}#/jobs/1/99")
    expect(page.get_by_role("complementary")).to_contain_text(
        "Job sweep has tasks from 0 to 5, not 99."
    )
    page.expected.append("404 (Not Found)")


def test_how_far_each_task_of_a_sweep_is_is_told_while_it_solves(
    page: Any, served: Any, tmp_path: Path
) -> None:
    program = player(tmp_path / "ansys_inc")
    for index in (1, 2):
        (tmp_path / f"v{index}.aedt").touch()
        os.mkfifo(tmp_path / f"v{index}.go")
    options = {
        "project_path": str(tmp_path / "v{{index}}.aedt"),
        "ansys_edt_path": str(program),
    }
    array = {"start": 1, "stop": 3}
    served.submit({"solver": "hfss", "name": "boards", "options": options, "array": array})
    detail = open_job(page, served, "boards")
    told = "Pass 3, delta S 0.118302, 15391 tetrahedra."
    expect(detail.locator("tr.task").nth(0)).to_contain_text(told)
    expect(detail.locator("tr.task").nth(1)).to_contain_text(told)
    expect(row(page, "boards")).to_contain_text(re.compile("Task [12]: pass 3, delta S 0.118302"))
    detail.get_by_role("tab", name="Overview").click()
    expect(detail.locator(".advance")).to_contain_text(re.compile("Task [12]: pass 3"))
    drawn = re.compile("Delta S over pass: 0.118302 in pass 3")
    expect(detail.locator(".canvas")).to_have_attribute("aria-label", drawn)
    detail.get_by_role("tab", name=re.compile("Tasks")).click()
    (tmp_path / "v2.go").write_text("go on")
    expect(detail.locator("tr.task").nth(1)).to_contain_text("completed")
    detail.get_by_role("link", name="Task 1").click()
    task = page.get_by_role("complementary", name="Job boards[1]")
    task.get_by_role("tab", name="Overview").click()
    expect(task.locator(".advance")).to_have_text(told)
    expect(task.locator(".canvas")).to_have_attribute("aria-label", drawn)
    (tmp_path / "v1.go").write_text("go on")
    expect(task.locator("header .badge")).to_contain_text("completed")


LINE = "# MHz S DB R 50\\n%d -{{value}} 0 -20 0 -20 0 -2 0\\n%d -15.5 0 -3{{value}} 0 -3 0 -4 0\\n"


def test_the_scattering_parameters_of_all_tasks_are_drawn_over_each_other(
    page: Any, served: Any
) -> None:
    write = f"printf '{LINE % (100, 200)}' > line.s2p; cp line.s2p copy.s2p"
    served.submit(
        shell("filters", f"[ {{{{value}}}} = 9 ] || {{ {write}; }}", array={"values": [*range(10)]})
    )
    detail = open_job(page, served, "filters")
    expect(detail.locator("header .badge")).to_contain_text("completed")
    detail.get_by_role("tab", name="Plots").click()
    name = "Plot of |S11| of 9 tasks over frequency: -15.50 dB to 0.00 dB"
    plot = detail.get_by_role("img", name=name, exact=True)
    expect(plot.locator(".u-legend")).to_contain_text("value 8")
    assert len({*plot.locator(".u-marker").evaluate_all(COLOURS)}) >= 9
    detail.get_by_text("1 task without a curve").click()
    expect(detail.locator(".evidence")).to_have_text("Task 9: there is no Touchstone file yet")
    parameter = detail.get_by_label("Parameter, such as 21")
    parameter.fill("21")
    parameter.press("Enter")
    over = "Plot of |S21| of 9 tasks over frequency: -38.00 dB to -20.00 dB"
    expect(detail.get_by_role("img", name=over, exact=True)).to_be_visible()
    assert findings(page) == []
    parameter.fill("33")
    parameter.press("Enter")
    detail.get_by_text("10 tasks without a curve").click()
    expect(detail.locator(".evidence")).to_contain_text("there is no S33: copy.s2p has ports 1 to")
    parameter.fill("x")
    parameter.press("Enter")
    expect(detail.get_by_role("alert")).to_have_text("'x' is no parameter such as 21, or 2,10.")
    page.expected.append("400 (Bad Request)")


COLOURS = "all => all.map(one => getComputedStyle(one).borderColor)"
