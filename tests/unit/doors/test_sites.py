"""The address by which people come through a proxy."""

import pytest

from solveyard.doors.sites import public_url
from solveyard.model.errors import InvalidRequest


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://yard.example", "https://yard.example"),
        ("https://Yard.example:443/", "https://yard.example"),
        ("http://yard.example:443/a/b//", "http://yard.example:443/a/b"),
        ("https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
    ],
)
def test_a_public_url_has_one_form(given: str, read: str) -> None:
    assert public_url(given) == read


@pytest.mark.parametrize(
    "given",
    ["yard.example", "ftp://yard.example", "https://", "https://a@b", "https://a/?x", "https://a/#x",
     "https://a:x", "https://a//b", "https://[a", "https://a/b\n"],
)  # fmt: skip
def test_what_is_no_public_url_is_refused(given: str) -> None:
    with pytest.raises(InvalidRequest, match="public URL"):
        public_url(given)
