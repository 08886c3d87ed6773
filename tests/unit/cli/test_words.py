"""What people type, and what they read: units, selectors, specifications, words."""

import re
from collections.abc import Collection
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.cli import exits, hfss, selectors, specs, talk, units, words
from solveyard.client.replies import Listing
from solveyard.model import records
from solveyard.model.errors import InvalidJob, InvalidRequest, UnknownJob
from solveyard.model.jobs import Job, JobId, JobSpec, JobState
from solveyard.model.progress import Curve, Progress
from solveyard.model.records import JobRecord, TaskCounts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("90s", 90),
        ("0", 0),
        ("2.5", 2.5),
        ("15m", 900),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1d", 86400),
        ("1:30", 5400),
        ("0:01:30", 90),
        ("100:00:00", 360000),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, expected: float) -> None:
    assert units.seconds(text) == expected


@pytest.mark.parametrize(
    "text", ["", "x", "-5", "5x", "1:2", "1:60", "1:00:60", "30 40", "5m3", "1e3", "nan", "inf"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="duration"):
        units.seconds(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("512", 512), ("512M", 512), ("4G", 4096), ("1.5gb", 1536), ("2GiB", 2048), ("100K", 1)],
)
def test_memory_is_read_in_mebibytes(text: str, expected: int) -> None:
    assert units.mebibytes(text) == expected


@pytest.mark.parametrize("text", ["", "G", "4X", "-1G", "1G2"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="memory"):
        units.mebibytes(text)


def test_durations_and_sizes_are_told_shortly() -> None:
    told = [units.short(s) for s in (None, 0.04, 59.94, 59.96, 65, 3599.6, 7260, 90000)]
    assert told == [
        "",
        "0.0 s",
        "59.9 s",
        "1 m 00 s",
        "1 m 05 s",
        "1 h 00 m",
        "2 h 01 m",
        "1 d 01 h",
    ]
    assert [units.size(n) for n in (0, 1023, 1024, 3 << 30)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "3.0 GiB",
    ]


class Yard:
    """Jobs to select from: number to name."""

    def __init__(self, names: dict[int, str], final: Collection[int] = ()) -> None:
        self._jobs = {
            number: records.record(
                Job(
                    id=JobId(number),
                    spec=JobSpec(solver="command", name=name),
                    owner="me",
                    submitted_at=0.0,
                    arrival=number,
                    priority=0,
                    state=JobState.FAILED if number in final else JobState.QUEUED,
                ),
                1.0,
            )
            for number, name in names.items()
        }

    def job(self, key: str | int) -> JobRecord:
        for job in self._jobs.values():
            if str(key) in {job.name, str(job.number), f"#{job.number}"}:
                return job
        raise UnknownJob(f"there is no job {key}")

    def jobs(
        self,
        states: Collection[JobState] = (),
        name: str | None = None,
        owner: str | None = None,
        tag: str | None = None,
        limit: int | None = 50,
    ) -> Listing:
        newest = [job for _, job in sorted(self._jobs.items(), reverse=True)]
        fitting = [job for job in newest if not states or job.state in states]
        return Listing(fitting[:limit], len(fitting), None)


YARD = Yard({3: "", 5: "dipole", 6: "", 7: "", 9: "patch"}, final={6})


@pytest.mark.parametrize(
    ("words_", "expected", "one"),
    [
        (["7"], [7], True),
        (["last"], [9], True),
        (["dipole"], [5], True),
        (["#7,#3"], [7, 3], False),
        (["3,5-7"], [3, 5, 6, 7], False),
        (["7,3", "dipole", "5-6"], [7, 3, 5, 6], False),
        (["1-100"], [3, 5, 6, 7, 9], False),
        (["all"], [3, 5, 6, 7, 9], False),
        (["patch,dipole"], [9, 5], False),
    ],
)
def test_a_selector_selects_each_job_once_in_the_order_asked_for(
    words_: list[str], expected: list[int], one: bool
) -> None:
    chosen = selectors.select(YARD, words_)
    assert ([job.number for job in chosen.jobs], chosen.one) == (expected, one)


def test_all_means_those_in_the_states_that_the_command_is_for() -> None:
    chosen = selectors.select(YARD, ["all"], [JobState.FAILED])
    assert [job.number for job in chosen.jobs] == [6]


def test_names_are_looked_up_before_anything_else() -> None:
    odd = Yard({1: "", 2: "last", 3: "3-4,all", 4: "1"})
    picked = [selectors.select(odd, [word]).jobs for word in ("last", "3-4,all")]
    assert [[job.number for job in jobs] for jobs in picked] == [[2], [3]]


def test_what_a_manager_is_asked_for_is_no_other_job_that_has_the_number_for_a_name() -> None:
    odd = Yard({1: "40", 40: ""})
    assert selectors.meant(odd, "last") == "#40"
    assert selectors.meant(odd, "last[3]") == "#40[3]"
    assert words.exact(odd.job("#40")) == "#40"


@pytest.mark.parametrize(
    "word", ["dipol", "8", "20-30", "3,nobody", "-1", "9999999999999999999999"]
)
def test_what_selects_nothing_is_an_error(word: str) -> None:
    with pytest.raises(UnknownJob):
        selectors.select(YARD, [word])


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownJob, match="did you mean 'dipole'"):
        selectors.select(YARD, ["dipol"])


@pytest.mark.parametrize("word", ["", "3,,5", ",", "3,"])
def test_an_empty_part_of_a_selector_is_refused(word: str) -> None:
    with pytest.raises(InvalidRequest):
        selectors.select(YARD, [word])


def test_a_file_holds_one_specification_a_line(tmp_path: Path) -> None:
    path = tmp_path / "jobs"
    path.write_text('# sweep\n\n{"solver":"command","priority":2}\n  {"solver":"nec"}\n')
    lines = specs.of_file(str(path))
    assert [(one.number, one.spec.solver) for one in lines] == [(3, "command"), (4, "nec")]


def test_the_mark_that_an_editor_puts_first_is_no_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs"
    path.write_text('{"solver":"command"}\n', "utf-8-sig")
    assert [one.spec.solver for one in specs.of_file(str(path))] == ["command"]
    assert specs.json_object("--options", f"@{path}") == {"solver": "command"}


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("measures", "gain=1"), ("measures", "[1]"), ("measures", '{"gain": "x"}'),
        ("measures", '{"gain": {"pattern": "x", "json": "y"}}'), ("success", ""),
        ("success", '{"must_match": "x"}'),
    ],
)  # fmt: skip
def test_an_option_in_json_that_can_not_be_read_shows_one_that_can(option: str, text: str) -> None:
    def read(given: str) -> JobSpec:
        return specs.of_argv(["x"], [], [], {option: specs.json_object(f"--{option}", given)})

    with pytest.raises(InvalidJob) as refused:
        read(text)
    match = re.search(rf"\(an example: --{option} '(.+)'\)$", str(refused.value))
    assert match is not None
    assert getattr(read(match[1]), option)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("min_disk_gb=1.5", 1.5), ("min_disk_gb=2", 2), ("min_disk_gb=null", None),
        ("min_disk_gb=much", "much"), ("script_arguments=1.5", "1.5"), ("tasks=-1", -1),
        ("ppe=true", True), ("flags=[]", []), ("log_file=a.log", "a.log"),
    ],
)  # fmt: skip
def test_a_setting_is_what_its_option_takes(text: str, value: object) -> None:
    assert hfss._setting(text) == (text.partition("=")[0], value)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be object, not array"),
        ('{"solver":"command","optoins":{}}', "did you mean 'options'"),
        ('{"solver":"command","time_limit":-1}', "time_limit"),
        ('{"name":"x"}', "`\\$.solver` is missing"),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "jobs"
    path.write_text(f'{{"solver":"command"}}\n\n{line}\n')
    with pytest.raises(InvalidJob, match=f"^line 3 of .*{why}"):
        specs.of_file(str(path))


@given(st.lists(st.integers(1, 10**6), min_size=2, max_size=30, unique=True), st.data())
def test_the_managers_refusal_of_one_of_many_is_told_by_its_line(
    numbers: list[int], data: st.DataObject
) -> None:
    lines = [specs.Line(number, JobSpec(solver="x")) for number in numbers]
    place = data.draw(st.integers(1, len(lines)))
    told = specs.with_line(InvalidJob(f"job {place} of {len(lines)}: no\nsolver"), "-", lines)
    assert str(told) == f"line {numbers[place - 1]} of standard input: no\nsolver"


def test_a_command_becomes_a_specification(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given_ = specs.fields(
        cores=2, memory="1G", time_limit="2m", directory="", tags=["a"], hold=True, name="n"
    )
    spec = specs.of_argv(["echo", "-n", "ü"], ["A=b=c"], ["out.s1p"], given_)
    assert msgspec.json.decode(spec.options) == {
        "argv": ["echo", "-n", "ü"],
        "env": {"A": "b=c"},
        "outputs": ["out.s1p"],
    }
    assert (spec.directory, spec.time_limit, spec.tags) == (str(tmp_path), 120.0, ("a",))
    assert (spec.resources.cores, spec.resources.memory, spec.hold) == (2, 1024, True)


def test_columns_are_aligned_and_nothing_is_left_blank() -> None:
    text = talk.aligned(("ID", "NAME"), [("1", "x"), ("10", "")])
    assert text == "ID  NAME\n1   x\n10  -"


def test_every_state_has_a_next_step() -> None:
    job = YARD.job(3)
    for state in JobState:
        changed = msgspec.structs.replace(job, state=state)
        assert words.next_step(changed).startswith("solveyard ")
        assert str(state) in words.details(changed)


def test_no_step_leads_to_the_output_of_an_array_but_to_a_failed_tasks() -> None:
    sweep = msgspec.structs.replace(YARD.job(3), tasks=TaskCounts(total=2))
    for state in JobState:
        assert "logs" not in words.next_step(msgspec.structs.replace(sweep, state=state))
    failed = msgspec.structs.replace(sweep, state=JobState.FAILED)
    task = msgspec.structs.replace(sweep, task=7, tasks=None)
    assert words.details(failed, "", [task]).endswith(
        "  next        solveyard logs --err 3[7]   solveyard retry 3"
    )


def test_a_long_value_is_cut_where_people_read_it() -> None:
    job = msgspec.structs.replace(YARD.job(3), parameters={"mesh": "x" * 5000, "w": 0.8})
    told = next(line for line in words.details(job).splitlines() if "parameters" in line)
    assert told.endswith("x…, w 0.8")
    assert len(told) < 2 * words.LONGEST_VALUE


def test_why_a_job_waits_is_listed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    waits = f"2 cores (1 core free), held by {', '.join(f'job {one}' for one in range(40))}"
    job = msgspec.structs.replace(YARD.job(3), waiting=waits)
    talk.answer_table(words.HEADER, [words.row(job)])
    assert capsys.readouterr().out.splitlines()[1].endswith(waits)


def test_what_converges_has_a_bar_for_each_step_down_to_its_target() -> None:
    points = ((1, None), (2, 1.0), (3, 0.1), (4, 0.005))
    curve = Curve(name="Delta S", step="pass", points=points, target=0.01)
    job = msgspec.structs.replace(YARD.job(3), progress=Progress(text="pass 4", curve=curve))
    told = words.details(job).splitlines()
    start = next(index for index, line in enumerate(told) if line.startswith("  convergence"))
    lines = [line[14:] for line in told[start : start + 5]]
    assert lines == [
        "pass 1: Delta S N/A",
        f"pass 2: Delta S 1      {'#' * words.BAR}",
        f"pass 3: Delta S 0.1    {'#' * (words.BAR // 2)}",
        "pass 4: Delta S 0.005  #",
        "target 0.01",
    ]


def test_what_a_success_warns_of_is_told_and_nothing_else_of_it() -> None:
    done = msgspec.structs.replace(YARD.job(3), state=JobState.COMPLETED, message="all 3 tasks")
    assert words.ending(done).endswith(" completed")
    assert words.why(done) == ""
    warned = msgspec.structs.replace(done, message="warning: it did not converge")
    assert words.ending(warned).endswith(" completed: warning: it did not converge")
    assert words.why(warned) == "warning: it did not converge"


def test_what_is_known_of_a_job_that_nobody_confirms_is_told_with_it() -> None:
    away = msgspec.structs.replace(YARD.job(3), stale_since="2026-11-27", waiting="")
    assert words.why(away) == "its machine has not answered since 2026-11-27"
    away = msgspec.structs.replace(away, waiting="far to start it")
    assert words.why(away).endswith(" since 2026-11-27: it waits for far to start it")


STEERING = "a\x1b[2J\x1b]0;x\x07\u202eb\r\n  state       completed\x9b1A"


def test_what_others_wrote_steers_no_terminal_and_stays_on_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = msgspec.structs.replace(
        YARD.job(3), note=STEERING, tags=(STEERING,), message=STEERING, directory=f"/x/{STEERING}",
        state=JobState.FAILED, evidence=(STEERING,), parameters={"w": STEERING}, cause=STEERING,
    )  # fmt: skip
    calm = msgspec.structs.replace(
        job, note="n", tags=("t",), message="m", directory="d", evidence=("e",),
        parameters={"w": "p"}, cause="c",
    )  # fmt: skip
    talk.answer(words.details(job, failed=[job]) + STEERING.replace("\n", ""))
    talk.answer_table((*words.HEADER[:-1], STEERING), [words.row(job)])
    talk.say(words.ending(job))
    exits.tell(STEERING, as_json=False)
    steered = capsys.readouterr()
    talk.answer(words.details(calm, failed=[calm]))
    talk.answer_table(words.HEADER, [words.row(calm)])
    shown = capsys.readouterr().out
    assert steered.out.count("\n") == shown.count("\n")
    assert (steered.out + steered.err).replace("\n", "").isprintable()
    assert "a\ufffd[2J" in steered.out
    assert steered.err.count("a\ufffd[2J") == 2


@pytest.mark.parametrize(
    "note", ["نمی\u200cشود", "👩\u200d🔬 ok", "試作\u3000二号", "essai\u00a0: 3"]
)
def test_blanks_and_joiners_of_any_script_are_shown_as_they_were_written(note: str) -> None:
    shown = words.details(msgspec.structs.replace(YARD.job(3), note=note, tags=(note,)))
    assert shown.count(note) == 2
