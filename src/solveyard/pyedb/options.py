"""The parts of a configuration, with the methods that PyEDB's have."""

import numbers
import re
import tempfile
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError, model_validator

from solveyard.pyedb import errors
from solveyard.solvers.hfss import commandline
from solveyard.solvers.hfss import config as hfss


class Checked(hfss.Fields):
    """Checked when it is made, and never changed. Raises InvalidConfig, a ValueError."""

    def __init__(self, **fields: Any) -> None:  # the fields check them
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise errors.invalid(error) from error

    @model_validator(mode="before")
    @classmethod
    def _reads_integers(cls, given: Any) -> Any:
        """Of any kind, numpy's too."""
        if not isinstance(given, Mapping):
            return given
        return {name: _integer(value) for name, value in given.items()}

    def __setattr__(self, name: str, value: object) -> None:
        raise errors.InvalidConfig(
            f"`{name}`: a {type(self).__name__} doesn't change once it is made (make another:"
            f" {type(self).__name__}.from_dict(this.to_dict() | {{{name!r}: ...}}))"
        )

    def validate_fields(self) -> None:
        """Raises what making it anew would raise."""
        type(self)(**{name: getattr(self, name) for name in type(self).model_fields})

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it; `from_dict` gives an equal one."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        return cls(**content)


class SchedulerOptions(Checked, hfss.SchedulerOptions):
    """What a batch system is asked for."""


class MachineNode(Checked, hfss.MachineNode):
    """One entry of ansysedt's machine list: as text `hostname:cores:max_cores:utilization%`.

    ansysedt reads that as host:tasks:cores:RAM%, so `cores` is its number of tasks.
    """

    __str__ = hfss.MachineNode.__str__

    @model_validator(mode="before")
    @classmethod
    def _reads_whole_numbers(cls, given: Any) -> Any:
        """However they are written: "4" and 4.0 are 4 for PyEDB's scripts."""
        if not isinstance(given, Mapping):
            return given
        return {
            name: value if name == "hostname" else _whole(value) for name, value in given.items()
        }


class HFSS3DLayoutBatchOptions(Checked, hfss.HFSS3DLayoutBatchOptions):
    """The product's own options; `temp_directory` is this machine's, if not given."""

    @model_validator(mode="before")
    @classmethod
    def _has_a_place_for_temporary_files(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and "temp_directory" not in given:
            return {**given, "temp_directory": tempfile.gettempdir()}
        return given

    def to_batch_options_dict(self) -> dict[str, str]:
        return commandline.batch_pairs(self)

    def to_batch_options_string(self) -> str:
        """The value of -batchoptions."""
        return commandline.batch_options(self)


def _whole(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,9}", value, re.ASCII):
        return int(value)
    floating = isinstance(value, numbers.Real) and not isinstance(value, numbers.Rational)
    return int(value) if floating and float(value).is_integer() else value


def _integer(value: Any) -> Any:
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return int(value) if integral else value
