"""The image and its manifests, as far as they can be judged without a container engine."""

import fnmatch
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tools import locked

from solveyard.cli.systemd import STOP_TIME
from standin import install, project

ROOT = Path(__file__).parents[2]
UID = 64_123  #: nobody's account: the image's needn't exist here


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, continued lines joined."""
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    return [
        (name, rest) for name, _, rest in (line.partition(" ") for line in lines)
        if name.isupper()
    ]  # fmt: skip


def last(name: str) -> str:
    return [rest for each, rest in instructions() if each == name][-1]


def words(name: str) -> list[str]:
    """An instruction's command in its exec form."""
    return json.loads(re.search(r"\[.*\]", last(name))[0])  # type: ignore[index]


def settings() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in last("ENV").split())


def sent(path: str) -> bool:
    """Does .dockerignore let the builder have it? The last rule that fits decides."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text().split():
        rule = line.removeprefix("!")
        above = [path, *(str(parent) for parent in Path(path).parents)]
        if any(fnmatch.fnmatch(one, rule) for one in above):
            kept = line.startswith("!")
    return kept


def test_whatever_is_copied_is_there_and_is_sent() -> None:
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    assert "src" in copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert sent(source), source
    assert sent("src/solveyard/serve.py")
    for private in (".git", ".venv/bin/python", "demo-results/store", "src/x/__pycache__/a.pyc"):
        assert not sent(private), private


def test_what_is_installed_is_what_solveyard_needs_and_no_more() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    taken = locked.subset(lock, locked.roots(project))
    names = set(re.findall(r"^([a-z0-9.-]+)==", taken, re.MULTILINE))
    assert needed("solveyard") - {"solveyard"} <= names
    assert not names & {"pynec", "numpy", "matplotlib", "hatchling", "pillow", "tzdata"}
    assert taken.count("==") - taken.count("; ") <= len(names) <= taken.count("--hash=")
    assert "hatchling" in locked.subset(lock, locked.roots(project, "build"))
    with pytest.raises(SystemExit, match="not in the lock: abacus"):
        locked.subset(lock, {"abacus"})


def needed(name: str) -> set[str]:
    """What a distribution needs here, without extras, as those that are installed say."""
    found, todo = set(), [name]
    while todo:
        each = canonicalize_name(todo.pop())
        if each not in found:
            found.add(each)
            for text in importlib.metadata.requires(each) or ():
                one = Requirement(text)
                if one.marker is None or one.marker.evaluate({"extra": ""}):
                    todo.append(one.name)
    return found


def test_image_compose_and_kubernetes_agree() -> None:
    port, uid, data = last("EXPOSE"), last("USER").split(":")[0], last("VOLUME")
    assert settings()["SOLVEYARD_HOME"] == data
    assert last("WORKDIR") == "/tmp"  # a job that runs in the store shows no files
    assert last("STOPSIGNAL") == "SIGTERM"
    assert words("CMD")[words("CMD").index("--port") + 1] == port

    [one] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    assert one["hostname"]
    assert one["stop_grace_period"] == f"{STOP_TIME}s"
    assert [place.split(":")[-1] for place in one["ports"]] == [port]
    assert [place.split(":")[1] for place in one["volumes"]] == [data]

    service, stateful = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    assert (service["kind"], stateful["kind"]) == ("Service", "StatefulSet")
    pod = stateful["spec"]["template"]["spec"]
    [container] = pod["containers"]
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"] == stateful["spec"]["selector"]["matchLabels"] == labels
    assert stateful["spec"]["serviceName"] == service["metadata"]["name"]
    assert stateful["spec"]["replicas"] == 1
    assert pod["terminationGracePeriodSeconds"] == STOP_TIME
    assert pod["securityContext"]["runAsNonRoot"]
    users = {pod["securityContext"][each] for each in ("runAsUser", "runAsGroup", "fsGroup")}
    assert users == {int(uid)}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert [int(port)] == [each["containerPort"] for each in container["ports"]]
    assert [int(port)] == [each["port"] for each in service["spec"]["ports"]]
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert mounts.keys() == {data, "/tmp"}
    claims = [each["metadata"]["name"] for each in stateful["spec"]["volumeClaimTemplates"]]
    assert [mounts[data]] == claims
    assert {"name": mounts["/tmp"], "emptyDir": {}} in pod["volumes"]
    image = " ".join(words("CMD")).replace(" --", "\n--").replace(" ", "=").split("\n")
    assert set(image) <= set(container["args"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == words("HEALTHCHECK")


class Boxed:
    """Commands as the image runs them: another account, no home, nothing to write but the store."""

    def __init__(self, folder: Path) -> None:
        self.data, self.runtime = folder / "data", Path(f"/tmp/solveyard-{UID}")
        self.temporary = folder / "tmp"
        for each in (self.data, self.runtime, self.temporary):
            each.mkdir(mode=0o700, exist_ok=True)
            os.chown(each, UID, UID)
        keep = "cap_dac_read_search"  # to read, not to write, wherever Python and the code are
        self.account = [
            "setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups",
            f"--inh-caps=-all,+{keep[4:]}", f"--ambient-caps=-all,+{keep[4:]}",
            f"--bounding-set=-all,+{keep[4:]}", "--no-new-privs", "env", "-i",
            f"PATH={Path(sys.executable).parent}:/usr/bin:/bin", f"SOLVEYARD_HOME={self.data}",
            f"TMPDIR={self.temporary}", "PYTHONDONTWRITEBYTECODE=1",
        ]  # fmt: skip

    def serve(
        self, command: Sequence[str] = (), mounted: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        """The image's own command, or another of it, on a network of its own, below a root that
        can't be written; `mounted` is /mnt there.
        """
        folders = {one: one for one in (self.data, self.runtime, self.temporary)}
        folders |= {} if mounted is None else {mounted: Path("/mnt")}
        binds = [f"mount --bind {one} {place}" for one, place in folders.items()]
        script = " && ".join([*binds, "mount -o remount,bind,ro /", 'exec "$@"'])
        with (self.data.parent / "log").open("wb") as log:
            return subprocess.Popen(
                ["unshare", "--mount", "--net", "sh", "-c", script, "sh", *self.account,
                 *words("ENTRYPOINT")[2:], *(command or words("CMD"))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            )  # fmt: skip

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.account, *argv], capture_output=True, text=True, timeout=60, check=False, cwd="/"
        )


@pytest.fixture
def boxed(tmp_path: Path) -> Iterator[Boxed]:
    tools = all(map(shutil.which, ("unshare", "setpriv")))
    if os.getuid() != 0 or not tools or subprocess.run(["unshare", "-mn", "true"]).returncode:
        pytest.skip("only root can have another account's view of a read-only root")
    made = Boxed(tmp_path)
    yield made
    shutil.rmtree(made.runtime, ignore_errors=True)


def test_the_images_commands_work_for_another_account_without_a_home(
    boxed: Boxed, until: Callable[..., None]
) -> None:
    health = words("HEALTHCHECK")
    assert boxed.run(*health).returncode == 3
    process = boxed.serve()
    try:

        def healthy() -> bool:
            if process.poll() is not None:
                pytest.fail((boxed.data.parent / "log").read_text())
            return boxed.run(*health).returncode == 0

        until(healthy, "it is healthy")
        code = Path(sys.modules["solveyard"].__file__ or "").parent
        script = f"id -u; echo ${{HOME-none}}; touch {code}/x || echo read-only"
        done = boxed.run(
            "solveyard", "run", "--directory", str(boxed.data), "--", "sh", "-c", script
        )
        assert (done.returncode, done.stdout) == (0, f"{UID}\nnone\nread-only\n"), done.stderr
        process.terminate()
        assert process.wait(STOP_TIME) == 0
        assert boxed.run(*health).returncode == 3
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_projects_that_are_mounted_are_solved_by_the_images_account(
    boxed: Boxed, tmp_path: Path, until: Callable[..., None]
) -> None:
    [ours] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].items()
    [more] = yaml.safe_load((ROOT / "compose.projects.yaml").read_text())["services"].items()
    assert more[0] == ours[0], "it is the same service"
    command, mounts = more[1]["command"], more[1]["volumes"]
    assert command[: len(words("CMD"))] == words("CMD")
    assert command[len(words("CMD")) :] == ["--project-root", "/projects"]
    assert [mount.rpartition("}:")[2] for mount in mounts] == ["/projects", "ro"]
    edt = install(tmp_path / "ansys_inc")
    layout = "/".join(edt.relative_to(tmp_path / "ansys_inc").parent.parts)
    assert more[1]["environment"]["ANSYSEM_ROOT252"].partition("}/")[2] == layout
    boxed.account.append(f"ANSYSEM_ROOT252={edt.parent}")
    projects = tmp_path / "projects"
    board = project(projects, name="board.aedt")
    os.chown(projects, UID, UID)
    process = boxed.serve(["/mnt" if word == "/projects" else word for word in command], projects)
    try:
        until(lambda: boxed.run(*words("HEALTHCHECK")).returncode == 0, "it is healthy")
        options = json.dumps({"project_path": f"/mnt/{board.name}"})
        done = boxed.run("solveyard", "submit", "--wait", "--solver", "hfss", "--options", options)
        assert done.returncode == 0, done.stderr
        [log] = Path(f"{board}.batchinfo").glob("*.log")
        assert log.stat().st_uid == UID
        process.terminate()
        assert process.wait(STOP_TIME) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
