"""What a service's log says beside its messages."""

import logging

from solveyard.logs import WithFacts


def line(**extra: object) -> str:
    record = logging.getLogger("solveyard.x").makeRecord(
        "solveyard.x", logging.WARNING, __file__, 1, "not delivered", (), None, extra=extra
    )
    return WithFacts("%(levelname)s %(name)s: %(message)s").format(record)


def test_the_facts_of_a_record_follow_its_message() -> None:
    assert line(receiver="chat", tries=3) == (
        "WARNING solveyard.x: not delivered (receiver='chat', tries=3)"
    )
    assert line() == "WARNING solveyard.x: not delivered"


def test_a_fact_can_not_begin_a_line_of_its_own() -> None:
    assert "\n" not in line(why="a\nERROR forged")
