"""What of a configuration a manager is sent."""

from pathlib import Path
from typing import Any

import pytest

from solveyard.pyedb import errors
from solveyard.pyedb.job_submission import HFSSSimulationConfig
from solveyard.pyedb.sent import fields


class Tagged(HFSSSimulationConfig):
    my_tag: str = "x"

    def label(self) -> str:
        return f"{self.my_tag} {self.jobid}"

    def generate_report(self) -> str:
        return f"report of {self.label()}"


class Otherwise(Tagged):
    def generate_command_list(self) -> list[str]:
        return ["true"]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    place = tmp_path / "board.aedt"
    place.write_text("{}")
    return place


def test_what_a_subclass_adds_stays_here(board: Path) -> None:
    plain = HFSSSimulationConfig(project_path=board, jobid="a", ansys_edt_path="/opt/ansysedt")
    tagged = Tagged(project_path=board, jobid="a", ansys_edt_path="/opt/ansysedt", my_tag="mine")
    assert fields(tagged) == fields(plain)
    assert HFSSSimulationConfig.from_dict(fields(tagged)) == plain


def test_a_command_that_would_not_be_asked_for_is_refused(board: Path) -> None:
    with pytest.raises(errors.InvalidConfig, match=r"Otherwise\.generate_command_list\(\) would"):
        fields(Otherwise(project_path=board))


@pytest.mark.parametrize("wrong", [None, "x.aedt", 7, ("jobid", "a"), Tagged, dict])
def test_what_is_no_configuration_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(errors.InvalidConfig, match="expected a configuration, such as create_"):
        fields(wrong)
