"""How a process is started that goes on when whoever starts it ends."""

import subprocess
import sys
from typing import Any, Dict


def apart() -> Dict[str, Any]:
    """What Popen takes for it: a session of its own, out of Ctrl-C's reach.

    On Windows that is a console of its own, without a window. Without any console it couldn't
    send CTRL_BREAK to what it starts: "Only those processes in the group that share the same
    console as the calling process receive the signal."
    Source: "Process Creation Flags", "GenerateConsoleCtrlEvent" in Microsoft's documentation.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
