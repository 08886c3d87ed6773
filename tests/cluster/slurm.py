"""A real Slurm on this machine: a private munged, slurmctld, and four slurmd nodes.

Everything lies under one folder and listens on the loopback; what it starts, it stops by pid.
Its sockets have a short folder of their own, since munged wants every folder above its socket
open to all, and a socket's path has at most 107 bytes.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from conftest import alive, until

NODES = 4
CPUS = 8
MEMORY = 2000  #: MiB a node, made up like its processors
DAEMONS = ("munged", "slurmctld", "slurmd")
SBIN = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

_CONF = """\
ClusterName=testing
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/munge
# cred_expire is also how long a requeued job waits before it may start again
AuthInfo=socket={sockets}/munge,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
GresTypes=gpu
Licenses=ansys:4
PriorityType=priority/multifactor
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=2,bf_continue
MaxJobCount=50000
MaxArraySize={array_size}
MinJobAge={keeps}
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
KillWait=2
MessageTimeout=4
SlurmdTimeout=10
SlurmctldTimeout=30
InactiveLimit=0
WaitTime=0
ReturnToService=2
JobRequeue=1
PropagateResourceLimits=NONE
{nodes}
PartitionName=debug Nodes=ALL Default=YES DefaultTime=10 State=UP PriorityTier=5 PreemptMode=OFF
PartitionName=low Nodes=ALL DefaultTime=10 State=UP PriorityTier=1 PreemptMode=CANCEL
PartitionName=again Nodes=ALL DefaultTime=10 State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high Nodes=ALL DefaultTime=10 MaxTime=60 State=UP PriorityTier=10 PreemptMode=OFF
"""


def absent() -> list[str]:
    """The programs that are not installed."""
    return [name for name in (*DAEMONS, "sbatch") if shutil.which(name, path=SBIN) is None]


class Slurm:
    """Its commands work with `environment`."""

    def __init__(
        self, folder: Path, *, keeps: int = 300, memory: int = MEMORY, array_size: int = 51
    ) -> None:
        """`keeps`: s for which the controller remembers a job that has ended. `memory`: MiB.
        `array_size`: one more than tasks that an array may have.
        """
        self.instead: dict[str, str] = {}  #: what its slurm.conf has that other ones don't
        self.folder = folder
        self.keeps = keeps
        self.memory = memory
        self.array_size = array_size
        self.conf = folder / "slurm.conf"
        self.environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        self.environment.pop("SOLVEYARD_DISCOVER_CLUSTERS", None)
        self.sockets = Path(tempfile.mkdtemp(prefix="slurm-"))
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Until all nodes are idle."""
        self.sockets.chmod(0o755)
        for name in ("state", "spool", "log", "run", "munge", "gpu"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "munge").chmod(0o700)
        key = self.folder / "munge" / "key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        munge = self.sockets / "munge"
        self.serve(
            "munged", "--foreground", f"--key-file={key}", f"--socket={munge}",
            f"--pid-file={self.folder}/munge/pid", f"--seed-file={self.folder}/munge/seed",
            f"--log-file={self.folder}/munge/log", "--num-threads=4",
        )  # fmt: skip
        until(munge.exists, "munged listens")
        self.prepare()
        self._configure()
        self.account()
        self.start_controller(clean=True)
        for number in range(1, NODES + 1):
            self.start_node(f"n{number}")
        until(lambda: self.idle() == NODES, "all nodes of Slurm are idle")

    def prepare(self) -> None:
        """What another kind of Slurm needs before its slurm.conf is written."""

    def account(self) -> None:
        """What another kind of Slurm needs before its controller."""

    def start_controller(self, *, clean: bool = False) -> None:
        """`clean`: it knows of no jobs; else what it last wrote down."""
        self.serve("slurmctld", "-D", *(["-c"] if clean else []))

    def start_node(self, name: str) -> None:
        (self.folder / "spool" / name).mkdir(exist_ok=True)
        self.serve("slurmd", "-D", "-N", name, key=name)

    def stop(self) -> None:
        """Its jobs first, so that none outlives its node."""
        controller = self._running.get("slurmctld")
        if controller is not None and controller.poll() is None:
            controller.send_signal(signal.SIGCONT)
            self.run("scancel", "--quiet", "--full", f"--user={user()}", check=False)
            until(lambda: not self.run("squeue", "-h", "-t", "R,CG", check=False), "jobs are gone")
        nodes = [f"n{i}" for i in range(1, NODES + 1)]
        for name in [*nodes, "slurmctld", *reversed(self._running)]:  # munged, the first, last
            self.end(name, signal.SIGTERM)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def run(self, *argv: str, check: bool = True) -> str:
        """What one of its commands prints, without the last end of line."""
        done = subprocess.run(
            argv, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{argv}: {done.returncode}: {done.stderr}{done.stdout}")
        return done.stdout.rstrip("\n")

    def idle(self) -> int:
        """How many nodes are."""
        told = self.run("sinfo", "-h", "-N", "-p", "debug", "-t", "idle", "-o", "%n", check=False)
        return len(told.split())

    def state(self, native_id: str | None) -> str:
        """Of a job, in its own word."""
        return self.run("squeue", "-h", "-t", "all", "-o", "%T", "-j", str(native_id))

    def knows(self, native_id: str) -> bool:
        return bool(self.run("squeue", "-h", "-t", "all", "-o", "%T", "-j", native_id, check=False))

    def remembers(self) -> None:
        """Wait until the controller has written down what it knows now: 5 s after a submission."""
        state = self.folder / "state" / "job_state"
        before = state.stat().st_mtime_ns if state.exists() else 0
        held = self.run("sbatch", "--parsable", "--hold", "--output=/dev/null", "--wrap=true")
        until(lambda: state.exists() and state.stat().st_mtime_ns > before, "its state is saved")
        self.run("scancel", held)

    def submissions(self, attempt: str) -> list[str]:
        """The ids under which it was given this attempt, alone."""
        return [native_id for native_id, comment in self._comments() if comment == attempt]

    def given(self, store: str) -> list[str]:
        """The ids of all that it was given from a store, tasks of arrays one by one."""
        return [native_id for native_id, comment in self._comments() if comment.startswith(store)]

    def _comments(self) -> list[tuple[str, str]]:
        told = self.run("squeue", "-h", "-r", "-t", "all", "-o", "%i %k")
        pairs = (line.partition(" ") for line in told.splitlines())
        return [(native_id, comment) for native_id, _, comment in pairs]

    def pid(self, name: str) -> int:
        """Of "munged", "slurmctld", or a node."""
        return self._running[name].pid

    def send(self, name: str, number: signal.Signals) -> None:
        self._running[name].send_signal(number)

    def end(self, name: str, number: signal.Signals) -> None:
        """And wait until it's gone; KILL where it doesn't go by itself."""
        process = self._running.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert not alive(process.pid)

    def serve(self, program: str, *options: str, key: str = "") -> None:
        """Start a program that stays."""
        path = shutil.which(program, path=SBIN)
        assert path is not None, program
        with (self.folder / "log" / f"{key or program}.out").open("ab") as out:
            self._running[key or program] = subprocess.Popen(
                [path, *options],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=self.environment, start_new_session=True,
            )  # fmt: skip

    def _configure(self) -> None:
        host = socket.gethostname().partition(".")[0]
        ports = free_ports(NODES + 1)
        for number in range(2):  # any file passes for a GPU
            (self.folder / "gpu" / str(number)).touch()
        nodes = "\n".join(
            f"NodeName=n{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS}"
            f" Boards=1 SocketsPerBoard=1 CoresPerSocket={CPUS} ThreadsPerCore=1"
            f" RealMemory={self.memory} Gres=gpu:2"
            for number, port in enumerate(ports[1:], 1)
        )
        text = _CONF.format(
            host=host,
            port=ports[0],
            user=user(),
            sockets=self.sockets,
            folder=self.folder,
            nodes=nodes,
            keeps=self.keeps,
            array_size=self.array_size,
        )
        kept = [line for line in text.splitlines() if line.split("=")[0] not in self.instead]
        added = [f"{name}={value}" for name, value in self.instead.items()]
        self.conf.write_text("\n".join([*added, *kept, ""]))
        gpus = f"NodeName=n[1-{NODES}] Name=gpu File={self.folder}/gpu/[0-1]\n"
        (self.folder / "gres.conf").write_text(gpus)


def user() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def free_ports(number: int) -> list[int]:
    """All different, below those that the kernel hands out by itself."""
    found: list[int] = []
    start = 20000 + os.getpid() % 1000 * 10
    for port in range(start, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == number:
            return found
    raise AssertionError(f"no {number} free ports above {start}")
