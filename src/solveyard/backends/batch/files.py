"""Where a forwarded attempt's own files lie: beside its output, on what manager and nodes share."""

from pathlib import Path

from solveyard.backends.base import Order


def script(order: Order) -> Path:
    """Written just before it's sent: where there is none, it never was."""
    return Path(f"{_place(order)}.sh")


def record(order: Order) -> Path:
    return Path(f"{_place(order)}.record")


def log(order: Order) -> Path:
    """The batch system's own words about the script."""
    return Path(f"{_place(order)}.log")


def _place(order: Order) -> str:
    return order.stdout.removesuffix(".out")
