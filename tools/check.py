"""Everything that has to hold before a change lands; `python tools/check.py tests/unit` a part."""

import compileall
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent

CHECKS = {
    "ruff": [str(BIN / "ruff"), "check", "."],
    "format": [str(BIN / "ruff"), "format", "--check", "."],
    "types": [str(BIN / "mypy")],
    "types, Windows": [str(BIN / "mypy"), "--platform", "win32"],
    "floors": [str(BIN / "lint-imports"), "--no-cache"],
}


def main(tests: list[str]) -> int:
    """Run the checks and the tests, or the named tests alone; 0 when all hold."""
    failed = []
    if not tests:
        for name, command in CHECKS.items():
            begun = time.monotonic()
            done = subprocess.run(
                command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            verdict = "ok" if done.returncode == 0 else "FAILED"
            print(f"{name}: {verdict} ({time.monotonic() - begun:.1f} s)", flush=True)
            if done.returncode != 0:
                failed.append(name)
                print(done.stdout.decode(errors="replace"), flush=True)
    # a thousand processes are started, which need not each compile what they import
    compileall.compile_dir(ROOT / "src", quiet=2)
    command = [sys.executable, "-m", "pytest", "-ra", "--durations=10", *tests]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        failed.append("tests")
    if failed:
        print(f"failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
