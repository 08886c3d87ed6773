"""Everything that has to hold before a change lands; `python tools/check.py tests/unit` a part."""

import compileall
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent

CHECKS = {
    "ruff": [str(BIN / "ruff"), "check", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "."],
    "types": [str(BIN / "mypy")],
    "types, Windows": [
        *(str(BIN / "mypy"), "--platform", "win32"),
        *("--cache-dir", ".mypy_cache/windows"),  # each platform would throw out the other's
    ],
    "floors": [str(BIN / "lint-imports"), "--no-cache"],
    # reads all tests once, so that the lanes find them compiled
    "collection": [sys.executable, "-m", "pytest", "--collect-only", "--quiet"],
}
#: Nothing keeps a check from leaving compiled modules behind.
ENVIRONMENT = {name: one for name, one in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
AT_ONCE = 2
#: four keep more than two cores busy: many tests wait
LANES = ("-p", "xdist", "-n", "4", "--dist", "loadscope", "--no-loadscope-reorder")
#: of those that state machines and losses of power are tried with: a named part has them all
EXAMPLES = {"SOLVEYARD_EXAMPLES": "0.5"}
#: what failed once more, with the machine to itself: a real fault fails again (random finds are
#: kept and replayed), and what doesn't is named twice in what is printed, to be looked into
ALONE = ("--last-failed", "--last-failed-no-failures", "none", "--maxfail", "5")


def check(command: list[str]) -> tuple[float, int, str]:
    """How long it took, its status, and what it said."""
    begun = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=ENVIRONMENT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return time.monotonic() - begun, done.returncode, done.stdout.decode(errors="replace")


def _tested(*arguments: str) -> bool:
    command = [sys.executable, "-m", "pytest", "-ra", "--durations=10", *arguments]
    environment = {**EXAMPLES, **os.environ} if arguments == LANES else None
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if status != 0 and arguments == LANES:
        print("\nONCE MORE, ALONE: the tests that failed in company", flush=True)
    return status == 0


def main(tests: list[str]) -> int:
    """Run the checks and the tests, or the named tests alone; 0 when all hold."""
    failed = []
    if not tests:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            results = pool.map(check, CHECKS.values())
            for name, (seconds, status, said) in zip(CHECKS, results, strict=True):
                verdict = "ok" if status == 0 else "FAILED"
                print(f"{name}: {verdict} ({seconds:.1f} s)", flush=True)
                if status != 0:
                    failed.append(name)
                    print(said[-30_000:], flush=True)
    # a thousand processes are started, which need not each compile what they import
    compileall.compile_dir(ROOT / "src", quiet=2)
    if not (_tested(*tests) if tests else _tested(*LANES) or _tested(*ALONE)):
        failed.append("tests")
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
