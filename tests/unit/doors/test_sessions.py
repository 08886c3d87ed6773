"""Sessions: whose they are, and when they end."""

from solveyard.doors import sessions
from solveyard.doors.keys import Caller
from solveyard.doors.sessions import Sessions

GUEST = Caller("token:guest", token="t")


def test_a_session_is_good_from_where_it_was_begun_until_its_time_is_over() -> None:
    now = 0.0
    known = Sessions("x", lambda: now)
    secret = known.begin(GUEST, "192.0.2.7")
    found = known.whose(secret, "192.0.2.7")
    assert found is not None
    assert (found.name, found.token) == (GUEST.name, GUEST.token)
    assert known.live(found)
    assert known.whose(secret, "192.0.2.8") is None
    assert known.whose(secret + "x", "192.0.2.7") is None
    now += sessions.LIFETIME
    assert known.whose(secret, "192.0.2.7") is None
    assert not known.live(found)


def test_one_token_has_few_sessions_and_takes_none_from_others() -> None:
    known = Sessions("x")
    owners = known.begin(Caller("me", owner=True), "a")
    secrets = [known.begin(GUEST, "a") for _ in range(sessions.PER_TOKEN + 3)]
    assert [known.whose(one, "a") is not None for one in secrets] == [False] * 3 + [
        True
    ] * sessions.PER_TOKEN
    assert known.whose(owners, "a") is not None
