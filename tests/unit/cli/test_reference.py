"""The reference pages say what the program does."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import typer
from typer.core import TyperGroup, TyperOption

import solveyard
from solveyard.cli import app, exits
from solveyard.config.keys import all_keys
from solveyard.model import reading
from solveyard.model.arrays import ArraySpec
from solveyard.model.batch import BatchOptions
from solveyard.model.criteria import Bounds, Measure, Pattern, SuccessCriteria
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import Dependency, HangWatch, RetryPolicy
from solveyard.model.resources import Range, Resources
from solveyard.solvers.hfss.batch import HfssOptions
from solveyard.solvers.hfss.config import HFSS3DLayoutBatchOptions, MachineNode, SchedulerOptions
from solveyard.solvers.options import Options

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
SOURCE = Path(solveyard.__file__).parent
_OPTION = re.compile(r"(?<![\w-])--?[a-z][\w-]*")
#: Means to us what it means to every program.
SYSTEMS = {"PATH"}
#: What a manager says to the agent that it starts.
TO_AGENTS = {"SOLVEYARD_BOOT_ID", "SOLVEYARD_ATTEMPT", "SOLVEYARD_AGENT", "SOLVEYARD_WITHIN"}


def test_the_schema_of_a_specification_is_the_one_that_is_published() -> None:
    assert (REFERENCE / "job-spec.schema.json").read_bytes() == reading.schema(), (
        "write reading.schema() to docs/reference/job-spec.schema.json"
    )


PARTS = [
    JobSpec, Resources, ArraySpec, Dependency, RetryPolicy, SuccessCriteria, Pattern, Bounds,
    Measure, Range, BatchOptions, HangWatch,
]  # fmt: skip


@pytest.mark.parametrize("kind", PARTS)
def test_every_field_of_a_specification_is_described(kind: type[msgspec.Struct]) -> None:
    page = (REFERENCE / "job-spec.md").read_text()
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE)
    described = {name for row in rows for name in re.findall(r"\w+", row)}
    assert set(kind.__struct_encode_fields__) <= described


HFSS = [HfssOptions, HFSS3DLayoutBatchOptions, MachineNode, SchedulerOptions]


@pytest.mark.parametrize("kind", HFSS)
def test_every_option_of_hfss_is_described(kind: type[Options]) -> None:
    described = set(re.findall(r"`(\w+)`", (REFERENCE / "hfss.md").read_text()))
    assert described >= kind.model_fields.keys()


def test_the_example_on_the_page_is_a_specification() -> None:
    page = (REFERENCE / "job-spec.md").read_text()
    example = page.split("```json\n")[1].split("```")[0]
    assert reading.spec(example.encode()).name == "dipole"


def test_every_command_and_status_is_on_the_page() -> None:
    page = (REFERENCE / "cli.md").read_text()
    for name in app.COMMANDS:
        assert f"| `{name}" in page
    told = re.findall(r"^\| (\d+) \|", page, re.MULTILINE)
    assert told == re.findall(r"^  (\d+) ", exits.HELP, re.MULTILINE)
    kept = {value for name, value in vars(exits).items() if name.isupper() and type(value) is int}
    assert {int(status) for status in told} == kept


def first_cells(page: str) -> Iterator[tuple[str, str]]:
    """Of each row of its tables: how the table's first column is headed, and the row's own."""
    heading = ""
    for line in page.splitlines():
        cell = line.removeprefix("| ").split(" | ")[0] if line.startswith("| ") else ""
        if cell:
            heading = heading or cell
            yield heading, cell
        elif not line.startswith("|"):
            heading = ""


def told_of(name: str) -> set[str]:
    """The options that the page tells of a command: in its rows, and in tables that are its."""
    rows = first_cells((REFERENCE / "cli.md").read_text())
    cells = [
        cell
        for heading, cell in rows
        if (heading == "command" and re.match(rf"`{name}[ `]", cell))
        or (heading.startswith("option of ") and f"`{name}`" in heading)
    ]
    return set(_OPTION.findall(" ".join(cells)))


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    """By command, all spellings of what it takes beside --json, which each takes."""
    group = typer.main.get_command(app.application(app.COMMANDS))
    assert isinstance(group, TyperGroup)
    return {
        name: {
            spelling
            for option in command.params
            if isinstance(option, TyperOption) and not option.hidden
            for spelling in (*option.opts, *option.secondary_opts)
        }
        - {"--json"}
        for name, command in group.commands.items()
    }


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_option_of_a_command_is_on_the_page_and_no_other(
    name: str, options: dict[str, set[str]]
) -> None:
    assert told_of(name) == options[name]


def test_an_option_that_the_page_forgets_would_be_found() -> None:
    assert {"--cores", "-c", "-n", "--hold", "--from"} <= told_of("submit")
    assert "--hold" not in told_of("run")
    assert "--pin" not in told_of("hfss")


def variables_read() -> set[str]:
    """Names of environment variables that the program looks up, itself and not in a script."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text("utf-8")
        asked = list(names_looked_up(ast.parse(text))) if "environ" in text else []
        if asked and path.stem != "windows":  # imports what only Windows has
            parts = path.relative_to(SOURCE.parent).with_suffix("").parts
            module = vars(importlib.import_module(".".join(parts).removesuffix(".__init__")))
            for one in asked:
                known = {node.id for node in ast.walk(one) if isinstance(node, ast.Name)}
                if known <= module.keys():
                    found.add(eval(ast.unparse(one), module))  # a constant, or made of them
    return found


def names_looked_up(tree: ast.Module) -> Iterator[ast.expr]:
    """What stands between the brackets of `os.environ[...]`, `environment.get(...)`."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=whose, slice=key):
                pass
            case ast.Call(func=ast.Attribute(value=whose, attr="get" | "pop"), args=[key, *_]):
                pass
            case _:
                continue
        if ast.unparse(whose).rpartition(".")[2] in {"environ", "environment"}:
            yield key


def test_every_variable_that_the_program_reads_is_on_the_page() -> None:
    read = variables_read()
    assert {"SOLVEYARD_HOME", "SOLVEYARD_CONFIG", "SOLVEYARD_TOKEN", "NOTIFY_SOCKET"} <= read
    page = (REFERENCE / "settings.md").read_text().split("## Other variables")[1]
    read = {name for name in read if name.isidentifier()}  # aiohttp keeps its request so
    assert read - SYSTEMS - TO_AGENTS <= set(re.findall(r"`(\w+)`", page))


def test_every_variable_that_a_job_finds_is_on_the_page() -> None:
    places = ("manager/ordering.py", "solvers/tasks.py", "agent/platform/base.py")
    texts = [(SOURCE / place).read_text("utf-8") for place in places]
    given = {name for text in texts for name in re.findall(r"SOLVEYARD_[A-Z_]*[A-Z]", text)}
    assert {"SOLVEYARD_ATTEMPT", "SOLVEYARD_TRY", "SOLVEYARD_VALUE"} <= given
    page = (REFERENCE / "job-spec.md").read_text()
    assert {name for name in given if name not in page} == set()


def test_every_setting_is_on_the_page_with_its_default_and_variable() -> None:
    page = (REFERENCE / "settings.md").read_text().split("## Other variables")[0]
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    told = [(row[0], *row[2:]) for row in rows]
    expected = []
    for key in all_keys().values():
        default = {None: "not set", (): "`[]`", False: "`false`", True: "`true`"}.get(
            key.field.default, f'`"{key.field.default}"`'
        )
        expected.append((
            f"`{key.name}`",
            "none" if key.named else default,
            f"`{key.variable}`" if key.variable else "none",
            "yes" if key.anywhere else "no",
            key.field.description,
        ))  # fmt: skip
    assert told == expected
