"""What the dashboard's routes answer, without a browser."""

import gzip
import hashlib
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from solveyard.doors import viewer
from solveyard.doors.dashboard import routes

VENDORED = [routes.HERE / "vendor", viewer.HERE / "vendor", Path(__file__).parent / "vendor"]
TRUE = {"solver": "command", "options": {"argv": ["true"]}}


def fetch(served: Any, path: str) -> Any:
    return urllib.request.urlopen(f"{served.url}{path}", timeout=20)


def refused(served: Any, path: str) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as raised:
        fetch(served, path)
    return raised.value.code, json.load(raised.value)["error"]


@pytest.mark.parametrize("folder", VENDORED, ids=["dashboard", "viewer", "tests"])
def test_the_vendored_files_are_those_of_the_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    listed = {name: digest for one in manifest for name, digest in one["sha256"].items()}
    found = {
        place.name: hashlib.sha256(place.read_bytes()).hexdigest()
        for place in folder.iterdir()
        if place.name not in {"manifest.json", "LICENSES"}
    }
    assert found == listed
    licences = (folder / "LICENSES").read_text(encoding="utf-8")
    assert all(
        f"{one['package']} {one['version']} ({one['licence']})" in licences for one in manifest
    )


def test_no_file_of_the_dashboard_names_another_origin() -> None:
    for place in (routes.HERE / "page").iterdir():
        text = place.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, place
        assert "https://" not in text, place
        assert '"//' not in text, place


def imported(*places: Path) -> list[Path]:
    """Modules, and those that they can't do without."""
    found = list(places)
    for place in found:
        text = place.read_text(encoding="utf-8")
        for name in re.findall(r'from *"([.].+?)"', text):
            one = (place.parent / name).resolve()
            if one not in found:
                found.append(one)
    return found


def test_what_is_loaded_before_the_first_plot_has_at_most_70_kilobytes(served: Any) -> None:
    with fetch(served, "") as page:
        base = next(word for word in page.read().decode().split('"') if word.endswith("/main.js"))
    taken = 0
    for place in imported(routes.HERE / "page/main.js", routes.HERE / "page/theme.js"):
        path = place.relative_to(routes.HERE).as_posix()
        address = f"{served.url}{base.removesuffix('page/main.js')}{path}"
        asked = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            content = answer.read()
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(content) == place.read_bytes()
        taken += len(content)
    assert 30_000 < taken <= 70_000


def test_the_page_is_asked_for_anew_and_its_files_are_kept(served: Any) -> None:
    with fetch(served, "") as page:
        text = page.read().decode()
        assert page.headers["Cache-Control"] == "no-cache"
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        policy = page.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    script = next(word for word in text.split('"') if word.endswith("/main.js"))
    assert not script.startswith("/")
    with fetch(served, script) as answer:
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    with fetch(served, script.replace(script.split("/")[1], "0123")) as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
    assert refused(served, "assets/0123/page/index.html")[0] == 404
    assert refused(served, "assets/0123/routes.py")[0] == 404
    assert refused(served, "assets/0123/page/..%2f..%2froutes.py")[0] == 404


def test_a_page_of_rows_goes_on_where_the_last_one_ended(served: Any) -> None:
    served.submit(*[TRUE | {"hold": True}] * 5)
    first = served.ask("GET", "dashboard/jobs?limit=2")
    assert [row["number"] for row in first["jobs"]] == [5, 4]
    assert first["total"] == 5
    second = served.ask("GET", f"dashboard/jobs?limit=9&cursor={first['cursor']}")
    assert [row["number"] for row in second["jobs"]] == [3, 2, 1]
    assert second["cursor"] is None
    assert refused(served, "dashboard/jobs?limit=0")[0] == 400


def test_only_jobs_in_the_states_that_are_asked_for(served: Any) -> None:
    served.submit(TRUE | {"hold": True}, TRUE)
    served.ask("GET", "jobs/2/wait")
    for states, numbers in {"held": [1], "queued": [], "completed,held": [2, 1]}.items():
        found = served.ask("GET", f"dashboard/jobs?state={states}")
        assert [row["number"] for row in found["jobs"]] == numbers
        assert found["total"] == len(numbers)
    assert refused(served, "dashboard/jobs?state=x")[0] == 400


def test_why_a_job_waits_is_told_of_named_jobs(served: Any) -> None:
    served.submit(TRUE | {"hold": True})
    assert served.ask("GET", "dashboard/jobs")["jobs"][0]["why"] is None
    [row] = served.ask("GET", "dashboard/jobs/1,7")["jobs"]
    assert row["why"] == "somebody to release it: it is held"
    for wrong in ("x", "1,", "-1", "1" * 20, ",".join("1" * 101)):
        assert refused(served, f"dashboard/jobs/{wrong}")[0] == 400


def test_a_job_that_waits_for_its_next_try_has_neither_machine_nor_start(served: Any) -> None:
    false = {"solver": "command", "options": {"argv": ["false"]}}
    served.submit(false | {"retry": {"tries": 2, "delay": 3600}})

    def row() -> Any:
        return served.ask("GET", "dashboard/jobs")["jobs"][0]

    served.until(lambda: any(one.outcome for one in served.manager.find("1").attempts))
    waiting = row()
    assert waiting["state"] == "queued"
    assert (waiting["machine"], waiting["started_at"], waiting["ended_at"]) == ("", None, None)
    served.ask("POST", "jobs/1/cancel", {})
    [attempt] = served.manager.find("1").attempts
    ended = row()
    assert ended["state"] == "cancelled"
    assert ended["machine"] == attempt.placement.machine
    assert (ended["started_at"], ended["ended_at"]) == (attempt.started_at, attempt.ended_at)


def test_changes_tell_each_changed_job_as_it_is_now_and_the_removed_ones(served: Any) -> None:
    begun = served.ask("GET", "dashboard/changes")
    assert (begun["jobs"], begun["more"], begun["forgotten"]) == ([], False, False)
    served.submit(TRUE | {"hold": True}, TRUE)
    served.ask("GET", "jobs/2/wait")
    news = served.ask("GET", f"dashboard/changes?after={begun['last']}")
    assert [(row["number"], row["state"]) for row in news["jobs"]] == [
        (1, "held"),
        (2, "completed"),
    ]
    assert news["status"]["queue"]["held"] == 1
    again = served.ask("GET", f"dashboard/changes?after={news['last']}")
    assert (again["jobs"], again["last"]) == ([], news["last"])
    served.ask("DELETE", "jobs/2")
    news = served.ask("GET", f"dashboard/changes?after={news['last']}")
    assert (news["jobs"], news["removed"]) == ([], [2])


def test_many_changes_come_in_parts_and_none_is_left_out(served: Any) -> None:
    last = served.ask("GET", "dashboard/changes")["last"]
    served.submit(*[TRUE | {"hold": True}] * 2500)
    seen: list[int] = []
    parts = 0
    more = True
    while more:
        news = served.ask("GET", f"dashboard/changes?after={last}")
        seen += [row["number"] for row in news["jobs"]]
        last, more, parts = news["last"], news["more"], parts + 1
    assert seen == list(range(1, 2501))
    assert parts > 2


def test_an_event_that_this_store_never_had_means_to_read_everything_anew(served: Any) -> None:
    news = served.ask("GET", "dashboard/changes?after=12345")
    assert news["forgotten"] is True
    assert news["last"] < 12345
    assert refused(served, "dashboard/changes?after=-1")[0] == 400


def test_an_event_of_another_store_means_to_read_everything_anew(served: Any) -> None:
    served.submit(TRUE | {"hold": True})
    begun = served.ask("GET", "dashboard/changes")
    assert begun["store"] == served.manager.store_uuid
    known = f"dashboard/changes?after={begun['last'] - 1}&store="
    same, other = (served.ask("GET", f"{known}{store}") for store in (begun["store"], "0" * 32))
    assert (same["forgotten"], [row["number"] for row in same["jobs"]]) == (False, [1])
    assert (other["forgotten"], other["jobs"], other["last"]) == (True, [], begun["last"])
    with fetch(served, "events?after=0") as answer:
        assert answer.headers["X-Store"] == begun["store"]


def test_a_touchstone_file_is_told_by_parameters(served: Any) -> None:
    two_port = "# MHz S RI R 75\n1 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8\n"
    files = {"a b.s2p": two_port, "big.s1p": "!" * (1 << 20), "notes.txt": "x"}
    options = {
        "argv": [
            "sh",
            "-c",
            "head -c 17000000 /dev/zero > huge.s1p; cp 'a b.s2p' \"$(printf 'a\\377.s2p')\""
            "; cp 'a b.s2p' \"$(printf 'a\\nb.s2p')\"",
        ],
        "files": files,
    }
    served.submit({"solver": "command", "options": options})
    served.ask("GET", "jobs/1/wait")
    plot = served.ask("GET", "jobs/1/touchstone/a%20b.s2p?s=21+11+21")
    assert plot == {
        "path": "a b.s2p",
        "ports": 2,
        "resistance": 75.0,
        "frequencies": [1e6],
        "curves": [
            {"to": 2, "source": 1, "real": [0.3], "imag": [0.4]},
            {"to": 1, "source": 1, "real": [0.1], "imag": [0.2]},
        ],
    }
    assert served.ask("GET", "jobs/1/touchstone/a%20b.s2p?s=1,2")["curves"][0]["real"] == [0.5]
    for named in ("a%25FF.s2p", "a%0Ab.s2p"):  # as they are listed: no UTF-8, and no line
        plot = served.ask("GET", f"jobs/1/touchstone/{named}?s=1,2")
        assert plot["curves"][0]["real"] == [0.5]
    told = {
        "a%20b.s2p?s=31": "ports 1 to 2",
        "a%20b.s2p?s=x": "'x' is no parameter",
        "a%20b.s2p?s=": "0 parameters",
        "notes.txt": "no Touchstone name",
        "big.s1p": "no frequency",
        "huge.s1p": "16 MiB",
        "..%2fa.s1p": "leaves the job's folder",
        "nothing.s1p": "no file 'nothing.s1p'",
    }
    for path, words in told.items():
        status, why = refused(served, f"jobs/1/touchstone/{path}")
        assert status == (404 if path.startswith("nothing") else 400)
        assert words in why
