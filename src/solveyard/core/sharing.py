"""How an array's tasks share all cores or nodes, as QCG-PilotJob's two iteration schedulers do."""

from solveyard.model.resources import Range


def share(cores: Range, position: int, tasks: int, total: int) -> int:
    """Cores, or nodes, of the task at `position`, of `tasks`, of `total` that there are; 0: none.

    "rounds": as many tasks at once as can have `min` cores each; the tasks of a round share all
    cores, the later ones getting what is left over. "parts": each gets total // parts.
    """
    if cores.split == "parts":
        return total // (cores.parts or tasks)
    at_once = total // max(1, cores.min)
    if not at_once:
        return 0
    rounds = -(-tasks // at_once)
    least, longer = divmod(tasks, rounds)
    in_longer = longer * (least + 1)
    if position < in_longer:
        place, size = position % (least + 1), least + 1
    else:
        place, size = (position - in_longer) % least, least
    rest = total
    for left in range(size, size - place, -1):
        rest -= rest // left
    return rest // (size - place)
