"""What the settings of a cluster add to its jobs and its commands."""

import pytest

from solveyard.backends.batch import ClusterOptions
from solveyard.backends.dialects.base import Call
from solveyard.backends.dialects.script import within
from solveyard.model.batch import BatchOptions

ASK = Call(("qstat",))


@pytest.mark.parametrize(("dialect", "alone"), [("pbs", False), ("lsf", False), ("winhpc", True)])
def test_shell_text_stands_before_commands_that_a_shell_runs(dialect: str, alone: bool) -> None:
    options = ClusterOptions(dialect=dialect, prologue="set X=1")
    assert (within(ASK, options.site) == ASK) is alone
    assert options.of(BatchOptions()).prologue == "set X=1"
