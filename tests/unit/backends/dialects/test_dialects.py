"""What holds for every dialect that is installed."""

import inspect
import re
from types import ModuleType
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard import registry
from solveyard.backends.dialects.base import Answer, Call, Dialect, missing
from solveyard.model.batch import BatchOptions
from solveyard.model.errors import InvalidJob
from solveyard.model.resources import Resources
from unit.backends.dialects.jobs import NASTY, directives, job, run

DIALECTS: dict[str, Any] = dict(registry.dialects())
MARKS = {"slurm": "#SBATCH", "pbs": "#PBS", "lsf": "#BSUB"}
every = pytest.mark.parametrize("name", sorted(DIALECTS))
unix = pytest.mark.parametrize("name", sorted(MARKS))


@every
def test_a_dialect_is_a_module_with_all_names_of_the_protocol(name: str) -> None:
    dialect = DIALECTS[name]
    assert isinstance(dialect, ModuleType)
    assert dialect.name == name
    assert isinstance(dialect.arrays, bool)
    assert dialect.ending == ("cmd" if name == "winhpc" else "sh")
    for function, promised in inspect.getmembers(Dialect, inspect.isfunction):
        if not function.startswith("_"):
            taken = [*inspect.signature(promised).parameters][1:]
            assert [*inspect.signature(getattr(dialect, function)).parameters] == taken
            assert get_type_hints(getattr(dialect, function))["return"]


@every
def test_every_call_has_a_timeout_above_what_a_hung_server_takes(name: str) -> None:
    dialect, ids = DIALECTS[name], ["1", "2"]
    calls = [
        dialect.submit(job(run("C:\\w")), "/x"), dialect.query(ids), dialect.find([]),
        dialect.cancel(ids), dialect.signal(ids, "TERM"), dialect.hold(ids), dialect.release(ids),
        dialect.prioritize(ids, 5), dialect.accounting(ids), *dialect.queues(),
    ]  # fmt: skip
    assert all(call.timeout > 12 for call in calls if call is not None)
    assert sum(call is not None for call in calls) >= 5


@unix
@given(
    name_of_job=NASTY,
    log=st.sampled_from(["/dev/null", "/a b/c"]) | NASTY.map(lambda text: f"/{text}"),
    native=st.lists(st.just("-L a b") | NASTY.map(lambda text: f"-L {text}"), max_size=2),
    constraint=st.sampled_from(["", "a=1:b=2"]) | NASTY,
    feature=st.just("hfss") | NASTY,
)
def test_no_word_of_a_job_becomes_a_directive(
    name: str, name_of_job: str, log: str, native: list[str], constraint: str, feature: str
) -> None:
    """What isn't refused is one directive for each wish, its value in one pair of quotes."""
    dialect, mark = DIALECTS[name], MARKS[name]
    least = len(directives(dialect.script(job()), mark))
    try:
        one = job(
            name=name_of_job,
            log=log,
            options=BatchOptions(native=tuple(native), constraint=constraint),
            resources=Resources(licences={feature: 1}),
        )
        script = dialect.script(one)
    except (InvalidJob, ValueError):
        return
    told = directives(script, mark)
    own = 1 if name == "pbs" else 2  # PBS's constraint is a part of -l select
    wishes = len(native) + 1 + (own - 1 if constraint else 0)
    assert len(told) == least + wishes
    assert all(re.fullmatch(r"""[^"'\\\x00-\x1f]*("[^"\\\x00-\x1f]*")?""", line) for line in told)


@unix
@pytest.mark.parametrize(
    "option",
    ["--job-name=x", "-J x", "-N x", "--comm=x", "--array=1-3", "-o x", "-J", "-r", "x", "-", "--"],
)
def test_what_solveyard_says_itself_is_no_further_option(name: str, option: str) -> None:
    allowed = {
        "slurm": {"-N x", "-r"}, "pbs": set(), "lsf": {"-N x"},
    }  # fmt: skip
    if option in allowed[name]:
        DIALECTS[name].script(job(options=BatchOptions(native=(option,))))
        return
    with pytest.raises((InvalidJob, ValueError), match=r"`batch\.native`"):
        DIALECTS[name].script(job(options=BatchOptions(native=(option,))))


@every
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"resources": Resources(cores=0)}, "`resources.cores`: expected at least 1 core"),
        ({"resources": Resources(licences={"a b": 1})}, "`resources.licences`: 'a b' can't be"),
    ],
)
def test_amounts_that_no_batch_system_has_are_refused(
    name: str, fields: dict[str, Any], message: str
) -> None:
    one = job(run("C:\\w"), **fields)
    with pytest.raises(InvalidJob, match=re.escape(message)):
        DIALECTS[name].submit(one, DIALECTS[name].script(one))


@unix
@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (Resources(cores=5), "`batch.tasks_per_node` is 2; 5 cores aren't so many on each node"),
        (Resources(cores=5, nodes=2), "`batch.tasks_per_node` is 2; it doesn't divide a node's 5"),
    ],
)
def test_cores_that_do_not_divide_are_refused(
    name: str, resources: Resources, message: str
) -> None:
    with pytest.raises(InvalidJob, match=re.escape(message)):
        DIALECTS[name].script(job(resources=resources, options=BatchOptions(tasks_per_node=2)))


@pytest.mark.parametrize(
    ("code", "stderr", "command"),
    [
        (127, "sh: 1: squeue: not found\n", "squeue"),
        (127, "bash: line 1: bacct: command not found\n", "bacct"),
        (127, "env: 'sbatch': No such file or directory\n", "sbatch"),
        (127, "env: \u2018sbatch\u2019: No such file or directory\n", "sbatch"),
        (9009, "'job' is not recognized as an internal or external command,\n", "job"),
        (127, "", "qstat"),
        (1, "sh: 1: squeue: not found\n", ""),
        (0, "", ""),
    ],
)
def test_a_missing_command_is_named(code: int, stderr: str, command: str) -> None:
    assert missing(Call(("qstat", "-f")), Answer(code, "", stderr)) == command


def test_what_an_answer_said_is_one_line() -> None:
    assert Answer(1, "x", "a  b\n\n c\n").words == "a b; c"
    assert Answer(1, "x\n").words == "x"
    assert Answer(1).words == "exit status 1, no words"
    assert Answer(None).words == "no answer"
    assert len(Answer(1, "", "x" * 9999).words) == 600
