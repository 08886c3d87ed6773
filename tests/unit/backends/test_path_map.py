"""One folder under two names: whole folders, whatever the slashes, and nothing that leaves them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.backends.hosts.paths import PathMap

MAP = PathMap({
    "/home/ada/work": "/scratch/ada",
    "/home/ada/work/deep": "/deep",
    "P:\\antennas": "/projects/antennas",
    "\\\\filer\\share": "/filer",
    "/mnt/win": "W:\\data",
})  # fmt: skip

THERE = [
    ("/home/ada/work", "/scratch/ada"),
    ("/home/ada/work/a/b.in", "/scratch/ada/a/b.in"),
    ("/home/ada/work/deep/x", "/deep/x"),
    ("/home/ada/worker/a", None),
    ("/home/ada/work/../secret", None),
    ("home/ada/work", None),
    ("P:\\antennas\\Dipole\\a.aedt", "/projects/antennas/Dipole/a.aedt"),
    ("p:/ANTENNAS/a.aedt", "/projects/antennas/a.aedt"),
    ("P:\\antennas", "/projects/antennas"),
    ("P:\\other", None),
    ("P:antennas\\a", None),
    ("\\\\FILER\\share\\x y", "/filer/x y"),
    ("//filer/share/x", "/filer/x"),
    ("/mnt/win/sub/a", "W:\\data\\sub\\a"),
]


@pytest.mark.parametrize(("path", "there"), THERE)
def test_a_path_has_the_clusters_name_where_it_is_there(path: str, there: str | None) -> None:
    assert MAP.there(path) == there


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/scratch/ada/a", "/home/ada/work/a"),
        ("/projects/antennas/a.aedt", "P:\\antennas\\a.aedt"),
        ("/filer/x", "\\\\filer\\share\\x"),
        ("w:\\DATA\\a", "/mnt/win/a"),
        ("/elsewhere", None),
    ],
)
def test_a_map_the_other_way_round_has_the_clients_names(path: str, here: str | None) -> None:
    back = PathMap({
        "/scratch/ada": "/home/ada/work",
        "/projects/antennas": "P:\\antennas",
        "/filer": "\\\\filer\\share",
        "W:\\data": "/mnt/win",
    })  # fmt: skip
    assert back.there(path) == here


def test_an_arguments_path_is_mapped_alone_or_after_its_equals_sign() -> None:
    assert MAP.word("/home/ada/work/a") == "/scratch/ada/a"
    assert MAP.word("--deck=/home/ada/work/a") == "--deck=/scratch/ada/a"
    assert MAP.word("text /home/ada/work/a") == "text /home/ada/work/a"
    assert MAP.word("a=b=/home/ada/work/a") == "a=b=/home/ada/work/a"


def test_a_drive_alone_keeps_its_slash() -> None:
    assert PathMap({"/data": "D:\\"}).there("/data") == "D:\\"
    assert PathMap({"D:\\": "/data"}).there("d:/x") == "/data/x"


@pytest.mark.parametrize("wrong", ["relative", "~/home", "/a/../b", "C:", "/a\nb"])
def test_a_map_names_absolute_folders(wrong: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        PathMap({wrong: "/there"})
    with pytest.raises(ValueError, match="expected"):
        PathMap({"/here": wrong})


#: Controls, other line ends, and what turns what follows around.
STEERING = frozenset(map(chr, (*range(32), *range(127, 160), *range(0x2028, 0x202F),
                               *range(0x2066, 0x206A))))  # fmt: skip
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), min_size=1).filter(
    lambda name: not STEERING.intersection(name) and name not in {".", ".."}
)
BASES = ["/work", "C:\\work", "\\\\host\\share"]


@given(st.sampled_from(BASES), st.sampled_from(BASES), st.lists(NAMES, max_size=4))
def test_there_and_back_is_the_same_path(here: str, there: str, names: list[str]) -> None:
    slash = "/" if here == "/work" else "\\"
    path = slash.join([here, *names])
    found = PathMap({here: there}).there(path)
    assert found is not None
    assert PathMap({there: here}).there(found) == path


@given(st.lists(NAMES, min_size=1, max_size=3), st.lists(NAMES, max_size=3))
def test_what_is_not_below_a_mapped_folder_is_not_mapped(one: list[str], more: list[str]) -> None:
    folder, path = "/" + "/".join(one), "/" + "/".join([*one[:-1], one[-1] + "x", *more])
    assert PathMap({folder: "/there"}).there(path) is None
