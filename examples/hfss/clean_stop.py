"""Ask ansysedt for its clean stop, as PyAEDT has it: PORT, that of the job's `grpc_port`.

For a job's `stop_with`. It takes PyAEDT (`pip install pyaedt`) and AEDT 2023 R2 or later, and was
not run on Ansys software: whether a batch solve answers at that port wasn't tried.
"""

import sys

from ansys.aedt.core import Desktop

desktop = Desktop(
    non_graphical=True, new_desktop=False, close_on_exit=False, port=int(sys.argv[1])
)  # fmt: skip
try:
    desktop.stop_simulations(clean_stop=True)
finally:
    desktop.release_desktop(close_projects=False, close_on_exit=False)
