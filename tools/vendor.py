"""Fetch the browser libraries that our pages and their tests use, at fixed versions.

`python tools/vendor.py` needs npm and a network; its results are committed, so nobody else does.
Each package must have the integrity noted here; `manifest.json` beside the files tells where each
came from and what it hashes to, and LICENSES holds their licences.
"""

import base64
import hashlib
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
DASHBOARD = ROOT / "src/solveyard/doors/dashboard/vendor"
VIEWER = ROOT / "src/solveyard/doors/viewer/vendor"
TESTS = ROOT / "tests/browser/vendor"

#: Browsers know no package names without an import map, which our Content-Security-Policy refuses.
IMPORTS = {
    "preact": "./preact.js",
    "preact/hooks": "./hooks.js",
    "@preact/signals-core": "./signals-core.js",
}


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    integrity: str  #: as npm writes it: "sha512-" and base64
    licence: str  #: SPDX
    files: dict[str, str]  #: ours by theirs
    suffix: dict[str, str] = field(default_factory=dict)  #: added at the end of one of ours


PACKAGES = {
    DASHBOARD: [
        Package(
            "preact",
            "11.2.0",
            "sha512-/HfHI/7N84e6GrWBJ3J280z3mLaRJiDcSvj/A+y/4AbLnND/1UlGHe1sR6oYuTGwId0nP7dqDU9OnLxMPZ7xBg==",
            "MIT",
            {"dist/preact.mjs": "preact.js", "hooks/dist/hooks.mjs": "hooks.js"},
        ),
        Package(
            "@preact/signals-core",
            "1.14.5",
            "sha512-vcRv7Ityz5JVmeiVqIluLFzT/PDS/AlhHUpw3/aUWqcVUs6bDGIPXE/6RSC4evBNWYvnniozg5Syfj33al3gkg==",
            "MIT",
            {"dist/signals-core.module.js": "signals-core.js"},
        ),
        Package(
            "@preact/signals",
            "2.11.4",
            "sha512-Rb+5RPo9gWSaHtzJeauhHxiC8KP/IF2DEPkHPEOGOnuy2wnJzRqyeLRankUCYd6ADqtxS6GnWGv6Ie343d8aYw==",
            "MIT",
            {"dist/signals.module.js": "signals.js"},
        ),
        Package(
            "htm",
            "3.1.1",
            "sha512-983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ==",
            "Apache-2.0",
            {"dist/htm.module.js": "htm.js"},
        ),
        Package(
            "uplot",
            "1.6.32",
            "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
            "MIT",
            {"dist/uPlot.iife.min.js": "uplot.js", "dist/uPlot.min.css": "uplot.css"},
            {"uplot.js": "\nexport default uPlot;\n"},
        ),
        Package(
            "socket.io-client",
            "4.8.4",
            "sha512-7wjKAvVXYOJsbmUgkWbnhPD4bFpkqrUR0++XOjpGFmqDqsqV1CI93VTraeExLxpjxEqrWgFoSRZu1ihjLWfkAA==",
            "MIT",
            {"dist/socket.io.esm.min.js": "socket.io.js"},
        ),
    ],
    VIEWER: [
        Package(
            "swagger-ui-dist",
            "5.35.0",
            "sha512-U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==",
            "Apache-2.0",
            {
                "swagger-ui-bundle.js": "swagger-ui.js",
                "swagger-ui-bundle.js.LICENSE.txt": "swagger-ui.js.LICENSE.txt",
                "swagger-ui.css": "swagger-ui.css",
                "NOTICE": "NOTICE",
            },
        ),
    ],
    TESTS: [
        Package(
            "axe-core",
            "4.14.1",
            "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
            "MPL-2.0",
            {"axe.min.js": "axe.min.js"},
        ),
    ],
}


def main() -> int:
    for folder, packages in PACKAGES.items():
        folder.mkdir(parents=True, exist_ok=True)
        manifest, licences = [], []
        for package in packages:
            with tempfile.TemporaryDirectory() as scratch:
                source = fetch(package, Path(scratch))
                hashes = {}
                for theirs, ours in package.files.items():
                    text = (source / theirs).read_text(encoding="utf-8")
                    text = adapt(text) + package.suffix.get(ours, "")
                    (folder / ours).write_text(text, encoding="utf-8")
                    hashes[ours] = hashlib.sha256(text.encode()).hexdigest()
                licence = (source / "LICENSE").read_text(encoding="utf-8").strip()
            manifest.append(
                {
                    "package": package.name,
                    "version": package.version,
                    "licence": package.licence,
                    "integrity": package.integrity,
                    "sha256": hashes,
                }
            )
            licences.append(f"{package.name} {package.version} ({package.licence})\n\n{licence}\n")
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
        (folder / "LICENSES").write_text(f"\n{'-' * 78}\n\n".join(licences), encoding="utf-8")
    return 0


def fetch(package: Package, scratch: Path) -> Path:
    """The package's folder, unpacked. Raises SystemExit when it isn't what we know."""
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    subprocess.run(command, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
    [archive] = scratch.glob("*.tgz")
    digest = hashlib.sha512(archive.read_bytes()).digest()
    integrity = f"sha512-{base64.b64encode(digest).decode()}"
    if integrity != package.integrity:
        raise SystemExit(
            f"{package.name} {package.version} has the integrity {integrity}, not"
            f" {package.integrity} (has somebody changed it? then don't take it)"
        )
    with tarfile.open(archive) as packed:
        packed.extractall(scratch, filter="data")
    return scratch / "package"


def adapt(text: str) -> str:
    """Imports by relative path, and no pointer to a source map that isn't there."""
    text = re.sub(
        r'(\bfrom\s*|\bimport\s*)"([^".][^"]*)"',
        lambda match: f'{match[1]}"{IMPORTS[match[2]]}"' if match[2] in IMPORTS else match[0],
        text,
    )
    return re.sub(r"\n?//# sourceMappingURL=.*\s*$", "\n", text)


if __name__ == "__main__":
    sys.exit(main())
