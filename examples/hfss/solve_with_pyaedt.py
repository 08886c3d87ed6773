"""Solve a project by PyAEDT, and export its S-parameters: PROJECT RESULT CORES.

It takes PyAEDT (`pip install pyaedt`) and AEDT, and was not run by solveyard's tests.
"""

import sys

from ansys.aedt.core import Hfss

project, result, cores = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Hfss(project=project, non_graphical=True, new_desktop=True, close_on_exit=True) as hfss:
    if not hfss.analyze(cores=cores):
        sys.exit("the analysis failed (PyAEDT's messages say why)")
    if not hfss.export_touchstone(output_file=result):
        sys.exit("no S-parameters could be exported")
    hfss.save_project()
