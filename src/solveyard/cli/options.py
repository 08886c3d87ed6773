"""The options of submit, run and hfss."""

from typing import Annotated

import typer

Argv = Annotated[
    list[str] | None, typer.Argument(metavar="-- COMMAND [ARG...]", help="The program to run.")
]
Name = Annotated[str, typer.Option(help="A name, unique in the store, to find it by.")]
Priority = Annotated[int, typer.Option(help="Larger goes first; may be negative.")]
Cores = Annotated[int, typer.Option("--cores", "-c", "-n", help="Processor cores it uses.")]
Memory = Annotated[str, typer.Option("--memory", "--mem", help="Memory it needs: 512M, 4G.")]
On = Annotated[str, typer.Option("--on", metavar="CLUSTER", help="What runs it; here: no cluster.")]
Queue = Annotated[str, typer.Option("--queue", "-p", help="Its queue there, of Slurm a partition.")]
Disk = Annotated[str, typer.Option(help="Scratch space it needs: 512M, 4G.")]
Gpus = Annotated[int, typer.Option(help="GPUs it uses; with --nodes on each.")]
Nodes = Annotated[
    int | None,
    typer.Option(help="So many machines, each with the cores, memory, disk and GPUs asked for."),
]
Pin = Annotated[bool, typer.Option("--pin", help="It stays on the cores that it is given.")]
TimeLimit = Annotated[
    str, typer.Option("--time-limit", "-t", help="It is ended after: 90, 15m, 2h, 1:30:00.")
]
Grace = Annotated[str, typer.Option(help="Told to end, it has so long until KILL: 2m; else 30 s.")]
Hold = Annotated[bool, typer.Option("--hold", help="It waits until released.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", metavar="LABEL", help="A label; may be repeated.")
]
Receivers = Annotated[
    list[str] | None,
    typer.Option("--notify", metavar="NAME", help="A receiver to tell how it ends; repeatable."),
]
Env = Annotated[
    list[str] | None, typer.Option("--env", metavar="NAME=VALUE", help="Environment; repeatable.")
]
Outputs = Annotated[
    list[str] | None,
    typer.Option("--output", metavar="FILE", help="A file it must make; repeatable."),
]
Directory = Annotated[
    str, typer.Option(help="Where it runs: the current folder, or with --solver its own.")
]
Exclusive = Annotated[
    list[str] | None,
    typer.Option("--exclusive", metavar="KEY", help="Only one job with this key runs at once."),
]
Note = Annotated[str, typer.Option(help="A remark for people.")]
SolverName = Annotated[str, typer.Option("--solver", help="Instead of a command: this solver.")]
Options = Annotated[str, typer.Option("--options", metavar="JSON|@FILE", help="The solver's.")]
Hang = Annotated[
    str,
    typer.Option("--hang", metavar="TIME", help="It is told when it does nothing for so long."),
]
EndHung = Annotated[bool, typer.Option("--end-hung", help="With --hang: it is ended then.")]
Measures = Annotated[
    str, typer.Option("--measures", metavar="JSON|@FILE", help="What to read from its results.")
]
Success = Annotated[
    str,
    typer.Option("--success", metavar="JSON|@FILE", help="What must hold for it to be completed."),
]
From = Annotated[
    str, typer.Option("--from", metavar="FILE|-", help="One JSON specification a line.")
]
Array = Annotated[
    str, typer.Option("--array", metavar="0-99[:STEP]", help="Run it once for each index.")
]
Values = Annotated[
    str, typer.Option("--values", metavar="1,2,3", help="Run it once for each value.")
]
Grid = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=V,V|A:B:STEP",
        help="A parameter and its values; repeated: each with each.",
    ),
]
Rows = Annotated[
    str, typer.Option("--rows", metavar="FILE.csv|-", help="Run it once for each line of a table.")
]
AtOnce = Annotated[
    int | None, typer.Option("--at-once", metavar="N", help="So many tasks run at the same time.")
]
After = Annotated[
    list[str] | None,
    typer.Option(
        "--after",
        metavar="JOB[:success|end|failure]",
        help="It waits for that job's success, or else; repeatable. JOB may be `last`.",
    ),
]
Retry = Annotated[
    int | None,
    typer.Option("--retry", metavar="N", help="Where it fails, start it up to N times in all."),
]
RetryOn = Annotated[
    list[str] | None,
    typer.Option("--retry-on", metavar="REASON", help="Only for this reason or cause; repeatable."),
]
RetryDelay = Annotated[
    str, typer.Option("--retry-delay", metavar="TIME", help="Before the second try; then longer.")
]
RetryMemory = Annotated[
    float | None,
    typer.Option("--retry-memory", metavar="FACTOR", help="More memory after running out of it."),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Submit nothing: print the specification, or a cluster's script."
    ),
]
