"""Whether a project's lock is stale: only where nothing speaks against it."""

from hypothesis import given
from hypothesis import strategies as st

from solveyard.solvers.hfss.locks import PROGRAMS, Facts, Process, judge

OLD = Facts(
    written=1000.0, now=8200.0, booted=0.0, text="", host="board1.example.org",
    shared=False, hidden=False, processes=(),
)  # fmt: skip
AEDT = Process(pid=7, name="ansysedt", user="eve", started=500.0, names_project=False)


def doubt(**facts: object) -> str:
    told = judge(OLD._replace(**facts))  # type: ignore[arg-type]  # each of its own type
    assert not told.stale
    return told.evidence[0]


def test_a_lock_that_nobody_can_hold_is_stale_and_the_evidence_is_told() -> None:
    assert judge(OLD) == (
        True, ("it was written 2 hours ago", "no AEDT and no engine runs on board1.example.org"),
    )  # fmt: skip
    later = AEDT._replace(started=1001.0)
    assert "started after it was written" in judge(OLD._replace(processes=(later,))).evidence[1]
    assert "was started after" in judge(OLD._replace(booted=5000.0)).evidence[-1]


def test_each_doubt_keeps_it_and_is_told_first() -> None:
    assert "process 7 of eve) was running when" in doubt(processes=(AEDT,))
    working = AEDT._replace(started=2000.0, names_project=True)
    assert "works on this project" in doubt(processes=(working,))
    assert "other machines may see" in doubt(shared=True)
    assert "can't be seen" in doubt(hidden=True)
    assert "may just be starting" in doubt(now=1030.0)
    assert "other machines may see" in doubt(shared=True, text="ListenPort=7 on board12")


def test_on_a_shared_disk_it_must_name_this_machine() -> None:
    assert judge(OLD._replace(shared=True, text="host BOARD1 pid 7")).stale


@given(
    st.builds(
        Facts,
        written=st.floats(0, 100),
        now=st.floats(100, 10000),
        booted=st.floats(0, 10000),
        text=st.sampled_from(["", "board1", "other"]),
        host=st.just("board1"),
        shared=st.booleans(),
        hidden=st.booleans(),
        processes=st.lists(
            st.builds(
                Process,
                pid=st.just(1),
                name=st.just("hf3d"),
                user=st.just("eve"),
                started=st.floats(0, 10000),
                names_project=st.booleans(),
            ),
            max_size=2,
        ).map(tuple),
    )
)
def test_no_lock_is_stale_that_somebody_might_hold(facts: Facts) -> None:
    somebody = any(one.names_project or one.started <= facts.written for one in facts.processes)
    elsewhere = facts.shared and facts.text != "board1"
    young = facts.now - facts.written < 60
    assert judge(facts).stale is not (somebody or elsewhere or young or facts.hidden)


def test_aedt_and_its_engines_are_known_by_their_names() -> None:
    for name in ("ansysedt", "ansysedt.exe", "ansysedtsv", "HFSSCOMENGINE.exe", "hf3d"):
        assert PROGRAMS.match(name)
    assert not PROGRAMS.match("ansysedt_log_viewer")
