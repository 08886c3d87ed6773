"""STAND-IN for lmutil (not FlexNet software): `lmutil lmstat -a [-f FEATURE] -c PORT@HOST`.

Prints the true state of the stand-in's licence server in the form of lmstat.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from standin import licences  # it runs as a program of its own

UNREACHABLE = """Error getting status: Cannot connect to license server system. (-15,570:115 \
"Operation now in progress")"""


def report(state: dict[str, Any], address: str, only: str = "") -> str:
    port, _, host = address.partition("@")
    lines = [
        "lmutil: STAND-IN (not FlexNet software)",
        f"Flexible License Manager status on {time.strftime('%a %m/%d/%Y %H:%M')}",
        "",
        f"License server status: {address}",
        "",
        f"      {host}: license server UP (MASTER) v11.19.4",
        "",
        f"Vendor daemon status (on {host}):",
        "",
        "  ansyslmd: UP v11.19.4",
        "Feature usage info:",
        "",
    ]
    for name, issued in state["issued"].items():
        if only in {"", name}:
            lines += _feature(name, issued, state["held"], f"{host}/{port}")
    return "\n".join(lines) + "\n"


def _feature(name: str, issued: int, held: list[dict[str, Any]], server: str) -> list[str]:
    holders = [one for one in held if one["features"].get(name)]
    used = sum(one["features"][name] for one in holders)
    lines = [
        f"Users of {name}:  (Total of {_licences(issued)} issued;"
        f"  Total of {_licences(used)} in use)",
        "",
    ]
    if holders:
        lines += [
            f'  "{name}" v9999.9999, vendor: ansyslmd, expiry: permanent(no expiration date)',
            "  floating license",
            "",
        ]
    for one in holders:
        number = one["features"][name]
        since = time.localtime(one["since"])
        start = f"{time.strftime('%a', since)} {since.tm_mon}/{since.tm_mday}"
        lines.append(
            f"    {one['user']} {one['host']} {one['host']} (v2025.0506)"
            f" ({server} {one['handle']}), start {start} {since.tm_hour}:{since.tm_min:02}"
            + (f", {number} licenses" if number > 1 else "")
        )
    return [*lines, ""] if holders else lines


def _licences(number: int) -> str:
    return f"{number} license" + ("" if number == 1 else "s")


def main(arguments: list[str]) -> int:
    rest = list(arguments)
    if not rest or rest.pop(0) != "lmstat":
        print("usage: lmutil lmstat -a [-f FEATURE] -c PORT@HOST", file=sys.stderr)
        return 1
    only, address = "", os.environ.get(licences.VARIABLE, "")
    while rest:
        option = rest.pop(0)
        if option == "-c" and rest:
            address = rest.pop(0)
        elif option == "-f" and rest:
            only = rest.pop(0)
        elif option != "-a":
            print(f"lmutil: unknown option {option}", file=sys.stderr)
            return 1
    try:
        client = licences.Client(address)
    except licences.NoServer:
        print(f"License server status: {address}\n\n{UNREACHABLE}")
        return 1
    print(report(client.state(), address, only), end="")
    client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
