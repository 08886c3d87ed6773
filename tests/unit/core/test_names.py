"""Which names a job may have."""

import pytest

from solveyard.core import names
from solveyard.model.errors import InvalidJob


@pytest.mark.parametrize("name", ["", "dipole", "dipole 0.40 m", "7a", "näher", "a" * 200, "x-7"])
def test_a_name_that_can_be_typed_is_allowed(name: str) -> None:
    names.check(name)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("7", "reads like jobs by their numbers"),
        ("5-9", "reads like jobs by their numbers"),
        ("3 5", "reads like jobs by their numbers"),
        ("last", "reads like a selection of jobs"),
        ("ALL", "reads like a selection of jobs"),
        ("none", "reads like a selection of jobs"),
        ("-x", "begins with '-', as an option does"),
        ("-", "begins with '-', as an option does"),
        (" - ", "blanks at its ends"),
        ("a,b", "holds ','"),
        ("a/b", "holds '/'"),
        ("7[2]", r"holds '\['"),
        ("3,5-9", "holds ','"),
        ("#7", "is how people ask for job 7 .*isn't '#' and a number"),
    ],
)
def test_a_name_that_reads_like_a_selection_or_an_option_is_refused_for_what_is_wrong_with_it(
    name: str, why: str
) -> None:
    with pytest.raises(InvalidJob, match=why):
        names.check(name)


@pytest.mark.parametrize("name", [" a", "a ", "a\nb", "a\x00", "\t", "a\u200bb", "a\u00a0b"])
def test_a_name_with_blanks_at_its_ends_or_what_is_not_seen_is_refused(name: str) -> None:
    with pytest.raises(InvalidJob, match="characters that can't be seen, or blanks at its ends"):
        names.check(name)


def test_a_name_that_is_too_long_is_refused_with_its_length() -> None:
    with pytest.raises(InvalidJob, match="has 201 letters; at most 200"):
        names.check("a" * 201)


@pytest.mark.parametrize("name", ["7", "last", "ALL", "-x", "-"])
def test_at_pyedbs_door_a_name_may_read_like_a_selection(name: str) -> None:
    names.check(name, any_name=True)
    for bad in (f"{name},b", f"{name}/b", f" {name}"):
        with pytest.raises(InvalidJob):
            names.check(bad, any_name=True)


@pytest.mark.parametrize("any_name", [False, True])
def test_a_name_that_no_address_can_hold_is_refused(any_name: bool) -> None:
    for name in (".", ".."):
        with pytest.raises(InvalidJob, match="nobody could ask for the job by it"):
            names.check(name, any_name=any_name)
    names.check("...", any_name=any_name)
    names.check(".a", any_name=any_name)


@pytest.mark.parametrize("any_name", [False, True])
def test_no_name_is_a_number_that_means_a_job_whatever_others_are_called(any_name: bool) -> None:
    with pytest.raises(InvalidJob, match="the name '#40' is how people ask for job 40"):
        names.check("#40", any_name=any_name)
    for name in ("#", "#40a", "a#40"):
        names.check(name, any_name=any_name)
