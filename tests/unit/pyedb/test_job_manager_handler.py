"""The handler, before it has a manager."""

from typing import Any

import pytest

from solveyard.pyedb.errors import InvalidConfig
from solveyard.pyedb.job_manager_handler import JobManagerHandler


@pytest.mark.parametrize("wrong", [None, b"x", 3])
def test_what_is_no_projects_path_is_refused_in_words(wrong: Any) -> None:
    with pytest.raises(InvalidConfig, match="`project_path` must be a path, not"):
        JobManagerHandler(port=0).create_simulation_config(wrong)
