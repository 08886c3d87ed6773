"""How needs are met from nodes: the cases of QCG-PilotJob's `--nodes a:4,b:4`, and others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solveyard.core.inventory import Inventory, describe
from solveyard.model.messages import AgentJoined
from solveyard.model.resources import Allocation, Range, Resources

AB = {"a": Resources(cores=4, memory=100), "b": Resources(cores=4, memory=100)}


def joined(machine: str, nodes: dict[str, Resources], **licences: int) -> AgentJoined:
    return AgentJoined(machine=machine, nodes=nodes, boot_id="b", licences=licences)


def yard(nodes: dict[str, Resources] | None = None, **licences: int) -> Inventory:
    inventory = Inventory()
    inventory.join(joined("m", AB if nodes is None else nodes, **licences), [])
    return inventory


def cores(allocation: Allocation | None) -> dict[str, int] | None:
    if allocation is None:
        return None
    return {share.node: share.cores for share in allocation.shares}


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (Resources(cores=1), {"a": 1}),
        (Resources(cores=4), {"a": 4}),
        (Resources(cores=6), {"a": 4, "b": 2}),  # numCores.exact, from several nodes
        (Resources(cores=8), {"a": 4, "b": 4}),
        (Resources(cores=9), None),
        (Resources(cores=Range(min=1, max=3)), {"a": 3}),
        (Resources(cores=Range(min=1, max=6)), {"a": 4, "b": 2}),  # as many as there are, to max
        (Resources(cores=Range(min=2, max=20)), {"a": 4, "b": 4}),
        (Resources(cores=Range(min=9, max=20)), None),
        (Resources(cores=Range(min=3)), {"a": 4, "b": 4}),
        (Resources(nodes=1, whole_nodes=True), {"a": 4}),  # numNodes alone
        (Resources(nodes=2, whole_nodes=True), {"a": 4, "b": 4}),
        (Resources(nodes=3, whole_nodes=True), None),
        (Resources(nodes=Range(min=1, max=5), whole_nodes=True), {"a": 4, "b": 4}),
        (Resources(cores=2, nodes=2), {"a": 2, "b": 2}),  # numNodes with numCores: on each
        (Resources(cores=Range(min=2, max=3), nodes=2), {"a": 3, "b": 3}),
        (Resources(cores=5, nodes=1), None),
        (Resources(cores=1, nodes=Range(min=1, max=2)), {"a": 1, "b": 1}),
        (Resources(cores=1, memory=100), {"a": 1}),
        (Resources(cores=6, memory=100), {"a": 4, "b": 2}),
        (Resources(cores=1, memory=101), None),
        (Resources(cores=1, gpus=1), None),
        (Resources(cores=1, disk=1), None),
    ],
    ids=lambda value: describe(value) if isinstance(value, Resources) else "",
)
def test_a_need_is_met_from_free_nodes_in_their_order(
    need: Resources, expected: dict[str, int] | None
) -> None:
    inventory = yard()
    assert cores(inventory.allocate(need, "m")) == expected
    assert bool(inventory.misfit(need)) == (expected is None)


def test_a_whole_node_is_one_that_nobody_else_is_on() -> None:
    inventory = yard()
    one = inventory.allocate(Resources(cores=1), "m")
    assert one is not None
    inventory.take("m", one)
    assert cores(inventory.allocate(Resources(nodes=1, whole_nodes=True), "m")) == {"b": 4}
    assert inventory.allocate(Resources(nodes=2, whole_nodes=True), "m") is None
    assert inventory.misfit(Resources(nodes=2, whole_nodes=True)) == ""


def test_one_node_is_preferred_where_the_cores_are() -> None:
    inventory = yard()
    two = inventory.allocate(Resources(cores=2), "m")
    assert two is not None
    inventory.take("m", two)
    assert cores(inventory.allocate(Resources(cores=3), "m")) == {"b": 3}
    assert cores(inventory.allocate(Resources(cores=5), "m")) == {"a": 2, "b": 3}


def test_licences_are_counted_over_all_machines_and_stay_taken_when_one_leaves() -> None:
    inventory = yard(hfss=1)
    inventory.join(joined("n", {"c": Resources(cores=1)}, hfss=1), [])
    need = Resources(licences={"hfss": 2})
    both = inventory.allocate(need, "m")
    assert both is not None
    inventory.take("m", both)
    inventory.leave("m")
    assert inventory.allocate(Resources(licences={"hfss": 1}), "n") is None
    assert (inventory.seats.lacking(need.licences), inventory.seats.free("hfss")) == ("hfss", 0)
    inventory.give("m", both)
    assert inventory.allocate(Resources(licences={"hfss": 1}), "n") is not None


def test_what_could_never_run_is_told_in_words() -> None:
    inventory = yard(hfss=1)
    assert inventory.misfit(Resources(cores=9)) == (
        "it needs 9 cores, and the machines have 2 nodes, the largest with 4 cores and 100 MiB"
    )
    assert inventory.misfit(Resources(cores=2, nodes=3)).startswith(
        "it needs 2 cores on each of 3 nodes, and the machines have"
    )
    assert inventory.misfit(Resources(memory=101)).startswith("it needs 1 core, 101 MiB of memory")
    assert inventory.misfit(Resources(gpus=1)).startswith("it needs 1 core, 1 GPU,")
    assert inventory.misfit(Resources(licences={"hfss": 2})) == (
        "it needs 2 of licence hfss, and there are 1"
    )
    assert inventory.misfit(Resources(counts={"bench": 1})) == (
        "it needs 1 of bench, and there are 0"
    )


def test_nothing_is_called_impossible_before_a_machine_is_known() -> None:
    needs = [Resources(cores=99), Resources(licences={"x": 1}), Resources(counts={"y": 1})]
    assert [Inventory().misfit(need) for need in needs] == ["", "", ""]


def test_a_machine_that_joins_again_still_holds_what_it_held() -> None:
    inventory = yard(hfss=2)
    held = inventory.allocate(Resources(cores=3, memory=60, licences={"hfss": 1}), "m")
    assert held is not None
    inventory.take("m", held)
    inventory.leave("m")
    assert inventory.allocate(Resources(cores=1), "m") is None
    inventory.join(joined("m", AB, hfss=2), [held])
    assert cores(inventory.allocate(Resources(cores=2, licences={"hfss": 1}), "m")) == {"b": 2}
    assert inventory.allocate(Resources(licences={"hfss": 2}), "m") is None


def ids(allocation: Allocation | None) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    assert allocation is not None
    return {share.node: (share.core_ids, share.gpu_ids) for share in allocation.shares}


def test_the_lowest_free_cores_and_gpus_are_given_by_their_numbers() -> None:
    inventory = Inventory()
    nodes = {"a": Resources(cores=4, gpus=2), "b": Resources(cores=2, gpus=1)}
    told = AgentJoined(machine="m", nodes=nodes, boot_id="b", core_ids={"a": (2, 3, 6, 9)})
    inventory.join(told, [])
    first = inventory.allocate(Resources(cores=1, gpus=1), "m")
    assert ids(first) == {"a": ((2,), (0,))}
    assert first is not None
    inventory.take("m", first)
    second = inventory.allocate(Resources(cores=2, gpus=1), "m")
    assert ids(second) == {"a": ((3, 6), (1,))}
    assert second is not None
    inventory.take("m", second)
    assert ids(inventory.allocate(Resources(cores=3), "m")) == {"a": ((9,), ()), "b": ((0, 1), ())}
    inventory.give("m", first)
    assert ids(inventory.allocate(Resources(cores=2), "m")) == {"a": ((2, 9), ())}
    inventory.join(told, [second])
    assert ids(inventory.allocate(Resources(cores=2, gpus=1), "m")) == {"a": ((2, 9), (0,))}


def test_a_machine_that_joins_with_other_cores_gives_none_twice() -> None:
    inventory = yard()
    held = inventory.allocate(Resources(cores=3), "m")
    assert held is not None
    less = AgentJoined(
        machine="m", nodes={"a": Resources(cores=4)}, boot_id="b", core_ids={"a": (2, 3, 4, 5)}
    )
    inventory.join(less, [held])
    assert ids(inventory.allocate(Resources(cores=1), "m")) == {"a": ((3,), ())}
    inventory.give("m", held)
    assert ids(inventory.allocate(Resources(cores=4), "m")) == {"a": ((2, 3, 4, 5), ())}


def test_named_counts_are_what_the_machines_that_joined_have() -> None:
    inventory = Inventory()
    for machine in ("m", "n", "n"):
        told = AgentJoined(machine=machine, nodes=AB, boot_id="b", counts={"test_bench": 1})
        inventory.join(told, [])
    two = inventory.allocate(Resources(counts={"test_bench": 2}), "n")
    assert two is not None
    inventory.take("n", two)
    one = Resources(counts={"test_bench": 1})
    assert inventory.allocate(one, "m") is None
    assert inventory.missing(one, "").told == "1 of test_bench (0 free)"
    assert "there are 2" in inventory.misfit(Resources(counts={"test_bench": 3}))


amounts = st.integers(1, 6)
needs = st.builds(
    Resources,
    cores=amounts | st.builds(lambda a, b: Range(min=a, max=a + b), amounts, st.integers(0, 9)),
    nodes=st.none() | st.integers(1, 3),
    whole_nodes=st.booleans(),
    memory=st.integers(0, 60),
    licences=st.fixed_dictionaries({}, optional={"hfss": st.integers(1, 2)}),
)
capacities = st.lists(st.tuples(amounts, st.integers(0, 100)), max_size=4)


@given(capacity=capacities, wanted=st.lists(st.tuples(needs, st.booleans()), max_size=12))
def test_allocations_stay_within_what_is_free_and_come_back_whole(
    capacity: list[tuple[int, int]], wanted: list[tuple[Resources, bool]]
) -> None:
    free = {f"n{i}": [cores, memory] for i, (cores, memory) in enumerate(capacity)}
    nodes = {name: Resources(cores=each[0], memory=each[1]) for name, each in free.items()}
    inventory = yard(nodes, hfss=2)
    seats = 2
    held: list[Allocation] = []
    for need, give_back in wanted:
        if give_back and held:
            back = held.pop(0)
            inventory.give("m", back)
            seats += back.licences.get("hfss", 0)
            for share in back.shares:
                free[share.node][0] += share.cores
                free[share.node][1] += share.memory
        allocation = inventory.allocate(need, "m")
        if allocation is not None:
            inventory.take("m", allocation)
            held.append(allocation)
            seats -= allocation.licences.get("hfss", 0)
            for share in allocation.shares:
                free[share.node][0] -= share.cores
                free[share.node][1] -= share.memory
        assert seats >= 0
        assert all(cores >= 0 and memory >= 0 for cores, memory in free.values())
        known = inventory.machines["m"].nodes
        assert free == {name: [node.free.cores, node.free.memory] for name, node in known.items()}
    for allocation in held:
        inventory.give("m", allocation)
    assert all(node.untouched for node in inventory.machines["m"].nodes.values())


@given(
    st.lists(
        st.one_of(
            st.builds(Resources, cores=st.integers(1, 3), gpus=st.integers(0, 2)),
            st.builds(Resources, cores=st.integers(1, 2), nodes=st.integers(1, 2)),
            st.integers(0, 9),  # which of those that hold something ends
        ),
        max_size=30,
    )
)
def test_no_core_and_no_gpu_is_held_twice(steps: list[Resources | int]) -> None:
    inventory = Inventory()
    nodes = {"a": Resources(cores=4, gpus=3), "b": Resources(cores=3, gpus=1)}
    inventory.join(AgentJoined(machine="m", nodes=nodes, boot_id="b"), [])
    held: list[Allocation] = []
    for step in steps:
        if isinstance(step, int):
            if held:
                inventory.give("m", held.pop(step % len(held)))
            continue
        found = inventory.allocate(step, "m")
        if found is not None:
            inventory.take("m", found)
            held.append(found)
        shares = [share for each in held for share in each.shares]
        assert all(len(share.core_ids) == share.cores for share in shares)
        assert all(len(share.gpu_ids) == share.gpus for share in shares)
        for numbers in (
            [(share.node, "core", number) for share in shares for number in share.core_ids],
            [(share.node, "gpu", number) for share in shares for number in share.gpu_ids],
        ):
            assert len(numbers) == len(set(numbers))
    for each in held:
        inventory.give("m", each)
    everything = inventory.allocate(Resources(nodes=2, whole_nodes=True), "m")
    assert everything is not None
    assert ids(everything) == {"a": ((0, 1, 2, 3), ()), "b": ((0, 1, 2), ())}


def test_a_refusal_names_what_there_is_of_what_was_asked() -> None:
    inventory = yard({"a": Resources(cores=2, memory=10, gpus=1), "b": Resources(disk=7)})
    told = inventory.misfit(Resources(gpus=2, disk=8))
    assert told == (
        "it needs 1 core, 8 MiB of disk, 2 GPUs, and the machines have 2 nodes, the largest with"
        " 2 cores and 10 MiB; at most 7 MiB of disk on a node; at most 1 GPU on a node"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Resources(whole_nodes=True), Resources(cores=0)),
        (Resources(cores=0), Resources(whole_nodes=True)),
        (Resources(whole_nodes=True), Resources(cores=0, nodes=1)),
    ],
)
def test_nobody_is_beside_whole_nodes_be_it_without_a_core(
    one: Resources, other: Resources
) -> None:
    node = {"a": Resources(cores=4)}
    inventory = yard(node)
    held = inventory.allocate(one, "m")
    assert held is not None
    inventory.take("m", held)
    assert inventory.allocate(other, "m") is None
    assert inventory.misfit(other) == ""
    shadow = inventory.shadow()
    assert not shadow.copy().fits(other, "m")
    shadow.give("m", held, +1)
    assert shadow.fits(other, "m")
    inventory.join(joined("m", node), [held])
    assert inventory.allocate(other, "m") is None
    inventory.give("m", held)
    assert inventory.allocate(other, "m") is not None
