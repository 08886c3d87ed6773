import msgspec
import pytest

from solveyard.backends import offers, translation
from solveyard.backends.offers import Offer
from solveyard.model.resources import Resources

HELLO = {
    "t": "hello", "role": "agent", "protocol": 1, "machine": "m", "pid": 1, "boot_id": "b",
    "cores": 2, "memory": 100, "disk": 50, "processors": [2, 5], "gpus": [0, 3],
}  # fmt: skip


def test_a_machine_has_what_its_agent_says() -> None:
    joined = offers.joined(translation.hello(HELLO))
    assert joined.nodes == {"m": Resources(cores=2, memory=100, disk=50, gpus=2)}
    assert (joined.core_ids, joined.gpu_ids) == ({"m": (2, 5)}, {"m": (0, 3)})
    assert (joined.licences, joined.counts) == ({}, {})


def test_what_the_settings_say_counts_instead() -> None:
    said = Offer(cores=1, memory=0, disk=9, gpus=0, licences={"hfss": 2}, counts={"bench": 1})
    joined = offers.joined(translation.hello(HELLO), said)
    assert joined.nodes == {"m": Resources(cores=1, memory=0, disk=9, gpus=0)}
    assert (joined.licences, joined.counts) == ({"hfss": 2}, {"bench": 1})


def test_an_older_agent_tells_no_numbers() -> None:
    told = {k: v for k, v in HELLO.items() if k not in {"disk", "processors", "gpus"}}
    assert offers.joined(translation.hello(told)).nodes == {"m": Resources(cores=2, memory=100)}


def test_so_many_cores_as_no_machine_has_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        translation.hello({**HELLO, "cores": 100_001})


@pytest.mark.parametrize("numbers", [[-1], [65536], [1.5], "0", list(range(65537))])
def test_numbers_that_no_machine_has_are_refused(numbers: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        translation.hello({**HELLO, "processors": numbers})
