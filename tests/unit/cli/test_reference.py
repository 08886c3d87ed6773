"""The reference pages say what the program does."""

import re
from pathlib import Path

import msgspec
import pytest

from solveyard.cli import app, exits
from solveyard.config.keys import all_keys
from solveyard.model import reading
from solveyard.model.arrays import ArraySpec
from solveyard.model.batch import BatchOptions
from solveyard.model.criteria import Bounds, Measure, Pattern, SuccessCriteria
from solveyard.model.jobs import JobSpec
from solveyard.model.policies import Dependency, HangWatch, RetryPolicy
from solveyard.model.resources import Range, Resources

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


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
    kept = {value for name, value in vars(exits).items() if name.isupper() and name != "HELP"}
    assert {int(status) for status in told} == kept


def test_every_setting_is_on_the_page_with_its_default_and_variable() -> None:
    page = (REFERENCE / "settings.md").read_text()
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
