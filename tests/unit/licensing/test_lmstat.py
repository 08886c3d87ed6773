"""lmstat's answer: features, seats, and which of them are ours."""

from hypothesis import given
from hypothesis import strategies as st

from solveyard.licensing.lmstat import read
from solveyard.model.messages import LicenceUse

ANSWER = """\
lmutil - Copyright (c) 1989-2025. All Rights Reserved.
Flexible License Manager status on Tue 11/24/2026 09:30

License server status: 1055@lic1
    License file(s) on lic1: /ansys_inc/shared_files/licensing/license.lic:

      lic1: license server UP (MASTER) v11.19.5

Feature usage info:

Users of elec_solve_hfss:  (Total of 4 licenses issued;  Total of 2 licenses in use)

  "elec_solve_hfss" v2025.1231, vendor: ansyslmd, expiry: 31-dec-2026
  floating license

    eve board1.example.org board1:0 (v2025.0506) (lic1/1055 102), start Tue 11/24 9:12
    Bob Desk7 Desk7 (v2025.0506) (lic1/1055 103), start Tue 11/24 9:15

Users of anshpc:  (Total of 36 licenses issued;  Total of 30 licenses in use)

    eve BOARD1 board1:0 (v2025.0506) (lic1/1055 234), start Tue 11/24 9:12, 24 licenses
    eve desk9 desk9 (v2025.0506) (lic1/1055 235), start Tue 11/24 9:20, 6 licenses

Users of anshpc_pack:  (Total of 1 license issued;  Total of 0 licenses in use)

Users of disco:  (Uncounted, node-locked)

Users of old:  (Error: 5 licenses, unsupported by licensed server)
"""
READ = {
    "elec_solve_hfss": LicenceUse(issued=4, used=2, ours=1),
    "anshpc": LicenceUse(issued=36, used=30, ours=24),
    "anshpc_pack": LicenceUse(issued=1, used=0, ours=0),
}


def test_seats_are_told_apart_by_account_and_host() -> None:
    assert read(ANSWER, "eve", {"board1.other.org"}) == READ
    assert read(ANSWER.replace("\n", "\r\n"), "eve", {"board1"}) == READ


def test_where_nobody_is_named_ours_are_not_known() -> None:
    bare = "Users of a:  (Total of 5 licenses issued;  Total of 3 licenses in use)\n"
    assert read(bare, "eve", {"board1"}) == {"a": LicenceUse(issued=5, used=3)}


def test_the_same_feature_of_two_servers_is_one() -> None:
    found = read(ANSWER + ANSWER, "eve", {"board1"})["anshpc"]
    assert found == LicenceUse(issued=72, used=60, ours=48)
    bare = "Users of anshpc:  (Total of 1 license issued;  Total of 1 license in use)\n"
    assert read(ANSWER + bare, "eve", {"board1"})["anshpc"].ours is None


@given(cut=st.integers(0, len(ANSWER)))
def test_an_answer_that_is_cut_never_shows_more_of_ours_than_there_are(cut: int) -> None:
    for name, use in read(ANSWER[:cut], "eve", {"board1"}).items():
        assert (use.issued, use.used) == (READ[name].issued, READ[name].used)
        assert (use.ours or 0) <= (READ[name].ours or 0)


@given(st.text() | st.text("Users of ax:(Tl123iscend;)\n ,"))
def test_any_text_is_read(text: str) -> None:
    for use in read(text, "eve", {"x"}).values():
        assert use.issued >= 0
        assert use.used >= 0
