"""The Slurm that the tests start is a real one."""

from cluster.slurm import NODES, Slurm


def test_a_job_of_four_nodes_runs_on_all_of_them(slurm: Slurm) -> None:
    told = slurm.run("srun", f"-N{NODES}", "sh", "-c", "echo $SLURMD_NODENAME")
    assert sorted(told.split()) == ["n1", "n2", "n3", "n4"]
