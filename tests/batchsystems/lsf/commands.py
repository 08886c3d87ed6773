"""LSF's commands, in IBM's forms or in those of an open relative, as the system's settings say."""

from batchsystems.lsf import acting, asking, history, submitting

COMMANDS = {
    "bsub": submitting.bsub,
    "bjobs": asking.bjobs,
    "bqueues": asking.bqueues,
    "bhosts": asking.bhosts,
    "bparams": asking.bparams,
    "bhist": history.bhist,
    "bkill": acting.bkill,
    "bstop": acting.bstop,
    "bresume": acting.bresume,
    "bmod": acting.bmod,
}
