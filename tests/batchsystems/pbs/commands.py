"""OpenPBS 23.06's commands: each with its options, its words and its exit statuses."""

from batchsystems.pbs import acting, asking, submitting

COMMANDS = {
    "qsub": submitting.qsub,
    "qstat": asking.qstat,
    "pbsnodes": asking.pbsnodes,
    "qdel": acting.qdel,
    "qhold": acting.qhold,
    "qrls": acting.qrls,
    "qalter": acting.qalter,
    "qsig": acting.qsig,
}
